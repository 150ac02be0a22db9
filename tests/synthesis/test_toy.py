import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mood.errors import UsageError
from mood.regions import ABDOM, BRAIN, REGIONS
from mood.synthesis import toy
from mood.synthesis.outliers import KINDS
from mood.volume import find_scans, load, read_array

SIDE = 32
each_region = pytest.mark.parametrize("region", REGIONS.values(), ids=list(REGIONS))


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    for region in REGIONS.values():
        toy.make_toy(folder, region, np.random.default_rng(0), side=SIDE)
    return folder


def labels(folder: Path, name: str) -> tuple[np.ndarray, str]:
    pixel, _ = read_array(folder / f"toy_label/pixel/{name}.nii.gz")
    return pixel, (folder / f"toy_label/sample/{name}.nii.gz.txt").read_text().strip()


@each_region
def test_layout_is_the_challenges(toys, region):
    folder = toys / region.name
    names = [f"toy_{case}.nii.gz" for case in range(4)]
    assert [scan.name for scan in find_scans(folder / "toy")] == names
    assert sorted(p.name for p in (folder / "toy_label/pixel").iterdir()) == names
    assert sorted(p.name for p in (folder / "toy_label/sample").iterdir()) == [f"{n}.txt" for n in names]


@each_region
def test_scans_are_unit_range_ras_and_the_regions_field_of_view(toys, region):
    for path in find_scans(toys / region.name / "toy"):
        volume = load(path)
        assert volume.data.shape == (SIDE,) * 3
        assert volume.data.min() == 0
        assert 0.5 < volume.data.max() <= 1
        np.testing.assert_allclose(np.diag(volume.affine)[:3], region.grid.coarsened(SIDE).spacing_mm, rtol=1e-6)
        assert np.count_nonzero(volume.affine[:3, :3]) == 3
        assert volume.data[0, 0].max() == 0  # air beside the body, exactly


@each_region
def test_first_case_is_healthy_the_others_are_not(toys, region):
    for case in range(4):
        pixel, sample = labels(toys / region.name, f"toy_{case}")
        assert set(np.unique(pixel)) <= {0.0, 1.0}
        assert sample == ("1" if case else "0")
        assert pixel.any() == bool(case)


def test_torso_reaches_both_ends_of_the_last_axis(toys):
    scan = load(toys / "abdom/toy/toy_0.nii.gz").data
    assert scan[:, :, 0].any()
    assert scan[:, :, -1].any()


@each_region
def test_subjects_differ_and_one_seed_gives_one_subject(region):
    grid = region.grid.coarsened(20)
    first, again, other = (toy.draw_subject(region, grid, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_case_does_not_depend_on_how_many_follow(tmp_path):
    for cases in (2, 3):
        toy.make_toy(tmp_path / str(cases), ABDOM, np.random.default_rng(5), cases=cases, side=16)
    two, three = (load(tmp_path / str(n) / "abdom/toy/toy_1.nii.gz").data for n in (2, 3))
    np.testing.assert_array_equal(two, three)


def test_full_grid_by_default(monkeypatch):
    asked = []
    monkeypatch.setattr(toy, "draw_subject", lambda region, grid, rng: asked.append(grid) or np.ones((4, 4, 4)))
    monkeypatch.setattr(toy, "write_case", lambda *arguments: Path())
    toy.make_toy(Path(), BRAIN, np.random.default_rng(0), cases=1)
    assert asked == [BRAIN.grid]


def test_cases_from_own_scans_keep_grid_and_differ_only_in_the_label(toys, tmp_path):
    source = load(toys / "brain/toy/toy_0.nii.gz")
    affine = source.affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    cropped = toy.Volume(source.data[:24, 4:, 2:] * 900, affine, source.header.copy(), source.path)
    cropped.header.set_data_shape(cropped.data.shape)
    paths = toy.make_cases([("p1", cropped)], tmp_path, BRAIN, np.random.default_rng(0))
    assert [p.name for p in paths] == [f"p1_{kind}.nii.gz" for kind in ("healthy", *KINDS)]
    healthy = load(paths[0])
    for path in paths:
        volume = load(path)
        pixel, sample = labels(tmp_path / "brain", path.name.removesuffix(".nii.gz"))
        assert volume.data.shape == pixel.shape == (24, 28, 30)
        np.testing.assert_allclose(volume.affine, affine, rtol=1e-5)
        np.testing.assert_array_equal(volume.data[pixel == 0], healthy.data[pixel == 0])
        assert sample == str(int(path != paths[0]))


def test_unknown_kind_and_impossible_numbers_are_refused(tmp_path):
    with pytest.raises(UsageError, match="reflection"):
        toy.make_cases([], tmp_path, BRAIN, np.random.default_rng(0), kinds=["tumour"])
    with pytest.raises(UsageError, match="from 1 up"):
        toy.make_toy(tmp_path, BRAIN, np.random.default_rng(0), cases=0)


def test_without_nilearn_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"mood-ood\[toy\]"):
        toy.load_template()
