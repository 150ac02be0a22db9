"""What every method in the registry must do, whatever it is."""

import dataclasses
import functools
import json

import numpy as np
import pytest

from mood import runtime
from mood.errors import UsageError, WeightsError
from mood.methods import REGISTRY, load_method, method_type
from mood.regions import ABDOM, BRAIN
from mood.synthesis.native import NativeScan
from mood.training.new_method import new_method
from mood.weights.config import WeightsConfig
from mood.weights.store import read_folder, write_folder

# Without graphs Keras remarks on a network of one input that is given as a list.
pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
]
SMALL = {"grid_shape": (24, 20, 16), "spacing_mm": (8.0, 8.0, 8.0)}
NARROW = {"width": 1, "batch_size": 16}  # where a method has them; few steps, for each is slow without graphs


def small_method(name, region):
    runtime.seed_initial_weights(0)
    known = {field.name for field in dataclasses.fields(method_type(name).settings_type)}
    return new_method(name, region, SMALL | {k: v for k, v in NARROW.items() if k in known})


def as_trained(method, scans):
    """Scans on the method's grid in the form that it trains on."""
    return [NativeScan(scan, SMALL["spacing_mm"]) for scan in scans] if method.trains_on_native else scans


@functools.cache  # tests in random order ask for each of them many times
def trained(name):
    """A method for brains after an epoch on noise, and its losses."""
    method, rng = small_method(name, BRAIN), np.random.default_rng(0)
    shape = SMALL["grid_shape"]
    scans = [rng.random(shape, dtype=np.float32) * (rng.random(shape) > 0.3) for _ in range(3)]
    return method, [step["loss"] for step in method.train_epoch(as_trained(method, scans), rng)]


@pytest.fixture(params=REGISTRY, scope="module")
def method(request, eager):
    method, losses = trained(request.param)
    assert losses
    assert np.isfinite(losses).all()
    return method


SCANS = {
    "textured": np.random.default_rng(1).random((24, 20, 16), dtype=np.float32),
    "of another shape": np.random.default_rng(2).random((17, 33, 9), dtype=np.float32),
    "zero": np.zeros((24, 20, 16), np.float32),
    "constant": np.full((24, 20, 16), 0.5, np.float32),
    "not finite": np.where(np.arange(7680).reshape(24, 20, 16) % 5, 0.5, np.nan).astype(np.float32),
    "infinite": np.where(np.arange(7680).reshape(24, 20, 16) % 5, 0.5, np.inf).astype(np.float32),
    "tiny": np.full((1, 1, 1), 0.7, np.float32),
    "flat": np.random.default_rng(3).random((24, 1, 16), dtype=np.float32),
    "in Fortran order": np.asfortranarray(np.random.default_rng(4).random((24, 20, 16), dtype=np.float32)),
}


@pytest.mark.parametrize("kind", SCANS)
def test_a_map_has_the_scans_shape_and_lies_in_the_unit_range(method, kind):
    scan = SCANS[kind].copy()
    score_map = method.score_volume(scan)
    assert score_map.shape == scan.shape
    assert score_map.dtype == np.float32
    assert np.isfinite(score_map).all()
    assert score_map.min() >= 0
    assert score_map.max() <= 1
    np.testing.assert_array_equal(scan, SCANS[kind])
    assert 0 <= method.sample_score(score_map) <= 1


def test_the_same_scan_gives_the_same_map(method):
    scan = SCANS["textured"]
    np.testing.assert_array_equal(method.score_volume(scan), method.score_volume(scan.copy()))


def test_the_map_depends_on_the_scan(method):
    assert np.abs(method.score_volume(SCANS["textured"]) - method.score_volume(SCANS["zero"])).max() > 0


def test_settings_survive_json(method):
    text = json.dumps(method.settings.to_dict())
    assert type(method.settings).from_dict(json.loads(text)) == method.settings
    with pytest.raises(WeightsError, match="no setting is called colour"):
        type(method.settings).from_dict(json.loads(text) | {"colour": "red"})


def test_saved_weights_give_the_same_map(method, tmp_path):
    method.save_weights(tmp_path / "full.weights.h5")
    config = WeightsConfig(method.name, method.region.name, method.settings.to_dict())
    write_folder(tmp_path / "weights", tmp_path / "full.weights.h5", config)
    loaded = load_method(read_folder(tmp_path / "weights"))
    expected = method.score_volume(SCANS["textured"])
    np.testing.assert_allclose(loaded.score_volume(SCANS["textured"]), expected, atol=5e-3)  # stored as float16
    loaded.load_weights(tmp_path / "full.weights.h5")
    np.testing.assert_allclose(loaded.score_volume(SCANS["textured"]), expected, atol=1e-6)


@pytest.mark.parametrize("name", REGISTRY)
def test_an_untrained_method_maps_the_other_region_too(name):
    method = small_method(name, ABDOM)
    score_map = method.score_volume(SCANS["textured"])
    assert score_map.shape == SCANS["textured"].shape
    assert 0 <= score_map.min() <= score_map.max() <= 1
    assert 0 <= method.sample_score(score_map) <= 1


def test_training_goes_on_from_a_saved_state(method, tmp_path):
    method.save_state(tmp_path / "state.weights.h5")
    other = small_method(method.name, method.region)
    other.load_state(tmp_path / "state.weights.h5")
    scans = as_trained(method, [SCANS["textured"], SCANS["in Fortran order"]])
    going_on = [step["loss"] for step in method.train_epoch(scans, np.random.default_rng(5))]
    resumed = [step["loss"] for step in other.train_epoch(scans, np.random.default_rng(5))]
    np.testing.assert_allclose(resumed, going_on, rtol=1e-4)


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="fpi"):
        method_type("magic")
