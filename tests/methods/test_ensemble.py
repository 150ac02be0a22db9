import dataclasses
import json

import numpy as np
import pytest

from mood.errors import WeightsError
from mood.methods import MEMBERS, load_method
from mood.methods.ensemble import Ensemble
from mood.methods.fpi import Fpi
from mood.regions import BRAIN
from mood.training.run import new_method
from mood.weights.config import WeightsConfig
from mood.weights.store import find_weights, write_folder

FINE = {"grid_shape": (24, 20, 16), "spacing_mm": (8.0, 8.0, 8.0), "width": 1}
COARSE = {"grid_shape": (12, 10, 8), "spacing_mm": (16.0, 16.0, 16.0), "width": 1}


def write_weights(folder, method):
    folder.mkdir(parents=True)
    method.save_weights(folder / "full.weights.h5")
    config = WeightsConfig(method.name, "brain", method.settings.to_dict())
    write_folder(folder, folder / "full.weights.h5", config)


@pytest.fixture
def placed(tmp_path, monkeypatch):
    """Weights of both members, and of nothing else."""
    monkeypatch.setenv("MOOD_RESTORE_DIR", str(tmp_path))
    monkeypatch.setattr("mood.weights.store.PACKAGED", tmp_path / "none")
    write_weights(tmp_path / "brain" / "fpi", new_method("fpi", BRAIN, FINE))
    write_weights(tmp_path / "brain" / "ascnet", new_method("ascnet", BRAIN, FINE))
    return tmp_path


def find(folder=None):
    return find_weights("ensemble", "brain", folder, MEMBERS["ensemble"])


def test_it_is_the_mean_of_its_members_found_by_their_own_weights(placed, rng):
    scan = rng.random((24, 20, 16), dtype=np.float32)
    found = find()
    maps = [load_method(find_weights(name, "brain")).score_volume(scan) for name in MEMBERS["ensemble"]]
    ensemble = load_method(found)
    np.testing.assert_allclose(ensemble.score_volume(scan), np.mean(maps, axis=0), atol=1e-6)
    assert found.sha256.count("+") == 1
    assert type(ensemble.settings).from_dict(json.loads(json.dumps(ensemble.settings.to_dict()))) == ensemble.settings


def test_the_members_may_lie_in_a_folder_of_ones_own(placed, tmp_path):
    (placed / "brain").rename(tmp_path / "mine")
    assert {member.method for member in find(tmp_path / "mine").members} == {"fpi", "ascnet"}
    with pytest.raises(WeightsError, match="method 'fpi'"):
        find(tmp_path)


def test_a_missing_member_is_named(placed):
    (placed / "brain" / "ascnet" / "config.json").unlink()
    with pytest.raises(WeightsError, match="method 'ascnet'"):
        find()


def test_weights_of_its_own_come_first(placed):
    ensemble = new_method("ensemble", BRAIN, FINE)
    write_weights(placed / "brain" / "ensemble", ensemble)
    assert not find().members
    assert find(placed / "brain" / "ensemble").path == placed / "brain" / "ensemble"


def test_members_work_on_their_own_grids(rng):
    class Copy(Fpi):
        def score_volume(self, scan):
            assert scan.shape == self.settings.grid_shape
            return scan

    fine, coarse = (Copy(BRAIN, dataclasses.replace(Fpi.default_settings(BRAIN), **grid)) for grid in (FINE, COARSE))
    ensemble = Ensemble.composed_of([coarse, fine])
    assert ensemble.grid == fine.grid
    ramp = np.linspace(0, 1, 24, dtype=np.float32)[:, None, None] * np.ones((1, 20, 16), np.float32)
    score_map = ensemble.score_volume(ramp)
    assert score_map.shape == ramp.shape
    np.testing.assert_allclose(score_map[2:-2, 2:-2, 2:-2], ramp[2:-2, 2:-2, 2:-2], atol=0.01)


def test_other_methods_are_not_composed():
    with pytest.raises(WeightsError, match="not composed"):
        Fpi.composed_of([])


def test_members_take_settings_of_their_own():
    ensemble = new_method("ensemble", BRAIN, FINE | {"members": {"ascnet": {"width": 2}}})
    assert [member.settings.width for member in ensemble.members] == [1, 2]
    assert all(member.grid == ensemble.grid for member in ensemble.members)
