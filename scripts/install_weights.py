"""Make weights folders of what `train_packed.py` wrote.

    python scripts/install_weights.py TRAINED DATA TARGET

Every NAME.json in TRAINED or a folder in it, with the NAME.weights.h5 or NAME-PART.weights.h5 beside it, becomes
TARGET/NAME, calibrated on the held-out training scans of DATA. Views of detail that were trained apart, each with a
NAME.json in a folder of its own, become one.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mood.benchmark.manifest import held_out, read_manifest
from mood.methods import Method, method_type
from mood.regions import get_region
from mood.training.data import measure_calibration
from mood.typed import decode
from mood.volume import scan_name
from mood.weights.config import CurvePoint, Step, TrainingFacts, WeightsConfig
from mood.weights.store import write_folder

NOTE = (
    "Trained on the skull-stripped T1 scans of ds002748, ds011, IXI (2 mm), studyforrest and niimath (CC0, PDDL, "
    "CC BY-SA), standardised, at their own voxels."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    apart = [entry.path for entry in held_out(read_manifest(arguments.data))]
    paths = sorted([*arguments.trained.glob("*-*.json"), *arguments.trained.glob("*/*-*.json")])
    for name in sorted({path.stem for path in paths}):
        install([path for path in paths if path.stem == name], apart, arguments.target / name)


def install(descriptions: list[Path], apart: list[Path], folder: Path) -> None:
    """One weights folder from its descriptions and the arrays beside them."""
    trained = joined([json.loads(path.read_text(encoding="utf-8")) for path in descriptions])
    kind, region = method_type(trained["method"]), get_region(trained["region"])
    method = kind(region, kind.settings_type.from_dict(trained["settings"]))
    load_trained(method, folder.name, [path.parent for path in descriptions])
    facts = trained["training"]
    training = TrainingFacts(
        steps=facts.get("steps", 0),
        selection_ap=-1.0,  # the last weights are taken
        training_scans=facts["training_scans"],
        held_out_scans=tuple(scan_name(path) for path in apart),
        seed=facts["seed"],
        minutes=round(facts.get("seconds", 0.0) / 60, 1),
        device=facts["device"],
        note=f"{NOTE} {other_scanners(facts)}{measured(facts)}".strip(),
        curves=curves(facts, list(method.parts())),
        provenance=tuple(decode(Step, step) for step in facts.get("provenance", [])),
    )
    calibration = measure_calibration(method, apart)
    config = WeightsConfig(method.name, region.name, method.settings.to_dict(), training, calibration=calibration)
    with tempfile.TemporaryDirectory() as temporary:
        arrays = Path(temporary) / "full.weights.h5"
        method.save_weights(arrays)
        write_folder(folder, arrays, config)
    print(f"{folder}: {(folder / 'model.weights.h5').stat().st_size / 1e6:.1f} MB", flush=True)


def joined(descriptions: list[dict[str, Any]]) -> dict[str, Any]:
    """One description of what was trained in parts: their views and curves, steps and time in all."""
    whole, *others = descriptions
    settings, facts = whole["settings"], whole["training"]
    for other in others:
        settings["views"] = [*settings["views"], *other["settings"]["views"]]
        facts["views"] |= other["training"]["views"]
        facts["provenance"] += other["training"]["provenance"]
    if others:
        each = list(facts["views"].values())
        facts |= {key: sum(view[key] for view in each) for key in ("steps", "seconds")}
        facts |= {key: float(np.mean([view[key] for view in each])) for key in ("check_ap", "chance")}
    return whole


def load_trained(method: Method, name: str, folders: list[Path]) -> None:
    """The arrays beside the descriptions: of the method as a whole, or of each of its networks."""
    whole = folders[0] / f"{name}.weights.h5"
    if whole.exists():
        method.load_weights(whole)
        return
    for part, network in method.parts().items():
        file = f"{name}-{part}.weights.h5"
        network.load_weights(next(folder / file for folder in folders if (folder / file).exists()))


def curves(facts: dict[str, Any], parts: list[str]) -> dict[str, tuple[CurvePoint, ...]]:
    """What was learnt when, by part of the method."""
    found = {view: of["curve"] for view, of in facts.get("views", {}).items()} or {parts[0]: facts.get("curve", [])}
    return {name: tuple(decode(CurvePoint, point) for point in points) for name, points in found.items() if points}


def other_scanners(facts: dict[str, Any]) -> str:
    """A sentence on what was shown besides."""
    others = facts.get("others", 0)
    return f"{others} of them once more, as made-up lesser scanners would show them. " if others else ""


def measured(facts: dict[str, Any]) -> str:
    """A sentence on the task that it was trained on."""
    if "check_ap" not in facts:
        return ""
    return f"AP on its own task in scans kept apart: {facts['check_ap']:.3f} at a chance of {facts['chance']:.3f}."


if __name__ == "__main__":
    main()
