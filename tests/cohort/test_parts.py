from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mood.cohort.parts import Part, parse_part, part_of_task
from mood.errors import UsageError


@given(names=st.sets(st.text("abc0", min_size=1, max_size=6), max_size=40), count=st.integers(1, 12))
def test_every_scan_is_in_one_part_and_no_part_is_larger_by_two(names, count):
    scans = [Path(f"{name}.nii.gz") for name in names]
    parts = [part.of(reversed(scans)) for part in Part(1, count).every()]
    assert sorted(path for part in parts for path in part) == sorted(scans)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == [part.of(scans) for part in Part(count, count).every()]


def test_the_names_of_parts_sort_like_their_numbers():
    names = [part.name for part in Part(1, 1200).every()]
    assert names == sorted(names)
    assert Part(3, 10).name == "part-003-of-010"


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "a/b", "1/0", "1/2/3", "1.0/2", "٣/٤"])
def test_what_names_no_part_is_said(text):
    with pytest.raises(UsageError, match="part"):
        parse_part(text)


def slurm(task: int, first: int, last: int, step: int = 1, **more: str) -> dict[str, str]:
    count = len(range(first, last + 1, step))
    numbers = {"ID": task, "MIN": first, "MAX": last, "STEP": step, "COUNT": count}
    return {f"SLURM_ARRAY_TASK_{name}": str(number) for name, number in numbers.items()} | more


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7"}, None),
        (slurm(0, 0, 9), "1/10"),
        (slurm(9, 0, 9), "10/10"),
        (slurm(5, 3, 6), "3/4"),
        (slurm(7, 1, 9, 2), "4/5"),
        ({"PBS_ARRAY_INDEX": "4", "MOOD_PARTS": "4"}, "4/4"),
        ({"JOB_COMPLETION_INDEX": "0", "MOOD_PARTS": "4"}, "1/4"),
        ({"JOB_COMPLETION_INDEX": "3", "MOOD_PARTS": "4"}, "4/4"),
    ],
)
def test_a_task_of_an_array_finds_its_part(environment, expected):
    part = part_of_task(environment)
    assert (part and str(part)) == expected


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"JOB_COMPLETION_INDEX": "2"}, "not of how many.*MOOD_PARTS"),
        ({"JOB_COMPLETION_INDEX": "4", "MOOD_PARTS": "4"}, "no part 5/4"),
        ({"PBS_ARRAY_INDEX": "0", "MOOD_PARTS": "4"}, "no part 0/4"),
        ({"PBS_ARRAY_INDEX": "x", "MOOD_PARTS": "4"}, "'x', which is no number"),
        (slurm(7, 1, 9) | {"SLURM_ARRAY_TASK_COUNT": "3"}, "cannot be told its part"),
        ({"SLURM_ARRAY_TASK_ID": "1"}, "cannot be told its part"),
    ],
)
def test_a_task_that_cannot_know_its_part_scores_nothing(environment, words):
    with pytest.raises(UsageError, match=words):
        part_of_task(environment)
