import nibabel as nib
import numpy as np
import pytest

from mood.formats.member_volumes import member_path, read_members, save_members

SHAPE = (12, 10, 8)
AFFINE = np.diag([2.0, 3.0, -2.0, 1.0])
AFFINE[:3, 3] = (-7, 5, 30)


def found():
    left, low = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    left[:6], low[..., :2] = True, True
    return {"detail": left, "normative": low}


def test_what_members_find_comes_back_with_their_names(tmp_path):
    path = member_path(tmp_path / "sub-01.nii.gz")
    save_members(path, found(), AFFINE)
    assert path == tmp_path / "members" / "sub-01.nii.gz"
    volume = read_members(path)
    assert volume.names == ("detail", "normative")
    points = nib.affines.apply_affine(AFFINE, np.argwhere(np.ones(SHAPE, bool)))
    assert volume.shares(points) == {"detail": 0.5, "normative": 0.25}
    points[:, 0] += 4  # two voxels to the right, half of the last four lie outside
    assert volume.shares(points)["detail"] == pytest.approx(4 / 12)


def test_without_members_an_older_file_goes(tmp_path):
    path = member_path(tmp_path / "a.nii")
    save_members(path, {}, AFFINE)
    assert not path.parent.exists()
    save_members(path, found(), AFFINE)
    save_members(path, {}, AFFINE)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["missing", "text", "cut", "floats", "nameless", "flat"])
def test_what_is_no_such_file_tells_nothing(tmp_path, kind):
    path = tmp_path / "a.nii.gz"
    if kind == "text":
        path.write_text("no volume")
    elif kind == "cut":
        save_members(path, found(), AFFINE)
        path.write_bytes(path.read_bytes()[:60])
    elif kind != "missing":
        image = nib.Nifti1Image(np.zeros(SHAPE, np.float32 if kind == "floats" else np.uint8), AFFINE)
        image.header["descrip"] = "" if kind == "nameless" else "detail"
        nib.save(image, path)
    if kind == "flat":  # nibabel writes no such header by itself
        header = nib.Nifti1Header()
        header["sform_code"], header["descrip"] = 1, "detail"
        header["srow_y"], header["srow_z"] = (0, 1, 0, 0), (0, 0, 1, 0)
        nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.uint8), None, header), path)
    assert read_members(path) is None
