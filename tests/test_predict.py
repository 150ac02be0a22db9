import csv
import json

import nibabel as nib
import numpy as np
import pytest

from mood.errors import NoInputError, OutputError, UsageError
from mood.predict import predict_folder, score_scan
from mood.regions import BRAIN
from mood.training.run import new_method
from mood.volume import load

LEFT_HANDED = np.diag([-1.5, 2.0, 1.0, 1.0])


@pytest.fixture
def method():
    """The atlas needs no network; what is tested here is the folder loop, the same for all."""
    method = new_method("atlas", BRAIN, {"grid_shape": (40, 36, 32), "spacing_mm": (1.0, 1.0, 1.0)})
    rng = np.random.default_rng(0)
    for _ in method.train_epoch(list(rng.random((3, 40, 36, 32), dtype=np.float32)), rng):
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
    expected, score = score_scan(load(folder / "a.nii.gz"), method)
    np.testing.assert_allclose(nib.load(tmp_path / "out" / "a.nii.gz").get_fdata(), expected, atol=2**-15)
    assert outcomes[0].sample_score == pytest.approx(score, abs=1e-6)


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


def test_a_header_that_claims_the_impossible_gets_the_regions_shape(write, scan, tmp_path, method):
    path = write(scan, "huge.nii")
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    path.write_bytes(raw)
    predict_folder(path.parent, tmp_path / "out", method, "pixel", challenge=True)
    assert nib.load(tmp_path / "out" / "huge.nii.gz").shape == BRAIN.grid.shape


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


def test_the_input_folder_is_never_written_to(folder, method):
    with pytest.raises(UsageError, match="output folder is the input folder"):
        predict_folder(folder, folder / ".." / folder.name, method)


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
