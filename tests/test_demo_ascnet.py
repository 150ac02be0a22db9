"""The demonstration on FLAIR, on made-up patients: what is prepared, and the way through training in small."""

import csv
import json
import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.regions import Grid

SCRIPT = Path(__file__).parents[1] / "scripts/demo_ascnet.py"
SHAPE = (40, 38, 34)
TINY = {"width": 1, "batch_size": 4, "phase_steps": 2, "momentum": 0.9, "learning_rate": 2e-3, "stable_checks": 1}
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]


def ball(centre: tuple[int, ...], radii: tuple[int, ...]) -> np.ndarray:
    axes = np.ogrid[tuple(slice(n) for n in SHAPE)]
    return sum(((x - c) / r) ** 2 for x, c, r in zip(axes, centre, radii, strict=True)) < 1


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Three patients of different gain, each with a bright ball in the upper half of the brain."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    (folder / "brain/flair").mkdir(parents=True)
    for number, gain in enumerate((1.0, 0.6, 0.8)):
        brain, tumour = ball((20, 19, 17), (18, 17, 15)), ball((15 + 4 * number, 18, 22), (8, 8, 6))
        scan = np.where(brain, gain * (rng.normal(120, 8, SHAPE) + 80 * tumour), 0)
        for ending, image in (("flair", np.clip(scan, 0, 255)), ("flair_label", tumour)):
            made = nib.Nifti1Image(image.astype(np.uint8), np.diag([4.0, 4.0, 4.0, 1.0]))
            nib.save(made, folder / f"brain/flair/p{number}_{ending}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def demo() -> dict:
    """The script's names; its functions see what is changed in it."""
    names = runpy.run_path(str(SCRIPT))
    seen = names["main"].__globals__
    seen |= {"GRID": Grid((32, 32, 32), (6.0, 6.0, 6.0)), "TRAINING": TINY}
    return seen


@pytest.fixture(scope="module")
def patients(demo, data) -> list:
    return demo["read_patients"](data, 0.4)


def test_patients_are_standardised_and_their_diseased_slices_known(demo, patients):
    assert [patient.name for patient in patients] == ["p0", "p1", "p2"]
    for patient in patients:
        tissue = patient.scan[patient.scan > 0]
        assert np.median(tissue) == pytest.approx(0.4, abs=0.01)
        bright = np.flatnonzero((patient.scan > 1.4 * 0.4).any(axis=(0, 1)))
        assert set(bright) <= set(np.flatnonzero(patient.diseased)) <= set(range(bright[0] - 1, bright[-1] + 2))
        assert patient.tumour.shape == SHAPE


def test_the_reference_holds_no_tumour_and_everything_is_there_mirrored(demo, patients):
    reference, inputs = demo["training_images"](patients[:2])
    assert reference.max() < 1.4 * 0.4 < inputs.max()
    assert len(reference) < len(inputs)
    half = len(inputs) // 2
    np.testing.assert_array_equal(inputs[:half, ::-1], inputs[half:])


def test_intensity_alone_finds_a_bright_ball_and_no_rule_passes_the_best_threshold(demo, patients):
    plain, best = demo["plain_threshold"](patients[0], patients[1:]), demo["best_threshold"](patients[0], 0.4)
    assert 0.6 < plain <= best + 0.01
    assert demo["overlap"](np.array([True, True, False]), np.array([True, False, False])) == pytest.approx(2 / 3)


def test_a_fold_is_trained_on_the_others_measured_and_drawn(demo, data, tmp_path, capsys):
    demo["main"](["--data", str(data), "--work", str(tmp_path), "--rounds", "1", "--held-out", "p0"])
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "p0/figures.json").read_text())
    assert figures["patient"] == "p0"
    assert f"| p0 | {figures['ascnet']:.3f} | {figures['plain']:.3f} |" in printed
    assert list(csv.DictReader((tmp_path / "p0/curve.csv").read_text().splitlines()))
    assert (tmp_path / "p0/iro.png").stat().st_size > 1000
    kept = np.load(tmp_path / "p0/input_for_generator.npy")
    assert len(kept) == len(
        demo["training_images"](demo["read_patients"](data, 0.4)[1:])[1]
    )  # without the held-out patient


def test_patients_that_are_named_are_held_out_in_that_order(demo, patients, data, tmp_path):
    assert demo["chosen"](data, ["p2", "p0"]) == ["p2", "p0"]
    assert demo["chosen"](data, None) == ["p0", "p1", "p2"]
    own, others = demo["parted"](patients, "p1")
    assert (own.name, [patient.name for patient in others]) == ("p1", ["p0", "p2"])
    with pytest.raises(SystemExit, match="no patient p7"):
        demo["main"](["--data", str(data), "--work", str(tmp_path), "--held-out", "p7"])


def test_without_scans_it_says_what_is_missing(demo, tmp_path):
    with pytest.raises(SystemExit, match="not two FLAIR scans"):
        demo["main"](["--data", str(tmp_path), "--work", str(tmp_path)])
