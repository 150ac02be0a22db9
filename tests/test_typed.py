import os
from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from mood.typed import (
    LARGEST_FILE,
    Unfit,
    decode,
    decode_file,
    decode_text,
    encode,
    encode_text,
    plain_value,
    renamed,
)


@dataclass(frozen=True)
class Coil:
    turns: Annotated[int, Meta(ge=1, le=9)]
    bore_mm: tuple[float, float] = (1.0, 2.0)
    name: str | None = None


@given(st.integers(1, 9), st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), st.none() | st.text())
def test_what_goes_out_comes_in(turns, bore, name):
    coil = Coil(turns, bore, name)
    assert decode(Coil, encode(coil)) == coil
    assert decode_text(Coil, encode_text(coil)) == coil


@pytest.mark.parametrize(
    "wrapped", [lambda v: v, lambda v: [v], lambda v: {"coil": (v,)}], ids=["bare", "list", "dict"]
)
def test_what_came_in_with_defaults_goes_out_with_them(wrapped):
    coil = decode(Coil, {"turns": 3})
    assert encode(wrapped(coil)) == encode(wrapped(Coil(3)))
    assert encode_text(wrapped(coil)) == encode_text(wrapped(Coil(3)))
    assert encode(coil) == {"turns": 3, "bore_mm": [1.0, 2.0], "name": None}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"turns": "3"}, "turns: expected int, got str"),
        ({"turns": True}, "turns: expected int, got bool"),
        ({"turns": 1.5}, "turns: expected int, got float"),
        ({"turns": 0}, "turns: expected int >= 1"),
        ({"turns": 10**40}, "turns: expected int <= 9"),
        ({"turns": 3, "bore_mm": [1.0]}, "bore_mm: expected array of length 2"),
        ({"turns": 3, "bore_mm": [1.0, "wide"]}, "bore_mm.1.: expected float, got str"),
        ({}, "there is no turns"),
        (None, "expected object, got null"),
        ([], "expected object, got array"),
    ],
)
def test_what_does_not_fit_is_named(values, words):
    with pytest.raises(Unfit, match=words):
        decode(Coil, values)


@pytest.mark.parametrize("text", ["", "{", '{"turns": NaN}', "[" * 100_000, b"\xff\xfe", '{"turns": 1e999}'])
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(Unfit):
        decode_text(Coil, text)


def test_no_range_lets_a_nan_pass():
    with pytest.raises(Unfit, match="expected float"):
        decode(Annotated[float, Meta(ge=0)], float("nan"))


def test_files_that_are_none_are_not_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        decode_file(Coil, tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Unfit, match="not a regular file"):
            decode_file(Coil, path)
    (tmp_path / "large").write_bytes(b" " * (LARGEST_FILE + 1))
    with pytest.raises(Unfit, match="larger than"):
        decode_file(Coil, tmp_path / "large")
    (tmp_path / "good").write_text('{"turns": 3, "unheard": "of"}')
    assert decode_file(Coil, tmp_path / "good") == Coil(3)


def test_older_names_become_those_of_today():
    assert renamed({"looks": 1, "width": 2}, {"looks": "views"}) == {"views": 1, "width": 2}


@pytest.mark.parametrize(
    ("word", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("[1, 2]", [1, 2]), ("fast", "fast"), ("NaN", "NaN"), ("", "")],
)
def test_a_word_is_what_it_reads_as(word, value):
    assert plain_value(word) == value
