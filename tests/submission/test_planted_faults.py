"""`mood submit check` on tiny images with one planted fault each, run by a real engine.

`bash scripts/ci_engine.sh sh scripts/submit_check.sh` starts one; without an engine the tests are skipped.
"""

import json
import subprocess

import pytest

from mood.cli.app import run
from mood.errors import NoInputError
from mood.regions import REGIONS
from mood.submission.check import check_image, gather_cases
from mood.submission.containers import Engine
from mood.submission.trials import Limits
from tests.submission.broken_images import FAULTS, write_context, write_scans

BASES = ("debian:bookworm-slim", "mood-base-stand-in:bookworm")  # as scripts/ci_base_image.sh has them


@pytest.fixture(scope="module")
def engine():
    try:
        return Engine()
    except NoInputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def base(engine):
    for name in BASES:
        try:
            engine.facts(name)
        except NoInputError:
            continue
        return name
    pytest.skip("no base image; sh scripts/ci_base_image.sh gets one")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    write_scans(folder)
    return folder


@pytest.fixture(scope="module")
def cases(scans, tmp_path_factory):
    work = tmp_path_factory.mktemp("cases")
    for folder in (work, *list(work.parents)[:2]):  # every user must be let in
        folder.chmod(0o755)
    return gather_cases(scans, work, None, REGIONS.values())


@pytest.fixture
def build(engine, base, tmp_path):
    """build(fault) makes an image, which is removed after the test."""
    made = []

    def build(fault=None):
        context = tmp_path / "context"
        context.mkdir()
        write_context(context, fault, base)
        done = subprocess.run(
            [engine.program, "build", "--quiet", str(context)], capture_output=True, text=True, check=True
        )
        made.append(done.stdout.strip().splitlines()[-1])
        return made[-1]

    yield build
    subprocess.run([engine.program, "rmi", "--force", *made], capture_output=True, check=False)


def test_a_sound_image_has_no_findings(engine, build, cases):
    report = check_image(build(), cases, Limits(memory_gib=0.1), 1.0, engine)
    assert report.all_findings == []
    assert report.sound
    assert [trial.predictions for trial in report.trials] == [3] * 4
    assert {package.kind for package in report.contents.packages} == {"deb"}


@pytest.mark.parametrize("name", FAULTS)
def test_the_planted_fault_is_found_and_no_other(engine, build, cases, name):
    fault = FAULTS[name]
    brain = {"brain": cases["brain"]}  # its two scripts are enough
    report = check_image(build(fault), brain, Limits(fault.seconds, memory_gib=0.1), 1.0, engine)
    codes = {finding.code for finding in report.all_findings}
    assert fault.code in codes
    assert codes <= {fault.code, *fault.follows}
    assert report.sound == (fault.code == "labels")


def test_too_little_memory_and_too_large_an_image(engine, build, cases):
    fault = FAULTS["it never ends"]
    hungry = type(fault)("memory", begin="head -c 200000000 /dev/zero | tail -c 150000000 | wc -c")
    report = check_image(build(hungry), {"brain": cases["brain"]}, Limits(memory_gib=0.1), 0.001, engine)
    assert {"memory", "size"} <= {finding.code for finding in report.all_findings}


def test_the_command_line_says_it_in_words_and_for_programs(build, scans, capfd):
    image = build(FAULTS["NaN in a map"])
    with pytest.raises(SystemExit) as error:
        run(["submit", "check", image, "--scans", str(scans), "--memory", "0.1", "--json"])
    assert error.value.code == 1
    told = json.loads(capfd.readouterr().out)
    assert not told["sound"]
    assert {f["code"] for script in told["scripts"] for f in script["findings"]} == {"nan"}


def test_a_packed_image_is_the_image(engine, build, tmp_path, capfd):
    pytest.importorskip("cyclonedx")
    image, name, target = build(), "localhost/mood-test-packed:1", tmp_path / "out"
    with pytest.raises(SystemExit) as error:
        run(["submit", "pack", image, "--name", name, "-o", str(target)])
    assert error.value.code == 0
    subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=target, check=True, capture_output=True)
    subprocess.run([engine.program, "rmi", name], check=True, capture_output=True)
    archive = str(target / "mood-test-packed-1.tar.gz")
    subprocess.run([engine.program, "load", "--input", archive], check=True, capture_output=True)
    assert engine.facts(name)["Id"].endswith(image.removeprefix("sha256:"))
    subprocess.run([engine.program, "rmi", name], check=True, capture_output=True)
    bill = json.loads((target / "mood-test-packed-1.cdx.json").read_text())
    assert any(part["purl"].startswith("pkg:deb/debian/libc6@") for part in bill["components"])


def test_an_image_that_cannot_start_is_a_sentence(engine, base, tmp_path, capfd, scans):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY workspace /workspace\n")
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "run_sample_brain.sh").write_text("#!/bin/sh\n")
    command = [engine.program, "build", "--quiet", "--tag", "mood-test-empty", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True)
    with pytest.raises(SystemExit) as error:
        run(["submit", "check", "mood-test-empty", "--scans", str(scans)])
    assert error.value.code == 1
    said = capfd.readouterr().err
    assert "does not start" in said
    assert "Traceback" not in said
    subprocess.run([engine.program, "rmi", "--force", "mood-test-empty"], capture_output=True, check=False)


def test_an_image_that_is_not_there_is_status_3(engine, capfd):
    with pytest.raises(SystemExit) as error:
        run(["submit", "check", "mood-test-not-there"])
    assert error.value.code == 3
    assert "there is no such image: mood-test-not-there" in capfd.readouterr().err
