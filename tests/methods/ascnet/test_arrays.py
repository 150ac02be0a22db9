import numpy as np
import pytest

from mood.errors import MoodError, NoInputError, UsageError
from mood.methods.ascnet.arrays import INPUTS, MASKS, REFERENCE, draw_from, held_out, pack, read_packed
from mood.regions import BRAIN


@pytest.fixture
def folder(tmp_path, rng):
    for name in (REFERENCE, INPUTS):
        np.save(tmp_path / name, rng.random((5, 32, 16, 1), dtype=np.float32))
    return tmp_path


GOOD = np.full((5, 32, 16, 1), 0.5, np.float32)
BAD = {
    "rank": (GOOD[..., 0], "shape"),
    "channels": (np.repeat(GOOD, 2, axis=3), "shape"),
    "type": (np.ones((5, 32, 16, 1), np.uint8), "uint8"),
    "complex": (GOOD.astype(complex), "complex"),
    "side": (GOOD[:, :30], "30 x 16"),
    "above": (GOOD * 3, r"\[1\.5, 1\.5\]"),
    "below": (GOOD - 1, r"\[-0\.5, -0\.5\]"),
    "NaN": (np.where(np.arange(16)[:, None] == 3, np.nan, GOOD), "NaN"),
    "infinite": (np.where(np.arange(16)[:, None] == 3, np.inf, GOOD), "infinite"),
    "empty": (GOOD[:0], "holds no image"),
    "another size": (np.full((5, 16, 16, 1), 0.5, np.float32), "16 x 16 and inputs|inputs 16 x 16"),
}


@pytest.mark.parametrize("name", [REFERENCE, INPUTS])
@pytest.mark.parametrize("kind", BAD)
def test_bad_arrays_are_refused(folder, name, kind):
    images, words = BAD[kind]
    np.save(folder / name, images)
    with pytest.raises(MoodError, match=words):
        read_packed(folder)


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (np.zeros((4, 32, 16, 1), np.uint8), "masks have shape"),
        (np.zeros((5, 32, 16), np.uint8), "masks have shape"),
        (np.full((5, 32, 16, 1), 7, np.uint8), "other than 0 and 1"),
        (np.full((5, 32, 16, 1), np.nan), "other than 0 and 1"),
    ],
)
def test_bad_masks_are_refused(folder, masks, words):
    np.save(folder / MASKS, masks)
    with pytest.raises(UsageError, match=words):
        read_packed(folder)


def test_what_is_no_array_is_refused(folder):
    (folder / INPUTS).write_bytes(b"no array")
    with pytest.raises(UsageError, match="not a NumPy array"):
        read_packed(folder)
    np.save(folder / INPUTS, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(UsageError, match="not a NumPy array"):
        read_packed(folder)


@pytest.mark.parametrize("name", [REFERENCE, INPUTS])
def test_missing_arrays_are_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(NoInputError, match=name):
        read_packed(folder)


def test_good_arrays_stay_on_disk(folder):
    packed = read_packed(folder)
    assert isinstance(packed.inputs, np.memmap)
    assert packed.side == (32, 16)
    assert packed.masks is None
    np.save(folder / MASKS, np.ones((5, 32, 16, 1), np.uint8))
    assert read_packed(folder).masks is not None


def test_some_images_are_held_out():
    training, kept = held_out(50, seed=0)
    assert len(kept) == 5
    assert sorted([*training, *kept]) == list(range(50))
    assert [part.tolist() for part in held_out(1, seed=0)] == [[0], [0]]
    assert len(held_out(5000, seed=0)[1]) == 64


def test_batches_hold_the_images_asked_for(rng):
    images = np.broadcast_to(np.arange(6, dtype=np.float64)[:, None, None, None], (6, 16, 16, 1))
    batch = draw_from(images, np.array([1, 4]))(20, rng)
    assert batch.dtype == np.float32
    assert set(np.unique(batch)) == {1, 4}


def test_packing_scans_makes_arrays_and_masks(write, tmp_path, rng):
    for i in range(2):
        data = np.zeros((24, 20, 16), np.float32)
        data[4:19, 3:17, 2:13] = rng.uniform(100, 900, (15, 14, 11))
        path = write(data, f"s{i}.nii.gz", np.diag([8.0, 8.0, 8.0, 1.0]))
    packed = pack(path.parent, tmp_path / "arrays", BRAIN, rng, side=32)
    assert packed.reference.shape == packed.inputs.shape == packed.masks.shape
    assert packed.reference.shape[1:] == (32, 32, 1)
    changed = packed.inputs != packed.reference
    assert changed.any(axis=(1, 2, 3)).all()
    assert changed[packed.masks > 0].mean() > 0.99
    again = pack(path.parent, tmp_path / "arrays", BRAIN, rng, inputs=path.parent, side=32)
    assert again.masks is None
    np.testing.assert_array_equal(again.inputs, again.reference)
    assert not list((tmp_path / "arrays").glob(".partial*"))


@pytest.mark.parametrize("side", [0, 8, 30])
def test_sides_that_do_not_fit_are_refused(tmp_path, rng, side):
    with pytest.raises(UsageError, match="multiple of 16"):
        pack(tmp_path, tmp_path / "arrays", BRAIN, rng, side=side)
