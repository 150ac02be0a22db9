"""The last tests run on a real SLURM: `bash scripts/ci_slurm.sh fetch` gets it; without it they are skipped."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mood.cohort import slurm
from mood.cohort.parts import parse_part
from mood.cohort.record import read_sessions
from mood.cohort.slurm import Cohort, Request
from mood.errors import MoodError, UsageError

PROJECT = Path(__file__).parents[2]
CLUSTER = PROJECT / "scripts" / "ci_slurm.sh"
PACKAGES = Path(os.environ.get("SLURM_ROOT", "/var/tmp/mood-slurm"))
SCANS = int(os.environ.get("SLURM_TEST_SCANS", "24"))  # 60 in the long form


@pytest.mark.parametrize(("scans", "largest"), [(1, 1001), (1000, 1001), (100_100, 1001), (100_200, 1001), (900, 4)])
def test_chunks_have_every_part_once_and_no_index_that_the_cluster_refuses(scans, largest):
    request = Request(scans_per_task=100, at_once=30)
    parts = []
    for offset, indices in request.chunks(request.parts(scans), largest):
        first, last, at_once = map(int, indices.replace("%", "-").split("-"))
        assert last < largest
        assert at_once * len(request.chunks(request.parts(scans), largest)) <= max(30, len(parts))
        parts += [offset + index + 1 for index in range(first, last + 1)]
    assert parts == list(range(1, -(-scans // 100) + 1))


def test_scripts_are_shell_with_what_was_asked_for(tmp_path):
    cohort = Cohort(tmp_path / "in put", tmp_path / "out", 950, ("-r", "brain", "--mode", "sample"))
    request = Request(cpus=3, memory="8G", time="1:30:00", more=("--account=lab",))
    texts = slurm.scripts(cohort, request)
    for text in texts.values():
        assert not subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).stderr
        assert "#SBATCH --requeue\n" in text
        assert "#SBATCH --account=lab\n" in text
    parts = texts["parts.sh"]
    for line in ("--cpus-per-task=3", "--mem=8G", "--time=1:30:00", "--signal=B:USR1@120"):
        assert f"#SBATCH {line}\n" in parts
    assert f"predict -i '{tmp_path}/in put' -o {tmp_path}/out -r brain --mode sample --part" in parts
    assert '/10" --threads "$SLURM_CPUS_PER_TASK" &' in parts
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if shellcheck.exists():
        for text in texts.values():
            done = subprocess.run([shellcheck, "-"], input=text, text=True, capture_output=True)
            assert done.returncode == 0, done.stdout


def test_in_a_container_everything_is_bound_where_it_is(tmp_path):
    cohort = Cohort(tmp_path / "in", tmp_path / "out", 3, (), tmp_path / "mood.sif", (tmp_path / "weights",))
    line = cohort.command("predict")
    assert line.startswith(f"apptainer exec --bind {tmp_path}/in:{tmp_path}/in:ro --bind {tmp_path}/weights:")
    assert line.endswith(f"--bind {tmp_path}/out:{tmp_path}/out {tmp_path}/mood.sif mood predict")


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """scheduler(name, script) puts a program on the path that stands for one of SLURM's."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def scheduler(name: str, script: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    return scheduler


def test_where_there_is_no_slurm_a_sentence_says_so(tmp_path, scheduler):
    with pytest.raises(UsageError, match=r"no SLURM here.*--dry-run"):
        slurm.submit(Cohort(tmp_path, tmp_path / "out", 5), Request())
    assert slurm.largest_array() == 1001


def test_a_job_that_is_refused_leaves_none_behind(tmp_path, scheduler):
    scheduler("scontrol", "echo 'MaxArraySize            = 2'")
    scheduler("sbatch", 'case "$*" in *" 2") echo "sbatch: error: Invalid account lab" >&2; exit 1;; esac; echo 41')
    scheduler("scancel", f'echo "$@" > {tmp_path}/cancelled')
    with pytest.raises(MoodError, match=r"refuses the job \(Invalid account lab\).*parts\.sh\..*nothing was submitted"):
        slurm.submit(Cohort(tmp_path, tmp_path / "out", 4), Request(scans_per_task=1))
    assert (tmp_path / "cancelled").read_text() == "41\n"


def test_a_job_that_would_wait_for_ever_leaves_none_behind(tmp_path, scheduler, monkeypatch):
    """SLURM takes a job that asks for more time than its partition gives, and says a moment later that it waits."""
    monkeypatch.setattr("time.sleep", lambda seconds: scheduler("squeue", "echo PartitionTimeLimit; echo Dependency"))
    scheduler("scontrol", "exit 1")
    scheduler("sbatch", "echo 41")
    scheduler("squeue", "echo None; echo Dependency")
    scheduler("scancel", f'echo "$@" > {tmp_path}/cancelled')
    with pytest.raises(MoodError, match=r"would never begin the job \(PartitionTimeLimit\).*--time"):
        slurm.submit(Cohort(tmp_path, tmp_path / "out", 4), Request())
    assert (tmp_path / "cancelled").read_text() == "41 41\n"


@pytest.mark.parametrize(("told", "again"), [("USR1", True), ("TERM", False)], ids=["out of time", "cancelled"])
def test_a_task_without_time_is_given_back_and_a_cancelled_one_is_not(tmp_path, scheduler, told, again):
    cohort = Cohort(tmp_path / "in", tmp_path / "out", 5, container=tmp_path / "mood.sif")
    scheduler("apptainer", f"trap 'exit 143' TERM; touch {tmp_path}/begun; while :; do /bin/sleep 0.05; done")
    scheduler("scontrol", f'echo "$@" > {tmp_path}/asked')
    scheduler("sleep", "")  # until SLURM ends what was given back
    (tmp_path / "parts.sh").write_text(slurm.scripts(cohort, Request())["parts.sh"])
    task = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}
    running = subprocess.Popen(["bash", tmp_path / "parts.sh", "0"], env=os.environ | task)
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    running.send_signal(getattr(signal, f"SIG{told}"))
    assert running.wait(30) == 143
    assert (tmp_path / "asked").exists() == again
    assert not again or (tmp_path / "asked").read_text() == "requeue 7_0\n"


class Slurm:
    """A cluster that runs while the test does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        assert not self.control("start"), (folder / "controller.out").read_text()
        printed = subprocess.check_output(["bash", "-c", f"source {folder}/environment && env -0"], text=True)
        self.environment = dict(line.split("=", 1) for line in printed.split("\0") if line)
        self.environment |= {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
        self.environment = {k: v for k, v in self.environment.items() if not k.startswith("PYTEST")}

    def control(self, what: str, *more: str) -> int:
        return subprocess.run(["bash", CLUSTER, what, self.folder, *more], check=False).returncode

    def mood(self, *arguments: object) -> subprocess.CompletedProcess:
        line = [sys.executable, "-m", "mood", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, env=self.environment, cwd=self.folder)

    def __call__(self, *line: str) -> str:
        return subprocess.run(line, capture_output=True, text=True, env=self.environment).stdout

    def wait(self, seconds: float = 900) -> None:
        """Until no job is left; one that was given back to the queue need not wait for its credential to expire."""
        end = time.monotonic() + seconds
        while jobs := self("squeue", "-h", "-o", "%i %R").splitlines():
            assert time.monotonic() < end, jobs
            for job, reason in (line.split(" ", 1) for line in jobs):
                if reason == "(BeginTime)":
                    self("scontrol", "update", f"JobId={job}", "StartTime=now")
            time.sleep(0.3)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    if not (PACKAGES / "complete").exists():
        pytest.skip("bash scripts/ci_slurm.sh fetch was not run")
    monkeypatch.setenv("MAX_ARRAY_SIZE", "2")
    made = Slurm(tmp_path / "slurm")
    yield made
    made("scancel", "--state=PENDING,RUNNING")
    made.control("stop")


def maps_and_scores(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz*")}


def part_in_hand(target: Path, node: str) -> bool:
    """Whether a node is in the middle of a part: some of its scans are done and some are not."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words, variables = ((process / name).read_bytes().split(b"\0") for name in ("cmdline", "environ"))
            if f"SLURMD_NODENAME={node}".encode() in variables and str(target).encode() in words:
                part = parse_part(words[words.index(b"--part") + 1].decode())
                rows = [row for one in read_sessions(target) if one.part == part.index for row in one.scans]
                return 0 < sum(row.status == "done" for row in rows) < len({row.scan for row in rows})
    return False


@pytest.mark.timeout(1200)  # SLURM itself waits half a minute until it gives a node up
def test_a_node_that_dies_costs_no_scan(cluster, slow_scans, weights, tmp_path):
    """Chunks of an array, a node killed while it scores, its task given back to the queue, one table at the end."""
    source, target = slow_scans(SCANS), tmp_path / "out"
    options = ["-i", source, "-r", "brain", "-m", "atlas", "--weights", weights]
    asked = ["--cpus", "1", "--memory", "500M", "--time", "0:10:00", "--scans-per-task", SCANS // 3]
    local = cluster.mood("predict", *options, "-o", tmp_path / "local", "--threads", "1", "--part", "1/1")
    assert local.returncode == 0, local.stderr
    done = cluster.mood("cluster", "slurm", *options, "-o", target, *asked)
    assert done.returncode == 0, done.stderr
    assert f"{SCANS} scans in 3 parts: job 1, " in done.stdout
    end = time.monotonic() + 300
    while not part_in_hand(target, "n1"):
        assert time.monotonic() < end
        time.sleep(0.03)
    cluster.control("kill", "n1")
    cluster.wait()
    logs = "".join(path.read_text() for path in (target / "slurm").glob("*.log"))
    assert f"{SCANS} of {SCANS} scans are scored" in logs, logs
    names = [f"s{i:02}" for i in range(SCANS)]
    with (target / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scan"], row["status"]) for row in rows] == [(name, "done") for name in names]
    assert maps_and_scores(target) == maps_and_scores(tmp_path / "local")
    record = json.loads((target / "run.json").read_text())
    assert record["finished"]
    assert len(record["parts"]) > 3, "no task was begun again"
