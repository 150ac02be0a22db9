import numpy as np
import pytest

from mood.errors import WeightsError
from mood.methods.registration import template
from mood.methods.registration.template import mean_spread, packaged_template, template_for
from mood.regions import ABDOM, BRAIN, Grid

GRID = Grid((48, 56, 52), (4.0, 4.0, 4.0))


def test_the_brains_template_fills_the_middle_of_any_grid_and_is_symmetric():
    found = template_for(BRAIN, GRID, (0.0, 0.0, 0.0))
    assert found.image.shape == GRID.shape
    assert found.image.min() == 0
    assert found.image.max() <= 1
    volume_ml = (found.image > 0).sum() * 4.0**3 / 1000
    assert 1500 < volume_ml < 2600
    assert abs(found.extent.centre[0]) < 0.5
    assert np.abs(found.image - found.image[::-1]).max() < 0.02
    assert found.middle_mm[0] == 0


def test_a_grid_that_is_too_coarse_or_too_small_is_not_searched():
    grids = {GRID: True, Grid((24, 28, 26), (8.0, 8.0, 8.0)): False, Grid((28, 24, 20), (1.0, 1.0, 1.0)): False}
    for grid, able in grids.items():
        assert template_for(BRAIN, grid, (0.0, 0.0, 0.0)).can_be_searched is able


def test_a_region_without_a_template_is_known_by_its_spread():
    scans = [np.zeros(GRID.shape, np.float32) for _ in range(2)]
    scans[0][10:20], scans[1][10:30] = 1, 1
    spread = mean_spread(scans, GRID.spacing_mm)
    assert spread[0] == pytest.approx(np.mean([np.std(range(n)) for n in (10, 20)]) * 4)
    found = template_for(ABDOM, GRID, spread)
    assert found.image is None
    assert not found.can_be_searched
    assert found.extent.spread == spread


def test_a_damaged_template_is_refused(monkeypatch, tmp_path):
    (tmp_path / "mni152.npz").write_bytes(b"none")
    monkeypatch.setattr(template, "FOLDER", tmp_path)
    packaged_template.cache_clear()
    with pytest.raises(WeightsError, match="Install mood again"):
        template_for(BRAIN, GRID, (0.0, 0.0, 0.0))


def test_its_notice_comes_with_it():
    assert "Louis Collins" in (template.FOLDER / "mni152.LICENSE").read_text(encoding="utf-8")
