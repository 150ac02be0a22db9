"""Every fault of docs/reliability.md has a test that is called after it, in the files that the table names."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
FAULTS = range(1, 34)


def table() -> dict[int, set[str]]:
    text = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
    return {int(number): set(files.split(", ")) for number, files in re.findall(r"\| (\d\d) \|.*\| (.*) \|", text)}


def tried() -> dict[int, set[str]]:
    """By numbers, in names such as test_fault_02_and_03_killed and test_fault_27_28_and_30_what."""
    found: dict[int, set[str]] = {number: set() for number in FAULTS}
    for path in TESTS.rglob("test_*.py"):
        for numbers in re.findall(r"def test_fault((?:_and)?(?:_\d\d|_and_\d\d)+)_", path.read_text(encoding="utf-8")):
            for number in re.findall(r"\d\d", numbers):
                found[int(number)].add(path.relative_to(TESTS).as_posix())
    return found


def test_every_numbered_fault_is_tried_where_the_table_says():
    assert table() == tried()
