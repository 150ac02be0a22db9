import pytest

from mood.errors import NoInputError, UsageError
from mood.formats import bids
from mood.volume import find_scans, scan_name
from tests.formats.toy_data_set import bids_errors

T1W = ["sub-01_ses-a_T1w", "sub-01_ses-b_T1w", "sub-02_run-1_T1w"]


def test_the_validator_takes_the_toy_data_set(bids_root):
    assert bids_errors(bids_root) == []


def test_the_t1w_scans_of_a_data_set_are_found(bids_root):
    assert [scan_name(path) for path in find_scans(bids_root)] == T1W


def test_a_data_set_without_a_description_is_known_by_its_folders(bids_root):
    (bids_root / "dataset_description.json").unlink()
    assert [scan_name(path) for path in find_scans(bids_root)] == T1W


def test_scans_directly_in_a_folder_come_before_folders_called_as_in_bids(bids_root, write, scan):
    flat = write(scan, "sub-09_T1w.nii.gz").parent
    (bids_root / "sub-01").rename(flat / "sub-01")
    assert [scan_name(path) for path in find_scans(flat)] == ["sub-09_T1w"]


def test_scans_on_a_templates_voxels_are_left_out(bids_root):
    anat = bids_root / "sub-02/anat"
    (anat / "sub-02_space-MNI152NLin2009cAsym_T1w.nii.gz").write_bytes((anat / "sub-02_run-1_T1w.nii.gz").read_bytes())
    assert [scan_name(path) for path in find_scans(bids_root)] == T1W


def test_a_data_set_without_t1w_says_what_it_has(bids_root):
    for path in bids_root.rglob("*_T1w.*"):
        path.unlink()
    with pytest.raises(NoInputError, match=r"2 participants, 1 T2w in their anat folders") as raised:
        find_scans(bids_root)
    assert raised.value.exit_code == 3


def test_participants_are_chosen_by_label(bids_root):
    scans = bids.find_scans(bids_root)
    assert [scan_name(path) for path in bids.of_participants(scans, ["sub-02"], bids_root)] == T1W[2:]
    assert [scan_name(path) for path in bids.of_participants(scans, ["01"], bids_root)] == T1W[:2]
    assert bids.of_participants(scans, [], bids_root) == scans
    with pytest.raises(NoInputError, match="no T1w scan of sub-7"):
        bids.of_participants(scans, ["7", "01"], bids_root)


def test_names_that_derivatives_cannot_be_called_after_are_refused(tmp_path):
    with pytest.raises(UsageError, match="none of BIDS"):
        bids.check_names(["sub-01_T1w", "patient7"], tmp_path)
    with pytest.raises(UsageError, match=r"same derivatives \(sub-01\)"):
        bids.check_names(["sub-01_T1w", "sub-01_desc-brain_T1w", "sub-02_T1w"], tmp_path)
