import numpy as np
import pytest

from mood.errors import NoInputError
from mood.methods import load_method
from mood.methods.joint import Joint
from mood.regions import BRAIN
from mood.training.joint import HealthyMaps, join_weights, joint_map, rare_values
from mood.training.new_method import new_method
from mood.weights.config import WeightsConfig
from mood.weights.store import read_folder, write_folder

SMALL = {"grid_shape": (24, 20, 16), "spacing_mm": (8.0, 8.0, 8.0)}


def healthy(rng, fine):
    tissue = rng.random((24, 20, 16)) > 0.5
    names = ("mix", "normative", "mix fine") if fine else ("mix", "normative")
    return HealthyMaps(tissue, {name: rng.beta(1, 20, tissue.sum()).astype(np.float32) for name in names})


def test_single_and_joint_maps_are_measured_with_the_finer_grid_and_without(rng):
    maps = [healthy(rng, fine=True) for _ in range(4)] + [healthy(rng, fine=False)]
    ensemble = Joint.composed_of([new_method(name, BRAIN, SMALL) for name in ("mix", "normative")])
    rare = rare_values(ensemble, maps)
    assert set(rare) == {"mix", "mix fine", "normative", "mix+normative", "mix+mix fine+normative", "levelled"}
    for some in (maps[:4], [one.without_finer() for one in maps]):
        values = np.concatenate([joint_map(ensemble, rare, one)[one.tissue] for one in some])
        for decade, precision in ((1, 0.1), (2, 0.1), (3, 0.4)):  # a fifth of the scale each
            assert (values > 0.2 * decade).mean() == pytest.approx(10.0**-decade, rel=precision)
    assert not joint_map(ensemble, rare, maps[0])[~maps[0].tissue].any()


@pytest.fixture
def members(tmp_path):
    found = []
    for name in ("fpi", "ascnet"):
        method = new_method(name, BRAIN, SMALL | {"width": 1})
        folder = tmp_path / "weights" / f"{name}-brain"
        folder.mkdir(parents=True)
        method.save_weights(folder / "full.weights.h5")
        write_folder(folder, folder / "full.weights.h5", WeightsConfig(name, "brain", method.settings.to_dict()))
        found.append(read_folder(folder))
    return found


def test_members_are_measured_on_healthy_scans_and_joined_beside_their_weights(members, tmp_path, write, rng):
    paths = [write(rng.uniform(0.2, 0.9, (20, 18, 14)), f"s{i}.nii.gz", np.diag([8.0] * 3 + [1.0])) for i in range(2)]
    target = tmp_path / "weights" / "ensemble-brain"
    join_weights("ensemble", members, paths, target, "Two of them.")
    found = read_folder(target)
    ensemble = load_method(found)
    assert set(ensemble.settings.rare) == {"fpi", "ascnet", "ascnet+fpi", "levelled"}
    assert ensemble.calibration.scans == 2
    assert found.config.training.held_out_scans == ("s0", "s1")
    score_map = ensemble.score_volume(rng.uniform(0.2, 0.9, (24, 20, 16)).astype(np.float32))
    assert np.isfinite(score_map).all()
    assert 0 <= ensemble.sample_score(score_map) <= 1


def test_without_healthy_scans_nothing_is_written(members, tmp_path):
    with pytest.raises(NoInputError):
        join_weights("ensemble", members, [], tmp_path / "weights" / "ensemble-brain", "")
    assert not (tmp_path / "weights" / "ensemble-brain").exists()
