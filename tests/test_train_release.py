"""What the release script would run: read from its --dry-run, so that nothing is trained."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from mood.cli.app import app
from mood.cli.options import parse_settings
from mood.regions import get_region
from mood.training.new_method import new_method
from mood.weights.store import PACKAGED, packaged_weights, read_folder

TOP = Path(__file__).parents[1]
ON_GPU = ("detail-brain", "fpi-brain")  # trained by scripts/train_gpu.sh, see tests/test_train_gpu.py
SHIPPED = [weights.path.name for weights in packaged_weights()]


def dry_run(*names: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(TOP / "scripts/train_release.sh"), "--dry-run", "/no/data", "/no/runs", *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def commands(*names: str) -> list[list[str]]:
    done = dry_run(*names)
    assert (done.returncode, done.stderr) == (0, "")
    return [shlex.split(line)[1:] for line in done.stdout.splitlines()]


def options(words: list[str]) -> dict:
    """The options of one command, as the command line reads them."""
    command = typer.main.get_command(app).commands[words[0]]
    return command.make_context(words[0], words[1:]).params


def test_every_set_that_is_shipped_has_its_steps():
    assert SHIPPED
    trained = {words[words.index("-o") + 1] for words in commands() if words[0] in ("train", "join")}
    elsewhere = ("joint-brain", *ON_GPU)  # joint is measured
    assert {f"/no/runs/{name}" for name in SHIPPED if name not in elsewhere} <= trained


@pytest.mark.parametrize("name", SHIPPED)
def test_the_command_line_understands_every_step(name):
    for words in commands(name):
        options(words)


@pytest.mark.parametrize(
    "name", [name for name in SHIPPED if not name.startswith(("mix", "joint")) and name not in ON_GPU]
)
def test_the_recipe_is_that_of_the_shipped_weights(name):
    given = options(commands(name)[0])
    shipped = read_folder(PACKAGED / name).config
    region = get_region(given["region"])
    settings = parse_settings(given["setting"] or [])
    if given["side"]:
        grid = region.grid.coarsened(given["side"])
        settings = {"grid_shape": grid.shape, "spacing_mm": grid.spacing_mm} | settings
    method = new_method(given["method"], region, settings)
    assert method.settings == method.settings_type.from_dict(shipped.settings)
    if given["held_out"]:  # else those that were left out of its folder
        assert given["held_out"] == len(shipped.training.held_out_scans)
    assert given["seed"] == shipped.training.seed
    assert given["steps"] in (None, shipped.training.steps)


def test_the_parts_of_mix_are_trained_before_they_are_joined_and_quantised():
    assert [words[0] for words in commands("mix-brain")] == ["train", "train", "join", "quantise", "info"]
    first, second, *_ = map(options, commands("mix-abdom"))
    assert str(second["start_from"]) == str(first["target"])


def test_nothing_is_touched():
    dry_run()
    assert not Path("/no").exists()


def test_an_unknown_name_is_refused():
    done = dry_run("unknown-brain")
    assert done.returncode == 2
    assert "unknown name unknown-brain" in done.stderr
