import json
import sys

import numpy as np
import pytest
from PIL import Image

from mood.cli import app as cli
from mood.cli import doctor


@pytest.fixture
def call(monkeypatch, capsys):
    """call('info') runs the command line in this process and returns exit status, output and error output."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return call


def test_info_for_programs(call):
    status, text, _ = call("info", "--json")
    told = json.loads(text)
    assert status == 0
    assert "mix" in told["methods"]
    default = {one["region"]: one["method"] for one in told["weights"] if one["default"]}
    assert set(default) == {"brain", "abdom"}
    assert all(len(one["sha256"]) >= 64 and one["training"]["note"] for one in told["weights"])


def test_the_doctor_says_how_to_mend_what_is_bad(call, monkeypatch):
    found = [doctor.Finding("memory", "bad", "0.1 GiB", "End other programs"), doctor.Finding("GPU", "good", "none")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(found))
    status, text, _ = call("doctor")
    assert status == 1
    assert "BAD" in text
    assert "-> End other programs" in text
    status, text, _ = call("doctor", "--json")
    assert status == 1
    assert json.loads(text)["findings"][0]["fix"] == "End other programs"
    monkeypatch.setattr(doctor, "examine", lambda: iter(found[1:]))
    status, text, _ = call("doctor")
    assert status == 0
    assert "All that is needed works" in text


def test_tasks_can_be_looked_at(call, healthy, tmp_path):
    arguments = ["preview", "-i", healthy, "-r", "brain", "-o", tmp_path / "p.png", "--task"]
    status, text, error = call(*arguments, "fpi,texture")
    assert status == 0, error
    assert "2 tasks in" in text
    assert np.ptp(np.asarray(Image.open(tmp_path / "p.png"))) > 100
    assert call(*arguments, "magic")[0] == 2
