"""The four scripts run as the organisers run them, with every right taken away; where one fails, what it lacked.

A script that fails is run again, each time with one thing allowed. What makes it succeed is what it must learn to do
without. So a sound image is run four times, and of a broken one it is said what breaks it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mood.submission.conditions import ALL_ALLOWED, LACKS, Conditions
from mood.submission.containers import Ended, Engine
from mood.submission.contents import script_path
from mood.submission.predictions import (
    NOTE,
    SAMPLE,
    Finding,
    folder_findings,
    header_of,
    prediction_findings,
    prediction_name,
)

ANY_USER = 12345  # who is in no list of users
STRICT = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
SHM = ("--shm-size", "64m")  # Docker's default, which Podman's configuration may change


@dataclass(frozen=True)
class Limits:
    """What a script may use.

    Attributes
    ----------
    seconds : float
        A scan, the start shared out among them.
    memory_gib : float
        Of the container.
    gpu : bool
        Whether it is given the GPUs.
    """

    seconds: float = 600.0
    memory_gib: float = 12.0
    gpu: bool = False


@dataclass(frozen=True)
class Cases:
    """Scans of one region.

    Attributes
    ----------
    folder : pathlib.Path
        That holds them all, and one that is damaged.
    sound : pathlib.Path
        That holds the same without the damaged one.
    damaged : str
        Its file name.
    """

    folder: Path
    sound: Path
    damaged: str

    def scans(self, conditions: Conditions) -> list[Path]:
        """Those that a script is shown."""
        return sorted((self.folder if conditions.damaged else self.sound).glob("*.nii.gz"))


@dataclass
class Trial:
    """What came of one of the four scripts."""

    script: str
    mode: str
    region: str
    status: int = -1
    seconds: float = 0.0  # of a scan, the start shared out among them
    peak_bytes: int = 0
    predictions: int = 0
    findings: list[Finding] = field(default_factory=list)


def try_script(
    engine: Engine, image: str, mode: str, region: str, cases: Cases, limits: Limits, suspects: set[str]
) -> Trial:
    """Run one of the four scripts and look at what it leaves.

    Parameters
    ----------
    engine : Engine
    image : str
    mode : {'sample', 'pixel'}
    region : str
    cases : Cases
        Of that region.
    limits : Limits
    suspects : set of str
        Codes of what other scripts of the image lacked, which is tried first.
    """
    trial = Trial(script_path(mode, region), mode, region)
    ended, trial.findings, trial.predictions = _attempt(engine, image, trial, cases, limits, Conditions())
    scans = len(cases.scans(Conditions()))
    trial.status, trial.seconds, trial.peak_bytes = ended.status, ended.seconds / scans, ended.peak_bytes
    if spent := _spent(ended, limits):
        trial.findings.insert(0, replace(spent, where=trial.script))
    elif _failed(ended, trial.findings):
        follows = "missing" if ended.status else None
        left = [finding for finding in trial.findings if finding.code != follows]
        trial.findings = [_reason(engine, image, trial, cases, limits, ended, suspects), *left]
    return trial


def _attempt(
    engine: Engine, image: str, trial: Trial, cases: Cases, limits: Limits, conditions: Conditions
) -> tuple[Ended, list[Finding], int]:
    """One run: how it ended, what is wrong with what it left, and how many predictions there are."""
    scans = cases.scans(conditions)
    with tempfile.TemporaryDirectory(prefix="mood-submit-", ignore_cleanup_errors=True) as work:
        output = Path(work, "out")
        output.mkdir()
        uid = _give(output, conditions)
        Path(work).chmod(0o755)
        command, options = _line(trial.script, cases, output, uid, limits, conditions)
        ended = engine.run(image, command, options, limits.seconds * len(scans), Path(work, "log"))
        findings = list(_output_findings(scans, output, trial.mode, uid, cases.damaged))
        expected = [output / prediction_name(scan.name, trial.mode) for scan in scans]
        return ended, findings, sum(path.is_file() for path in expected)


def _give(output: Path, conditions: Conditions) -> int:
    """Let the container's user write to the folder; who it is."""
    if conditions.root:
        return 0
    if os.getuid():  # who can remove again what it wrote
        return os.getuid()
    os.chown(output, ANY_USER, ANY_USER)
    return ANY_USER


def _line(
    script: str, cases: Cases, output: Path, uid: int, limits: Limits, conditions: Conditions
) -> tuple[list[str], list[str]]:
    """The command in the container, and the options it is made with."""
    memory = f"{int(limits.memory_gib * 1024)}m"
    scans = cases.folder if conditions.damaged else cases.sound
    options = ["--volume", f"{scans}:/mnt/data:ro", "--volume", f"{output}:/mnt/pred", *SHM]
    options += ["--memory", memory, "--memory-swap", memory]
    options += [] if conditions.writable else ["--read-only"]
    options += [] if conditions.network else ["--network", "none"]
    options += ["--user", "0:0"] if conditions.root else ["--user", f"{uid}:{uid}", *STRICT]
    options += ["--gpus", "all"] if limits.gpu else []
    words = [script, "/mnt/data", "/mnt/pred"]
    return (words, [*options, "--entrypoint", "sh"]) if conditions.shell else (["sh", *words], options)


def _output_findings(scans: list[Path], output: Path, mode: str, uid: int, damaged: str) -> Iterator[Finding]:
    for scan in scans:
        for finding in prediction_findings(scan, output, mode):
            what = finding.what + (" (of a scan that cannot be read)" if scan.name == damaged else "")
            softer = finding.code == "missing" and scan.name == damaged
            yield replace(finding, what=what, grave=NOTE if softer else finding.grave)
    yield from folder_findings(output, [prediction_name(scan.name, mode) for scan in scans], uid)
    scores = [_first_line(output / prediction_name(scan.name, mode)) for scan in scans if header_of(scan)]
    if mode == SAMPLE and len(scores) > 1 and all(scores) and len(set(scores)) == 1:
        what = f"the score of every scan is {scores[0]}"
        yield Finding("constant", what, "", "See in the log whether a fall-back stands in for a score", NOTE)


def _first_line(path: Path) -> str:
    return path.read_text(errors="replace").partition("\n")[0].strip() if path.is_file() else ""


def _failed(ended: Ended, findings: list[Finding]) -> bool:
    """Whether the script is what is wrong, and not a value in what it wrote."""
    return ended.status != 0 or any(f.code == "missing" and f.grave != NOTE for f in findings)


def _spent(ended: Ended, limits: Limits) -> Finding | None:
    """That a script used more than it may."""
    if ended.timed_out:
        what = f"not done after {limits.seconds:g} s a scan, and stopped"
        return Finding("time", what, fix="Make it faster, or leave out what takes longest")
    if ended.out_of_memory or (ended.status == 137 and not ended.last_line):
        what = f"killed: {limits.memory_gib:g} GiB of memory were used up"
        return Finding("memory", what, fix="Do one scan at a time, in smaller pieces")
    return None


def _reason(
    engine: Engine, image: str, trial: Trial, cases: Cases, limits: Limits, first: Ended, suspects: set[str]
) -> Finding:
    """Why a script fails: the one thing that it works with."""
    said = f"; it says: {first.last_line[:160]}" if first.last_line else ""
    for lack in sorted(LACKS, key=lambda lack: lack.code not in suspects):
        if not _failed(*_attempt(engine, image, trial, cases, limits, lack.allowed)[:2]):
            return Finding(lack.code, lack.what + said, trial.script, lack.fix)
    if not _failed(*_attempt(engine, image, trial, cases, limits, ALL_ALLOWED)[:2]):
        what = "it works only when several things are allowed: to write, a network, to be root, sound scans alone"
        return Finding("rights", what + said, trial.script, "Take them away one by one: docker run --read-only ...")
    what = f"it ends with status {first.status}" if first.status else "it leaves scans without a prediction"
    return Finding("fails", f"{what}, whatever is allowed to it{said}", trial.script, "Run it by hand and read its log")
