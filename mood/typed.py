"""Plain data with declared types and ranges: checked when it comes in, plain when it goes out.

A dataclass declares what may stand in a file or on a command line, each number with its range
(`width: Annotated[int, Meta(ge=1, le=64)]`); `decode` is the only way in and `encode` the only way out. What does
not fit is an `Unfit`, which whoever knows the file or the option makes a sentence of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

LARGEST_FILE = 2**20  # bytes; no description of weights is near it

LARGEST_SEED = 2**32 - 1  # that NumPy and Keras take alike

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=LARGEST_SEED)]
Rate = Annotated[float, Meta(gt=0, le=1)]  # a learning rate: beyond 1 nothing converges
Momentum = Annotated[float, Meta(ge=0, lt=1)]  # of running statistics: at 1 they never move
Width = Annotated[int, Meta(ge=1, le=64)]  # of a network's first level: twice that of the widest one published
Batch = Annotated[int, Meta(ge=1, le=1024)]  # images: more fit no memory


class Unfit(ValueError):
    """Data without the declared names, types or ranges; the text says which."""


def decode(kind: type[T], values: Any) -> T:
    """`values` as an instance of a dataclass, or of any type that annotations can name.

    Numbers are not taken from text, nor whole numbers from fractions or truth values; no range lets a NaN pass.

    Raises
    ------
    Unfit
        When a name is missing, or a type or range differs.
    """
    try:
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unfit(_plainly(str(error))) from error


def decode_text(kind: type[T], text: str | bytes) -> T:
    """As `decode`, from JSON in UTF-8; `Unfit` when it is none."""
    try:
        values = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Unfit(_plainly(str(error))) from error
    return decode(kind, values)


def decode_file(kind: type[T], path: Path) -> T:
    """As `decode_text`, from a file; a pipe or a huge file is not even opened.

    Raises
    ------
    FileNotFoundError, OSError
        When there is no such file, or it cannot be read.
    Unfit
    """
    if not path.is_file():
        if path.exists():
            raise Unfit("it is not a regular file")
        raise FileNotFoundError(path)
    if path.stat().st_size > LARGEST_FILE:
        raise Unfit(f"it is larger than {LARGEST_FILE} bytes")
    return decode_text(kind, path.read_bytes())


def plain_value(text: str) -> Any:
    """What a word on a command line means: a number, list or truth value where it is JSON, else text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return text


def encode(value: Any) -> Any:
    """A dataclass, or a container of some, as dictionaries, lists, numbers and text: what JSON can hold."""
    return msgspec.json.decode(msgspec.json.encode(_whole(value)))


def encode_text(value: Any) -> str:
    """As `encode`, as indented JSON with a final newline; what is no number (NaN) becomes null."""
    return msgspec.json.format(msgspec.json.encode(_whole(value)), indent=1).decode() + "\n"


def _whole(value: Any) -> Any:
    """With the defaults that `decode` left to the class; msgspec itself sees only what an instance holds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


def renamed(values: Mapping[str, Any], old_names: Mapping[str, str]) -> dict[str, Any]:
    """`values` under the names of today, for files that were written under others."""
    return {old_names.get(name, name): value for name, value in values.items()}


def _plainly(text: str) -> str:
    """What msgspec says, in the words of whoever reads the file: `width: expected int <= 64`."""
    what, _, where = text.partition(" - at `")
    place = where.strip("`").removeprefix("$").removeprefix(".")
    what = what.replace("`", "").replace("Expected", "expected").replace("Object missing required field", "there is no")
    return f"{place}: {what}" if place else what
