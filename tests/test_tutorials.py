"""The tutorials run as they are written: their files are written and their commands run, in order, in an empty folder.

A block `python` with a title is a file of that name. A block `sh` is run; one whose title says that it needs something
runs where that is, and is skipped by name elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

TOP = Path(__file__).parents[1]
TUTORIALS = sorted(TOP.glob("docs/tutorials/*.md"))
FENCE = re.compile(r'^```(sh|python)(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
NEEDS = "needs "
DOCKER = "needs Docker"
pytestmark = pytest.mark.timeout(900)  # a tutorial is many commands
IMAGE = "mood"


class Block(NamedTuple):
    """A fenced block of a tutorial."""

    language: str
    title: str
    text: str


def blocks(path: Path) -> list[Block]:
    return [Block(*match) for match in FENCE.findall(path.read_text())]


def needing() -> list[tuple[str, Block]]:
    """Blocks that need more than a checkout, with the name of their tutorial."""
    return [(path.stem, each) for path in TUTORIALS for each in blocks(path) if each.title.startswith(NEEDS)]


def shell(text: str, folder: Path, package: Path = TOP) -> str:
    """Run a block in a folder with `mood` on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(package), "CHECKOUT": str(TOP)}
    environment["MOOD_METHOD"] = "mix"  # where none is named; the default is tried in test_readme.py
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        ["sh", "-euc", text], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run(path: Path, folder: Path, package: Path = TOP) -> str:
    """What a tutorial prints."""
    said = []
    for block in blocks(path):
        if block.language == "python":
            (folder / block.title).write_text(block.text)
        elif not block.title:
            said.append(shell(block.text, folder, package))
    return "\n".join(said)


@pytest.fixture
def tutorial(tmp_path):
    """tutorial(name) runs one in an empty folder and gives what it printed."""
    return lambda name: run(TOP / f"docs/tutorials/{name}.md", tmp_path)


def checkout(folder: Path) -> Path:
    """A copy of what the contract test needs; weights are links."""
    shutil.copytree(
        TOP / "mood", folder / "mood", copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__")
    )
    for path in ("mood/methods/__init__.py", "tests/conftest.py", "tests/methods/test_contract.py", "pyproject.toml"):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(TOP / path, target)
    return folder


def test_there_is_a_block_to_run_in_each_and_none_is_overlooked():
    for path in TUTORIALS:
        text = path.read_text()
        assert 2 * len(blocks(path)) == len(re.findall(r"^```", text, re.MULTILINE)), path.name
        assert any(not block.title for block in blocks(path)), path.name


def test_score_my_scans(tutorial, tmp_path):
    assert "1 of 1 scans scored" in tutorial("score-my-scans")
    assert 0 <= float((tmp_path / "results/toy_1.nii.gz.txt").read_text()) <= 1
    assert "toy_1" in (tmp_path / "report/index.html").read_text()


def test_submit_to_the_challenge(tutorial, tmp_path):
    said = tutorial("submit-to-the-challenge")
    assert "rehearsal" in said
    for folder, ending in (("scores", ".nii.gz.txt"), ("maps", ".nii.gz")):
        written = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert written == [f"toy_0{ending}", f"toy_1{ending}"]


def test_train_on_my_own_scans(tutorial, tmp_path):
    said = tutorial("train-on-my-own-scans")
    assert "2 of 2 scans scored with mix" in said
    assert (tmp_path / "tasks.png").stat().st_size > 1000
    assert "mix" in (tmp_path / "mine/card.md").read_text()


def test_add_a_method(tmp_path):
    said = run(TOP / "docs/tutorials/add-a-method.md", checkout(tmp_path), tmp_path)
    assert "passed" in said
    assert "scored with brightness" in said


@pytest.mark.parametrize(("name", "block"), needing(), ids=lambda value: getattr(value, "title", value))
def test_what_needs_more_than_a_checkout(tmp_path, name, block):
    if block.title != DOCKER:
        pytest.skip(f"{name}: {block.title}")
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode
    ):
        pytest.skip(f"{name}: needs Docker and the image {IMAGE}; scripts/container_check.sh has both")
    shell(blocks(TOP / f"docs/tutorials/{name}.md")[0].text, tmp_path)
    shell(block.text, tmp_path)
