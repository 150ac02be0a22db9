"""An image checked as a whole: what lies in it, how it runs, and a table and an object of what was found."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from mood.errors import NoInputError
from mood.regions import Region
from mood.submission.containers import Engine
from mood.submission.contents import SCRIPTS, Contents, Script, read_contents, script_path
from mood.submission.predictions import FAULT, MODES, NOTE, Finding
from mood.submission.trials import Cases, Limits, Trial, try_script

DAMAGED = "not_a_scan.nii.gz"
LABELS = ("title", "version", "revision", "licenses")  # of org.opencontainers.image that a reader looks for
OCI = "org.opencontainers.image."


@dataclass(frozen=True)
class Report:
    """What was found of an image.

    Attributes
    ----------
    image, digest : str
    size_bytes : int
        Unpacked.
    labels : dict
    contents : Contents
    trials : list of Trial
        Of the four scripts, those that could be run.
    findings : list of Finding
        Of the image itself.
    """

    image: str
    digest: str
    size_bytes: int
    labels: dict[str, str]
    contents: Contents
    trials: list[Trial]
    findings: list[Finding]

    @property
    def all_findings(self) -> list[Finding]:
        """Of the image and of the scripts, faults first."""
        found = [*self.findings, *(finding for trial in self.trials for finding in trial.findings)]
        return sorted(found, key=lambda finding: finding.grave != FAULT)

    @property
    def sound(self) -> bool:
        """Whether nothing was found that costs points."""
        return not any(finding.grave == FAULT for finding in self.all_findings)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        parts = Counter(package.kind for package in self.contents.packages)
        return {
            "image": self.image,
            "digest": self.digest,
            "sound": self.sound,
            "size_bytes": self.size_bytes,
            "labels": self.labels,
            "packages": dict(parts),
            "bills_of_materials": self.contents.bills,
            "scripts": [asdict(trial) | {"sound": not trial.findings} for trial in self.trials],
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_image(
    image: str,
    cases: dict[str, Cases],
    limits: Limits,
    size_gb: float,
    engine: Engine,
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Report:
    """Look into an image and run its scripts.

    Parameters
    ----------
    image : str
        Its name or id.
    cases : dict of str to Cases
        Scans by region; scripts of other regions are not run.
    limits : Limits
    size_gb : float
        What the image may take, unpacked.
    engine : Engine
    on_trial : callable
        Called after each script.

    Raises
    ------
    NoInputError
        When there is no such image.
    MoodError
        When it does not start.
    """
    facts = engine.facts(image)
    with engine.files(image) as archive:
        contents = read_contents(archive)
    config = facts.get("Config") or {}
    labels, size = config.get("Labels") or {}, int(facts.get("Size") or 0)
    findings = [*_script_findings(contents), *_image_findings(config, labels, contents, size, size_gb)]
    broken = {finding.where for finding in findings if finding.grave == FAULT}
    trials: list[Trial] = []
    for region in cases:
        for mode in MODES:
            if script_path(mode, region) not in broken:
                trials.append(try_script(engine, image, mode, region, cases[region], limits, _codes(trials)))
                on_trial(trials[-1])
    return Report(image, str(facts.get("Id", "")), size, labels, contents, trials, findings)


def _codes(trials: list[Trial]) -> set[str]:
    return {finding.code for trial in trials for finding in trial.findings}


def _script_findings(contents: Contents) -> Iterator[Finding]:
    for path in SCRIPTS:
        if path not in contents.scripts:
            yield Finding("script", "the script is not in the image", path, "Put it there")
            continue
        script = contents.scripts[path]
        if isinstance(script, Script):
            if b"\r\n" in script.head:
                yield Finding("lines", "the script has Windows line ends, at which sh fails", path, "Use: dos2unix")
            elif not script.runs_directly:
                fix = "Begin it with #!/bin/sh, and chmod a+rx"
                yield Finding("run bit", "the script cannot be started without naming sh", path, fix, NOTE)


def _image_findings(
    config: dict[str, Any], labels: dict[str, str], contents: Contents, size: int, size_gb: float
) -> Iterator[Finding]:
    if size > size_gb * 1e9:
        what = f"{size / 1e9:.2f} GB, more than {size_gb:g}"
        yield Finding("size", what, "image", "Leave out what prediction does not need")
    if absent := [name for name in LABELS if not labels.get(OCI + name)]:
        fix = f"LABEL {OCI}{absent[0]}=... in the Dockerfile"
        yield Finding("labels", f"no label for {', '.join(absent)}", "image", fix, NOTE)
    if not contents.packages and not contents.bills:
        what = "what it is made of cannot be told: no package database in it, no bill of materials"
        yield Finding("parts", what, "image", "Put a CycloneDX file into it", NOTE)
    if nameless := [package.name for package in contents.packages if not package.version]:
        yield Finding("parts", f"no version of {', '.join(sorted(nameless)[:5])}", "image", "Reinstall them", NOTE)
    if contents.closed:
        what = f"not everybody can read {contents.closed[0]}" + (
            f" and {len(contents.closed) - 1} more" if len(contents.closed) > 1 else ""
        )
        yield Finding("closed", what, "image", "RUN chmod -R a+rX /workspace", NOTE)
    if config.get("User") not in (None, "", "root", "0", "0:0"):
        what = f"it runs as user {config['User']} unless told otherwise, who may not write to the organisers' folder"
        yield Finding("user set", what, "image", "Take USER out of the Dockerfile", NOTE)


def gather_cases(source: Path | None, work: Path, side: int | None, regions: Iterable[Region]) -> dict[str, Cases]:
    """Scans to show to an image, with a damaged one among them.

    Parameters
    ----------
    source : pathlib.Path, optional
        In the challenge's layout: REGION/toy/NAME.nii.gz; else two toy scans a region are made.
    work : pathlib.Path
        Where to put them; everybody must be let in.
    side : int, optional
        Voxels along each axis of the toy scans; the challenge's own when not given.
    regions : iterable of Region

    Raises
    ------
    NoInputError
        When `source` has no scans of a region.
    """
    cases = {}
    for region in regions:
        folder = source / region.name / "toy" if source else _toy(region, work, side)
        scans = sorted(folder.glob("*.nii.gz"))
        if not scans:
            fix = f"Put NAME.nii.gz files into it, or leave out --scans (mood toy shows the layout of {region.name})"
            raise NoInputError("there is no scan in this folder", where=folder, fix=fix)
        cases[region.name] = _with_damaged(scans, work / region.name)
    return cases


def _toy(region: Region, work: Path, side: int | None) -> Path:
    import numpy as np

    from mood.synthesis.toy import make_toy

    make_toy(work / "toy", region, np.random.default_rng(0), 2, side)
    return work / "toy" / region.name / "toy"


def _with_damaged(scans: list[Path], folder: Path) -> Cases:
    cases = Cases(folder / "all", folder / "sound", DAMAGED)
    for each in (cases.folder, cases.sound):
        each.mkdir(parents=True)
        each.chmod(0o755)
        for scan in scans:
            shutil.copyfile(scan, each / scan.name)
            (each / scan.name).chmod(0o644)
    (cases.folder / DAMAGED).write_text("not a scan\n")
    (cases.folder / DAMAGED).chmod(0o644)
    return cases


def render(report: Report) -> list[Table]:
    """What was found, for people: the scripts, and what is wrong."""
    scripts = Table(title=_title(report), box=box.SIMPLE, title_justify="left")
    for column in ("Script", "Status", "s a scan", "Memory", "Predictions", ""):
        scripts.add_column(column, justify="left" if column in ("Script", "") else "right")
    for trial in report.trials:
        memory = f"{trial.peak_bytes / 2**20:.0f} MiB" if trial.peak_bytes else "–"
        verdict = "sound" if not trial.findings else ", ".join(dict.fromkeys(f.code for f in trial.findings))
        cells = (Path(trial.script).name, trial.status, f"{trial.seconds:.1f}", memory, trial.predictions, verdict)
        scripts.add_row(*(Text(str(cell)) for cell in cells))
    return [scripts, _findings_table(report)] if report.all_findings else [scripts]


def _title(report: Report) -> str:
    parts = Counter(package.kind for package in report.contents.packages)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(parts.items())) or "unknown"
    return f"{report.image}: {report.size_bytes / 1e6:.0f} MB; packages: {told}"


def _findings_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE, show_lines=False)
    for column in ("", "Code", "What", "Where", "What to do"):
        table.add_column(column, overflow="fold")
    for finding in report.all_findings:
        cells = (finding.grave, finding.code, finding.what, finding.where, finding.fix)
        table.add_row(*map(Text, cells))
    return table
