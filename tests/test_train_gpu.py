"""What the script for a GPU would run: read from its --dry-run, against the options that its steps have."""

import ast
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
    assert [script.name for script in scripts] == ["pack_training.py", "train_packed.py", "install_weights.py"]
    for script, command in zip(scripts, commands, strict=True):
        given = {word for word in command[2:] if word.startswith("--")}
        assert given <= options_of(script)
    assert commands[1][commands[1].index("--minutes") + 1 :][:2] == ["8", "3"]
    assert not Path("/no/runs").exists()


def test_without_folders_it_says_how_it_is_used():
    done = dry_run()
    assert done.returncode == 2
    assert "usage" in done.stderr
