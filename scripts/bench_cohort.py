"""What a cohort costs on this machine, on a SLURM cluster and on Ray: the same scans through all three.

python scripts/bench_cohort.py [--scans 200] [--keep FOLDER]

The scans are small: ellipsoids of texture of 40 x 48 x 36 mm, scored with mix, which takes a second of one processor
for each. SLURM is the cluster of two nodes that scripts/ci_slurm.sh starts (`fetch` it before), Ray a cluster of two
processors on this machine; what is not there is left out. Every worker computes on one thread.

`scans a processor second` counts the processor time of all processes of a run, schedulers included, which bears a busy
machine better than the clock does. `peak` is the most memory that one process of a run held. Then the step that one
process does for all: `mood collect` of 100,000 rows in 1,000 records. Prints two tables as docs/cohorts.md has them
and, as the last line, one JSON object; `ok` says whether SLURM and Ray reach 85 % of the local throughput, and whether
all outputs are the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

PROJECT = Path(__file__).parents[1]
CLUSTER = PROJECT / "scripts" / "ci_slurm.sh"
SHAPE = (40, 48, 36)  # voxels of 1 mm
METHOD = ("-r", "brain", "-m", "mix", "--strip", "never")
MARK = "MOOD_BENCH_COHORT"  # in the environment of every process of a run
TICKS = os.sysconf("SC_CLK_TCK")
ENOUGH = 0.85  # of the local throughput
NODES, NODE_CORES, COHORT = 100, 16, 100_000  # on paper
PART = 100  # scans
BRAIN_S = {"joint": 23.5, "--fast": 16.0}  # processor seconds of a brain of full size, without the start
START_S = 4.0  # the same of a start


@dataclass
class Watch:
    """Processor time and memory of all processes with a mark, looked at ten times a second until they are gone."""

    mark: str
    seconds: dict[int, float] = field(default_factory=dict)  # by process
    peak: dict[int, float] = field(default_factory=dict)  # MiB
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        self.thread.join()

    def _look(self) -> None:
        wanted = f"{MARK}={self.mark}".encode()
        while not self.stopped.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError, ValueError, IndexError):
                    if wanted in (process / "environ").read_bytes().split(b"\0"):
                        self._note(process)

    def _note(self, process: Path) -> None:
        times = (process / "stat").read_text().rpartition(")")[2].split()
        self.seconds[int(process.name)] = (int(times[11]) + int(times[12])) / TICKS
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM"):
                self.peak[int(process.name)] = int(line.split()[1]) / 1024


@dataclass
class Row:
    """What one way costs."""

    engine: str
    scans: int
    wall_s: float
    core_s: float
    peak_mib: float

    @property
    def scans_a_core_second(self) -> float:
        """Throughput, whatever else the machine does."""
        return self.scans / self.core_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        make_scans(folder / "in", given.scans)
        rows = [row for way in (local, slurm, ray) if (row := way(folder, given.scans))]
        same = all(outputs(folder / row.engine) == outputs(folder / "local") for row in rows)
        once = all(scans_in_table(folder / row.engine) == given.scans for row in rows)
        report(rows, same and once, collecting(folder / "paper"))


def make_scans(folder: Path, count: int) -> None:
    """Ellipsoids of texture, each another one."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in SHAPE)]
    inside = x**2 + y**2 + z**2 < 1
    for i in range(count):
        data = np.where(inside, rng.uniform(0.3, 0.9, SHAPE), 0).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.diag([-1, -1, 1, 1])), folder / f"sub-{i:04}.nii.gz")


def local(folder: Path, scans: int) -> Row:
    """One process, one thread."""
    line = mood("predict", "-i", folder / "in", "-o", folder / "local", *METHOD, "--threads", 1, "--part", "1/1")
    row = timed("local", scans, lambda environment: run(line, environment))
    run(mood("collect", folder / "local"), os.environ | {})
    return row


def slurm(folder: Path, scans: int) -> Row | None:
    """An array of two parts on two nodes of one processor each."""
    state = folder / "slurm-state"
    started = subprocess.run(["bash", CLUSTER, "start", state], check=False, env=os.environ | {MARK: "slurm"})
    if started.returncode:
        print("SLURM is left out: bash scripts/ci_slurm.sh fetch gets it", file=sys.stderr)
        return None
    try:
        text = subprocess.check_output(["bash", "-c", f"source {state}/environment && env -0"], text=True)
        there = dict(line.split("=", 1) for line in text.split("\0") if line)
        options = ["--cpus", 1, "--memory", "1500M", "--time", "0:55:00", "--scans-per-task", -(-scans // 2)]
        line = mood("cluster", "slurm", "-i", folder / "in", "-o", folder / "slurm", *METHOD, *options)

        def work(environment: dict[str, str]) -> None:
            run(line, there | environment)
            while subprocess.check_output(["squeue", "-h"], env=there):
                time.sleep(0.2)

        return timed("slurm", scans, work)
    finally:
        subprocess.run(["bash", CLUSTER, "stop", state], check=False)


def ray(folder: Path, scans: int) -> Row | None:
    """Parts of twenty on two workers."""
    if subprocess.run([sys.executable, "-c", "import ray"], capture_output=True).returncode:
        print("Ray is left out: pip install 'mood-ood[ray]' gets it", file=sys.stderr)
        return None
    line = mood("predict", "-i", folder / "in", "-o", folder / "ray", *METHOD, "--threads", 1, "--ray", "local")
    return timed("ray", scans, lambda environment: run(line, environment))


def timed(engine: str, scans: int, work) -> Row:
    begin = time.monotonic()
    with Watch(engine) as watch:
        work({MARK: engine, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)})
    return Row(engine, scans, time.monotonic() - begin, sum(watch.seconds.values()), max(watch.peak.values()))


def mood(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mood", *map(str, arguments)]


def run(line: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(line, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz*")}


def scans_in_table(folder: Path) -> int:
    """How many scans the table has, each once and done."""
    rows = [line.split(",")[:2] for line in (folder / "scores.csv").read_text().splitlines()[1:]]
    return len({name for name, status in rows if status == "done"}) if len({*map(tuple, rows)}) == len(rows) else 0


def collecting(folder: Path) -> dict[str, float]:
    """Seconds and MiB of collecting 100,000 rows in 1,000 records."""
    folder.mkdir()
    about, count = {"method": "mix", "region": "brain", "weights": "0" * 64}, COHORT // PART
    for index in range(1, count + 1):
        names = [f"sub-{number:06}" for number in range(index - 1, COHORT, count)]
        made = {"size": 10**7, "modified_ns": 10**18, "sha256": "0" * 64}
        pending = [{"scan": name, "status": "pending", "made_from": made} for name in names]
        head = {"part": index, "of": count, "about": about, "scans": pending}
        lines = [head | {"started": "2026-01-01T00:00:00.000+00:00"}]
        row = {"status": "done", "sample_score": 0.5, "seconds": 2.5, "made_from": made, "taken_for": "MR"}
        lines += [{"scan": name, **row, "ended": f"2026-01-01T01:{index % 60:02}:00.000+00:00"} for name in names]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"run.part-{index:04}-of-{count:04}.jsonl").write_text(text)
    (folder / "run.json").write_text(json.dumps({"about": about, "scans": []}))
    with Watch("collect") as watch:
        run(mood("collect", folder), {MARK: "collect", "PYTHONPATH": str(PROJECT)})
    return {"collect_s": sum(watch.seconds.values()), "collect_mib": max(watch.peak.values())}


def report(rows: list[Row], same: bool, collected: dict[str, float]) -> None:
    """Print both tables as docs/cohorts.md has them, and the figures as JSON."""
    reference = rows[0].scans_a_core_second
    print_table(
        ["", "scans", "wall, s", "processor, s", "scans a processor second", "of local", "peak of a process, MiB"],
        [
            [
                row.engine, row.scans, f"{row.wall_s:.0f}", f"{row.core_s:.0f}", f"{row.scans_a_core_second:.2f}",
                f"{row.scans_a_core_second / reference:.0%}", f"{row.peak_mib:.0f}",
            ]
            for row in rows
        ],
    )  # fmt: skip
    print(f"All {sum(row.scans for row in rows)} maps and scores are the same bytes: {'yes' if same else 'NO'}.\n")
    ways = {name: on_paper(seconds, collected["collect_s"]) for name, seconds in BRAIN_S.items()}
    title = f"on paper: {COHORT:,} brains, {NODES} nodes of {NODE_CORES} processors"
    facts = next(iter(ways.values()))
    print_table([title, *ways], [[fact, *(way[fact] for way in ways.values())] for fact in facts])
    print(f"Collecting {COHORT:,} rows takes {collected['collect_s']:.0f} s and {collected['collect_mib']:.0f} MiB.\n")
    enough = all(row.scans_a_core_second >= ENOUGH * reference for row in rows)
    figures = {row.engine: asdict(row) | {"scans_a_core_second": row.scans_a_core_second} for row in rows}
    print(json.dumps({**figures, **collected, "same_bytes": same, "ok": same and enough}))


def print_table(heads: list[str], rows: list[list[object]]) -> None:
    """As Markdown."""
    for cells in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(map(str, cells))} |")
    print()


def on_paper(brain_s: float, collect_s: float) -> dict[str, str]:
    """A cohort of full-size brains on many nodes: parts of 100 scans, a thread each."""
    part, rounds = START_S + PART * brain_s, -(-COHORT // PART // (NODES * NODE_CORES))
    return {
        "processor time": f"{COHORT // PART * part / 3600:.0f} core-hours, {START_S / part:.1%} of it starts",
        f"time of a part of {PART}": f"{part / 60:.0f} min",
        "time of all, when every node is free": f"{(rounds * part + collect_s) / 60:.0f} min",
    }


if __name__ == "__main__":
    main()
