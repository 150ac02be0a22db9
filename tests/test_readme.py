"""What the documents say is tried: their Python runs, their commands are understood, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer

from mood.cli.app import app

TOP = Path(__file__).parents[1]
DOCUMENTS = [*sorted(TOP.glob("*.md")), *sorted(TOP.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = (40, 48, 36)  # voxels of 4 mm


def blocks(language: str) -> list[tuple[str, str]]:
    """Every fenced block of a language, with the name of its document."""
    found = [(path.name, *match) for path in DOCUMENTS for match in BLOCK.findall(path.read_text())]
    return [(name, text) for name, kind, text in found if kind == language]


def command_lines(first: str) -> list[str]:
    """The lines of shell blocks that start with a word, without their comments; test_tutorials.py runs the others."""
    tutorials = {path.name for path in TOP.glob("docs/tutorials/*.md")}
    lines = [line for name, text in blocks("sh") if name not in tutorials for line in text.splitlines()]
    return sorted({line.partition(" #")[0].strip() for line in lines if line.startswith(f"{first} ")})


@pytest.fixture
def folders(tmp_path, rng, monkeypatch):
    """SCANS and HEALTHY as in the documents, with small brains, in the current folder."""
    x, y, z = np.indices(SMALL)
    inside = ((x - 20) / 16) ** 2 + ((y - 24) / 20) ** 2 + ((z - 18) / 15) ** 2 < 1
    for folder, count in (("SCANS", 1), ("HEALTHY", 1)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            data = np.where(inside, rng.uniform(0.4, 0.8, SMALL), 0).astype(np.float32)
            nib.save(nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0])), tmp_path / folder / f"s{i}.nii.gz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(text: str) -> str:
    """Run a block as it stands, with `mood` on the path and this copy of the package."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(TOP)}
    done = subprocess.run(["sh", "-euc", text], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_is_a_guide_that_is_read_to_its_end():
    assert len((TOP / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        linked = path if not file else path.parent / file
        assert linked.exists(), f"{path.name}: {target}"
        headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE) if heading else []
        slugs = {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}
        assert not heading or heading in slugs, f"{path.name}: {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(path):
    text = path.read_text()
    made = re.findall(r'^```\w+ title="(.*)"$', text, re.MULTILINE)  # files that a tutorial has its reader write
    for name in re.findall(r"\b(?:scripts|docker|docs|tests|mood)/[\w/.-]+\.(?:py|sh|md|png|lock)\b", text):
        if "NAME" not in name and name not in made:
            assert (TOP / name).exists(), f"{path.name}: {name}"


@pytest.mark.parametrize("line", command_lines("mood"))
def test_every_command_is_understood(line):
    _, name, *words = shlex.split(line)
    commands = typer.main.get_command(app).commands
    assert name in commands
    commands[name].make_context(name, words)


def test_the_command_reference_is_that_of_the_commands():
    command = [sys.executable, "scripts/command_reference.py"]
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True, env=environment)
    assert (TOP / "docs/commands.md").read_text() == done.stdout, "run it again: see its head"


def test_every_room_is_on_the_map():
    text = (TOP / "docs/architecture.md").read_text()
    parts = [path for path in (TOP / "mood").iterdir() if not path.name.startswith(("_", "."))]
    rooms = [f"{path.name}/" if path.is_dir() else path.name for path in parts if path.suffix in ("", ".py")]
    assert [room for room in rooms if room not in text] == []


def test_every_layer_is_named_for_programs():
    text = (TOP / "AGENTS.md").read_text()
    for layer in ("cli", "benchmark", "training", "methods", "weights", "networks", "engines", "runtime", "errors"):
        assert f"`{layer}`" in text


@pytest.mark.usefixtures("eager")
@pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning")  # Keras, without graphs
@pytest.mark.parametrize(("name", "text"), blocks("python"), ids=lambda value: value.partition("\n")[0])
def test_python_runs_as_it_is_written(folders, rng, quick_brain, name, text):
    paths = [str(path) for path in (folders / "SCANS").iterdir()]
    given = {"path": paths[0], "paths": paths, "rng": rng}
    given |= {letter: rng.uniform(0.1, 0.9, (24, 20)).astype(np.float32) for letter in "ab"}
    exec(compile(text, name, "exec"), given)
    if "mixed_a" in given:
        np.testing.assert_allclose(given["mixed_a"] + given["mixed_b"], given["a"] + given["b"], atol=1e-6)
    if "result" in given:
        assert given["result"].map.shape == SMALL
        assert given["scores"] == [given["result"].sample_score]
        assert (folders / "RESULTS/s0.nii.gz").exists()


def test_the_guides_way_to_score_scans_gives_what_it_says(folders):
    (text,) = [text for name, text in blocks("sh") if name == "README.md" and text.startswith("mood predict")]
    shell(text)
    table = (TOP / "README.md").read_text()
    written = {path.name.replace("s0", "NAME") for path in (folders / "RESULTS").iterdir()}
    assert written == set(re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE))


def test_the_guides_way_to_evaluate_prints_a_table(folders):
    (text,) = [text for name, text in blocks("sh") if name == "README.md" and text.startswith("mood toy")]
    plant, *others = text.splitlines()
    shell(plant)
    for case in (folders / "DATA/brain").rglob("s0_*"):
        if not case.name.startswith(("s0_healthy", "s0_uniform")):
            case.unlink()  # two cases are enough to see that the rest runs
    # The default, which takes most of a minute, is tried above.
    text = "\n".join(f"{line} --method mix" if line.startswith("mood predict") else line for line in others)
    assert re.search(r"joint .*\b2\b", shell(text))


def test_the_hooks_are_well_formed_and_run_the_tools_of_the_environment():
    program = Path(sys.executable).parent / "pre-commit"
    done = subprocess.run([program, "validate-config", TOP / ".pre-commit-config.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tools = set(re.findall(r"entry: \.venv/bin/(\S+)", (TOP / ".pre-commit-config.yaml").read_text()))
    assert tools == {"ruff", "lint-imports", "mypy", "shellcheck"}
    assert all((program.parent / tool).exists() for tool in tools)


def test_the_documents_tell_every_extra_and_no_other():
    extras = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    table = (TOP / "docs/reference.md").read_text().partition("## Extras")[2]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == set(extras)
