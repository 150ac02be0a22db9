"""The baselines: what alignment brings, and that each finds what it is made to find."""

import dataclasses

import numpy as np
import pytest

from mood.methods import BASELINES, REGISTRY, method_type
from mood.methods.baselines.alignment import align, measure, template_extent
from mood.methods.baselines.atlas import Atlas, AtlasSettings
from mood.methods.baselines.autoencoder import Autoencoder, AutoencoderSettings
from mood.methods.baselines.pca import Pca, PcaSettings
from mood.regions import ABDOM, BRAIN
from mood.runtime import seed_initial_weights

SHAPE = (40, 36, 32)
GRID = (SHAPE, (5.0, 5.0, 5.0), 2)


def head(centre=(20.0, 18.0, 16.0), radii=(12.0, 10.0, 9.0), level=0.5, noise=0.0, seed=0) -> np.ndarray:
    """An ellipsoid that is brighter inside than at its surface, in air."""
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    r2 = sum(((i - c) / r) ** 2 for i, c, r in zip((x, y, z), centre, radii, strict=True))
    texture = np.random.default_rng(seed).normal(0, noise, SHAPE)
    return np.where(r2 < 1, np.clip(level * (1.2 - 0.5 * r2) + texture, 0.01, 1), 0).astype(np.float32)


def heads(count=6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = rng.uniform(-1, 1, (count, 6)) + np.array([20, 18, 16, 12, 10, 9])
    return [head(d[:3], d[3:], level=rng.uniform(0.4, 0.7), noise=0.02, seed=i) for i, d in enumerate(drawn)]


def train(method):
    losses = [step["loss"] for step in method.train_epoch(heads(), np.random.default_rng(0))]
    assert np.isfinite(losses).all()
    return method


def test_measure_tells_where_the_tissue_is():
    block = np.zeros(SHAPE, np.float32)
    block[10:20, 4:8, 30:32] = 1
    extent = measure(block)
    assert extent.centre == pytest.approx((14.5, 5.5, 30.5))
    assert extent.spread == pytest.approx([np.std(range(n)) for n in (10, 4, 2)])
    nothing = measure(np.zeros(SHAPE, np.float32))
    assert nothing.centre == pytest.approx((19.5, 17.5, 15.5))
    assert nothing.spread == (0.0, 0.0, 0.0)


def test_alignment_brings_place_size_and_brightness_together():
    template = template_extent([head()], SHAPE)
    other = head((16, 20, 15), (9, 11, 8), level=0.8)
    a, b = (align(scan, template, SHAPE, BRAIN).to_template(scan) for scan in (head(), other))
    before, after = np.abs(head() - other).mean(), np.abs(a - b).mean()
    assert after < 0.15 * before
    assert np.median(a[a > 0]) == pytest.approx(0.5, abs=0.05)


def test_what_goes_to_the_template_comes_back_to_its_place():
    scan = head((16, 20, 15), (9, 11, 8))
    alignment = align(scan, template_extent([head()], SHAPE), SHAPE, BRAIN)
    back = alignment.to_scan(alignment.to_template(scan)) / alignment.gain
    inside = scan > 0.5
    np.testing.assert_allclose(back[inside], scan[inside], atol=0.05)


def test_hounsfield_units_are_not_rescaled():
    scan = head(level=0.8)
    assert align(scan, measure(scan), SHAPE, ABDOM).gain == 1.0


@pytest.mark.parametrize("kind", [Atlas, Pca])
def test_a_head_elsewhere_and_brighter_is_as_normal_as_any(kind):
    settings = AtlasSettings(*GRID) if kind is Atlas else PcaSettings(*GRID, components=3)
    method = train(kind(BRAIN, settings))
    assert method.finished
    usual = method.score_volume(head(noise=0.02, seed=90)).mean()
    moved = method.score_volume(head((17, 20, 14), (10, 9, 8), level=0.75, noise=0.03, seed=91)).mean()
    assert moved < 2 * usual


@pytest.mark.parametrize(
    ("kind", "settings", "epochs"),
    [
        (Atlas, AtlasSettings(*GRID), 1),
        (Pca, PcaSettings(*GRID, components=3), 1),
        (Autoencoder, AutoencoderSettings(*GRID, width=4, batch_size=4), 6),
    ],
    ids=("atlas", "pca", "autoencoder"),
)
def test_a_dark_hole_stands_out(kind, settings, epochs):
    seed_initial_weights(0)
    method = kind(BRAIN, settings)
    for _ in range(epochs):
        train(method)
    scan = head(noise=0.02, seed=92)
    scan[17:22, 16:21, 14:19] *= 0.15
    score_map = method.score_volume(scan)
    hole = score_map[17:22, 16:21, 14:19].mean()
    assert hole > 2 * score_map[scan > 0].mean()


def test_components_are_fewer_than_the_scans():
    method = Pca(BRAIN, PcaSettings(*GRID, components=16))
    list(method.train_epoch(heads(3), np.random.default_rng(0)))
    assert method.components.shape == (2, np.prod(SHAPE))
    np.testing.assert_allclose(method.components @ method.components.T, np.eye(2), atol=1e-4)
    list(method.train_epoch(heads(1), np.random.default_rng(0)))
    assert len(method.components) == 0


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_have_defaults_for_both_regions(name):
    assert name in REGISTRY
    for region in (BRAIN, ABDOM):
        settings = method_type(name).default_settings(region)
        assert dataclasses.replace(settings) == settings
        assert max(settings.grid_shape) <= 128
