import numpy as np
from matplotlib import image

from mood.methods.ascnet.grey_levels import Levels, distance_levels, measure
from mood.methods.ascnet.pictures import save_histogram, save_images, save_panel


def test_images_are_scaled_by_the_constants_given(tmp_path):
    save_images(np.array([[[0.2, 0.3], [0.4, 0.9]]]), tmp_path / "ID1", low=0.2, high=0.4)
    picture = image.imread(tmp_path / "ID1" / "000000.png")
    np.testing.assert_allclose(picture[..., 0], [[0, 0.5], [1, 1]], atol=0.01)


def test_histograms_and_panels_are_drawn_with_and_without_peaks(tmp_path, rng):
    histogram = measure(rng.random(500), rng.random(500))
    sizes = []
    for i, levels in enumerate((Levels((0.2, 0.5, 0.8), (0.0, 0.5, 1.0), True), distance_levels(0.4))):
        save_histogram(histogram, levels, tmp_path / f"{i}.png")
        sizes.append(image.imread(tmp_path / f"{i}.png").sum())
    assert sizes[0] != sizes[1]
    stacks = {name: rng.random((2, 8, 6)) for name in ("input", "Iro")}
    save_panel(stacks, histogram, distance_levels(0.4), tmp_path / "panel.png")
    assert image.imread(tmp_path / "panel.png").std() > 0.1
