import csv

import numpy as np
import pytest

from mood.methods.adversarial import rebuilt
from mood.packing import INPUTS, MASKS, REFERENCE
from mood.synthesis.intruders import with_intruders
from mood.workflow import continue_training, create_networks, load_networks

SMALL = {
    "width": 8,
    "momentum": 0.9,
    "learning_rate": 2e-3,
    "discriminator_learning_rate": 1e-4,
    "adversarial_weight": 0.003,
    "phase_steps": 20,
    "stable_checks": 3,
    "most_rounds": 60,
}
TINY = SMALL | {"width": 1, "batch_size": 4, "phase_steps": 2, "most_rounds": 2}


def ellipses(count, rng, side=32):
    """(count, side, side): one grey ellipse each, slightly noisy, on a background of 0."""
    rows, columns = np.mgrid[:side, :side]
    images = np.zeros((count, side, side), np.float32)
    for image in images:
        (row, column), (a, b) = rng.uniform(13, 19, 2), rng.uniform(9, 13, 2)
        inside = ((rows - row) / a) ** 2 + ((columns - column) / b) ** 2 < 1
        image[inside] = np.clip(0.55 + 0.04 * rng.standard_normal(inside.sum()), 0, 1)
    return images


def write_arrays(folder, count, rng):
    folder.mkdir()
    inputs, masks = with_intruders(ellipses(count, rng), rng)
    for name, images in ((REFERENCE, ellipses(count, rng)), (INPUTS, inputs), (MASKS, masks.astype(np.uint8))):
        np.save(folder / name, images[..., None])
    return folder


def dice(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


@pytest.mark.slow
def test_two_stages_end_by_themselves_and_segment_bright_and_dark_intruders(tmp_path, rng):
    data = write_arrays(tmp_path / "data", 320, rng)
    create_networks(tmp_path / "networks", (32, 32), SMALL)
    for stage in (1, 2):
        assert continue_training(data, tmp_path / "networks", stage).split
    rounds = list(csv.DictReader((tmp_path / "networks" / "rounds.csv").read_text().splitlines()))
    assert len(rounds) < 2 * SMALL["most_rounds"]
    method = load_networks(tmp_path / "networks")
    images, label = with_intruders(ellipses(100, rng), rng)
    found = method.levels.mask(rebuilt(method.network, images[..., None])[2])
    assert dice(found, label) > 0.6
    bright = label & (images > 0.7)
    dark = label & (images < 0.35)
    assert found[bright].mean() > 0.6
    assert found[dark].mean() > 0.6
