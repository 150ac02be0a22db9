import csv
import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from mood.cohort.collect import collect
from mood.cohort.parts import Part
from mood.cohort.record import PartRecord, read_sessions
from mood.errors import NoInputError, OutputError, UsageError
from mood.predict import predict_folder
from mood.run_record import Outcome

ALL = [f"s{i}" for i in range(7)]


def table(folder):
    return {row["scan"]: row for row in csv.DictReader((folder / "scores.csv").read_text().splitlines())}


def maps_and_scores(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz*")}


def score(cohort, target, method, parts, **options):
    return [predict_folder(cohort, target, method, part=part, **options) for part in parts]


def test_parts_become_the_table_of_one_run(cohort, tmp_path, method):
    predict_folder(cohort, tmp_path / "whole", method)
    score(cohort, tmp_path / "out", method, Part(1, 3).every())
    outcomes = collect(tmp_path / "out")
    assert [one.scan for one in outcomes] == ALL
    assert maps_and_scores(tmp_path / "out") == maps_and_scores(tmp_path / "whole")
    found, expected = table(tmp_path / "out"), table(tmp_path / "whole")
    assert {name: row["sample_score"] for name, row in found.items()} == {
        name: row["sample_score"] for name, row in expected.items()
    }
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["finished"]
    assert [(part["part"], part["of"]) for part in record["parts"]] == [(1, 3), (2, 3), (3, 3)]
    assert record["engine"] == json.loads((tmp_path / "whole" / "run.json").read_text())["engine"]


def test_more_parts_than_scans_leave_some_with_nothing_to_do(cohort, tmp_path, method):
    found = score(cohort, tmp_path / "out", method, Part(1, 9).every())
    assert [len(part) for part in found] == [1] * 7 + [0, 0]
    assert [one.status for one in collect(tmp_path / "out")] == ["done"] * 7


def test_what_no_part_did_and_what_failed_is_named(cohort, tmp_path, method):
    (cohort / "s3.nii.gz").write_bytes(b"")
    score(cohort, tmp_path / "out", method, [Part(1, 3), Part(3, 3)])  # s0 s3 s6, s2 s5
    outcomes = collect(tmp_path / "out")
    assert {one.scan: one.status for one in outcomes} == dict.fromkeys(ALL, "done") | {
        "s1": "missing",
        "s3": "failed",
        "s4": "missing",
    }
    assert all(one.message for one in outcomes if one.status != "done")
    assert list(table(tmp_path / "out")) == ALL
    assert json.loads((tmp_path / "out" / "run.json").read_text())["finished"] is None
    score(cohort, tmp_path / "out", method, [Part(2, 3)])
    assert [one.scan for one in collect(tmp_path / "out") if one.status != "done"] == ["s3"]


def test_parts_without_a_record_are_named_where_the_input_is_gone(cohort, tmp_path, method, caplog):
    score(cohort, tmp_path / "out", method, [Part(1, 3), Part(3, 3)])
    elsewhere = shutil.move(cohort, tmp_path / "moved")
    assert len(collect(tmp_path / "out")) == 5
    assert "parts without a record, of 3: 2" in caplog.text
    assert [one.status for one in collect(tmp_path / "out", elsewhere)].count("missing") == 2


def test_a_part_that_was_cut_short_goes_on_where_it_was(cohort, tmp_path, method, monkeypatch):
    scored, calls = method.score_volume, []

    def killed(data):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scored(data)

    monkeypatch.setattr(method, "score_volume", killed)
    with pytest.raises(KeyboardInterrupt):
        score(cohort, tmp_path / "out", method, [Part(1, 1)])
    (record,) = (tmp_path / "out").glob("run.part-*.jsonl")
    whole = record.read_bytes()
    record.write_bytes(whole + b'{"scan": "s2", "sta')  # as if the kernel had cut the last row off
    assert "missing" in [one.status for one in collect(tmp_path / "out")]
    (again,) = score(cohort, tmp_path / "out", method, [Part(1, 1)])
    assert {one.scan for one in again if one.status == "skipped"} == {"s0", "s1"}
    assert [one.status for one in collect(tmp_path / "out")] == ["done"] * 7
    assert len(calls) == 3 + 5


def test_another_number_of_parts_goes_on_too(cohort, tmp_path, method):
    score(cohort, tmp_path / "out", method, [Part(1, 3)])
    found = score(cohort, tmp_path / "out", method, Part(1, 2).every())
    assert sorted(one.scan for part in found for one in part if one.status == "skipped") == ["s0", "s3", "s6"]
    assert [one.status for one in collect(tmp_path / "out")] == ["done"] * 7
    assert {one.status for one in predict_folder(cohort, tmp_path / "out", method)} == {"skipped"}


def test_a_scan_that_changed_is_scored_again(cohort, tmp_path, method):
    score(cohort, tmp_path / "out", method, [Part(1, 1)])
    nib.save(
        nib.Nifti1Image(np.arange(24 * 20 * 16, dtype=np.float32).reshape(24, 20, 16), np.eye(4)), cohort / "s2.nii.gz"
    )
    (found,) = score(cohort, tmp_path / "out", method, [Part(1, 1)])
    assert [one.scan for one in found if one.status == "done"] == ["s2"]


def test_parts_with_other_weights_are_refused_until_they_replace(cohort, tmp_path, method):
    score(cohort, tmp_path / "out", method, Part(1, 2).every(), about={"weights": "1"})
    with pytest.raises(UsageError, match="other weights"):
        score(cohort, tmp_path / "out", method, [Part(1, 2)], about={"weights": "2"})
    score(cohort, tmp_path / "out", method, [Part(1, 2)], about={"weights": "2"}, overwrite=True)
    found = {one.scan: one.status for one in collect(tmp_path / "out")}
    assert found == {name: "missing" if int(name[1]) % 2 else "done" for name in ALL}
    (again,) = score(cohort, tmp_path / "out", method, [Part(2, 2)], about={"weights": "2"})
    assert {one.status for one in again} == {"done"}


def test_rows_of_whole_runs_and_of_parts_are_collected_together(cohort, tmp_path, method):
    (tmp_path / "more").mkdir()
    os.link(cohort / "s0.nii.gz", tmp_path / "more" / "x.nii.gz")
    predict_folder(tmp_path / "more", tmp_path / "out", method)
    score(cohort, tmp_path / "out", method, Part(1, 2).every())
    assert [one.scan for one in collect(tmp_path / "out")] == [*ALL, "x"]


def test_parts_on_machines_with_other_software_are_said(cohort, tmp_path, method, monkeypatch, caplog):
    score(cohort, tmp_path / "out", method, [Part(1, 2)])
    monkeypatch.setattr("mood.cohort.record.versions", lambda names: {"numpy": "0.1"})
    score(cohort, tmp_path / "out", method, [Part(2, 2)])
    collect(tmp_path / "out")
    assert "different versions" in caplog.text


def test_a_folder_without_parts_is_said(cohort, tmp_path, method):
    with pytest.raises(NoInputError, match="no record of a part"):
        collect(tmp_path)
    predict_folder(cohort, tmp_path / "out", method)
    with pytest.raises(NoInputError, match="no record of a part"):
        collect(tmp_path / "out")


def test_a_record_that_cannot_be_written_ends_a_part_with_a_sentence(cohort, tmp_path, method):
    (tmp_path / "out" / "run.part-001-of-001.jsonl").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"run\.part-001-of-001\.jsonl"):
        score(cohort, tmp_path / "out", method, [Part(1, 1)])
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_a_full_disk_ends_a_part_with_a_sentence_and_costs_no_row(tmp_path, small_disk):
    rows = {name: Outcome(name, "pending") for name in ALL}
    record = PartRecord(tmp_path, {}, {"engine": "e", "precision": "p", "device": "d"}, rows, Part(1, 1), tmp_path)
    record.begin(replace=False)
    with small_disk(record.path.stat().st_size + 10), pytest.raises(OutputError, match="File too large"):
        record.add(Outcome("s0", "done"))
    record.add(Outcome("s1", "done"))
    (session,) = read_sessions(tmp_path)
    assert [row.scan for row in session.scans if row.status == "done"] == ["s1"]
