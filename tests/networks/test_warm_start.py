import numpy as np

from mood.networks.unet import build_unet, prefix
from mood.networks.warm_start import LAST, begin_as


def logit(p):
    return np.log(p) - np.log1p(-p)


def test_a_network_of_twice_the_width_begins_as_two_that_see_the_mean_of_its_channels():
    rng = np.random.default_rng(0)
    source, target = build_unet(2, 3, members=3), build_unet(4, 6)
    for layer in source.layers:
        if layer.weights:
            layer.set_weights([rng.uniform(0.5, 1.5, a.shape) if a.ndim == 1 else a for a in layer.get_weights()])
    pairs = np.kron(np.eye(3), [[0.5, 0.5]])  # each channel of the source is the mean of two of the target
    begin_as(target, source, (0, 2), pairs)
    images = rng.random((2, 32, 16, 6), dtype=np.float32)
    coarse = images.reshape(2, 32, 16, 3, 2).mean(axis=-1)
    outputs = [source.get_layer(f"{prefix(i)}{LAST}").output for i in (0, 2)]
    one, other = type(source)(source.inputs, outputs).predict_on_batch(coarse)
    joined = target.predict_on_batch(images)
    np.testing.assert_allclose(logit(joined), (logit(one) + logit(other)) / 2, atol=1e-4)
    assert joined.std() > 1e-3
