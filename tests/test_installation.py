"""The name on the package index, the advice that names it, and where the code came from."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mood import installation
from mood.engines import ENGINES
from mood.installation import DISTRIBUTION, IMAGE, REVISION, UNKNOWN, VARIANTS, __version__, advice, revision, versions

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


@pytest.fixture(autouse=True)
def outside_of_an_image(monkeypatch):
    monkeypatch.delenv(IMAGE, raising=False)
    monkeypatch.delenv(REVISION, raising=False)


@pytest.fixture
def commit(tmp_path, monkeypatch):
    """A checkout with one commit, which the code is made to come from."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "--message", "one")
    monkeypatch.setattr(installation, "TOP", tmp_path)
    return git("rev-parse", "HEAD")


def test_the_project_bears_the_name_that_messages_give():
    assert PROJECT["name"] == DISTRIBUTION != "mood"
    assert PROJECT["scripts"] == {"mood": "mood.__main__:main", "mood-bids": "mood.cli.bids_app:main"}


def test_no_other_place_tells_what_to_install():
    sources = [path for path in (TOP / "mood").rglob("*.py") if path.name != "installation.py"]
    assert [path for path in sources if "pip install" in path.read_text()] == []
    documents = [TOP / "README.md", *TOP.glob("docs/*.md"), TOP / "docker/README.md", TOP / "CONTRIBUTING.md"]
    told = "".join(path.read_text() for path in documents if path.exists())
    assert set(re.findall(r"pip install ['\"]?([\w-]+)", told)) <= {DISTRIBUTION}


def test_every_extra_that_is_advised_exists():
    modules = "".join(path.read_text() for path in (TOP / "mood").rglob("*.py"))
    calls = re.findall(r"advice\(([^)]*)\)", modules)
    advised = {extra for call in calls for extra in re.findall(r"[\"']([\w-]+)[\"']", call)}
    advised |= {engine.extra for engine in ENGINES.values()}
    assert {"cpu", "gpu", "openvino", "toy"} <= advised <= set(PROJECT["optional-dependencies"])


def test_outside_of_a_container_the_advice_is_to_install():
    assert advice("openvino") == "Run: pip install 'mood-ood[openvino]'"
    assert advice("cpu", "gpu") == "Run: pip install 'mood-ood[cpu]' or 'mood-ood[gpu]'"


def test_in_a_container_the_advice_is_another_image(monkeypatch):
    monkeypatch.setenv(IMAGE, "gpu")
    assert advice("openvino") == "Use an image built with --build-arg VARIANT=cpu"
    assert "pip" not in advice("cpu", "gpu")
    assert "outside of the container" in advice("int8")
    locks = {path.name for path in (TOP / "docker").glob("*.lock")}
    assert {f"requirements-{variant}.lock" for variant in VARIANTS} <= locks


def test_openvino_is_in_the_images_that_are_advised_for_it():
    for variant in ("cpu", "cpu-lean"):
        assert re.search(r"^openvino==", (TOP / f"docker/requirements-{variant}.lock").read_text(), re.MULTILINE)


def test_the_image_says_that_it_is_one():
    assert f"ENV {IMAGE}=${{VARIANT}} {REVISION}=${{REVISION}}" in (TOP / "Dockerfile").read_text()


def test_the_code_of_a_checkout_is_its_commit(commit, tmp_path):
    assert revision() == commit
    (tmp_path / "file").write_text("two")
    assert revision() == f"{commit}, with changes"


def test_the_code_of_an_image_is_the_commit_it_was_built_from(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "TOP", tmp_path)
    monkeypatch.setenv(REVISION, "0123abc")
    assert revision() == "0123abc"
    monkeypatch.setenv(REVISION, "unknown")
    assert revision() == f"{DISTRIBUTION} {__version__}"


def test_a_checkout_that_git_does_not_open_is_known_by_its_version(monkeypatch, tmp_path):
    (tmp_path / ".git").write_text("gitdir: /nowhere")
    monkeypatch.setattr(installation, "TOP", tmp_path)
    assert revision() == f"{DISTRIBUTION} {__version__}"


def test_the_version_is_that_of_the_last_tag(commit, tmp_path):
    pytest.importorskip("setuptools_scm")
    told = [sys.executable, "-m", "setuptools_scm", "--root", str(tmp_path)]
    (tmp_path / "pyproject.toml").write_text((TOP / "pyproject.toml").read_text())
    assert commit
    subprocess.run(["git", "-C", str(tmp_path), "tag", "v9.8.7"], check=True)
    done = subprocess.run(told, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip().splitlines()[-1] == "9.8.7"


def test_code_that_was_never_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(installation, "DISTRIBUTION", "mood-that-is-not-there")
    assert installation._installed_version() == UNKNOWN
    assert f"ARG VERSION={UNKNOWN}" in (TOP / "Dockerfile").read_text()


def test_the_locks_hold_what_mood_is_built_with():
    needed = tomllib.loads((TOP / "pyproject.toml").read_text())["build-system"]["requires"]
    lines = (TOP / "docker" / "build.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == needed


def test_versions_are_of_what_has_been_loaded():
    code = "import numpy; from mood.installation import versions; print(*versions(['numpy', 'scipy']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP)
    assert done.stdout.split() == ["python", DISTRIBUTION, "numpy"]
    assert versions([])[DISTRIBUTION] == __version__
