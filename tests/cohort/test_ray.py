import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from mood.cohort.parts import Part
from mood.cohort.ray import parts_for, run_parts
from mood.errors import NoInputError, UsageError
from mood.run_record import Outcome

PROJECT = Path(__file__).parents[2]


# Ports that Ray's agents would choose: it waits 15 seconds for them to say which, and a busy machine takes longer.
AGENT_PORTS = (
    "runtime-env-agent-port", "dashboard-agent-grpc-port", "dashboard-agent-listen-port", "metrics-export-port",
)  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens at."""
    with ExitStack() as taken:
        servers = [taken.enter_context(socket.create_server(("127.0.0.2", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


# Ray's own limits are for a machine that does nothing else, and for agents that have been compiled: see `cluster`.
PATIENT = {"RAY_raylet_start_wait_time_s": "90", "RAY_agent_register_timeout_ms": "200000"}
AGENTS = (
    "import ray.dashboard.agent, ray._private.runtime_env.agent.main\n"
    "from ray.dashboard.utils import DashboardAgentModule, get_all_modules\n"
    "get_all_modules(DashboardAgentModule)"
)


def start_head(folder: Path) -> tuple[subprocess.Popen, str]:
    """Ray's first processes and the address that they listen at.

    On the loopback alone, but not at 127.0.0.1: Ray takes that for this machine's address in its network.
    """
    ports = free_ports(1 + len(AGENT_PORTS))
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    start = ["start", "--head", "--node-ip-address=127.0.0.2", f"--port={ports[0]}", "--num-cpus=2"]
    start += [f"--{name}={port}" for name, port in zip(AGENT_PORTS, ports[1:], strict=True)]
    start += ["--include-dashboard=false", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
    environment = os.environ | PATIENT | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1", "RAY_TMPDIR": "/tmp"}
    environment["RAY_AUTH_MODE"] = "disabled"  # whatever Ray has left in ~/.ray
    with (folder / "log").open("a") as log:
        head = subprocess.Popen([*ray, *start], stdout=log, stderr=log, env=environment, start_new_session=True)
    return head, f"127.0.0.2:{ports[0]}"


def can_be_joined(head: subprocess.Popen, address: str) -> bool:
    """Whether a program gets in, once the head listens; a head that ends before is given up."""
    for _ in range(1000):
        if head.poll() is not None:
            return False
        with suppress(OSError):
            socket.create_connection(tuple(address.split(":")), 1).close()
            break
        time.sleep(0.2)
    code = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False)"
    return subprocess.run([sys.executable, "-c", code, address], env=os.environ | PATIENT, check=False).returncode == 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a Ray cluster of one node with two processors, as an administrator starts one.

    Ray gives up where its agents take 15 seconds to say their ports, which they do on a busy machine, and when Python
    has to compile them: so they are compiled first, and all is started again where it failed.
    """
    pytest.importorskip("ray")
    subprocess.run([sys.executable, "-c", AGENTS], check=False, capture_output=True)
    folder = tmp_path_factory.mktemp("ray", numbered=True)
    for _ in range(3):
        head, address = start_head(folder)
        if joined := can_be_joined(head, address):
            break
        kill_session(head)
    assert joined, (folder / "log").read_text()
    yield address
    head.terminate()
    try:
        head.wait(60)
    finally:
        kill_session(head)


def kill_session(head: subprocess.Popen) -> None:
    """End a head and all that it started, however deaf they are."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(process.name)) == head.pid:
                os.kill(int(process.name), signal.SIGKILL)
    head.wait(60)


def mood(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "mood", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, cwd=PROJECT, env=os.environ | {"COLUMNS": "200"}, **pipes)


def workers() -> list[int]:
    """Ray's processes that are at work on a part of ours."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"ray::_sentences_for_errors" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


@pytest.mark.timeout(900)
def test_a_worker_that_is_killed_costs_no_scan(cluster, slow_scans, weights, tmp_path):
    source, target = slow_scans(24), tmp_path / "out"
    options = ["-i", source, "-r", "brain", "-m", "atlas", "--weights", weights, "--threads", "1"]
    run = mood("predict", *options, "-o", target, "--ray", cluster)
    while not list(target.glob("*.nii.gz")):
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.01)
    (victim, *_) = workers()
    os.kill(victim, signal.SIGKILL)
    text, _ = run.communicate(timeout=600)
    assert run.returncode == 0, text
    assert "24 of 24 scans scored with atlas" in text
    local = mood("predict", *options, "-o", tmp_path / "local")
    assert "24 of 24" in local.communicate()[0]
    assert {path.name: path.read_bytes() for path in target.glob("*.nii.gz*")} == {
        path.name: path.read_bytes() for path in (tmp_path / "local").glob("*.nii.gz*")
    }


def test_a_part_whose_workers_all_die_is_reported_and_the_others_are_done(cluster, caplog):
    def work(part: Part) -> list[Outcome]:
        if part.index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return [Outcome(f"s{part.index}", "done")]

    found = dict(run_parts(work, Part(1, 3).every(), cluster, retries=1))
    assert {str(part): [one.scan for one in outcomes] for part, outcomes in found.items()} == {
        "1/3": ["s1"],
        "3/3": ["s3"],
    }
    assert "part 2/3 was given up after 1 retries" in caplog.text


def test_what_a_worker_cannot_do_is_the_same_sentence(cluster):
    def work(part: Part) -> list[Outcome]:
        raise NoInputError("there is no such input folder", where=Path("/scans"), fix="Check the path or the mount")

    with pytest.raises(Exception, match=r"^there is no such input folder: /scans\. Check the path") as raised:
        list(run_parts(work, [Part(1, 1)], cluster))
    assert raised.value.exit_code == NoInputError.exit_code


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999", "nowhere.invalid:6379"])
def test_where_nobody_answers_a_sentence_says_so_at_once(address):
    pytest.importorskip("ray")
    begin = time.monotonic()
    with pytest.raises(UsageError, match="no Ray cluster answers"):
        list(run_parts(lambda part: [], [Part(1, 1)], address))
    assert time.monotonic() - begin < 30


def test_what_is_no_address_is_said():
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match=r"no address.*--ray local"):
        list(run_parts(lambda part: [], [Part(1, 1)], "somewhere"))


def test_where_ray_does_not_start_a_sentence_says_so(monkeypatch):
    """On a busy machine its own processes may not be there in time; what it raises then is a bare exception."""
    ray = pytest.importorskip("ray")

    for variable in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(variable, "")  # they are as before when the test ends

    def init(**options: object) -> None:
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        raise Exception("The current node timed out during startup. This could happen because\nof many things.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UsageError, match=r"timed out during startup.*when less runs on this machine"):
        list(run_parts(lambda part: [], [Part(1, 1)], "local"))


def test_without_ray_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr("mood.cohort.ray.installed", lambda package: False)
    with pytest.raises(UsageError, match=r"mood-ood\[ray\]"):
        list(run_parts(lambda part: [], [Part(1, 1)], "local"))


def test_scans_make_parts_of_at_most_twenty():
    for count in (1, 20, 21, 1000):
        parts = parts_for(count)
        assert len(parts) == -(-count // 20)
        assert max(len(part.of([Path(f"{i}.nii") for i in range(count)])) for part in parts) <= 20
