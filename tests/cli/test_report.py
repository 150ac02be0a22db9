import json
import sys

import pytest

from mood.cli import app as cli
from tests.evaluation.report.toy_folder import make_folders


@pytest.fixture
def call(monkeypatch, capsys):
    """call('report', ...) runs the command line in this process and returns exit status and printed text."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((printed.out + printed.err).split())

    return call


@pytest.fixture
def folders(tmp_path, rng):
    return make_folders(tmp_path, rng)


def test_a_report_ends_with_a_sentence_and_where_it_is(call, folders):
    arguments = ["report", "-i", folders / "in", "-p", folders / "out", "--weights", folders / "weights"]
    status, text = call(*arguments, "-o", folders / "report")
    assert status == 0
    assert "3 scans: 2 with places that stand out, 1 without." in text
    assert str(folders / "report" / "index.html") in text.replace(" ", "")
    assert "mood report -i" in (folders / "report" / "index.html").read_text(encoding="utf-8")


def test_a_scan_that_cannot_be_shown_decides_the_exit_status(call, folders):
    (folders / "out" / "sub-02.nii.gz").write_bytes(b"")
    arguments = ["report", "-i", folders / "in", "-p", folders / "out", "--weights", folders / "weights"]
    status, text = call(*arguments, "-o", folders / "report")
    assert status == 1
    assert "1 that could not be shown" in text


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"-p": "nowhere"}, 3, "there is no such folder"),
        ({"-i": "nowhere"}, 3, "there is no such input folder"),
        ({"-o": "in"}, 2, "one of the input folders"),
        ({"-o": "file/report"}, 2, "cannot be written"),
        ({"--one-in": 5}, 2, "a place cannot be one voxel in 5"),
        ({"--healthy": "nobody"}, 2, "no scan is called 'nobody'"),
    ],
)
def test_wrong_usage_is_a_sentence_and_a_status(call, folders, monkeypatch, change, status, words):
    monkeypatch.chdir(folders)
    (folders / "file").touch()
    options = {"-i": "in", "-p": "out", "-o": "report", "--weights": "weights"} | change
    found, text = call("report", *[word for pair in options.items() for word in pair])
    assert found == status
    assert words in text


def test_predict_writes_report_and_previews(call, folders):
    weights = folders / "atlas"
    healthy = folders / "in"
    assert call("train", "-i", healthy, "-o", weights, "-r", "brain", "-m", "atlas", "--side", 24)[0] == 0
    target = folders / "predicted"
    arguments = ["predict", "-i", healthy, "-o", target, "-r", "brain", "-m", "atlas", "--weights", weights]
    status, text = call(*arguments, "--report", "--preview")
    assert status == 0, text
    assert "3 pictures NAME.png" in text
    assert (target / "sub-01.png").is_file()
    assert (target / "report" / "scans" / "sub-01.html").is_file()
    assert json.loads((target / "run.json").read_text())["about"]["method"] == "atlas"


def test_programs_get_one_json_object_and_the_quiet_get_nothing(monkeypatch, capsys, call, folders):
    weights = folders / "atlas"
    assert call("train", "-i", folders / "in", "-o", weights, "-r", "brain", "-m", "atlas", "--side", 24, "-q") == (
        0,
        "",
    )
    arguments = ["-i", folders / "in", "-o", folders / "made", "-r", "brain", "-m", "atlas", "--weights", weights]
    monkeypatch.setattr(sys, "argv", ["mood", "predict", *map(str, arguments), "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    told = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in told["scans"]] == ["done"] * 3
    assert told["method"] == "atlas"
    assert call("predict", *arguments, "-q") == (0, "")
    assert "0 of 3 scans scored with atlas, 3 were done before" in call("predict", *arguments)[1]
