import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import from_matvec

from mood import images, run_record
from mood.cohort import job
from mood.detector import Detector
from mood.errors import NoInputError, OutputError, UsageError
from mood.formats.member_volumes import read_members
from mood.methods import in_time
from mood.methods.fallback import save_fallback_map
from mood.methods.registration.template import packaged_template
from mood.predict import predict_folder
from mood.regions import BRAIN
from mood.training.new_method import new_method

LEFT_HANDED = np.diag([-1.5, 2.0, 1.0, 1.0])


@pytest.fixture
def method():
    """The atlas needs no network; what is tested here is the folder loop, the same for all."""
    return an_atlas((40, 36, 32), (1.0, 1.0, 1.0))


def an_atlas(shape: tuple[int, ...], spacing_mm: tuple[float, ...]):
    method = new_method("atlas", BRAIN, {"grid_shape": shape, "spacing_mm": spacing_mm})
    rng = np.random.default_rng(0)
    for _ in method.train_epoch(list(rng.random((3, *shape), dtype=np.float32)), rng):
        pass
    return method


@pytest.fixture
def folder(write, scan):
    write(scan, "a.nii.gz", LEFT_HANDED)
    write((scan[:, ::-1] * 900).astype(np.int16), "b.nii")
    return write(scan[:20] * 0.5, "c.nii.gz").parent


def add_bad_scans(write, scan) -> list[str]:
    write(scan, "cut.nii.gz").write_bytes((write(scan, "cut.nii.gz")).read_bytes()[:4000])
    write(scan, "empty.nii.gz").write_bytes(b"")
    write(scan, "text.nii.gz").write_bytes(b"hello" * 100)
    write(np.stack([scan, scan], axis=-1), "four.nii.gz")
    write(np.where(scan > 0.9, np.nan, scan), "nan.nii.gz")
    write(np.zeros_like(scan), "zero.nii.gz")
    return ["cut", "empty", "four", "nan", "text", "zero"]


def test_every_scan_gets_a_map_on_its_grid_and_a_score(folder, tmp_path, method):
    outcomes = predict_folder(folder, tmp_path / "out", method)
    assert [(o.scan, o.status) for o in outcomes] == [("a", "done"), ("b", "done"), ("c", "done")]
    for name, source in (("a", "a.nii.gz"), ("b", "b.nii"), ("c", "c.nii.gz")):
        before, after = nib.load(folder / source), nib.load(tmp_path / "out" / f"{name}.nii.gz")
        assert after.shape == before.shape
        np.testing.assert_array_equal(after.affine, before.affine)
        assert after.get_fdata().max() > 0
        assert 0 <= float((tmp_path / "out" / f"{name}.nii.gz.txt").read_text()) <= 1
    expected = Detector(method).score(folder / "a.nii.gz")
    np.testing.assert_allclose(nib.load(tmp_path / "out" / "a.nii.gz").get_fdata(), expected.map, atol=2**-15)
    assert outcomes[0].sample_score == pytest.approx(expected.sample_score, abs=1e-6)


@pytest.mark.parametrize(("mode", "suffixes"), [("sample", {".txt"}), ("pixel", {".gz"}), ("both", {".txt", ".gz"})])
def test_a_mode_writes_its_own_outputs(folder, tmp_path, method, mode, suffixes):
    predict_folder(folder, tmp_path / "out", method, mode, challenge=True)
    written = list((tmp_path / "out").iterdir())
    assert {path.suffix for path in written} == suffixes
    assert len(written) == 3 * len(suffixes)


def test_bad_scans_are_reported_and_the_others_done(folder, write, scan, tmp_path, method):
    bad = add_bad_scans(write, scan)
    outcomes = predict_folder(folder, tmp_path / "out", method)
    assert [o.scan for o in outcomes if o.status == "failed"] == bad
    assert all(o.message for o in outcomes if o.status == "failed")
    assert sorted(p.name for p in (tmp_path / "out").glob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines()))
    assert [row["scan"] for row in rows] == sorted(["a", "b", "c", *bad])
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert sum(entry["status"] == "failed" for entry in record["scans"]) == len(bad)


def test_in_the_challenge_every_scan_has_an_output(folder, write, scan, tmp_path, method):
    bad = add_bad_scans(write, scan)
    outcomes = predict_folder(folder, tmp_path / "out", method, challenge=True)
    assert {o.scan for o in outcomes} == {"a", "b", "c", *bad}
    for name in bad:
        assert float((tmp_path / "out" / f"{name}.nii.gz.txt").read_text()) == 0.5
        fallback = nib.load(tmp_path / "out" / f"{name}.nii.gz")
        assert not np.asanyarray(fallback.dataobj).any()
        unknown = name in ("empty", "text")
        expected = BRAIN.grid.shape if unknown else nib.load(folder / f"{name}.nii.gz").shape
        assert fallback.shape == expected
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        f"{name}.nii.gz{suffix}" for name in ("a", "b", "c", *bad) for suffix in ("", ".txt")
    }


def test_fault_16_a_header_that_claims_the_impossible_gets_the_regions_shape(write, scan, tmp_path, method):
    path = write(scan, "huge.nii")
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    path.write_bytes(raw)
    predict_folder(path.parent, tmp_path / "out", method, "pixel", challenge=True)
    assert nib.load(tmp_path / "out" / "huge.nii.gz").shape == BRAIN.grid.shape


def test_fault_06_a_flat_scan_in_the_challenge_costs_no_other(folder, write, scan, tmp_path, method):
    write(scan[0], "0.nii.gz")
    outcomes = statuses(predict_folder(folder, tmp_path / "out", method, challenge=True))
    assert outcomes == DONE | {"0": "failed"}
    assert nib.load(tmp_path / "out" / "0.nii.gz").shape == BRAIN.grid.shape


def test_fault_07_nan_in_a_sform_in_the_challenge(folder, write, scan, tmp_path, method):
    content = bytearray(write(scan, "0.nii").read_bytes())
    content[280:284] = np.float32(np.nan).tobytes()
    (folder / "0.nii").write_bytes(content)
    assert statuses(predict_folder(folder, tmp_path / "out", method, challenge=True)) == DONE | {"0": "done"}
    assert np.isfinite(nib.load(tmp_path / "out" / "0.nii.gz").affine).all()


@pytest.mark.parametrize("shape", [(30000, 30000, 1), (1024, 1024, 1024), (32767, 32767, 32767)])
def test_fault_16_a_fall_back_takes_no_memory_by_what_a_header_claims(write, scan, tmp_path, method, shape):
    path = write(scan, "huge.nii")
    content = bytearray(path.read_bytes())
    content[42:48] = np.array(shape, "<i2").tobytes()
    path.write_bytes(content)
    tracemalloc.start()
    predict_folder(path.parent, tmp_path / "out", method, challenge=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20
    assert nib.load(tmp_path / "out" / "huge.nii.gz").shape == BRAIN.grid.shape


def test_a_fall_back_has_the_shape_of_a_scan_that_is_larger_than_the_regions(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_shape((600, 512, 700))
    (tmp_path / "large.nii").write_bytes(header.binaryblock + bytes(4))
    save_fallback_map(tmp_path / "large.nii", BRAIN, tmp_path / "map.nii.gz")
    assert nib.load(tmp_path / "map.nii.gz").shape == (600, 512, 700)


def test_what_was_computed_when_the_time_is_over_is_the_map(folder, tmp_path, method, monkeypatch, caplog):
    method.score_volume = lambda data: _by_slices(data)
    predict_folder(folder / "a.nii.gz", tmp_path / "whole", method, "pixel", challenge=True)
    monkeypatch.setattr(in_time, "is_over", lambda left=iter([False, False, True]): next(left))
    predict_folder(folder / "a.nii.gz", tmp_path / "part", method, "pixel", challenge=True)
    whole, part = (nib.load(tmp_path / kind / "a.nii.gz").get_fdata() for kind in ("whole", "part"))
    assert 0 < np.count_nonzero(part) < np.count_nonzero(whole)
    np.testing.assert_array_equal(part[part > 0], whole[part > 0])
    assert "were scored" in caplog.text


def test_a_scan_whose_time_is_over_before_anything_was_computed_has_the_fall_back(folder, tmp_path, method):
    method.score_volume = lambda data: _by_slices(data)
    outcomes = predict_folder(folder, tmp_path / "out", method, "sample", challenge=True, seconds=0.0)
    assert statuses(outcomes) == dict.fromkeys("abc", "failed")
    assert "time for one scan is over" in outcomes[0].message
    assert float((tmp_path / "out" / "a.nii.gz.txt").read_text()) == 0.5


def _by_slices(data):
    scores = np.zeros_like(data)
    for batch in in_time.batches_in_time(np.arange(data.shape[2]), 8):
        scores[:, :, batch] = (data[:, :, batch] > 0) * 0.5
    return scores


def test_memory_that_runs_out_for_one_scan_is_a_sentence(folder, tmp_path, method, monkeypatch):
    def needs_much(data):
        raise MemoryError("Unable to allocate 32 GiB")

    monkeypatch.setattr(method, "score_volume", needs_much)
    outcome = predict_folder(folder, tmp_path / "out", method)[0]
    assert "memory ran out (Unable to allocate 32 GiB)" in outcome.message
    assert "a.nii.gz" in outcome.message


def test_a_method_that_breaks_fails_its_scan_only(folder, tmp_path, method, monkeypatch):
    score, calls = method.score_volume, []

    def breaks_once(data):
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError("no memory for this one")
        return score(data)

    monkeypatch.setattr(method, "score_volume", breaks_once)
    outcomes = predict_folder(folder, tmp_path / "out", method)
    assert [o.status for o in outcomes] == ["done", "failed", "done"]
    assert "no memory" in outcomes[1].message


def test_what_is_there_is_not_done_again(folder, tmp_path, method):
    out = tmp_path / "out"
    predict_folder(folder, out, method)
    first = (out / "a.nii.gz").read_bytes()
    (out / "b.nii.gz").unlink()
    (out / ".partial.killed").mkdir()
    (out / ".partial.killed" / "b.nii.gz").write_bytes(b"half")
    statuses = {o.scan: o.status for o in predict_folder(folder, out, method)}
    assert statuses == {"a": "skipped", "b": "done", "c": "skipped"}
    assert not list(out.glob(".partial*"))
    assert {o.status for o in predict_folder(folder, out, method)} == {"skipped"}
    assert {o.status for o in predict_folder(folder, out, method, overwrite=True)} == {"done"}
    assert (out / "a.nii.gz").read_bytes() == first


def test_results_of_other_weights_are_not_mixed_in(folder, tmp_path, method):
    predict_folder(folder, tmp_path / "out", method, about={"weights": "1"})
    with pytest.raises(UsageError, match="other weights"):
        predict_folder(folder, tmp_path / "out", method, about={"weights": "2"})
    predict_folder(folder, tmp_path / "out", method, about={"weights": "2"}, overwrite=True)


def test_an_interrupted_run_keeps_what_it_did(folder, tmp_path, method, monkeypatch):
    score, calls = method.score_volume, []

    def interrupt_second(data):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score(data)

    monkeypatch.setattr(method, "score_volume", interrupt_second)
    with pytest.raises(KeyboardInterrupt):
        predict_folder(folder, tmp_path / "out", method)
    assert (tmp_path / "out" / "a.nii.gz").exists()
    assert not list((tmp_path / "out").glob(".partial*"))
    assert json.loads((tmp_path / "out" / "run.json").read_text())["finished"] is None


def same_folder(folder, tmp_path):
    return folder / ".." / folder.name


def linked_folder(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    return tmp_path / "link"


def hard_link(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.nii.gz").hardlink_to(folder / "a.nii.gz")
    return tmp_path / "out"


def link_to_a_scan(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.nii.gz").symlink_to(folder / "a.nii.gz")
    return tmp_path / "out"


def scan_that_is_a_link_to_another_output(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (folder / "c.nii.gz").rename(tmp_path / "out" / "a.nii.gz")
    (folder / "c.nii.gz").symlink_to(tmp_path / "out" / "a.nii.gz")
    return tmp_path / "out"


def folder_of_the_members(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "members").symlink_to(folder)
    return tmp_path / "out"


def tree(top):
    return {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.mark.parametrize("challenge", [False, True])
@pytest.mark.parametrize(
    "way",
    [
        same_folder,
        linked_folder,
        hard_link,
        link_to_a_scan,
        scan_that_is_a_link_to_another_output,
        folder_of_the_members,
    ],
)
def test_fault_01_an_output_that_is_an_input_is_refused_before_anything_is_written(
    folder, tmp_path, method, way, challenge, monkeypatch
):
    out = way(folder, tmp_path)
    before = tree(tmp_path)
    monkeypatch.setattr(images, "check_writable", lambda folder: pytest.fail("written to"))
    with pytest.raises(UsageError, match=r"the input folder|the input itself"):
        predict_folder(folder, out, method, challenge=challenge)
    assert tree(tmp_path) == before


def test_fault_01_one_folder_mounted_twice_is_refused(folder, tmp_path):
    """As two `docker -v` of one folder are; in a namespace of its own, where any user may mount."""
    (tmp_path / "mounted").mkdir()
    script = f"mount --bind '{folder}' '{tmp_path}/mounted' && exec '{sys.executable}' -m mood predict -r brain"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*command, "mount -t tmpfs x /mnt"], check=False).returncode:
        pytest.skip("no mounts here")
    before = tree(tmp_path)
    ended = subprocess.run(
        [*command, f"{script} -i '{folder}' -o '{tmp_path}/mounted'"], check=False, text=True, capture_output=True
    )
    assert (ended.returncode, "the output folder is the input folder" in ended.stderr) == (2, True)
    assert tree(tmp_path) == before


def test_fault_01_a_list_with_one_scan_in_the_output_folder_is_refused(folder, tmp_path, method):
    (tmp_path / "out").mkdir()
    shutil.copy(folder / "a.nii.gz", tmp_path / "out" / "d.nii.gz")
    (tmp_path / "list.txt").write_text("in/b.nii\nout/d.nii.gz\n")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=r"the input folder|the input itself"):
        predict_folder(tmp_path / "list.txt", tmp_path / "out", method)
    assert tree(tmp_path) == before


def test_row_h2_one_scan_is_scored_by_itself(folder, tmp_path, method):
    (outcome,) = predict_folder(folder / "a.nii.gz", tmp_path / "out", method)
    assert (outcome.scan, outcome.status) == ("a", "done")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["scans"][0]["taken_for"].startswith("MR")
    with pytest.raises(UsageError, match="output folder is the input folder"):
        predict_folder(folder / "a.nii.gz", folder, method)


def test_fault_32_in_the_challenge_labels_and_twins_have_outputs_too(folder, write, scan, tmp_path, method):
    write(scan, "a.nii")
    write(scan, "a_label.nii.gz")
    outcomes = predict_folder(folder, tmp_path / "out", method, challenge=True)
    assert sorted(o.scan for o in outcomes) == ["a", "a_label", "b", "c"]


def test_fault_05_and_07_and_rows_e1_and_e2_one_bad_scan_costs_no_other(folder, write, scan, tmp_path, method):
    (folder / "aa.nii.gz").symlink_to("../.git/annex/objects/gone")
    write(scan, "bb.nii")
    content = bytearray((folder / "bb.nii").read_bytes())
    content[280:284] = np.float32(np.nan).tobytes()
    (folder / "bb.nii").write_bytes(content)
    (folder / "zz.nii.gz").symlink_to("gone")
    outcomes = statuses(predict_folder(folder, tmp_path / "out", method))
    assert outcomes == DONE | {"aa": "failed", "bb": "done", "zz": "failed"}


def test_two_scans_of_one_name_are_refused(folder, write, scan, tmp_path, method):
    write(scan, "a.nii")
    with pytest.raises(UsageError, match=r"same outputs \(a\)"):
        predict_folder(folder, tmp_path / "out", method)


def test_missing_and_unwritable_folders_are_said(folder, tmp_path, method):
    with pytest.raises(NoInputError):
        predict_folder(tmp_path / "nowhere", tmp_path / "out", method)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        predict_folder(folder, tmp_path / "file" / "out", method)
    with pytest.raises(UsageError, match="unknown mode"):
        predict_folder(folder, tmp_path / "out", method, "voxel")


def outputs(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("run.json", "scores.csv")}


def statuses(outcomes):
    return {outcome.scan: outcome.status for outcome in outcomes}


DONE, SKIPPED = dict.fromkeys("abc", "done"), dict.fromkeys("abc", "skipped")


@pytest.mark.parametrize(("name", "content"), [("a.nii.gz", b""), ("b.nii.gz", b"half"), ("c.nii.gz.txt", b"")])
def test_fault_09_and_rows_d3_and_e6_an_empty_or_damaged_output_is_made_again(folder, tmp_path, method, name, content):
    predict_folder(folder, tmp_path / "out", method)
    whole = outputs(tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(content)
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == SKIPPED | {name[0]: "done"}
    assert outputs(tmp_path / "out") == whole


def test_row_d2_a_scan_that_was_replaced_is_scored_again(folder, write, scan, tmp_path, method):
    predict_folder(folder, tmp_path / "out", method)
    first = outputs(tmp_path / "out")
    write(scan[::-1] * 0.3, "a.nii.gz", LEFT_HANDED)
    os.utime(folder / "c.nii.gz", (0, 0))  # another date alone makes no other scan
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == SKIPPED | {"a": "done"}
    changed = {name for name, content in outputs(tmp_path / "out").items() if content != first[name]}
    assert changed <= {"a.nii.gz", "a.nii.gz.txt"}
    assert changed
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == SKIPPED


def test_an_output_of_the_other_mode_does_not_outlive_its_scan(folder, write, scan, tmp_path, method):
    predict_folder(folder, tmp_path / "out", method, "both")
    write(scan[::-1] * 0.3, "a.nii.gz", LEFT_HANDED)
    assert statuses(predict_folder(folder, tmp_path / "out", method, "pixel")) == SKIPPED | {"a": "done"}
    assert not (tmp_path / "out" / "a.nii.gz.txt").exists()
    assert (tmp_path / "out" / "b.nii.gz.txt").exists()
    assert statuses(predict_folder(folder, tmp_path / "out", method, "sample")) == SKIPPED | {"a": "done"}


def test_two_modes_at_once_leave_the_outputs_of_both(folder, tmp_path, method, monkeypatch):
    save = job.save_map

    def other_mode_first(*arguments):
        monkeypatch.setattr(job, "save_map", save)
        predict_folder(folder, tmp_path / "out", method, "sample")
        save(*arguments)

    monkeypatch.setattr(job, "save_map", other_mode_first)
    assert statuses(predict_folder(folder, tmp_path / "out", method, "pixel")) == DONE
    assert len(outputs(tmp_path / "out")) == 6


def test_outputs_of_unknown_origin_are_made_again(folder, tmp_path, method):
    predict_folder(folder, tmp_path / "out", method)
    (tmp_path / "out" / "run.json").unlink()
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == DONE


@pytest.mark.parametrize("content", [b"", b"{", b'{"about": {"wei', b"\xff\xfe"])
def test_fault_13_a_damaged_run_record_ends_no_run(folder, tmp_path, method, content):
    predict_folder(folder, tmp_path / "out", method)
    (tmp_path / "out" / "run.json").write_bytes(content)
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == DONE
    assert len(json.loads((tmp_path / "out" / "run.json").read_text())["scans"]) == 3


@pytest.mark.parametrize("record", [{"method": "fpi", "settings": {}}, [], 3, {"about": 1, "scans": 2}])
@pytest.mark.parametrize("overwrite", [True, False])
def test_fault_13_and_row_e5_a_file_that_is_no_run_record_is_kept(folder, tmp_path, method, record, overwrite):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"no record of a prediction.*run\.json"):
        predict_folder(folder, tmp_path / "out", method, overwrite=overwrite)
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == record
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_fault_20_a_folder_in_place_of_the_run_record_is_said(folder, tmp_path, method):
    (tmp_path / "out" / "run.json").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"run\.json"):
        predict_folder(folder, tmp_path / "out", method)


def test_fault_12_a_link_in_place_of_an_output_is_not_followed(folder, tmp_path, method):
    (tmp_path / "out").mkdir()
    for name in ("run.json", "a.nii.gz", "scores.csv"):
        (tmp_path / "out" / name).symlink_to(tmp_path / f"elsewhere-{name}")
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == DONE
    assert not list(tmp_path.glob("elsewhere-*"))


def test_fault_04_of_two_runs_with_different_weights_the_second_does_nothing(folder, tmp_path, method, monkeypatch):
    """The second begins after the first has looked for a record and before it has scored anything."""
    claimed = run_record.claim

    def slow_claim(path, text):
        monkeypatch.setattr(run_record, "claim", claimed)
        predict_folder(folder, tmp_path / "out", method, about={"weights": "1"})
        return claimed(path, text)

    monkeypatch.setattr(run_record, "claim", slow_claim)
    with pytest.raises(UsageError, match="other weights"):
        predict_folder(folder, tmp_path / "out", method, about={"weights": "2"})
    assert json.loads((tmp_path / "out" / "run.json").read_text())["about"] == {"weights": "1"}


def recorded(folder):
    rows = json.loads((folder / "run.json").read_text())["scans"]
    assert [row["scan"] for row in rows if row["status"] != "pending"] == [
        row["scan"] for row in csv.DictReader((folder / "scores.csv").read_text().splitlines())
    ]
    return {row["scan"]: row["status"] for row in rows}


def test_two_runs_into_one_folder_keep_the_rows_of_both(folder, tmp_path, method):
    (tmp_path / "more").mkdir()
    shutil.copy(folder / "a.nii.gz", tmp_path / "more" / "d.nii.gz")
    predict_folder(folder, tmp_path / "out", method)
    predict_folder(tmp_path / "more", tmp_path / "out", method)
    assert recorded(tmp_path / "out") == DONE | {"d": "done"}
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == SKIPPED
    predict_folder(tmp_path / "more", tmp_path / "out", method, about={"weights": "2"}, overwrite=True)
    assert recorded(tmp_path / "out") == {"d": "done"}  # what other weights gave counts no more


def test_two_runs_at_once_into_one_folder_keep_the_rows_of_both(folder, tmp_path, method, monkeypatch):
    (tmp_path / "more").mkdir()
    shutil.copy(folder / "a.nii.gz", tmp_path / "more" / "d.nii.gz")
    save = job.save_map

    def other_run_first(*arguments):
        monkeypatch.setattr(job, "save_map", save)
        predict_folder(tmp_path / "more", tmp_path / "out", method)
        save(*arguments)

    monkeypatch.setattr(job, "save_map", other_run_first)
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == DONE
    assert recorded(tmp_path / "out") == DONE | {"d": "done"}


def test_the_record_is_there_before_the_first_map(folder, tmp_path, method, monkeypatch):
    def look(*arguments):
        record = json.loads((tmp_path / "out" / "run.json").read_text())
        assert record["about"] == {"weights": "1"}
        assert record["finished"] is None
        assert {row["status"] for row in record["scans"]} == {"pending"}
        raise KeyboardInterrupt

    monkeypatch.setattr("mood.cohort.job.save_map", look)
    with pytest.raises(KeyboardInterrupt):
        predict_folder(folder, tmp_path / "out", method, about={"weights": "1"})


def test_fault_20_a_full_disk_is_said_and_what_was_finished_stays(folder, tmp_path, method, monkeypatch, small_disk):
    save = job.save_map

    def fills(score_map, header, affine, path, *details):
        with small_disk(1000 if path.name.startswith("b") else 10**9):
            save(score_map, header, affine, path, *details)

    monkeypatch.setattr("mood.cohort.job.save_map", fills)
    with pytest.raises(OutputError, match=r"File too large.*b\.nii\.gz"):
        predict_folder(folder, tmp_path / "out", method)
    monkeypatch.undo()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert {row["scan"]: row["status"] for row in record["scans"]} == DONE | {"b": "pending"}
    found = statuses(predict_folder(folder, tmp_path / "out", method))
    assert found == SKIPPED | {"b": "done"}


def test_fault_20_records_that_cannot_be_written_are_said_and_the_maps_stay(folder, tmp_path, method):
    def remove_table(outcome, total):
        (tmp_path / "out" / "scores.csv").mkdir(exist_ok=True)

    with pytest.raises(OutputError, match=r"scores\.csv"):
        predict_folder(folder, tmp_path / "out", method, on_scan=remove_table)
    (tmp_path / "out" / "scores.csv").rmdir()
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == SKIPPED


def test_fault_20_an_output_folder_that_is_removed_meanwhile_is_said(folder, tmp_path, method):
    with pytest.raises(OutputError, match="cannot be written"):
        predict_folder(folder, tmp_path / "out", method, on_scan=lambda *_: shutil.rmtree(tmp_path / "out", True))
    assert statuses(predict_folder(folder, tmp_path / "out", method)) == DONE


def test_fault_08_and_21_names_of_any_length_and_bytes_are_scored(write, scan, tmp_path, method):
    long, odd = "n" * 240, os.fsdecode(b"caf\xe9")
    for name in (long, odd, "z"):
        write(scan, f"{name}.nii.gz", LEFT_HANDED)
    too_long = tmp_path / "in" / ("o" * 250 + ".nii")  # for its score the name would be longer than any may be
    nib.save(nib.load(tmp_path / "in" / "z.nii.gz"), too_long)
    found = statuses(predict_folder(too_long.parent, tmp_path / "out", method))
    assert found == {long: "done", r"caf\xe9": "done", "z": "done", "o" * 250: "failed"}
    assert (tmp_path / "out" / f"{odd}.nii.gz").exists()
    assert "caf" in (tmp_path / "out" / "scores.csv").read_text(encoding="utf-8")
    again = statuses(predict_folder(too_long.parent, tmp_path / "out", method))
    assert again == {long: "skipped", r"caf\xe9": "skipped", "z": "skipped", "o" * 250: "failed"}


def test_fault_05_a_scan_that_vanishes_fails_alone(folder, tmp_path, method):
    def remove_next(outcome, total):
        (folder / "c.nii.gz").unlink(missing_ok=True)

    (folder / "d.nii.gz").symlink_to(folder / "nowhere")
    found = statuses(predict_folder(folder, tmp_path / "out", method, on_scan=remove_next))
    assert found["d"] == "failed"
    assert found["a"] == found["b"] == "done"


KILLED_AT = 12  # of the moments at which a file is flushed to the disk


def test_fault_13_killed_at_any_write_the_same_command_finishes(folder, tmp_path, method, killed_at):
    predict_folder(folder, tmp_path / "whole", method)
    for moment in range(KILLED_AT):
        out = tmp_path / str(moment)
        assert killed_at(moment, lambda out=out: predict_folder(folder, out, method)) == -signal.SIGKILL
        found = statuses(predict_folder(folder, out, method))
        assert found.keys() == DONE.keys()
        assert "skipped" in found.values() or moment < 8
        assert outputs(out) == outputs(tmp_path / "whole")
        assert statuses(predict_folder(folder, out, method)) == SKIPPED
        assert not list(out.glob(".*"))


def test_what_the_weights_do_not_know_is_scored_with_the_reason_on_record(folder, tmp_path, method, caplog):
    outcomes = predict_folder(folder, tmp_path / "out", method)
    assert all("too small for an adult's brain" in outcome.fit for outcome in outcomes)
    assert sum("not fit to score" in record.message for record in caplog.records) == len(outcomes)
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").read_text().splitlines()))
    assert [row["fit"] for row in rows] == [outcome.fit for outcome in outcomes]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["source"] == str(folder.resolve())
    entry = record["scans"][0]
    assert entry["fit"] == outcomes[0].fit
    assert entry["figures"]["voxel_mm"] == 2.0
    again = predict_folder(folder, tmp_path / "out", method)
    assert [(one.status, one.fit) for one in again] == [("skipped", one.fit) for one in outcomes]


def test_strict_fails_what_the_weights_do_not_know_and_writes_nothing_of_it(folder, tmp_path, method):
    outcomes = predict_folder(folder, tmp_path / "out", method, strict=True)
    assert {outcome.status for outcome in outcomes} == {"failed"}
    assert "not fit to score: too small" in outcomes[0].message
    assert outcomes[0].unfit
    assert not list((tmp_path / "out").glob("*.nii.gz*"))


def test_the_challenge_scores_what_is_not_fit_and_cannot_be_strict(folder, tmp_path, method, caplog):
    predict_folder(folder, tmp_path / "out", method, "sample", challenge=True)
    assert sum("not fit to score" in record.message for record in caplog.records) == 3
    assert float((tmp_path / "out" / "a.nii.gz.txt").read_text()) != 0.5
    with pytest.raises(UsageError, match="--strict"):
        predict_folder(folder, tmp_path / "out", method, challenge=True, strict=True)


def test_where_a_brain_lies_in_mni_space_is_on_record(tmp_path):
    """The template itself, its axes turned; a voxel's MNI coordinates are known."""
    method = an_atlas((36, 32, 40), (6.8, 6.8, 6.8))
    template = packaged_template("mni152", BRAIN.grid.coarsened(128))
    mm, shape = np.array(template.grid.spacing_mm), np.array(template.grid.shape)
    affine = from_matvec(np.diag(mm), np.array(template.middle_mm) - mm * (shape - 1) / 2)
    image = nib.Nifti1Image((template.image * 900).astype(np.int16), affine)
    turned = image.as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
    (tmp_path / "in").mkdir()
    nib.save(turned, tmp_path / "in" / "brain.nii.gz")
    predict_folder(tmp_path / "in", tmp_path / "out", method)
    to_mni = np.array(json.loads((tmp_path / "out" / "run.json").read_text())["scans"][0]["to_mni"])
    corners = np.array([(40, 50, 30), (80, 60, 90), (50, 90, 60)])
    expected = nib.affines.apply_affine(turned.affine, corners)
    np.testing.assert_allclose(nib.affines.apply_affine(to_mni, corners), expected, atol=2.5)
    assert "to_mni" not in (tmp_path / "out" / "scores.csv").read_text()


def test_what_members_find_lies_where_the_scan_has_it(tmp_path, write, scan, method, monkeypatch):
    """A member that finds the brightest voxels, in a scan with axes turned; not asked in the challenge."""
    scan = scan * 0.3
    scan[12:15, 6:9, 8:11] = 1.0
    source = write(scan, "a.nii.gz", LEFT_HANDED).parent
    found = {}

    def with_members(self, conformed):
        found["bright"] = conformed.data >= conformed.data.max()
        return self.score_scan(conformed), found

    monkeypatch.setattr(type(method), "score_with_members", with_members)
    predict_folder(source, tmp_path / "challenge", method, challenge=True)
    assert not found
    predict_folder(source, tmp_path / "out", method)
    volume = read_members(tmp_path / "out" / "members" / "a.nii.gz")
    (here,) = nib.affines.apply_affine(LEFT_HANDED, [[13, 7, 9]])
    seen = nib.affines.apply_affine(volume.affine, np.argwhere(volume.bits))
    assert np.linalg.norm(seen.mean(axis=0) - here) < 2.0
    monkeypatch.undo()
    predict_folder(source, tmp_path / "out", method, overwrite=True)
    assert not (tmp_path / "out" / "members" / "a.nii.gz").exists()
