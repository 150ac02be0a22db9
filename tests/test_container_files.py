"""The Dockerfile and the shell scripts: linted, runnable, and understood by the classic builder."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SHELL_SCRIPTS = sorted([*TOP.glob("*.sh"), *TOP.glob("docker/*.sh"), *TOP.glob("scripts/*.sh"), TOP / ".ci/run"])
SOURCED = TOP / "docker/environment.sh"
VARIANTS = ("cpu", "cpu-lean", "gpu")


def names(paths):
    return [str(path.relative_to(TOP)) for path in paths]


def dockerfile_instructions() -> list[str]:
    lines = [line for line in (TOP / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("script", names(SHELL_SCRIPTS))
def test_shellcheck_finds_nothing(script):
    command = [str(BIN / "shellcheck"), "--external-sources", script]
    result = subprocess.run(command, cwd=TOP, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("recipe", ["Dockerfile", "docker/grand-challenge.Dockerfile"])
def test_hadolint_finds_nothing(recipe):
    command = [str(BIN / "hadolint"), recipe]
    result = subprocess.run(command, cwd=TOP, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("script", names(path for path in SHELL_SCRIPTS if path.name.startswith("run")))
def test_what_is_started_directly_has_a_shebang_and_its_run_bit(script):
    path = TOP / script
    assert path.read_text().startswith(("#!/bin/sh\n", "#!/bin/bash\n"))
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize("script", names(path for path in SHELL_SCRIPTS if path != SOURCED))
def test_no_script_has_windows_line_ends(script):
    assert b"\r" not in (TOP / script).read_bytes()


def test_the_classic_builder_understands_the_dockerfile():
    text = (TOP / "Dockerfile").read_text()
    for unknown in ("# syntax=", "<<", "--mount", "--link", "--chmod"):
        assert unknown not in text


def test_the_image_has_no_user_and_no_entrypoint():
    words = {instruction.split()[0] for instruction in dockerfile_instructions()}
    assert words.isdisjoint({"USER", "ENTRYPOINT"})
    assert [word for word in words if word == "FROM"] == ["FROM"]


def test_the_lock_is_installed_before_the_code_is_copied():
    copies = [line for line in dockerfile_instructions() if line.split()[0] in ("COPY", "RUN")]
    lock = next(i for i, line in enumerate(copies) if "--require-hashes" in line)
    code = next(i for i, line in enumerate(copies) if line.startswith("COPY . "))
    assert lock < code


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_requirement_is_pinned_and_hashed(variant):
    text = (TOP / f"docker/requirements-{variant}.lock").read_text()
    requirements = re.split(r"\n(?=\S)", "\n".join(x for x in text.splitlines() if not x.startswith("#")))
    for requirement in filter(str.strip, requirements):
        assert "==" in requirement.splitlines()[0]
        assert "--hash=sha256:" in requirement


@pytest.mark.parametrize("variant", VARIANTS)
def test_mood_can_be_installed_without_a_download(variant):
    text = (TOP / f"docker/requirements-{variant}.lock").read_text()
    assert re.search(r"^setuptools==", text, re.MULTILINE)


def test_everything_that_the_image_needs_reaches_the_builder():
    lines = (TOP / ".dockerignore").read_text().splitlines()
    wanted = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines
    for needed in (
        *names(TOP.glob("run_*.sh")),
        *("docker/run.sh", "docker/environment.sh", "mood", "pyproject.toml", "README.md", "LICENSE"),
        *(f"docker/requirements-{variant}.lock" for variant in VARIANTS),
    ):
        assert any(fnmatch(needed, pattern) for pattern in wanted), needed
        assert (TOP / needed).exists()
