"""Exported networks: the same maps as with Keras, and metadata that another program can go by."""

import json

import keras
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

from mood.engines import KerasEngine
from mood.engines.onnx import build_graph, runner, save_graph
from mood.errors import MoodError, UsageError
from mood.methods import MEMBERS, REGISTRY, export
from mood.methods.export import export_networks
from mood.regions import ABDOM, BRAIN
from mood.training.new_method import new_method

SMALL = {"grid_shape": (40, 36, 32), "spacing_mm": (6.0, 6.0, 6.0)}
NARROW = {"width": 1}


class OnnxFiles(KerasEngine):
    """Runs networks as the files that they are exported to."""

    def __init__(self, folder) -> None:
        super().__init__()
        self.folder = folder

    def runner(self, network: keras.Model):
        path = self.folder / f"{len(list(self.folder.iterdir()))}.onnx"
        save_graph(build_graph(network, {}), path)
        return runner(path)


def small(name, region=BRAIN):
    settings = SMALL | (NARROW if name in ("fpi", "mix", "mix3d", "ascnet", "autoencoder") else {})
    return new_method(name, region, settings)


@pytest.mark.parametrize(
    ("name", "region"),
    [("fpi", ABDOM), ("ascnet", BRAIN), ("mix", BRAIN), ("mix3d", ABDOM), ("autoencoder", BRAIN)],
    ids=["fpi", "ascnet", "mix", "mix3d", "autoencoder"],
)
def test_maps_of_exported_networks_are_those_of_keras(tmp_path, rng, name, region):
    method = small(name, region)
    scan = np.zeros(SMALL["grid_shape"], np.float32)
    scan[6:33, 5:30, 4:27] = rng.uniform(0.2, 1.0, (27, 25, 23))
    expected = method.score_volume(scan)
    assert np.ptp(expected) > 0
    other = small(name, region)
    method.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    (tmp_path / "files").mkdir()
    other.engine = OnnxFiles(tmp_path / "files")
    np.testing.assert_allclose(other.score_volume(scan), expected, atol=1e-4)
    assert list((tmp_path / "files").iterdir())


def test_a_joint_method_gives_a_file_for_each_network_of_each_member(tmp_path):
    method, about = small("joint"), {"method": "joint", "region": "brain", "weights": "abc"}
    written = dict(export_networks(method, about, tmp_path))
    parts = {f"{name}-{part}" for name in MEMBERS["joint"] for part in small(name).networks()}
    assert {path.name for path in written} == {f"joint-brain-{part}.onnx" for part in parts}
    told = {one.key: one.value for one in onnx.load(next(iter(written))).metadata_props}
    assert told["mood.weights"] == "abc"
    settings = json.loads(told["mood.settings"])
    assert set(settings) == {"joint", *MEMBERS["joint"]}
    assert settings["joint"]["grid_shape"] == [40, 36, 32]
    assert "6 x 6 x 6 mm" in told["mood.scan"]
    assert told["mood.input"]
    assert told["mood.output"]
    assert all(difference < 1e-3 for difference in written.values())


def test_a_file_that_differs_from_its_network_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "forward", lambda network: lambda images: np.ones_like(images[..., :1]))
    with pytest.raises(MoodError, match="the file differs from its network by"):
        list(export_networks(small("fpi"), {}, tmp_path))


@pytest.mark.parametrize("name", REGISTRY)
def test_every_method_with_a_network_says_how_to_use_it(name):
    networks = new_method(name, BRAIN, SMALL).networks()
    assert bool(networks) == (name not in ("atlas", "pca"))
    assert all(used.shown and used.answer for used in networks.values())


def test_a_method_without_a_network_is_told(tmp_path):
    with pytest.raises(UsageError, match="method 'atlas' has no network"):
        list(export_networks(small("atlas"), {}, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
