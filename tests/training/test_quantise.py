import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.errors import NoInputError, UsageError, WeightsError
from mood.methods import load_method
from mood.regions import BRAIN
from mood.training.quantise import quantise_weights
from mood.training.run import Schedule, train
from mood.weights.card import card_text, summary
from mood.weights.store import read_folder

pytest.importorskip("nncf")
# Without graphs Keras remarks on a network of one input that is given as a list.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning")
SMALL = {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0), "width": 1, "batch_size": 8}


def texture(rng) -> np.ndarray:
    data = np.zeros((32, 32, 16), np.float32)
    data[3:25, 4:20, 1:15] = rng.uniform(0.3, 0.9, (22, 16, 14))
    return data


@pytest.fixture(scope="module")
def module_healthy(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("healthy"), np.random.default_rng(0)
    for i in range(4):
        nib.save(nib.Nifti1Image(texture(rng), np.eye(4)), folder / f"s{i}.nii.gz")
    return folder


@pytest.fixture(scope="module", params=["fpi", "mix"])
def exact(request, tmp_path_factory, module_healthy, without_graphs):
    """Trained weights that are not quantised."""
    folder = tmp_path_factory.mktemp("exact") / request.param
    with without_graphs():
        return train(module_healthy, folder, request.param, BRAIN, SMALL, Schedule(steps=3, check_every=3, held_out=1))


@pytest.fixture(scope="module")
def weights(exact, tmp_path_factory, module_healthy):
    folder = Path(shutil.copytree(exact, tmp_path_factory.mktemp("int8") / exact.name))
    found = quantise_weights(read_folder(folder), module_healthy, scans=2)
    assert 0 < found.mean <= found.largest
    assert found.mean < 0.03  # of an untrained network
    config = read_folder(folder).config
    assert any("int8" in line for line in summary(config))
    assert [step.step for step in config.training.provenance] == ["train", "quantise"]
    assert (folder / "card.md").read_text() == card_text(config)
    return read_folder(folder)


def test_int8_weights_nearly_give_the_same_map(weights, rng):
    scan = texture(rng)
    exact = load_method(weights).score_volume(scan)
    rounded = load_method(weights, precision="int8").score_volume(scan)
    assert 0 < np.abs(rounded - exact).mean() < 0.03
    np.testing.assert_array_equal(rounded, load_method(weights, precision="int8").score_volume(scan))


def test_a_flipped_byte_in_a_graph_is_noticed(weights):
    for path in weights.path.glob("int8-*"):
        sound = path.read_bytes()
        path.write_bytes(sound[:40] + bytes([sound[40] ^ 1]) + sound[41:])
        with pytest.raises(WeightsError, match="damaged"):
            load_method(weights, precision="int8")
        path.write_bytes(sound)
    load_method(weights, precision="int8")


def test_weights_without_graphs_say_what_to_do(exact):
    with pytest.raises(WeightsError, match="mood quantise"):
        load_method(read_folder(exact), precision="int8")


def test_new_weights_drop_the_graphs_of_the_old(weights, module_healthy, tmp_path):
    for path in weights.path.glob("int8-*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    train(module_healthy, tmp_path, "atlas", BRAIN, {"grid_shape": (32, 32, 16), "spacing_mm": (1.0, 1.0, 1.0)})
    assert not list(tmp_path.glob("int8-*"))


def test_what_has_no_int8_form_is_refused(module_healthy, tmp_path):
    folder = train(module_healthy, tmp_path, "atlas", BRAIN, {"grid_shape": (32, 32, 16)}, Schedule(epochs=1))
    with pytest.raises(UsageError, match="does not run as int8"):
        quantise_weights(read_folder(folder), module_healthy)


def test_an_empty_folder_is_no_input(weights, tmp_path):
    with pytest.raises(NoInputError):
        quantise_weights(weights, tmp_path)
