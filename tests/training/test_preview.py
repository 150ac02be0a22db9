import numpy as np
import pytest

from mood.errors import NoInputError
from mood.regions import BRAIN
from mood.synthesis.tasks import TASKS
from mood.training.preview import task_rows
from mood.volume import find_scans


def test_each_task_alters_only_what_its_label_says(healthy, rng):
    rows = task_rows(find_scans(healthy), BRAIN, list(TASKS.values()), rng)
    assert list(rows) == list(TASKS)
    for name, row in rows.items():
        assert row["scan"].shape == row["altered"].shape == row["label"].shape
        assert row["label"].max() > 0, name
        changed = np.abs(row["altered"] - row["scan"]) > 1e-6
        assert changed.any(), name
        assert (row["label"][changed] > 0).all(), name


def test_one_scan_is_not_enough(healthy, rng):
    with pytest.raises(NoInputError, match="only one scan"):
        task_rows(find_scans(healthy)[:1], BRAIN, list(TASKS.values()), rng)
