import keras
import numpy as np

from mood.networks.unet import SIDE_MULTIPLE, build_unet


def test_the_output_has_the_inputs_sides_and_lies_in_the_unit_range():
    network = build_unet(2, channels=5)
    images = np.random.default_rng(0).random((3, 2 * SIDE_MULTIPLE, SIDE_MULTIPLE, 5), dtype=np.float32)
    outputs = np.asarray(network.predict_on_batch(images))
    assert outputs.shape == (3, 2 * SIDE_MULTIPLE, SIDE_MULTIPLE, 1)
    assert 0 < outputs.min() < outputs.max() < 1


def test_widths_double_up_to_eight_times_the_first():
    network = build_unet(3, channels=1)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    encoder = [layer.filters for layer in convolutions if layer.name.startswith("enc") and "b_" in layer.name]
    assert encoder == [3, 6, 12, 24, 24]
