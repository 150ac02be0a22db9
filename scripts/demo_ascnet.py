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
from functools import partial
from pathlib import Path

import numpy as np

from mood.atomic import append_row, write_text
from mood.conform import Placement, conform
from mood.errors import MoodError, NoInputError, TrainingError, UsageError
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
MEDIAN = (
    0.55  # what the median of a brain becomes; tumours are 1.4 to 1.8 times as bright, and the brightest are cut off
)
ROOMY_MEDIAN = 0.4  # where a threshold on intensity is read from a histogram: nothing is cut off
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
    "stable_checks": 6,  # fewer and peaks that stand still for a while end a stage before the image is rebuilt
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


def standardised(scan: np.ndarray, median: float) -> np.ndarray:
    """Intensities with the tissue's median at `median`: percentiles above it would be moved by a tumour."""
    return np.clip(scan * (median / np.median(scan[scan > 0])), 0.0, 1.0).astype(np.float32)


def read_patient(path: Path, median: float) -> Patient:
    scan, placement = conform(load(path), BRAIN, GRID)
    tumour = load(path.with_name(path.name.replace(".nii.gz", "_label.nii.gz"))).data > 0.5
    levels = np.arange(scan.shape[2])
    heights = np.ascontiguousarray(np.broadcast_to(levels / len(levels), scan.shape), np.float32)
    touched = placement.restore(heights)[tumour] * len(levels)  # what is restored is in [0, 1]
    diseased = np.isin(levels, [np.floor(touched + ROUNDING), np.ceil(touched - ROUNDING)])
    return Patient(path.name.removesuffix(ENDING), standardised(scan, median), placement, tumour, diseased)


def scans(data: Path) -> dict[str, Path]:
    """The scans of a data folder by the patients' names."""
    folder = data / "brain" / "flair"
    paths = sorted(folder.glob(f"*{ENDING}"))
    if len(paths) < 2:
        raise NoInputError("there are not two FLAIR scans", where=folder, fix=f"Put NAME{ENDING} and their masks there")
    return {path.name.removesuffix(ENDING): path for path in paths}


def chosen(data: Path, names: list[str] | None) -> list[str]:
    """These patients in their order; all when none is named."""
    known = scans(data)
    if unknown := set(names or ()) - set(known):
        fix = f"Choose from: {', '.join(known)}"
        raise UsageError(f"there is no patient {', '.join(sorted(unknown))}", fix=fix)
    return names or list(known)


def read_patients(data: Path, median: float) -> list[Patient]:
    return [read_patient(path, median) for path in scans(data).values()]


def training_images(patients: list[Patient]) -> tuple[np.ndarray, np.ndarray]:
    """Reference and input images of some patients, (N, H, W, 1) each, and all of them mirrored left to right."""
    side = (*GRID.shape[:2], 1)
    both = [[p.slices[p.trained_on & ~p.diseased] for p in patients], [p.slices[p.trained_on] for p in patients]]
    reference, inputs = (np.concatenate([fit_shape(s, (len(s), *side)) for s in slices]) for slices in both)
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

    try:
        for stage in (1, 2):
            continue_training(folder, folder, stage, on_round=partial(record, patient, folder / "curve.csv", stage))
    except TrainingError as error:  # no peaks within the rounds: what there is gets measured
        logging.warning("%s: %s", patient.name, error)
    return load_networks(folder)


def record(patient: Patient, path: Path, stage: int, method: AscNet) -> None:
    """A row of the learning curve; rounds are counted on from stage to stage."""
    threshold = max(method.levels.thresholds, default=float("nan"))
    dice = segment(patient, rebuild(method, patient), method.levels)
    done = len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 1
    append_row(path, CURVE, [stage, done, f"{threshold:.4f}", f"{dice:.4f}"])
    logging.info("%s, stage %d, round %d: Dice %.3f", patient.name, stage, done, dice)


def plain_threshold(patient: Patient, others: list[Patient]) -> float:
    """Dice of intensity alone, at the threshold that the same rule reads from the same images."""
    reference, inputs = training_images(others)
    return segment(patient, patient.scan, grey_levels.find_levels(grey_levels.measure(inputs, reference)))


def best_threshold(patient: Patient, median: float) -> float:
    """Dice of intensity alone at the patient's own best threshold: what no rule can pass."""
    thresholds = median * np.linspace(1.05, 1.75, 36)
    return max(segment(patient, patient.scan, grey_levels.levels_at(float(t), median)) for t in thresholds)


def draw(method: AscNet, patient: Patient, path: Path) -> None:
    shown = np.flatnonzero(patient.diseased)[:: max(1, patient.diseased.sum() // 4)][:4]
    images = patient.slices[shown]
    columns = dict(zip(("input", "Ifc", "Iwc", "Iro"), (images[..., 0], *rebuilt(method.network, images)), strict=True))
    columns["mask"] = (method.levels.mask(columns["Iro"]) & (images[..., 0] > 0)).astype(np.float32)
    reference = patient.slices[patient.trained_on & ~patient.diseased]
    histogram = grey_levels.measure(
        rebuilt(method.network, patient.slices[patient.trained_on])[2], rebuilt(method.network, reference)[2]
    )
    pictures.save_panel(columns, histogram, method.levels, path)


def fold(data: Path, name: str, folder: Path, rounds: int) -> dict[str, float | str]:
    """One patient held out: its figures."""
    patient, others = parted(read_patients(data, MEDIAN), name)
    method = train(patient, others, folder, rounds)
    draw(method, patient, folder / "iro.png")
    plain, plain_others = parted(read_patients(data, ROOMY_MEDIAN), name)
    figures = {
        "patient": patient.name,
        "ascnet": segment(patient, rebuild(method, patient), method.levels),
        "plain": plain_threshold(plain, plain_others),
        "best": best_threshold(plain, ROOMY_MEDIAN),
    }
    write_text(folder / "figures.json", json.dumps(figures, indent=1) + "\n")
    return figures


def parted(patients: list[Patient], name: str) -> tuple[Patient, list[Patient]]:
    """The patient of this name, and the others."""
    (own,) = (patient for patient in patients if patient.name == name)
    return own, [patient for patient in patients if patient is not own]


def table(rows: list[dict[str, float | str]]) -> str:
    columns = ("ascnet", "plain", "best")
    lines = ["| held out | ASC-Net | intensity, same rule | intensity, best for it |", "| --- | --- | --- | --- |"]
    mean = {"patient": "mean"} | {c: float(np.mean([float(row[c]) for row in rows])) for c in columns}
    for row in [*rows, mean]:
        lines.append(f"| {row['patient']} | " + " | ".join(f"{row[c]:.3f}" for c in columns) + " |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of arrays, networks, curves and pictures")
    parser.add_argument("--rounds", type=int, default=6, help="at most so many of each stage")
    parser.add_argument("--held-out", nargs="+", metavar="NAME", help="these patients in turn; all when left out")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        names = chosen(arguments.data, arguments.held_out)
        rows = [fold(arguments.data, name, arguments.work / name, arguments.rounds) for name in names]
    except MoodError as error:
        raise SystemExit(f"demo_ascnet: {error}") from error
    print(table(rows))


if __name__ == "__main__":
    main()
