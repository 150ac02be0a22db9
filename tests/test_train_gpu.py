"""What the script for a GPU would run: read from its --dry-run, against the options that its steps have."""

import ast
import importlib.util
import json
import shlex
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[1]


def dry_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(TOP / "scripts/train_gpu.sh"), "--dry-run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def options_of(script: Path) -> set[str]:
    """The words that a script's parser is told of."""
    calls = [node for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    added = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "add_argument"]
    return {str(call.args[0].value) for call in added if isinstance(call.args[0], ast.Constant)}


def test_it_packs_trains_and_installs_with_options_that_there_are():
    done = dry_run("/no/data", "/no/runs", "8", "3")
    assert (done.returncode, done.stderr) == (0, "")
    commands = [shlex.split(line) for line in done.stdout.splitlines()]
    scripts = [TOP / command[1] for command in commands]
    twice = ["train_packed.py", "install_weights.py", *["train_packed.py"] * 3, "install_weights.py"]
    assert [script.name for script in scripts] == ["pack_training.py", *twice]
    for script, command in zip(scripts, commands, strict=True):
        given = {word for word in command[2:] if word.startswith("--")}
        assert given <= options_of(script)
    assert commands[1][commands[1].index("--minutes") + 1 :][:2] == ["8", "3"]
    views = [command[command.index("--set") + 1] for command in commands[3:6]]
    assert views == ['views=["axial"]', 'views=["coronal"]', 'views=["sagittal"]']
    assert {command[command.index("--from") + 1] for command in commands[3:6]} == {
        "/no/runs/weights/detail-brain/model.weights.h5"
    }
    assert not Path("/no/runs").exists()


def test_without_folders_it_says_how_it_is_used():
    done = dry_run()
    assert done.returncode == 2
    assert "usage" in done.stderr


def installing():
    """The module scripts/install_weights.py."""
    spec = importlib.util.spec_from_file_location("install_weights", TOP / "scripts/install_weights.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_view(view, steps, ap):
    facts = {"steps": steps, "seconds": 60.0, "check_ap": ap, "chance": 0.01, "provenance": [view], "seed": 0}
    views = {view: {key: facts[key] for key in ("steps", "seconds", "check_ap", "chance")}}
    return {"method": "detail", "settings": {"views": [view]}, "training": facts | {"views": views}}


def test_views_that_were_trained_apart_become_one():
    whole = installing().joined([one_view("axial", 100, 0.5), one_view("coronal", 50, 0.7)])
    assert whole["settings"]["views"] == ["axial", "coronal"]
    assert list(whole["training"]["views"]) == whole["training"]["provenance"] == ["axial", "coronal"]
    assert (whole["training"]["steps"], whole["training"]["seconds"]) == (150, 120.0)
    assert round(whole["training"]["check_ap"], 6) == 0.6


def test_what_was_trained_as_a_whole_stays_as_it_is():
    whole = one_view("axial", 100, 0.5)
    assert installing().joined([json.loads(json.dumps(whole))]) == whole
