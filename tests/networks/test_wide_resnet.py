"""The networks against an implementation of their own: numpy alone, written from the published table."""

import numpy as np
import pytest

from mood.engines import FALLBACK
from mood.networks.cropped import CroppedForward, cropped_parts
from mood.networks.wide_resnet import blocks, build_wide_resnet, fold, side_multiple, split

# (filters, stride, upwards) of each block, and whether the shortcut is a convolution
TABLE = {
    "dec": [(64, 1), (128, 2), (256, 2), (256, 2), (256, 2), (128, -2), (64, -2), (16, -2), (1, -2)],
    "decdeeper": [
        *[(64, 1), (128, 2), (256, 2), (256, 2), (256, 2), (256, 2)],
        *[(128, -2), (128, -2), (64, -2), (16, -2), (5, -2)],
    ],
}
PARAMETERS = {"dec": (4_169_469, 4_706), "decdeeper": (5_647_973, 6_250)}
CASES = [("dec", 1, 48), ("decdeeper", 5, 64)]


def random_weights(architecture: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Arrays in the published order, drawn from the table alone."""

    def kernel(size: int, cin: int, cout: int) -> np.ndarray:
        return rng.normal(0, (2 / (size * size * cin)) ** 0.5, (size, size, cin, cout)).astype(np.float32)

    def norm(count: int) -> list[np.ndarray]:
        arrays = rng.uniform(0.5, 0.9, count), rng.normal(0, 0.1, count), rng.normal(0, 0.1, count)
        return [*(a.astype(np.float32) for a in arrays), rng.uniform(0.7, 1.5, count).astype(np.float32)]

    weights, cin = [kernel(3, 1, 16)], 16
    for cout, stride in TABLE[architecture]:
        weights += [*norm(cin), kernel(3, cin, cout), *norm(cout)]
        last = [kernel(3, cout, cout)]
        if cin != cout:
            last.insert(0 if stride < 0 else 1, kernel(1, cin, cout))
        weights += last
        cin = cout
    return weights


def convolve(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """(H, W, Cin) with (k, k, Cin, Cout), 'same' as TensorFlow pads: the odd pixel at the end."""
    size = kernel.shape[0]
    total = max(size - stride, 0)
    x = np.pad(x, ((total // 2, total - total // 2),) * 2 + ((0, 0),))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))[::stride, ::stride]
    return np.einsum("hwcij,ijcf->hwf", windows, kernel, optimize=True)


def reference(x: np.ndarray, weights: list[np.ndarray], architecture: str) -> np.ndarray:
    """(H, W, 1) to (H, W, classes) in float64."""
    arrays = iter([w.astype(np.float64) for w in weights])

    def activated(y: np.ndarray) -> np.ndarray:
        gamma, beta, mean, variance = (next(arrays) for _ in range(4))
        return np.maximum(gamma * (y - mean) / np.sqrt(variance + 1e-3) + beta, 0)

    def enlarged(y: np.ndarray) -> np.ndarray:
        return y.repeat(2, axis=0).repeat(2, axis=1)

    x = convolve(x.astype(np.float64), next(arrays))
    for cout, stride in TABLE[architecture]:
        widens = x.shape[-1] != cout
        p = activated(x)
        y = convolve(p, next(arrays), max(stride, 1))
        y = activated(enlarged(y) if stride < 0 else y)
        if stride < 0:
            short = enlarged(convolve(p, next(arrays)) if widens else x)
            x = convolve(y, next(arrays)) + short
            continue
        y = convolve(y, next(arrays))
        if widens:
            x = y + convolve(p, next(arrays), stride)
        else:
            x = y + (x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).mean(axis=(1, 3)) if stride > 1 else x)
    if cout == 1:
        return 1 / (1 + np.exp(-x))
    exp = np.exp(x - x.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("architecture", "classes", "side"), CASES)
def test_published_weights_give_the_published_function(architecture, classes, side, rng):
    network = build_wide_resnet(architecture, classes=classes)
    weights = random_weights(architecture, rng)
    assert [tuple(w.shape) for w in network.weights] == [w.shape for w in weights]
    assert network.count_params() == PARAMETERS[architecture][0]
    assert sum(int(np.prod(w.shape)) for w in network.non_trainable_weights) == PARAMETERS[architecture][1]
    network.set_weights(weights)
    slices = rng.random((2, side, side + 32, 1), dtype=np.float32)
    expected = np.stack([reference(piece, weights, architecture) for piece in slices])
    assert expected.std() > 1e-3
    np.testing.assert_allclose(network.predict_on_batch(slices), expected, atol=1e-6)


def test_a_side_must_be_a_multiple_of_16_or_32():
    assert (side_multiple("dec"), side_multiple("decdeeper")) == (16, 32)
    assert [b.name for b in blocks("dec", 4, 1)] == [f"enc{i}" for i in range(1, 6)] + [f"dec{i}" for i in range(1, 5)]


def narrow(rng: np.random.Generator, architecture: str, classes: int):
    network = build_wide_resnet(architecture, width=1, classes=classes)
    spread = {"gamma": (0.6, 1.1), "beta": (-0.2, 0.2), "mean": (-0.2, 0.2), "variance": (0.7, 1.5)}
    for variable in network.weights:
        for word, (low, high) in spread.items():
            if word in variable.path:
                variable.assign(rng.uniform(low, high, variable.shape).astype(np.float32))
    return network


@pytest.mark.parametrize(("architecture", "classes", "side"), CASES)
def test_folding_and_splitting_keep_the_function(architecture, classes, side, rng):
    network = narrow(rng, architecture, classes)
    slices = rng.random((3, side, side, 1), dtype=np.float32)
    expected = network.predict_on_batch(slices)
    front, rest = split(fold(network))
    np.testing.assert_allclose(rest.predict_on_batch(front.predict_on_batch(slices)), expected, atol=1e-5)


def cropped_forward(network):
    return CroppedForward(**FALLBACK.runners(cropped_parts(network)))


BOXES = [
    (0, 1, 0, 1),
    (40, 41, 61, 62),
    (13, 77, 21, 50),
    (0, 96, 0, 128),
    (90, 96, 100, 128),
    (31, 33, 0, 128),
]


@pytest.fixture(scope="module", params=[("dec", 1), ("decdeeper", 5)], ids=lambda p: p[0])
def whole_and_cropped(request):
    """A network, and what it does with slices that are cropped to what is filled."""
    network = narrow(np.random.default_rng(0), *request.param)
    return network, cropped_forward(network)


@pytest.mark.parametrize("box", BOXES)
def test_cropping_gives_the_full_frame_result(whole_and_cropped, box, rng):
    network, cropped = whole_and_cropped
    slices = np.zeros((2, 96, 128, 1), np.float32)
    slices[:, box[0] : box[1], box[2] : box[3]] = rng.uniform(0.5, 1, (2, box[1] - box[0], box[3] - box[2], 1))
    full = network.predict_on_batch(slices)
    assert np.abs(full - network.predict_on_batch(slices * 0)).max() > 1e-3
    np.testing.assert_allclose(cropped(slices), full, atol=1e-5)


def test_a_gpu_sees_whole_slices_with_the_same_result(rng):
    network = narrow(rng, "dec", 1)
    forward, slices = cropped_forward(network), np.zeros((2, 64, 64, 1), np.float32)
    slices[:, 20:40, 8:30] = rng.uniform(0.5, 1, (2, 20, 22, 1))
    seen, front = [], forward.front
    forward.front = lambda images: seen.append(images.shape) or front(images)
    cropped = forward(slices)
    forward.whole = True
    np.testing.assert_allclose(forward(slices), cropped, atol=1e-5)
    assert seen[-1] == slices.shape
    assert seen[-2] < slices.shape


def test_empty_slices_give_the_empty_response(rng):
    network = narrow(rng, "dec", 1)
    forward = cropped_forward(network)
    slices = np.zeros((3, 32, 48, 1), np.float32)
    np.testing.assert_allclose(forward(slices), network.predict_on_batch(slices), atol=1e-6)
