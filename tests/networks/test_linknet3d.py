import numpy as np
import pytest
from scipy import signal

from mood.errors import WeightsError
from mood.networks.linknet3d import ARRAYS, NETWORKS, build_linknet3d, pretrained_linknet3d


def test_the_networks_have_the_published_number_of_weights():
    for name in NETWORKS:
        assert pretrained_linknet3d(name).count_params() == 2_126_258


def test_a_damaged_or_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="missing"):
        pretrained_linknet3d("box", tmp_path / "absent.h5")
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(ARRAYS.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="SHA-256"):
        pretrained_linknet3d("box", damaged)


def test_strided_layers_look_where_symmetric_padding_makes_them_look(rng):
    """As PyTorch has it: the first convolution's centres are voxels 0, 2, 4, ..., and a transposed one's likewise."""
    network = build_linknet3d()
    first, last = network.get_layer("init"), network.get_layer("up0_transposed")
    scan = rng.normal(size=(32, 32, 64)).astype(np.float32)
    kernel = np.asarray(first.kernel)[..., 0, 0]
    padded = network.get_layer("init_pad")(scan[None, ..., None])
    expected = signal.correlate(scan, kernel, "same")[::2, ::2, ::2]
    np.testing.assert_allclose(np.asarray(first(padded))[0, ..., 0], expected, atol=1e-4)
    small = rng.normal(size=(3, 4, 5)).astype(np.float32)
    spread = np.zeros((6, 8, 10), np.float32)
    spread[::2, ::2, ::2] = small
    shown = np.zeros((1, 3, 4, 5, 32), np.float32)
    shown[0, ..., 7] = small
    cut = network.get_layer("up0_transposed_crop")(last(shown))
    expected = signal.convolve(spread, np.asarray(last.kernel)[..., 2, 7], "same")
    np.testing.assert_allclose(np.asarray(cut)[0, ..., 2], expected, atol=1e-4)
