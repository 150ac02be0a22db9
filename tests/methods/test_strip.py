from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mood.engines import FALLBACK
from mood.errors import ScanError
from mood.methods import strip
from mood.methods.strip import brain_mask, strip_skull
from mood.volume import Volume

BRAIN, SCALP = 1.0, 0.5


class Threshold:
    """A network that takes what is brightest for brain."""

    def __init__(self) -> None:
        self.shapes = []

    def __call__(self, images):
        self.shapes.append(images.shape)
        low, high = images.min(), images.max()
        level = (images[..., 0] - low) / (high - low)
        brain = (level > 0.75).astype(np.float32)
        return np.stack([1 - brain, brain], axis=-1)


@pytest.fixture
def network(monkeypatch):
    """For both networks, on fewer voxels than they take."""
    found = Threshold()
    monkeypatch.setattr(strip, "_networks", lambda engine: (found, found))
    monkeypatch.setattr(strip, "BOX_SIDE", 64)
    monkeypatch.setattr(strip, "MASK_SIDE", 96)
    return found


def head(affine: np.ndarray, offset: float = 0.0) -> tuple[Volume, np.ndarray]:
    """A block of brain with a hole, under a gap and a scalp, and a bit of the same brightness far from it."""
    data, brain = np.zeros((60, 44, 52), np.float32), np.zeros((60, 44, 52), bool)
    data[10:50, 8:36, 12:44] = SCALP
    data[13:47, 11:33, 15:41] = 0.1
    brain[16:44, 14:30, 18:38] = True
    data[brain] = BRAIN
    data[25:28, 20:23, 26:29] = 0.1
    data[1:4, 1:4, 1:4] = BRAIN
    image = nib.Nifti1Image(data, affine)
    return Volume(data * 100 + offset, affine, image.header, Path("head.nii.gz")), brain


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAR", "PIR"])
def test_the_brain_is_found_on_the_scans_own_voxels_in_any_orientation(axes, network):
    volume, brain = head(np.diag([1.0, 1.5, 2.0, 1.0]))
    target = nib.orientations.axcodes2ornt(axes)
    turned = nib.Nifti1Image(volume.data, volume.affine).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), target)
    )
    expected = nib.Nifti1Image(brain.astype(np.uint8), volume.affine).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), target)
    )
    mask = brain_mask(Volume(np.asarray(turned.dataobj), turned.affine, turned.header, volume.path), FALLBACK)
    truth = np.asarray(expected.dataobj) > 0
    assert mask.shape == truth.shape
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.95
    assert network.shapes == [(1, 64, 64, 64, 1), (1, 96, 96, 96, 1)]


@pytest.mark.parametrize("offset", [0.0, -40.0, 500.0])
def test_what_is_not_brain_becomes_darker_than_anything_and_brain_stays_as_it_is(offset, network):
    volume, brain = head(np.eye(4), offset)
    stripped = strip_skull(volume, FALLBACK)
    inside = stripped.data != stripped.data[0, 0, 0]
    assert stripped.data[0, 0, 0] == min(volume.data.min(), 0)
    np.testing.assert_array_equal(stripped.data[inside], volume.data[inside])
    assert (inside & ~brain).sum() < 0.05 * brain.sum()
    assert stripped.header is volume.header


def test_a_scan_without_a_brain_is_named(network):
    data = np.zeros((40, 36, 32), np.float32)
    data[20, 18, 16] = 1.0  # a voxel
    volume = Volume(data, np.eye(4), nib.Nifti1Header(), Path("phantom.nii.gz"))
    with pytest.raises(ScanError, match=r"no brain was found in it: phantom.nii.gz"):
        strip_skull(volume, FALLBACK)


def test_the_networks_of_the_package_run_alike_on_both_engines(openvino, rng):
    from mood import engines
    from mood.networks.linknet3d import pretrained_linknet3d

    images = rng.normal(0.45, 0.2, (1, 64, 32, 32, 1)).astype(np.float32)
    networks = {"mask": pretrained_linknet3d("mask")}
    shares = FALLBACK.runners(networks)["mask"](images)
    assert shares.shape == (1, 64, 32, 32, 2)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    fast = engines.OpenVinoEngine().runners(networks)["mask"](images)
    np.testing.assert_allclose(fast, shares, atol=5e-3)  # normalised by few voxels, rounding grows
    assert abs(fast - shares).mean() < 5e-5
