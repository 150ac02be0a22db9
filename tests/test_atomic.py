import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mood.atomic import append_row, check_writable, claim, locked, remove_stale, replacing, write_text
from mood.errors import OutputError, UsageError


def other_process(code: str, folder: Path) -> subprocess.Popen:
    """A process that runs `code` in `folder` and has said a word."""
    code = f"import sys, time; from pathlib import Path; from mood.atomic import *; folder = Path(sys.argv[1]); {code}"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


WRITING = """
with replacing(folder / "map") as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""
HOLDING = """
with locked(folder / "lock"):
    print("holding", flush=True)
    time.sleep(600)
"""


def as_line(block: str) -> str:
    return f"exec({block!r})"


def test_a_file_appears_when_the_block_ends(tmp_path):
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "file").exists()
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [ValueError("in the block"), KeyboardInterrupt(), RuntimeError("of another kind")])
def test_a_block_that_fails_leaves_all_as_it_was(tmp_path, error):
    (tmp_path / "file").write_text("old")

    def write_half():
        with replacing(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_fault_20_a_full_disk_is_said_and_the_old_file_stays(tmp_path, small_disk):
    write_text(tmp_path / "file", "old")
    with small_disk(1000), pytest.raises(OutputError, match=r"(?s)File too large.*file.*free space"):
        write_text(tmp_path / "file", "new" * 1000)
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_way_or_missing_is_said(tmp_path):
    (tmp_path / "run.json").mkdir()
    for path in (tmp_path / "run.json", tmp_path / "missing" / "run.json"):
        with pytest.raises(OutputError, match=r"cannot be written .*run\.json"):
            write_text(path, "{}")


def test_fault_12_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    for name, target in (("one", "elsewhere"), ("two", "nowhere")):
        (tmp_path / name).symlink_to(tmp_path / target)
        write_text(tmp_path / name, "new")
        assert not (tmp_path / name).is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_names_of_any_length_and_kind_are_written(tmp_path):
    for name in ("n" * 255, os.fsdecode(b"caf\xe9.txt"), ".txt"):
        write_text(tmp_path / name, os.fsdecode(b"caf\xe9"))
        assert (tmp_path / name).read_text() == r"caf\udce9"


def test_fault_04_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    killed, living = (other_process(as_line(WRITING), tmp_path) for _ in range(2))
    assert len(list(tmp_path.glob(".partial.*"))) == 2
    remove_stale(tmp_path)
    assert len(list(tmp_path.glob(".partial.*"))) == 2
    kill(killed)
    remove_stale(tmp_path)
    assert len(list(tmp_path.glob(".partial.*/map"))) == 1
    kill(living)
    remove_stale(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_only_looks_like_left_over_stays(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / ".partial.link").symlink_to(tmp_path / "kept")
    (tmp_path / ".partial.file").touch()
    remove_stale(tmp_path)
    assert (tmp_path / "kept" / "file").exists()
    assert (tmp_path / ".partial.file").exists()


def test_one_process_claims_a_file(tmp_path):
    assert claim(tmp_path / "run.json", "first")
    assert not claim(tmp_path / "run.json", "second")
    assert (tmp_path / "run.json").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_file_is_claimed_where_there_are_no_hard_links(tmp_path, monkeypatch):
    monkeypatch.setattr("os.link", lambda *paths: (_ for _ in ()).throw(PermissionError("no links here")))
    assert claim(tmp_path / "run.json", "first")
    assert not claim(tmp_path / "run.json", "second")


def test_a_lock_keeps_another_process_out_until_it_ends(tmp_path):
    holder = other_process(as_line(HOLDING), tmp_path)
    with (
        pytest.raises(UsageError, match=rf"another process is at work.*process {holder.pid} on"),
        locked(tmp_path / "lock"),
    ):
        pass
    kill(holder)
    with locked(tmp_path / "lock"):
        assert f"process {os.getpid()} on" in (tmp_path / "lock").read_text()
    assert not list(tmp_path.iterdir())


def test_a_lock_is_not_written_through_a_link(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(OutputError), locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_folder_is_made_and_tried(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        check_writable(tmp_path / "file" / "b")


def test_rows_are_added_whole(tmp_path, small_disk):
    for step in (1, 2):
        append_row(tmp_path / "log.csv", ("step", "note"), (step, "a, b"))
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,note", '1,"a, b"', '2,"a, b"']
    with small_disk(10), pytest.raises(OutputError):
        append_row(tmp_path / "log.csv", ("step", "note"), (3, "x" * 100))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_many_writers_of_one_file_leave_one_whole_file(tmp_path):
    code = as_line('print("go", flush=True)\nfor i in range(100): write_text(folder / "f", str(i % 10) * 5000)')
    writers = [other_process(code, tmp_path) for _ in range(2)]
    begun = time.monotonic()
    while any(writer.poll() is None for writer in writers) and time.monotonic() - begun < 60:
        remove_stale(tmp_path)
        if (tmp_path / "f").exists():
            content = (tmp_path / "f").read_text()
            assert len(content) == 5000
            assert len(set(content)) == 1
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
