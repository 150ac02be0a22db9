"""What a script lacks, told by an engine that is made up: it runs no container, but answers as one would."""

import gzip
import shutil
from pathlib import Path

import pytest

from mood.regions import REGIONS
from mood.submission.check import gather_cases
from mood.submission.containers import Ended, used_bytes
from mood.submission.trials import Limits, try_script
from tests.submission.broken_images import write_scans


class MadeUp:
    """An engine whose script works when `works(options, command, scans)` says so."""

    def __init__(self, works, status=1, **ended):
        self.works, self.status, self.ended, self.runs = works, status, ended, 0

    def run(self, image, command, options, seconds, log):
        self.runs += 1
        volumes = [
            word.split(":")[0] for word, before in zip(options[1:], options, strict=False) if before == "--volume"
        ]
        scans, output = map(Path, volumes)
        if not self.works(options, command, [path.name for path in scans.iterdir()]):
            return Ended(self.status, 1.0, log="one\n│ said at last    │\n╰─────────────────╯\n\n", **self.ended)
        for scan in scans.iterdir():
            with gzip.open(scan) if scan.read_bytes()[:2] == b"\x1f\x8b" else scan.open("rb"):
                shutil.copyfile(scan, output / scan.name)
        return Ended(0, 6.0, 1000)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    write_scans(folder)
    return gather_cases(folder, folder / "work", None, REGIONS.values())["brain"]


def tried(engine, cases, suspects=()):
    trial = try_script(engine, "image", "pixel", "brain", cases, Limits(), set(suspects))
    return trial, [f.code for f in trial.findings if f.where.startswith("/workspace")]


def damaged_is_absent(options, command, scans):
    return "not_a_scan.nii.gz" not in scans


LACKS = {
    "damaged": damaged_is_absent,
    "read-only": lambda options, command, scans: "--read-only" not in options,
    "user": lambda options, command, scans: "0:0" in options,
    "network": lambda options, command, scans: "none" not in options,
    "entrypoint": lambda options, command, scans: "--entrypoint" in options and command[0].startswith("/workspace"),
    "rights": lambda options, command, scans: "none" not in options and damaged_is_absent(options, command, scans),
    "fails": lambda options, command, scans: False,
}


@pytest.mark.parametrize("code", LACKS)
def test_what_makes_a_script_work_is_what_it_lacks(cases, code):
    trial, codes = tried(MadeUp(LACKS[code]), cases)
    assert codes == [code]
    assert "said at last" in trial.findings[0].what


def test_a_script_that_works_is_run_once_and_its_start_is_shared_out(cases):
    engine = MadeUp(lambda *call: True)
    trial, codes = tried(engine, cases)
    assert (engine.runs, codes, trial.status, trial.seconds, trial.peak_bytes) == (1, [], 0, 2.0, 1000)
    assert trial.predictions == 3


def test_what_another_script_lacked_is_tried_first(cases):
    engine = MadeUp(LACKS["network"])
    assert tried(engine, cases, ["network"])[1] == ["network"]
    assert engine.runs == 2


@pytest.mark.parametrize(("ended", "code"), [({"timed_out": True}, "time"), ({"out_of_memory": True}, "memory")])
def test_who_uses_too_much_is_not_tried_again(cases, ended, code):
    engine = MadeUp(lambda *call: False, 137, **ended)
    assert tried(engine, cases)[1] == [code]
    assert engine.runs == 1


def test_nothing_of_a_trial_stays_behind(cases, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tried(MadeUp(LACKS["user"]), cases)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("1.5MiB / 23.5GiB", 1572864), ("\x1b[2J\x1b[H2.5GB / 16GB", 2_500_000_000), ("-- / --", 0), ("12B / 1kB", 12)],
)
def test_memory_in_use_is_read_from_the_engine(line, wanted):
    assert used_bytes(line) == wanted
