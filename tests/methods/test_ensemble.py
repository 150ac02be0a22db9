import dataclasses
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.calibration import Calibration, RareValues
from mood.detector import Detector
from mood.errors import WeightsError
from mood.methods import MEMBERS, load_method
from mood.methods.ensemble import Ensemble
from mood.methods.fpi import Fpi
from mood.methods.joint import Joint
from mood.methods.scoring import above_own_level
from mood.regions import BRAIN, Grid
from mood.training.new_method import new_method
from mood.typed import encode
from mood.volume import Volume
from mood.weights.config import WeightsConfig
from mood.weights.store import find_weights, read_folder, write_folder, write_joined

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


class Known(Fpi):
    """A member whose map is told, and which keeps what it was shown."""

    sees_finer = True

    def __init__(self, name, score_map, calibration=None, grid=FINE):
        self.name, self.score_map, self.calibration = name, score_map, calibration
        self.region, self.settings = BRAIN, dataclasses.replace(Fpi.default_settings(BRAIN), **grid)
        self.shown = []

    def score_volume(self, scan):
        self.shown.append(scan.shape)
        return np.full(scan.shape, self.score_map, np.float32) if np.isscalar(self.score_map) else self.score_map


UNIFORM = Calibration(-2.0, 1.0, (0.1, 0.2, 0.3, 0.4, 0.5))  # a tenth a decade


def test_members_with_several_maps_are_joined_by_each_once_they_were_measured():
    class Two(Known):
        def separate_maps(self, scan):
            return {"low": np.full(scan.shape, 0.1, np.float32), "high": np.full(scan.shape, 0.3, np.float32)}

    scan, member = np.ones((24, 20, 16), np.float32), Two("a", 0.2, UNIFORM)
    np.testing.assert_allclose(joined([member]).score_volume(scan), 0.4, atol=1e-5)
    told = {key: {"values": [0.0, 1.0], "rarities": [0.0, 10.0]} for key in ("a low", "a high")}
    np.testing.assert_allclose(joined([member], rare=told).score_volume(scan), 0.2 * np.sqrt(5), atol=1e-5)


def joined(members, **settings):
    own = {"grid_shape": FINE["grid_shape"], "spacing_mm": FINE["spacing_mm"], "slice_axis": 2}
    return Ensemble.composed_of(members, own | settings)


def test_calibrated_maps_are_joined_by_rarity_and_lie_within_the_body():
    scan = np.ones((24, 20, 16), np.float32)
    scan[:4] = 0
    ensemble = joined([Known("a", 0.3, UNIFORM), Known("b", 0.1, UNIFORM)])
    score_map = ensemble.score_volume(scan)
    np.testing.assert_allclose(score_map[4:], 0.2 * np.sqrt((9 + 1) / 2), atol=1e-5)
    assert not score_map[:4].any()


def test_a_member_counts_as_much_as_its_share():
    scan = np.ones((24, 20, 16), np.float32)
    ensemble = joined([Known("a", 0.3, UNIFORM), Known("b", 0.1, UNIFORM)], shares={"b": 0.5})
    np.testing.assert_allclose(ensemble.score_volume(scan), 0.2 * np.sqrt((9 + 0.5) / 1.5), atol=1e-5)


def test_what_joint_rarities_reach_in_healthy_tissue_makes_them_rarities_again():
    told = {"a+b": {"values": [0.0, 2.0, 4.0], "rarities": [0.0, 3.0, 4.0]}}
    ensemble = joined([Known("a", 0.2, UNIFORM), Known("b", 0.2, UNIFORM)], rare=told)
    np.testing.assert_allclose(ensemble.score_volume(np.ones((24, 20, 16), np.float32)), 0.6, atol=1e-5)


def test_the_joint_map_is_levelled_by_the_scan(rng):
    score_map = rng.uniform(0.05, 0.15, (24, 20, 16)).astype(np.float32)
    score_map[2:6, 2:6, 2:6] = 0.35
    settings = Joint.default_settings(BRAIN).to_dict() | FINE | {"slice_axis": 2}
    low, high = (Joint.composed_of([Known("a", one, UNIFORM)], settings) for one in (score_map, score_map + 0.1))
    scan = np.ones((24, 20, 16), np.float32)
    expected = above_own_level(UNIFORM.rarity(score_map), scan > 0)
    np.testing.assert_allclose(low.score_volume(scan), 0.2 * expected, atol=1e-5)
    np.testing.assert_allclose(high.score_volume(scan)[3, 3], low.score_volume(scan)[3, 3], atol=1e-5)


def test_members_tell_where_each_finds_something_by_itself():
    ensemble = joined([Known("a", 0.3, UNIFORM), Known("b", 0.1, UNIFORM)])
    data = np.ones((24, 20, 16), np.float32)
    data[:4] = 0
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    scan = Detector(ensemble).conform(Volume(data, affine, nib.Nifti1Header(), Path("a.nii")))
    score_map, found = ensemble.score_with_members(scan)
    np.testing.assert_array_equal(score_map, ensemble.score_scan(scan))
    np.testing.assert_array_equal(found["a"], scan.data > 0)  # 0.3 is as rare as 1 voxel in 1,000, 0.1 as 1 in 10
    assert not found["b"].any()
    unknown = joined([Known("a", 0.3, None), Known("b", 0.1, None)])
    assert unknown.score_with_members(scan)[1] == {}
    member = ensemble.members[0]
    np.testing.assert_array_equal(member.score_with_members(scan)[0], member.score_scan(scan))
    assert member.score_with_members(scan)[1] == {}


def test_a_scan_of_fine_voxels_is_seen_on_a_finer_grid_too(rng):
    member = Known("mix", 0.2, UNIFORM)
    ensemble = joined([member], finer_mm=4.0, fine_below_mm=3.0)
    assert ensemble.further_grids((3.0, 2.0, 2.0)) == ()
    (finer,) = ensemble.further_grids((2.0, 2.5, 2.0))
    assert finer == Grid((48, 40, 32), (4.0, 4.0, 4.0))
    image = nib.Nifti1Image(rng.random((60, 50, 40), dtype=np.float32), np.diag([2.0, 2.5, 2.0, 1.0]))
    volume = Volume(image.get_fdata(dtype=np.float32), image.affine, image.header, Path("a.nii"))
    scan = Detector(ensemble).conform(volume)
    assert set(ensemble.maps(scan.data, scan.further)) == {"mix", "mix fine"}
    member.shown.clear()
    score_map = ensemble.score_scan(scan)
    assert score_map.shape == scan.data.shape
    assert member.shown == [scan.data.shape, (48, 40, 32)]
    assert score_map.max() > 0


def test_weights_beside_their_members_are_joined_as_they_were_measured(placed, rng):
    members = [read_folder(placed / "brain" / name) for name in ("fpi", "ascnet")]
    settings = Ensemble.composed_of([load_method(member) for member in members]).settings
    settings = dataclasses.replace(settings, rare={name: RareValues.of(rng.random(99)) for name in MEMBERS["ensemble"]})
    config = WeightsConfig("ensemble", "brain", settings.to_dict(), calibration=UNIFORM)
    (placed / "brain" / "together").mkdir()
    write_joined(placed / "brain" / "together", members, config)
    found = find()
    assert found.path == placed / "brain" / "together"
    ensemble = load_method(found)
    assert ensemble.settings == settings
    assert ensemble.calibration == UNIFORM
    assert found.verified_arrays().is_file()
    config_file = placed / "brain" / "fpi" / "config.json"
    digest = json.loads(config_file.read_text())["sha256"]
    config_file.write_text(config_file.read_text().replace(digest, digest[::-1]))
    with pytest.raises(WeightsError, match="not those that it was measured with"):
        read_folder(placed / "brain" / "together")


def test_other_methods_are_not_composed():
    with pytest.raises(WeightsError, match="not composed"):
        Fpi.composed_of([])


def test_members_take_settings_of_their_own():
    ensemble = new_method("ensemble", BRAIN, FINE | {"members": {"ascnet": {"width": 2}}})
    assert [member.settings.width for member in ensemble.members] == [1, 2]
    assert all(member.grid == ensemble.grid for member in ensemble.members)


class Says(Fpi):
    """A member that says the same of every voxel."""

    def __init__(self, share, calibration=None):
        super().__init__(BRAIN, dataclasses.replace(Fpi.default_settings(BRAIN), **FINE))
        self.share, self.calibration = share, calibration

    def score_volume(self, scan):
        return np.full(scan.shape, self.share, np.float32)


def test_members_are_brought_to_one_scale_by_their_calibration():
    """A value that one healthy voxel in a thousand reaches counts as three decades, whatever the value."""
    bold = Calibration(-1.0, 1.0, (0.3, 0.5, 0.7, 0.8, 0.9))
    shy = Calibration(-1.0, 1.0, (0.01, 0.02, 0.03, 0.04, 0.05))
    scan = np.ones((24, 20, 16), np.float32)
    both = Ensemble.composed_of([Says(0.7, bold), Says(0.03, shy)])
    np.testing.assert_allclose(both.score_volume(scan), 0.6, atol=1e-6)
    one_more_common = Ensemble.composed_of([Says(0.7, bold), Says(0.01, shy)])
    np.testing.assert_allclose(one_more_common.score_volume(scan), 0.2 * np.sqrt((9 + 1) / 2), atol=1e-6)
    one_without = Ensemble.composed_of([Says(0.7, bold), Says(0.03)])
    np.testing.assert_allclose(one_without.score_volume(scan), (0.7 + 0.03) / 2, atol=1e-6)  # no scale to bring to


def test_members_found_by_their_weights_keep_their_calibration(placed):
    config = json.loads((placed / "brain" / "fpi" / "config.json").read_text())
    config["calibration"] = encode(Calibration(-1.0, 0.5, (0.1, 0.2, 0.3, 0.4, 0.5)))
    (placed / "brain" / "fpi" / "config.json").write_text(json.dumps(config))
    by_name = {member.name: member for member in load_method(find()).members}
    assert by_name["fpi"].calibration.rare_values == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert by_name["ascnet"].calibration is None
