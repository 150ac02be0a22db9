"""The command that makes scores mean something on one scanner."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mood import engines
from mood.atomic import check_writable
from mood.cli.options import EngineOption, MethodOption, OutputOption, RegionOption, WeightsOption, console
from mood.cli.output import QuietOption, VerboseOption

if TYPE_CHECKING:
    from mood.calibration import Calibration


def calibrate(
    source: Annotated[Path, typer.Option("-i", "--input", help="Folder of healthy scans of one scanner.")],
    target: OutputOption,
    region: RegionOption,
    method: MethodOption = None,
    weights: WeightsOption = None,
    fpr: Annotated[float, typer.Option(min=0.001, max=0.5, help="Share of healthy scans that may be flagged.")] = 0.05,
    engine: EngineOption = engines.AUTO,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Calibrate weights on healthy scans of your own; predict with the new weights flags what is unusual there."""
    from mood.detector import load_detector
    from mood.training.site import calibrate_to_site

    check_writable(target)
    detector = load_detector(region, method, weights, engine)
    found = calibrate_to_site(detector, source, target, fpr, _say)
    for line in told(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    use = f"mood predict --region {region} --method {detector.method.name} --weights {target} -i SCANS -o RESULTS"
    console.print(f"Use it with: {use}", highlight=False, markup=False, soft_wrap=True)


def _say(path: Path, total: int) -> None:
    console.print(f"{path.name} (of {total})", highlight=False, markup=False, soft_wrap=True)


def told(found: Calibration) -> list[str]:
    """What a calibration comes to, in sentences."""
    site, lines = found.site, [f"Calibrated on {found.scans} healthy scans."]
    if site is None:
        return lines
    needed = math.ceil(1 / site.false_positive_rate - 1e-9) - 1
    rate = f"{site.false_positive_rate:.3g}"
    if found.scans < needed:
        lines.append(f"That is few: a rate of {rate} takes {needed}, and the threshold is an extrapolation.")
    lines.append(
        f"A scan is flagged above {site.threshold:.4g} of the method's own score: {rate} of healthy scans are."
    )
    places = zip(site.false_places[2:], (3, 4, 5), strict=False)
    words = "; ".join(f"{count:.2g} at 1 voxel in {10**decade:,}" for count, decade in places)
    return [*lines, f"False places a scan: {words}."]
