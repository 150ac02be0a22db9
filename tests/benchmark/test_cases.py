from pathlib import Path

import numpy as np
import pytest

from mood.benchmark.cases import lesion_case, planted_cases
from mood.benchmark.manifest import LESIONS, TRAIN, VALIDATION, Entry, chosen, held_out, learnt_from, read_manifest
from mood.errors import NoInputError
from mood.regions import BRAIN

KINDS = ["reflection", "dark_lesion"]


def test_the_table_says_what_is_measured_in_which_group(data):
    entries = read_manifest(data)
    assert {entry.name: entry.group for entry in entries} == {
        **dict.fromkeys("abc"), "d": "1 mm", "e": "2 mm", "f": "other sites", "g": LESIONS, "h": "slabs"
    }  # fmt: skip
    assert {entry.region for entry in entries if entry.use == TRAIN} == {"brain"}
    assert all(entry.path.is_file() for entry in entries)


def test_a_folder_without_a_usable_table_is_refused(tmp_path):
    with pytest.raises(NoInputError, match=r"MANIFEST\.csv"):
        read_manifest(tmp_path)
    (tmp_path / "MANIFEST.csv").write_text("file,shape\nbrain/a.nii.gz,1x1x1\n")
    with pytest.raises(NoInputError, match="column 'use'"):
        read_manifest(tmp_path)


def test_chosen_entries_are_spread_evenly(data):
    entries = read_manifest(data)
    assert chosen(entries, None) == chosen(entries, 99) == entries
    assert [entry.name for entry in chosen(entries, 2)] == ["c", "f"]
    for count in range(1, len(entries) + 1):
        assert len({entry.name for entry in chosen(entries, count)}) == count


def entry_of(name, spacing_mm, use=TRAIN, region="brain"):
    return Entry(Path(f"{name}.nii.gz"), region, use, (spacing_mm,) * 3)


def test_held_out_are_training_brains_at_a_fixed_step_through_their_names():
    fine = [entry_of(f"fine{i:02}", 0.9) for i in range(20)]
    coarse = [entry_of(f"ixi{i:02}", 2.0) for i in range(30)]
    others = [entry_of("ct", 0.9, region="abdom"), entry_of("fine99", 0.9, VALIDATION), entry_of("between", 1.33)]
    entries = [*others, *coarse, *fine[::-1]]
    assert [entry.name for entry in held_out(entries)] == ["fine03", "fine11", "fine19", "ixi05", "ixi25"]


def test_what_is_learnt_from_is_not_held_out_and_not_mostly_of_one_scanner():
    fine = [entry_of(f"fine{i:02}", 0.9) for i in range(5)]
    coarse = [entry_of(f"ixi{i:02}", 2.0) for i in range(10)]
    entries = [*coarse, entry_of("ct", 0.9, region="abdom"), entry_of("d", 0.9, VALIDATION), *fine]
    names = [entry.name for entry in learnt_from(entries)]
    assert names == ["fine00", "fine01", "fine02", "fine04", "ixi00", "ixi03", "ixi06", "ixi09"]


def test_each_scan_healthy_and_with_each_kind(data):
    entry = next(entry for entry in read_manifest(data) if entry.name == "d")
    cases = list(planted_cases(entry, BRAIN, KINDS, repeats=2, seed=0))
    names = ["d_healthy", *(f"d_{repeat}_{kind}" for repeat in range(2) for kind in KINDS)]
    assert [case.name for case in cases] == names
    healthy = cases[0].volume.data
    assert not cases[0].label.any()
    assert (healthy.min(), healthy.max()) == (0.0, 1.0)
    for case in cases[1:]:
        assert case.label.any()
        assert (case.volume.data != healthy).any()
    assert (cases[1].label != cases[3].label).any()  # a repeat is another outlier


def test_a_case_depends_on_nothing_but_its_own_name_and_the_seed(data):
    entry = next(entry for entry in read_manifest(data) if entry.name == "d")
    many = {case.name: case for case in planted_cases(entry, BRAIN, KINDS, repeats=2, seed=0)}
    few = {case.name: case for case in planted_cases(entry, BRAIN, KINDS[1:], repeats=1, seed=0)}
    for name, case in few.items():
        np.testing.assert_array_equal(case.volume.data, many[name].volume.data)
    other = list(planted_cases(entry, BRAIN, KINDS[1:], repeats=1, seed=1))[1]
    assert (other.volume.data != few[other.name].volume.data).any()


def test_a_lesion_comes_with_its_label(data):
    entry = next(entry for entry in read_manifest(data) if entry.group == LESIONS)
    case = lesion_case(entry, BRAIN)
    assert (case.name, case.kind, int(case.label.sum())) == ("g_lesion", "g", 48)
