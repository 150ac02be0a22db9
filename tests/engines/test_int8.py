import numpy as np
import pytest

from mood.engines import QUANTISED, choose
from mood.engines.keras import forward
from mood.errors import UsageError
from mood.networks.unet import build_unet
from mood.runtime import seed_initial_weights

pytest.importorskip("nncf")


def quantised(network, images):
    return choose(precision=QUANTISED).quantised(network, images).runner()


def test_an_int8_network_nearly_gives_the_same_map_for_any_size(capfd):
    seed_initial_weights(0)
    network = build_unet(4, 3)
    rng = np.random.default_rng(0)
    graph = quantised(network, list(rng.random((6, 32, 32, 3), dtype=np.float32)))
    assert "━" not in capfd.readouterr().out  # no bar of NNCF's
    for shape in ((2, 32, 32, 3), (1, 48, 16, 3)):
        images = rng.random(shape, dtype=np.float32)
        found, expected = graph(images), forward(network)(images)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 0.02
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98


def test_what_stands_out_in_one_image_stays_within_the_ranges():
    seed_initial_weights(0)
    network = build_unet(4, 3)
    faint = [0.1 * image for image in np.random.default_rng(0).random((7, 32, 32, 3), dtype=np.float32)]
    bright = np.ones((32, 32, 3), np.float32)
    bright[8:24, 8:24] = 0.0
    graph = quantised(network, [*faint, bright])
    found, expected = graph(bright[None]), forward(network)(bright[None])
    assert np.ptp(expected) > 0.02
    assert np.abs(found - expected).max() < 0.1 * np.ptp(expected)


def test_a_saved_graph_does_what_it_did(tmp_path, rng):
    seed_initial_weights(0)
    images = list(rng.random((4, 16, 16, 1), dtype=np.float32))
    engine = choose(precision=QUANTISED)
    graph = engine.quantised(build_unet(2, 1), images)
    files = graph.save(tmp_path / "part")
    assert sorted(path.name for path in files) == sorted(path.name for path in tmp_path.iterdir())
    np.testing.assert_array_equal(engine.graph_runner(files)(images[0][None]), graph.runner()(images[0][None]))


def test_an_engine_without_graphs_says_so():
    with pytest.raises(UsageError, match="keras has no int8"):
        choose("keras").quantised(build_unet(2, 1), [])
    with pytest.raises(UsageError, match="keras runs no graphs"):
        choose("keras").graph_runner([])
