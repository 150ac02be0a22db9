import logging
import os
import signal
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from mood.errors import OutputError
from mood.training.checkpoints import before, newest, save
from mood.weights.bundle import new_hdf5


def writer(value: float):
    def write(path):
        with new_hdf5(path) as file:
            file.create_dataset("weights", data=np.full((7, 5), value))

    return write


def value_of(checkpoint) -> float:
    with h5py.File(checkpoint.path, "r") as file:
        return float(file["weights"][0, 0])


def damaged(content: bytes, kind: str) -> bytes:
    if kind == "flipped":
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    return {"empty": b"", "cut": content[: len(content) // 2], "short": content[:-1], "foreign": b"{}" * 99}[kind]


def test_arrays_and_facts_come_back_together(tmp_path):
    path = tmp_path / "state.weights.h5"
    assert newest(path) is None
    save(path, writer(1.0), {"step": 1, "note": "line\nbreak"})
    found = newest(path)
    assert found.facts == {"step": 1, "note": "line\nbreak"}
    assert value_of(found) == 1.0
    save(path, writer(2.0), {"step": 2})
    assert newest(path).facts == {"step": 2}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["previous-state.weights.h5", "state.weights.h5"]


@pytest.mark.parametrize("kind", ["empty", "cut", "short", "flipped", "foreign"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(tmp_path, kind, caplog):
    path = tmp_path / "state.weights.h5"
    save(path, writer(1.0), {"step": 1})
    save(path, writer(2.0), {"step": 2})
    path.write_bytes(damaged(path.read_bytes(), kind))
    found = newest(path)
    assert (found.path, found.facts, value_of(found)) == (path, {"step": 1}, 1.0)
    [record] = caplog.records
    assert record.getMessage() == f"{path} is damaged or cut off; the one before it is used"
    save(path, writer(3.0), {"step": 3})
    assert newest(before(path)).facts == {"step": 1}


def test_when_both_are_damaged_there_is_none(tmp_path, caplog):
    path = tmp_path / "state.weights.h5"
    for step in (1, 2):
        save(path, writer(step), {"step": step})
    for each in (path, before(path)):
        each.write_bytes(b"")
    assert newest(path) is None
    assert "there is none before it" in caplog.text


def test_one_that_was_about_to_be_replaced_is_found(tmp_path, caplog):
    path = tmp_path / "state.weights.h5"
    save(path, writer(1.0), {"step": 1})
    path.rename(before(path))  # where a process killed between its two renames leaves it
    with caplog.at_level(logging.WARNING):
        assert newest(path).facts == {"step": 1}
    assert not caplog.records


def test_a_full_disk_keeps_what_was_there(tmp_path, small_disk):
    path = tmp_path / "state.weights.h5"
    save(path, writer(1.0), {"step": 1})

    def large(target):
        with new_hdf5(target) as file:
            file.create_dataset("weights", data=np.random.default_rng(0).random(100_000))

    with small_disk(100_000), pytest.raises(OutputError, match="File too large"):
        save(path, large, {"step": 2})
    assert newest(path).facts == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_is_nearly_full_is_said_before_anything_is_written(tmp_path, monkeypatch):
    path = tmp_path / "state.weights.h5"
    save(path, writer(1.0), {"step": 1})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=path.stat().st_size - 1))
    with pytest.raises(OutputError, match="No space left"):
        save(path, lambda target: pytest.fail("nothing may be written"), {"step": 2})
    assert newest(path).facts == {"step": 1}


@pytest.mark.parametrize("second", [True, False])
def test_killed_while_it_is_written_the_one_before_stays(tmp_path, second):
    path = tmp_path / "state.weights.h5"
    if second:
        save(path, writer(1.0), {"step": 1})
    child = os.fork()
    if child == 0:

        def dies(target):
            writer(2.0)(target)
            os.truncate(target, target.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

        save(path, dies, {"step": 2})
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    found = newest(path)
    assert found is None if not second else found.facts == {"step": 1}
