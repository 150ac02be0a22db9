import numpy as np
import pytest

from mood.engines import ENGINES
from mood.errors import WeightsError
from mood.networks import efficientnet
from mood.networks.efficientnet import ARRAYS, CHANNELS, as_input, pretrained_features


@pytest.fixture(scope="module")
def network():
    return pretrained_features()


@pytest.fixture(scope="module")
def slices():
    rng = np.random.default_rng(0)
    return as_input(rng.random((2, 24, 40), dtype=np.float32))


def test_three_scales_lie_side_by_side_on_the_finest_lattice(network, slices):
    features = np.asarray(network(slices))
    assert features.shape == (2, 12, 20, sum(CHANNELS)) == (2, 12, 20, 24 + 40 + 112)
    assert np.isfinite(features).all()
    assert features.std(axis=(0, 1, 2)).min() > 0  # every channel was trained to say something


def test_openvino_runs_it_with_the_same_result(network, slices):
    pytest.importorskip("openvino")
    expected = np.asarray(network(slices))
    found = ENGINES["openvino"]().runner(network)(slices)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_enlarging_more_gives_more_places(slices):
    assert np.asarray(pretrained_features(4)(slices)).shape == (2, 24, 40, sum(CHANNELS))


def test_the_network_takes_mid_grey_for_nothing():
    assert as_input(np.full((1, 2, 3), 127 / 255, np.float32)).shape == (1, 2, 3, 1)
    assert np.abs(as_input(np.full((1, 2, 3), 127 / 255, np.float32))).max() < 1e-6


def test_a_changed_or_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="missing"):
        pretrained_features(arrays=tmp_path / "none.h5")
    changed = bytearray(ARRAYS.read_bytes())
    changed[-1] ^= 1
    (tmp_path / "changed.h5").write_bytes(changed)
    with pytest.raises(WeightsError, match="damaged"):
        pretrained_features(arrays=tmp_path / "changed.h5")


def test_its_licence_comes_with_it():
    assert "Apache License" in (efficientnet.ARRAYS.parent / "efficientnet-lite0.LICENSE").read_text(encoding="utf-8")
