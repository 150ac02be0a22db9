import shutil
import subprocess
import tempfile

import pytest

from mood import engines, installation
from mood.cli import doctor
from mood.cli.doctor import BAD, GOOD, WARNING
from mood.errors import UsageError
from mood.weights.store import packaged_weights, read_folder

GIB = 2**30


def test_a_machine_that_runs_these_tests_has_nothing_bad(monkeypatch):
    monkeypatch.setattr(doctor, "containers", lambda: doctor.Finding("Docker", GOOD, "answers"))
    monkeypatch.setattr(doctor, "packaged_weights", lambda: packaged_weights()[:1])
    found = list(doctor.examine())
    assert [one for one in found if one.state == BAD] == []
    assert {"version", "temporary folder", "default engine", "GPU", "memory", "Docker"} <= {one.name for one in found}
    assert all(one.fix for one in found if one.state != GOOD and one.name != "memory")


def test_without_a_temporary_folder_there_is_a_way(monkeypatch):
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    found = doctor.temporary_folder()
    assert found.state == WARNING
    assert "TMPDIR" in found.fix


def test_a_full_temporary_folder_is_bad(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(GIB, GIB, 1000))
    assert doctor.temporary_folder().state == BAD


@pytest.mark.parametrize(("gib", "state"), [(0.5, BAD), (1.5, WARNING), (8, GOOD), (None, WARNING)])
def test_memory_is_weighed_against_what_a_scan_needs(gib, state):
    found = doctor.memory(None if gib is None else int(gib * GIB))
    assert found.state == state


def test_the_memory_of_this_machine_is_known_on_linux():
    assert doctor.available_bytes() > 2**24


def test_altered_weights_are_bad(tmp_path):
    shutil.copytree(min(packaged_weights(), key=lambda one: one.path.stat().st_size).path, tmp_path / "w")
    found = read_folder(tmp_path / "w")
    assert doctor.whole_weights(found).state == GOOD
    with (tmp_path / "w" / "model.weights.h5").open("ab") as file:
        file.write(b"x")
    assert doctor.whole_weights(found).state == BAD


def test_an_engine_that_is_not_there_comes_with_the_way_to_get_it(monkeypatch):
    def refuse() -> engines.Engine:
        raise UsageError("no engine", fix="Install one")

    monkeypatch.setattr(engines.OpenVinoEngine, "available", classmethod(lambda kind: False))
    monkeypatch.setattr(engines, "choose", refuse)
    found = {one.name: one for one in doctor.running_engines()}
    assert found["engine openvino"].state == WARNING
    assert installation.DISTRIBUTION in found["engine openvino"].fix
    assert found["default engine"] == doctor.Finding("default engine", BAD, "no engine", "Install one")


def test_a_gpu_that_nothing_uses_is_noted(monkeypatch):
    monkeypatch.setattr(doctor.runtime, "has_gpu", lambda: True)
    monkeypatch.setattr(doctor.runtime, "gpus", lambda: [])
    assert doctor.gpu().state == WARNING
    monkeypatch.setattr(doctor.runtime, "gpus", lambda: ["A100"])
    assert doctor.gpu().state == GOOD


def test_docker_may_be_absent_but_not_dumb(monkeypatch):
    monkeypatch.delenv(installation.IMAGE, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert doctor.containers().state == GOOD
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/docker")

    def hang(*arguments, **options):
        raise subprocess.TimeoutExpired("docker", 10)

    monkeypatch.setattr(subprocess, "run", hang)
    assert doctor.containers().state == WARNING
