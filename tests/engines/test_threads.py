import os
import subprocess
import sys

import pytest

from mood.engines import threads


@pytest.fixture
def unlimited(monkeypatch):
    """Limits and variables are as before when the test ends."""
    for variable in (threads.LIMIT, *threads.VARIABLES):
        monkeypatch.setenv(variable, "1")
        monkeypatch.delenv(variable)


def test_what_a_process_may_use_is_its_affinity(monkeypatch, unlimited):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    monkeypatch.setattr(threads, "_control_groups", lambda: [])
    assert threads.thread_count() == 3


@pytest.mark.parametrize(
    ("quota", "expected"), [("150000 100000", 2), ("max 100000", 4), ("20000 100000", 1), ("?", 4)]
)
def test_the_quota_of_an_outer_control_group_counts(tmp_path, monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)), raising=False)
    (tmp_path / "cgroup").write_text("0::/slurm/job_7\n")
    (tmp_path / "fs" / "slurm" / "job_7").mkdir(parents=True)
    (tmp_path / "fs" / "slurm" / "job_7" / "cpu.max").write_text("max 100000\n")
    (tmp_path / "fs" / "slurm" / "cpu.max").write_text(quota + "\n")
    groups = threads._control_groups(tmp_path / "cgroup", tmp_path / "fs")
    monkeypatch.setattr(threads, "_control_groups", lambda: groups)
    assert threads.available_processors() == expected


def test_quotas_of_the_older_control_groups_count(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    (tmp_path / "cgroup").write_text("4:memory:/x\n2:cpu,cpuacct:/docker/1\n")
    inner = tmp_path / "fs" / "cpu,cpuacct" / "docker" / "1"
    inner.mkdir(parents=True)
    (inner / "cpu.cfs_quota_us").write_text("250000\n")
    (inner / "cpu.cfs_period_us").write_text("100000\n")
    (inner.parent / "cpu.cfs_quota_us").write_text("-1\n")
    (inner.parent / "cpu.cfs_period_us").write_text("100000\n")
    groups = threads._control_groups(tmp_path / "cgroup", tmp_path / "fs")
    monkeypatch.setattr(threads, "_control_groups", lambda: groups)
    assert threads.available_processors() == 3


def test_a_number_goes_to_every_library(unlimited, openvino):
    code = """
import os, sys
os.sched_getaffinity = lambda process: set(range(6))
os.cpu_count = lambda: 6
import numpy, threadpoolctl
from mood.engines.threads import limit_threads
limit_threads(1)
assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}, threadpoolctl.threadpool_info()
from mood import runtime
runtime.prepare(("tensorflow",))
import keras, openvino
import tensorflow as tf
images = keras.Input((None, None, 1))
network = keras.Model(images, keras.layers.Conv2D(1, 3)(images))
told = {}
compile_model = openvino.Core.compile_model
def remember(self, graph, device, options):
    compiled = compile_model(self, graph, device, options)
    told["openvino"] = compiled.get_property("INFERENCE_NUM_THREADS")
    return compiled
openvino.Core.compile_model = remember
from mood.engines import OpenVinoEngine
engine = OpenVinoEngine()
engine.runner(network)
assert told["openvino"] == 1, told
assert os.environ["TF_NUM_INTRAOP_THREADS"] == os.environ["NPROC"] == "1"
assert engine.described()["device"].endswith("1 threads")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_the_user_set_stays_unless_a_number_is_given(monkeypatch, unlimited):
    monkeypatch.setattr(threads, "available_processors", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads.limit_threads(None)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "5"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    threads.limit_threads(1)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"
