"""The four challenge scripts outside the image, with a stand-in for Python: only the shell is tested."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
SCRIPTS = [f"run_{mode}_{region}.sh" for mode in ("sample", "pixel") for region in ("brain", "abdom")]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the scripts in a folder with a space in its name, with scans and a place for predictions."""
    top = tmp_path / "a checkout"
    (top / "docker").mkdir(parents=True)
    for name in [*SCRIPTS, "docker/run.sh", "docker/environment.sh"]:
        shutil.copy(TOP / name, top / name)
    scans = tmp_path / "the scans"
    scans.mkdir()
    for name in ("one.nii.gz", "two.nii.gz"):
        (scans / name).touch()
    return top


def put_python(top: Path, body: str) -> None:
    """A stand-in for Python that notes how it was called in `called`, then runs `body`."""
    python = top / ".venv/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    note = f'printf "%s\\n" "$@" > "{top}/called"; env > "{top}/env"; ls -d "$TMPDIR" > "{top}/scratch"'
    python.write_text(f"#!/bin/sh\n{note}\n{body}\n")
    python.chmod(0o755)


def run(top: Path, script: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(top / script), *map(str, arguments)],
        env={**os.environ, **environment},
        cwd=top.parent,
        text=True,
        capture_output=True,
        check=False,
    )


def seen_environment(top: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (top / "env").read_text().splitlines() if "=" in line)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_asks_for_its_own_task(checkout, script):
    put_python(checkout, "exit 0")
    result = run(checkout, script, checkout.parent / "the scans", checkout.parent / "the maps")
    assert (result.returncode, result.stderr) == (0, "")
    _, mode, region = script.removesuffix(".sh").split("_")
    called = (checkout / "called").read_text().splitlines()
    assert called == [
        *("-m", "mood", "predict"),
        *("-i", str(checkout.parent / "the scans"), "-o", str(checkout.parent / "the maps")),
        *("--region", region, "--mode", mode, "--challenge"),
    ]
    assert (checkout.parent / "the maps").is_dir()


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_starts_without_naming_a_shell(checkout, script):
    put_python(checkout, "exit 0")
    folders = [str(checkout.parent / "the scans"), str(checkout.parent / "the maps")]
    assert subprocess.run([str(checkout / script), *folders], check=False).returncode == 0


def test_relative_paths_are_those_of_the_caller(checkout):
    put_python(checkout, "exit 0")
    assert run(checkout, "run_pixel_brain.sh", "the scans", "the maps").returncode == 0
    assert (checkout.parent / "the maps").is_dir()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_folders_prints_the_usage(checkout, count):
    put_python(checkout, "exit 0")
    result = run(checkout, "run_sample_abdom.sh", *["the scans"] * count)
    assert result.returncode == 2
    assert "usage: sh run_sample_abdom.sh INPUT_FOLDER OUTPUT_FOLDER" in result.stderr
    assert not (checkout / "called").exists()


def test_a_missing_input_folder_is_named(checkout):
    put_python(checkout, "exit 0")
    result = run(checkout, "run_pixel_brain.sh", "no such folder", "the maps")
    assert result.returncode == 3
    assert "no such folder" in result.stderr
    assert not (checkout.parent / "the maps").exists()


def test_an_output_folder_that_cannot_be_made_is_named(checkout):
    put_python(checkout, "exit 0")
    result = run(checkout, "run_pixel_brain.sh", "the scans", "the scans/one.nii.gz")
    assert result.returncode == 2
    assert "the scans/one.nii.gz" in result.stderr


def test_everything_that_writes_is_pointed_at_one_folder_that_is_gone_afterwards(checkout, tmp_path):
    put_python(checkout, 'mkdir -p "$KERAS_HOME" && touch "$KERAS_HOME/keras.json"')
    scratch_parent = tmp_path / "for temporary files"
    scratch_parent.mkdir()
    assert run(checkout, "run_pixel_brain.sh", "the scans", "out", TMPDIR=str(scratch_parent)).returncode == 0
    seen = seen_environment(checkout)
    scratch = Path((checkout / "scratch").read_text().strip())
    assert scratch.parent == scratch_parent
    for name in ("TMPDIR", "HOME", "KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        assert Path(seen[name]).is_relative_to(scratch)
    assert seen["CUDA_CACHE_DISABLE"] == "1"
    assert list(scratch_parent.iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unusable_tmpdir_is_passed_over(checkout):
    put_python(checkout, "exit 0")
    result = run(checkout, "run_pixel_brain.sh", "the scans", "out", TMPDIR="/no/such/folder")
    assert result.returncode == 0
    assert Path((checkout / "scratch").read_text().strip()).parent in (Path("/tmp"), Path("/dev/shm"))


def test_the_environment_of_the_checkout_is_preferred_to_python_on_the_path(checkout, tmp_path):
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    (elsewhere / "python3").write_text(f'#!/bin/sh\ntouch "{checkout}/other"\n')
    (elsewhere / "python3").chmod(0o755)
    path = f"{elsewhere}:{os.environ['PATH']}"
    assert run(checkout, "run_pixel_brain.sh", "the scans", "out", PATH=path).returncode == 0
    assert (checkout / "other").exists()
    (checkout / "other").unlink()
    put_python(checkout, "exit 0")
    assert run(checkout, "run_pixel_brain.sh", "the scans", "out", PATH=path).returncode == 0
    assert not (checkout / "other").exists()


def test_the_package_beside_the_scripts_is_the_one_that_runs(checkout):
    put_python(checkout, "exit 0")
    run(checkout, "run_pixel_brain.sh", "the scans", "out", PYTHONPATH="/somewhere")
    assert seen_environment(checkout)["PYTHONPATH"] == f"{checkout}:/somewhere"


def test_weights_of_ones_own_are_found_beside_the_scripts(checkout):
    put_python(checkout, "exit 0")
    run(checkout, "run_pixel_brain.sh", "the scans", "out")
    assert seen_environment(checkout)["MOOD_RESTORE_DIR"] == f"{checkout}/restore_dir"
    run(checkout, "run_pixel_brain.sh", "the scans", "out", MOOD_RESTORE_DIR="/elsewhere")
    assert seen_environment(checkout)["MOOD_RESTORE_DIR"] == "/elsewhere"


@pytest.mark.parametrize("status", [2, 3, 130])
def test_fault_14_faults_of_the_set_up_show_in_the_exit_status(checkout, status):
    put_python(checkout, f"exit {status}")
    result = run(checkout, "run_sample_brain.sh", "the scans", "out")
    assert result.returncode == status
    assert list((checkout.parent / "out").iterdir()) == []


@pytest.mark.parametrize(("death", "word"), [("kill -KILL $$", "memory"), ("kill -ABRT $$", "134"), ("exit 7", "7")])
def test_when_python_dies_the_missing_scores_are_filled_in_and_the_run_goes_on(checkout, death, word):
    put_python(checkout, f"echo 0.25 > out/one.nii.gz.txt; echo cut > out/.partial.two.nii.gz.txt; {death}")
    result = run(checkout, "run_sample_brain.sh", "the scans", "out")
    assert result.returncode == 0
    assert "ERROR" in result.stderr
    assert word in result.stderr
    written = {path.name: path.read_text() for path in (checkout.parent / "out").iterdir()}
    assert written == {"one.nii.gz.txt": "0.25\n", "two.nii.gz.txt": "0.5\n"}


def test_when_python_dies_the_missing_maps_are_named(checkout):
    put_python(checkout, "echo map > out/one.nii.gz; kill -KILL $$")
    result = run(checkout, "run_pixel_brain.sh", "the scans", "out")
    assert result.returncode == 1
    assert "two.nii.gz: no map" in result.stderr
    assert "one.nii.gz" not in result.stderr
    assert [path.name for path in (checkout.parent / "out").iterdir()] == ["one.nii.gz"]


def test_when_python_dies_over_an_empty_folder_nothing_is_made_up(checkout):
    put_python(checkout, "exit 7")
    (checkout.parent / "empty").mkdir()
    assert run(checkout, "run_sample_brain.sh", "empty", "out").returncode == 0
    assert list((checkout.parent / "out").iterdir()) == []


def test_0_is_for_scans_that_have_all_their_outputs(checkout):
    put_python(checkout, '[ "$1" = -c ] || exit 1')
    assert run(checkout, "run_pixel_brain.sh", "the scans", "out").returncode == 1


@pytest.mark.parametrize("script", ["run_sample_brain.sh", "run_pixel_brain.sh"])
def test_fault_14_a_python_that_cannot_begin_is_3_and_makes_up_nothing(checkout, script):
    put_python(checkout, "echo no module named numpy >&2; exit 1")
    result = run(checkout, script, "the scans", "out")
    assert result.returncode == 3
    assert "cannot import" in result.stderr
    assert list((checkout.parent / "out").iterdir()) == []


def test_fault_14_a_wrong_pythonhome_is_3(checkout):
    python = checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    result = run(checkout, "run_sample_brain.sh", "the scans", "out", PYTHONHOME="/nowhere")
    assert result.returncode == 3
    assert list((checkout.parent / "out").iterdir()) == []


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_fault_22_a_signal_for_the_script_alone_ends_python_too(checkout, name, status):
    body = 'trap "echo told >> out/told; sleep 0.3; echo ended >> out/told; exit 143" TERM; echo > out/begun'
    put_python(checkout, f"{body}; while :; do sleep 0.05; done")
    process = subprocess.Popen(
        ["sh", str(checkout / "run_sample_brain.sh"), "the scans", "out"], cwd=checkout.parent, env=os.environ
    )
    while not (checkout.parent / "out/begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(getattr(signal, name))
    assert process.wait(30) == status
    assert (checkout.parent / "out/told").read_text().split() == ["told", "ended"]
    assert not list((checkout.parent / "out").glob("*.txt"))
    assert not Path((checkout / "scratch").read_text().strip()).exists()


def test_fault_33_a_script_that_is_called_by_a_link_finds_the_others(checkout, tmp_path):
    put_python(checkout, "exit 0")
    (tmp_path / "predict.sh").symlink_to(checkout / "run_pixel_brain.sh")
    for command in (["sh", str(tmp_path / "predict.sh")], [str(tmp_path / "predict.sh")]):
        assert subprocess.run([*command, "the scans", "out"], cwd=checkout.parent, check=False).returncode == 0
    assert "--mode" in (checkout / "called").read_text()
