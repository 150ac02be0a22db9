import subprocess

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mood.methods.registration import affine, niimath
from mood.methods.registration.affine import AFFINE, MOMENTS, correlation, plausible, register
from mood.methods.registration.template import template_for
from mood.regions import ABDOM, BRAIN, Grid

GRID = Grid((54, 62, 58), (3.5, 3.5, 3.5))
COARSE = Grid((24, 20, 16), (8.0, 10.0, 12.0))


@pytest.fixture(scope="module")
def template():
    return template_for(BRAIN, GRID, (0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def _no_search_is_remembered():
    affine._last.clear()


def tilted(template, degrees=15.0, scale=0.9, shape=(60, 66, 64)):
    """The template as the scan of a pitched, smaller head."""
    linear = Rotation.from_euler("x", degrees, degrees=True).as_matrix() / scale
    middle, target = ((np.array(size) - 1) / 2 for size in (GRID.shape, shape))
    offset = middle - linear @ target
    return ndimage.affine_transform(template.image, linear, offset, shape, order=1)


@pytest.fixture(scope="module")
def registered(template):
    affine._last.clear()
    scan = tilted(template)
    return scan, register(scan, GRID.spacing_mm, template)


def test_a_pitched_head_is_found_by_niimath(registered):
    _, found = registered
    assert found.method == AFFINE
    assert found.correlation > 0.95
    assert found.scales == pytest.approx((0.9,) * 3, abs=0.05)
    assert found.outside < 0.05
    assert found.warning == ""


def test_what_goes_to_the_template_comes_back_to_its_place(registered):
    scan, found = registered
    back = found.to_scan(found.to_template(scan))
    assert back.shape == scan.shape
    inside = ndimage.binary_erosion(scan > 0.3, iterations=2)
    assert np.abs(back - scan)[inside].mean() < 0.05


def test_an_image_on_another_spacing_comes_back_too(registered):
    scan, found = registered
    halved = found.to_template(scan).reshape(27, 2, 31, 2, 58).mean(axis=(1, 3))
    back = found.to_scan(halved, (7.0, 7.0, 3.5))
    assert correlation(back, scan) > 0.9


@pytest.mark.parametrize(
    "trouble", [subprocess.TimeoutExpired("niimath", 1), subprocess.CalledProcessError(1, "niimath"), OSError("no")]
)
def test_when_niimath_fails_moments_are_used_and_it_is_said_once(template, monkeypatch, caplog, trouble):
    def fail(command):
        raise trouble

    monkeypatch.setattr(niimath, "_run", fail)
    found = register(tilted(template, degrees=5.0, scale=0.95), GRID.spacing_mm, template)
    assert found.method == MOMENTS
    assert found.correlation > 0.3
    assert len(caplog.records) == 1


def test_a_search_without_end_is_ended_by_its_processors_time(template, monkeypatch, caplog, tmp_path):
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nwhile :; do :; done\n")
    endless.chmod(0o755)
    monkeypatch.setattr(niimath, "program", lambda: endless)
    monkeypatch.setattr(niimath, "PROCESSOR_LIMIT_S", 1)
    assert register(tilted(template, degrees=6.0), GRID.spacing_mm, template).method == MOMENTS
    assert "niimath failed" in caplog.text


def test_without_niimath_moments_are_used(template, monkeypatch):
    monkeypatch.setattr(niimath, "program", lambda: None)
    assert register(tilted(template, degrees=4.0), GRID.spacing_mm, template).method == MOMENTS


def test_an_implausible_fit_is_not_taken(template, monkeypatch):
    monkeypatch.setattr(affine, "fit_affine", lambda *args: np.diag([3.0, 1.0, 1.0, 1.0]))
    assert register(tilted(template, degrees=3.0), GRID.spacing_mm, template).method == MOMENTS


def test_heads_are_neither_mirrored_nor_stretched_beyond_reason():
    assert plausible(np.diag([0.9, 1.0, 1.1, 1.0]))
    for scales in ((-1, 1, 1), (0.3, 1, 1), (2, 2, 2), (0.7, 1, 1.4)):
        assert not plausible(np.diag([*scales, 1.0]))


def test_what_is_no_head_is_not_searched_for_and_is_said(template, monkeypatch):
    monkeypatch.setattr(affine, "fit_affine", lambda *args: pytest.fail("searched"))
    noise = np.random.default_rng(0).random((54, 62, 58), dtype=np.float32)
    found = register(noise, GRID.spacing_mm, template)
    assert found.method == MOMENTS
    assert "badly" in found.warning


@pytest.mark.parametrize("scan", [np.zeros((24, 20, 16)), np.full((1, 1, 1), 0.7), np.full((24, 1, 16), 0.5)])
def test_anything_is_registered_somehow(scan):
    for region in (BRAIN, ABDOM):
        found = register(scan.astype(np.float32), COARSE.spacing_mm, template_for(region, COARSE, (30.0, 30.0, 30.0)))
        assert found.to_template(scan).shape == COARSE.shape
        assert found.to_scan(np.ones(COARSE.shape, np.float32)).shape == scan.shape
        assert np.isfinite(found.matrix).all()


def test_a_scan_is_searched_for_once(template, monkeypatch):
    searches = []
    monkeypatch.setattr(affine, "fit_affine", lambda *args: searches.append(args))
    scan = tilted(template, degrees=2.0)
    assert register(scan, GRID.spacing_mm, template) is register(scan.copy(), GRID.spacing_mm, template)
    assert len(searches) == 1
