"""Make weights folders of what `train_packed.py` wrote.

    python scripts/install_weights.py TRAINED DATA TARGET

Every NAME.json in TRAINED, with the NAME.weights.h5 or NAME-PART.weights.h5 beside it, becomes TARGET/NAME, calibrated
on the held-out training scans of DATA.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

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
    for path in sorted(arguments.trained.glob("*-*.json")):
        install(path, apart, arguments.target / path.stem)


def install(about: Path, apart: list[Path], folder: Path) -> None:
    """One weights folder from its description and the arrays beside it."""
    trained = json.loads(about.read_text(encoding="utf-8"))
    kind, region = method_type(trained["method"]), get_region(trained["region"])
    method = kind(region, kind.settings_type.from_dict(trained["settings"]))
    load_trained(method, about)
    facts = trained["training"]
    training = TrainingFacts(
        steps=facts.get("steps", 0),
        selection_ap=-1.0,  # the last weights are taken
        training_scans=facts["training_scans"],
        held_out_scans=tuple(scan_name(path) for path in apart),
        seed=facts["seed"],
        minutes=round(facts.get("seconds", 0.0) / 60, 1),
        device=facts["device"],
        note=f"{NOTE} {measured(facts)}".strip(),
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


def load_trained(method: Method, about: Path) -> None:
    """The arrays beside a description: of the method as a whole, or of each of its networks."""
    whole = about.with_name(f"{about.stem}.weights.h5")
    if whole.exists():
        method.load_weights(whole)
        return
    for name, network in method.parts().items():
        network.load_weights(about.with_name(f"{about.stem}-{name}.weights.h5"))


def curves(facts: dict[str, Any], parts: list[str]) -> dict[str, tuple[CurvePoint, ...]]:
    """What was learnt when, by part of the method."""
    found = {view: of["curve"] for view, of in facts.get("views", {}).items()} or {parts[0]: facts.get("curve", [])}
    return {name: tuple(decode(CurvePoint, point) for point in points) for name, points in found.items() if points}


def measured(facts: dict[str, Any]) -> str:
    """A sentence on the task that it was trained on."""
    if "check_ap" not in facts:
        return ""
    return f"AP on its own task in scans kept apart: {facts['check_ap']:.3f} at a chance of {facts['chance']:.3f}."


if __name__ == "__main__":
    main()
