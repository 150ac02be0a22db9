"""The whole way of a data set: in, scored with small weights, and out again as derivatives that the validator takes."""

import json
import sys

import pytest

from mood.cli import app as cli
from mood.cli import bids_app
from mood.regions import BRAIN
from mood.training.run import train as train_folder
from tests.formats.toy_data_set import bids_errors, make_data_set


@pytest.fixture
def bids_root(tmp_path, rng):
    return make_data_set(tmp_path / "data set", rng)


@pytest.fixture
def weights(tmp_path, healthy):
    settings = {"grid_shape": (28, 24, 16), "spacing_mm": (6.0, 8.0, 9.0)}
    return train_folder(healthy, tmp_path / "weights", "atlas", BRAIN, settings)


@pytest.fixture
def call(monkeypatch, capsys):
    """call('mood-bids', ...) runs a program in this process and returns exit status and printed text."""

    def call(program: str, *arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            (bids_app if program == "mood-bids" else cli).main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((printed.out + printed.err).split())

    return call


def test_a_bids_app_scores_participants_and_reports_on_the_group(call, bids_root, tmp_path, weights):
    out = tmp_path / "derivatives"
    status, text = call("mood-bids", bids_root, out, "participant", "--participant_label", "02", "--weights", weights)
    assert status == 0, text
    assert "BIDS derivatives of 1 of 1 scans" in text
    status, text = call("mood-bids", bids_root, out, "participant", "--weights", weights)
    assert status == 0, text
    assert "2 of 3 scans scored with atlas, 1 were done before" in text
    names = sorted(path.name for path in out.rglob("*_probseg.nii.gz"))
    assert names == [f"sub-{name}_desc-mood_probseg.nii.gz" for name in ("01_ses-a", "01_ses-b", "02_run-1")]
    status, text = call("mood-bids", bids_root, out, "group", "--weights", weights)
    assert status == 0, text
    assert (out / "mood/report/index.html").is_file()
    assert len((out / "scores.tsv").read_text().splitlines()) == 4
    assert "weights" in json.loads((out / "dataset_description.json").read_text())["GeneratedBy"][0]["Description"]
    assert bids_errors(out) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("participants",), 2, "did you mean 'participant'?"),
        (("participant", "--participant-label", "77"), 3, "there is no T1w scan of sub-77"),
        (("group",), 3, "there is no such folder"),
    ],
)
def test_a_wrong_call_of_the_bids_app_is_a_sentence_and_a_status(call, bids_root, tmp_path, arguments, status, words):
    got, text = call("mood-bids", bids_root, tmp_path / "out", *arguments)
    assert got == status, text
    assert words in text


def test_derivatives_are_refused_before_anything_is_scored(call, healthy, bids_root, tmp_path, weights):
    common = ("-o", tmp_path / "out", "-r", "brain", "-m", "atlas", "--weights", weights, "--bids-out", tmp_path / "d")
    status, text = call("mood", "predict", "-i", healthy, *common)
    assert status == 2
    assert "the scan's name is none of BIDS" in text
    status, text = call("mood", "predict", "-i", bids_root, *common, "--mode", "sample")
    assert status == 2
    assert "Leave out --mode sample, or --bids-out" in text
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_a_data_set_without_t1w_ends_with_status_3(call, bids_root, tmp_path, weights):
    for path in bids_root.rglob("*_T1w.nii.gz"):
        path.unlink()
    status, text = call("mood", "predict", "-i", bids_root, "-o", tmp_path / "out", "-r", "brain", "--weights", weights)
    assert status == 3
    assert "the BIDS data set has no scan" in text
