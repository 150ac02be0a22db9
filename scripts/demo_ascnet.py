"""ASC-Net where its authors show it: gliomas in FLAIR, found without a label in training.

python scripts/demo_ascnet.py --data DATA --work WORK

DATA is a folder with `brain/flair/NAME_flair.nii.gz` and expert masks `NAME_flair_label.nii.gz` beside them. Each
patient is held out once: the reference images are the other patients' slices without tumour, the inputs all their
slices. Masks tell which slices are free of tumour, and measure; nothing else is learnt from them. WORK keeps each
fold's arrays, networks, learning curve and picture. The same call goes on after an interruption; folds that are
trained are only measured again.

Prints the Dice coefficient of thresholded Iro at the scan's own voxels, and beside it what a threshold on plain
intensity gives: the same rule read from the intensities' histogram, and the best there is with the mask at hand.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mood.atomic import append_row, replacing
from mood.conform import Placement, conform
from mood.errors import MoodError, NoInputError, TrainingError
from mood.methods.ascnet import grey_levels, pictures
from mood.methods.ascnet.adversarial import rebuilt
from mood.methods.ascnet.arrays import INPUTS, REFERENCE
from mood.methods.ascnet.grey_levels import Levels
from mood.methods.ascnet.method import AscNet
from mood.methods.ascnet.workflow import SETTINGS, continue_training, create_networks, load_networks
from mood.methods.slices import fit_shape, to_slices
from mood.regions import BRAIN, Grid
from mood.volume import load

GRID = Grid((64, 64, 64), (2.75, 2.75, 2.75))
MEDIAN = 0.55  # what the median of a brain becomes: tumours are 1.4 to 1.8 times as bright
LEAST_TISSUE = 0.15  # of a slice to train on: tips of the brain are mostly background
ROUNDING = 1e-3  # of a slice
ENDING = "_flair.nii.gz"
TRAINING = {
    "width": 8,
    "momentum": 0.9,
    "batch_size": 8,
    "learning_rate": 6e-3,
    "discriminator_learning_rate": 1e-4,
    "adversarial_weight": 0.003,
    "discriminator_floor": 0.8,
    "phase_steps": 48,
}
CURVE = ("stage", "round", "threshold", "dice")


@dataclass(frozen=True, eq=False)
class Patient:
    """One scan on the grid, and its mask at the scan's own voxels.

    Attributes
    ----------
    scan : (X, Y, Z) float32 ndarray in [0, 1]
        Standardised; background is 0.
    tumour : (X', Y', Z') bool ndarray
    diseased : (Z,) bool ndarray
        Slices of the grid that hold any of the tumour.
    """

    name: str
    scan: np.ndarray
    placement: Placement
    tumour: np.ndarray
    diseased: np.ndarray

    @property
    def slices(self) -> np.ndarray:
        """(N, H, W, 1) along the third axis."""
        return to_slices(self.scan, 2)[..., None]

    @property
    def trained_on(self) -> np.ndarray:
        """(Z,) bool: slices with enough tissue."""
        return (self.slices > 0).mean(axis=(1, 2, 3)) >= LEAST_TISSUE


def standardised(scan: np.ndarray) -> np.ndarray:
    """Intensities with the median of the tissue at `MEDIAN`: no percentile above it, which a tumour would move."""
    return np.clip(scan * (MEDIAN / np.median(scan[scan > 0])), 0.0, 1.0).astype(np.float32)


def read_patient(path: Path) -> Patient:
    scan, placement = conform(load(path), BRAIN, GRID)
    tumour = load(path.with_name(path.name.replace(".nii.gz", "_label.nii.gz"))).data > 0.5
    levels = np.arange(scan.shape[2])
    heights = np.ascontiguousarray(np.broadcast_to(levels / len(levels), scan.shape), np.float32)
    touched = placement.restore(heights)[tumour] * len(levels)  # what is restored is in [0, 1]
    diseased = np.isin(levels, [np.floor(touched + ROUNDING), np.ceil(touched - ROUNDING)])
    return Patient(path.name.removesuffix(ENDING), standardised(scan), placement, tumour, diseased)


def read_patients(data: Path) -> list[Patient]:
    folder = data / "brain" / "flair"
    paths = sorted(folder.glob(f"*{ENDING}"))
    if len(paths) < 2:
        raise NoInputError("there are not two FLAIR scans", where=folder, fix=f"Put NAME{ENDING} and their masks there")
    return [read_patient(path) for path in paths]


def training_images(patients: list[Patient]) -> tuple[np.ndarray, np.ndarray]:
    """Reference and input images of some patients, (N, H, W, 1) each, and all of them mirrored left to right."""
    side = (*GRID.shape[:2], 1)
    chosen = [[p.slices[p.trained_on & ~p.diseased] for p in patients], [p.slices[p.trained_on] for p in patients]]
    reference, inputs = (np.concatenate([fit_shape(s, (len(s), *side)) for s in slices]) for slices in chosen)
    return np.concatenate([reference, reference[:, ::-1]]), np.concatenate([inputs, inputs[:, ::-1]])


def overlap(found: np.ndarray, tumour: np.ndarray) -> float:
    """Dice coefficient."""
    return float(2 * (found & tumour).sum() / max(found.sum() + tumour.sum(), 1))


def segment(patient: Patient, image: np.ndarray, levels: Levels) -> float:
    """Dice of a thresholded (X, Y, Z) image, within the brain and at the scan's own voxels."""
    brain = patient.placement.restore((patient.scan > 0).astype(np.float32)) > 0.5
    return overlap(levels.mask(patient.placement.restore(image)) & brain, patient.tumour)


def rebuild(method: AscNet, patient: Patient) -> np.ndarray:
    """Iro of a whole scan, (X, Y, Z) float32."""
    return np.ascontiguousarray(np.moveaxis(rebuilt(method.network, patient.slices)[2], 0, 2))


def train(patient: Patient, others: list[Patient], folder: Path, rounds: int) -> AscNet:
    """Networks that never saw `patient`; each round's Dice on it goes to curve.csv and decides nothing."""
    if not (folder / SETTINGS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, images in zip((REFERENCE, INPUTS), training_images(others), strict=True):
            np.save(folder / name, images)
        create_networks(folder, GRID.shape[:2], TRAINING | {"most_rounds": rounds})

    def measure(method: AscNet) -> None:
        threshold = max(method.levels.thresholds, default=float("nan"))
        dice = segment(patient, rebuild(method, patient), method.levels)
        stage, done = method.rounds.stage, method.rounds.done
        append_row(folder / "curve.csv", CURVE, [stage, done, f"{threshold:.4f}", f"{dice:.4f}"])
        logging.info("%s, stage %d, round %d: Dice %.3f", patient.name, stage, done, dice)

    try:
        for stage in (1, 2):
            continue_training(folder, folder, stage, on_round=measure)
    except TrainingError as error:  # no peaks within the rounds: what there is gets measured
        logging.warning("%s: %s", patient.name, error)
    return load_networks(folder)


def plain_threshold(patient: Patient, others: list[Patient]) -> float:
    """Dice of intensity alone, at the threshold that the same rule reads from the same images."""
    reference, inputs = training_images(others)
    return segment(patient, patient.scan, grey_levels.find_levels(grey_levels.measure(inputs, reference)))


def best_threshold(patient: Patient) -> float:
    """Dice of intensity alone at the patient's own best threshold: what no rule can pass."""
    thresholds = MEDIAN * np.linspace(1.05, 1.75, 36)
    return max(segment(patient, patient.scan, grey_levels.levels_at(float(t), MEDIAN)) for t in thresholds)


def draw(method: AscNet, patient: Patient, path: Path) -> None:
    chosen = np.flatnonzero(patient.diseased)[:: max(1, patient.diseased.sum() // 4)][:4]
    images = patient.slices[chosen]
    cuts = rebuilt(method.network, images)
    columns = dict(zip(("input", "Ifc", "Iwc", "Iro"), (images[..., 0], *cuts), strict=True))
    columns["mask"] = (method.levels.mask(cuts[2]) & (images[..., 0] > 0)).astype(np.float32)
    reference = patient.slices[patient.trained_on & ~patient.diseased]
    histogram = grey_levels.measure(
        rebuilt(method.network, patient.slices[patient.trained_on])[2], rebuilt(method.network, reference)[2]
    )
    pictures.save_panel(columns, histogram, method.levels, path)


def fold(patient: Patient, others: list[Patient], folder: Path, rounds: int) -> dict[str, float | str]:
    """One patient held out: its figures."""
    method = train(patient, others, folder, rounds)
    draw(method, patient, folder / "iro.png")
    return {
        "patient": patient.name,
        "ascnet": segment(patient, rebuild(method, patient), method.levels),
        "plain": plain_threshold(patient, others),
        "best": best_threshold(patient),
    }


def table(rows: list[dict[str, float | str]]) -> str:
    columns = ("ascnet", "plain", "best")
    lines = [
        "| held out | ASC-Net | intensity, same rule | intensity, best for the patient |",
        "| --- | --- | --- | --- |",
    ]
    mean = {"patient": "mean"} | {c: float(np.mean([float(row[c]) for row in rows])) for c in columns}
    for row in [*rows, mean]:
        lines.append(f"| {row['patient']} | " + " | ".join(f"{row[c]:.3f}" for c in columns) + " |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of arrays, networks, curves and pictures")
    parser.add_argument("--rounds", type=int, default=8, help="at most so many of each stage")
    parser.add_argument("--folds", type=int, help="only so many patients are held out in turn")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        patients = read_patients(arguments.data)
        rows = []
        for i, patient in enumerate(patients[: arguments.folds]):
            others = patients[:i] + patients[i + 1 :]
            rows.append(fold(patient, others, arguments.work / patient.name, arguments.rounds))
            with replacing(arguments.work / "figures.json") as temporary:
                temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    except MoodError as error:
        raise SystemExit(f"demo_ascnet: {error}") from error
    print(table(rows))


if __name__ == "__main__":
    main()
