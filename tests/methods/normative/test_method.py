import numpy as np
import pytest
from scipy import ndimage

from mood.errors import WeightsError
from mood.methods.normative.method import Normative, NormativeSettings
from mood.methods.normative.model import Model, packed, unpacked
from mood.regions import ABDOM, BRAIN

SHAPE = (24, 20, 16)
SETTINGS = NormativeSettings(SHAPE, (8.0, 8.0, 8.0), 2, components=8, near_smoothing_mm=8.0, diag_smoothing_mm=4.0)


def body(seed):
    """An ellipsoid with the same bright core in every scan, and noise of its own."""
    rng = np.random.default_rng(seed)
    x, y, z = (np.linspace(-1.2, 1.2, n).reshape(np.roll((n, 1, 1), axis)) for axis, n in enumerate(SHAPE))
    r2 = x**2 + y**2 + z**2
    image = 0.4 + 0.3 * (r2 < 0.3) + ndimage.gaussian_filter(rng.normal(0, 0.15, SHAPE), 1)
    return np.where(r2 < 1, np.clip(image, 0.05, 1), 0).astype(np.float32)


@pytest.fixture(scope="module")
def method():
    trained = Normative(ABDOM, SETTINGS)
    losses = [step["loss"] for step in trained.train_epoch([body(seed) for seed in range(8)], np.random.default_rng(0))]
    assert len(losses) == 2 * 8
    assert np.isfinite(losses).all()
    assert trained.finished
    return trained


def test_what_no_healthy_scan_has_at_its_place_stands_out(method):
    scan = body(99)
    scan[10:14, 8:12, 6:10] = 0.05
    score_map = method.score_volume(scan)
    hole = np.zeros(SHAPE, bool)
    hole[10:14, 8:12, 6:10] = True
    assert score_map[hole].mean() > 2 * score_map[(scan > 0) & ~hole].mean()
    assert score_map[hole].mean() > 2 * method.score_volume(body(99))[hole].mean()
    assert (score_map[scan == 0] == 0).all()


def test_a_healthy_scans_own_level_is_taken_out(method):
    for values in method.standard_distances(method.registered(body(98))[1]).values():
        assert abs(np.median(values.ravel()[method.model.places.chosen])) < 0.7


def test_mirror_images_are_learnt_from_where_sides_are_alike():
    scans = [body(seed) for seed in range(3)]
    steps = [
        len(list(Normative(region, SETTINGS).train_epoch(scans, np.random.default_rng(0)))) for region in (BRAIN, ABDOM)
    ]
    assert steps == [12, 6]


def test_a_misplaced_scan_is_not_learnt_from(caplog):
    scans = [body(seed) for seed in range(6)]
    method = Normative(ABDOM, SETTINGS)
    scans.append(np.where(scans[0] > 0, 1.02 - scans[0] - 0.3 * np.linspace(0, 1, 16, dtype=np.float32), 0))
    with caplog.at_level("INFO"):
        steps = list(method.train_epoch([np.clip(s, 0, 1).astype(np.float32) for s in scans], np.random.default_rng(0)))
    assert len(steps) == 2 * 6
    assert "1 of 7 scans left out" in caplog.text


def test_without_training_nothing_is_abnormal():
    score_map = Normative(BRAIN, SETTINGS).score_volume(body(1))
    assert score_map.shape == SHAPE
    assert not score_map.any()


def test_a_model_is_the_same_after_writing_and_reading(method, tmp_path):
    method.save_weights(tmp_path / "model.weights.h5")
    read, own = Model.load(tmp_path / "model.weights.h5"), method.model
    np.testing.assert_array_equal(read.places.chosen, own.places.chosen)
    for name in ("mean", "variance", "whitening"):
        np.testing.assert_allclose(getattr(read.usual, name), getattr(own.usual, name), rtol=1e-5, atol=1e-6)
    assert read.expected["near"].rare == own.expected["near"].rare


def test_bytes_hold_values_to_within_half_a_step(rng):
    values = rng.normal(0, 5, (50, 4)).astype(np.float32)
    codes, low, step = packed(values)
    assert codes.dtype == np.uint8
    assert (np.abs(unpacked(codes, low, step) - values) <= 0.51 * step).all()
    assert (step <= np.ptp(values, axis=0) / 254).all()


def test_settings_beyond_reason_are_refused():
    with pytest.raises(WeightsError, match="components"):
        NormativeSettings.from_dict(SETTINGS.to_dict() | {"components": 999})


def test_an_ensemble_gets_both_distances(method):
    scan = body(99)
    scan[10:14, 8:12, 6:10] = 0.05
    maps = method.separate_maps(scan)
    assert set(maps) == {"near", "diag"}
    for score_map in maps.values():
        assert score_map.dtype == np.float32
        assert 0 <= score_map.min() <= score_map.max() <= 1
        assert score_map[10:14, 8:12, 6:10].mean() > score_map[scan > 0].mean()
