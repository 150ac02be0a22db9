"""A cohort as a SLURM array: the scripts, their submission in chunks that the cluster takes, and a job that collects.

OUT/slurm/parts.sh     one task of the array: one part, begun again when its time or its node runs out
OUT/slurm/collect.sh   mood collect, when no task is left, however they ended
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mood import runtime
from mood.atomic import write_text
from mood.errors import MoodError, UsageError

LARGEST_ARRAY = 1001  # SLURM's default of MaxArraySize, which is one more than the largest index
ARRAYS = "ARRAYS"
SECONDS_TO_END = 120  # between the signal and the end of a task's time: enough to finish one scan
NEVER = ("PartitionTimeLimit", "PartitionConfig", "BadConstraints", "InvalidAccount", "InvalidQOS")  # why a job waits
FIX = "Mend that (--account, --partition, --time, --memory, --cpus); nothing was submitted"
SCANS_PER_TASK = 100  # a start takes as long as one or two scans

PARTS_SCRIPT = """\
#!/bin/bash
{options}
# usage: sbatch --array=0-LAST parts.sh OFFSET; task I scores part OFFSET + I + 1 of {count}.
# A task whose time runs out is told {seconds} seconds before by a signal of its own, ends its scan, and goes on when
# it is begun again; one that is cancelled is not.
{command} --part "$(($1 + SLURM_ARRAY_TASK_ID + 1))/{count}" --threads "$SLURM_CPUS_PER_TASK" &
child=$!
again=
trap 'again=; kill -TERM "$child"' TERM
trap 'again=yes; kill -TERM "$child"' USR1
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    status=$?
done
if [ "$again" ] && [ "$status" = 143 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {retries} ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}" && sleep 60
fi
exit "$status"
"""
COLLECT_SCRIPT = """\
#!/bin/bash
{options}
# Ends with 1 when a scan failed or is missing, and names it.
exec {command}
"""


@dataclass(frozen=True)
class Cohort:
    """What is to be scored, and with what.

    Attributes
    ----------
    source, target : pathlib.Path
        As of `mood predict`; every node must see them at these places.
    scans : int
        How many there are.
    options : tuple of str
        Further ones of `mood predict`.
    container : pathlib.Path, optional
        An Apptainer image to run in; else the Python that runs now.
    folders : tuple of pathlib.Path
        What a container has to see besides, such as weights.
    """

    source: Path
    target: Path
    scans: int
    options: tuple[str, ...] = ()
    container: Path | None = None
    folders: tuple[Path, ...] = ()

    @property
    def scripts(self) -> Path:
        """Where the scripts and logs of the jobs are."""
        return self.target / "slurm"

    def command(self, *arguments: object) -> str:
        """A line of `mood` for the shell of a node."""
        program = [sys.executable, "-m", "mood"]
        if self.container is not None:
            readable = dict.fromkeys((self.source, *self.folders))
            binds = [f"{folder}:{folder}:ro" for folder in readable] + [f"{self.target}:{self.target}"]
            program = ["apptainer", "exec", *(word for bind in binds for word in ("--bind", bind)), str(self.container)]
            program.append("mood")
        return shlex.join([*program, *map(str, arguments)])


@dataclass(frozen=True)
class Request:
    """What each task is given, and how many run.

    Attributes
    ----------
    cpus, memory, time : int, str, str
        Of a task, the last two as `sbatch` writes them: "4G", "2:00:00".
    at_once : int
        Tasks that run at the same time, at most.
    scans_per_task : int
    retries : int
        How often a task that ran out of time goes on.
    more : tuple of str
        Further options of `sbatch`: "--account=NAME".
    """

    cpus: int = 2
    memory: str = "4G"
    time: str = "2:00:00"
    at_once: int = 50
    scans_per_task: int = SCANS_PER_TASK
    retries: int = 3
    more: tuple[str, ...] = ()

    def parts(self, scans: int) -> int:
        """How many parts so many scans make."""
        return -(-scans // self.scans_per_task)

    def chunks(self, count: int, largest: int) -> list[tuple[int, str]]:
        """The arrays that have all parts: offset and indices of each, with its share of the tasks at once.

        Parameters
        ----------
        count : int
            Parts.
        largest : int
            The cluster's MaxArraySize, which no index reaches.
        """
        offsets = range(0, count, largest)
        at_once = max(1, self.at_once // len(offsets))
        return [(offset, f"0-{min(largest, count - offset) - 1}%{at_once}") for offset in offsets]


def scripts(cohort: Cohort, request: Request) -> dict[str, str]:
    """The text of both scripts, by their names."""
    logs = shlex.quote(str(cohort.scripts))
    shared = ["--requeue", "--open-mode=append", *request.more]
    task = [
        "--job-name=mood",
        f"--cpus-per-task={request.cpus}",
        f"--mem={request.memory}",
        f"--time={request.time}",
        f"--signal=B:USR1@{SECONDS_TO_END}",
        f"--output={logs}/%A_%a.log",
    ]
    end = ["--job-name=mood-collect", f"--mem={request.memory}", "--time=0:30:00", f"--output={logs}/collect.log"]
    predict = cohort.command("predict", "-i", cohort.source, "-o", cohort.target, *cohort.options)
    collect = cohort.command("collect", cohort.target, "-i", cohort.source)
    parts = PARTS_SCRIPT.format(
        options=_directives(task + shared),
        command=predict,
        count=request.parts(cohort.scans),
        seconds=SECONDS_TO_END,
        retries=request.retries,
    )
    return {"parts.sh": parts, "collect.sh": COLLECT_SCRIPT.format(options=_directives(end + shared), command=collect)}


def _directives(options: Sequence[str]) -> str:
    return "\n".join(f"#SBATCH {option}" for option in options)


def plan(cohort: Cohort, request: Request) -> list[list[str]]:
    """The command lines that submit everything; the last one waits for the others, with their ids for `ARRAYS`."""
    folder, count = cohort.scripts, request.parts(cohort.scans)
    arrays = [
        ["sbatch", "--parsable", f"--array={indices}", str(folder / "parts.sh"), str(offset)]
        for offset, indices in request.chunks(count, largest_array())
    ]
    return [*arrays, ["sbatch", "--parsable", f"--dependency=afterany:{ARRAYS}", str(folder / "collect.sh")]]


def submit(cohort: Cohort, request: Request) -> list[str]:
    """Write the scripts and submit them.

    Returns
    -------
    list of str
        The job ids, that of the collecting job last.

    Raises
    ------
    UsageError
        When there is no SLURM here.
    MoodError
        When it refuses a job, or takes one that it will never begin; those that it took are cancelled.
    """
    if shutil.which("sbatch") is None:
        fix = "Log in where jobs are submitted from, or look at the scripts with --dry-run"
        raise UsageError("there is no SLURM here: no command sbatch", fix=fix)
    cohort.scripts.mkdir(parents=True, exist_ok=True)
    for name, text in scripts(cohort, request).items():
        write_text(cohort.scripts / name, text)
    jobs: list[str] = []
    *arrays, collecting = plan(cohort, request)
    try:
        for line in arrays:
            jobs.append(_submitted(line))
        jobs.append(_submitted([word.replace(ARRAYS, ":".join(jobs)) for word in collecting]))
        _check_may_begin(jobs, cohort)
        return jobs
    except MoodError:
        if jobs:
            subprocess.run(["scancel", *jobs], check=False, capture_output=True)
        raise


def _submitted(line: Sequence[str]) -> str:
    # SLURM hands the environment on to the tasks.
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=runtime.asked_environment())
    if done.returncode:
        said = re.sub(r"^sbatch: (error: )?", "", done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "")
        script = next(word for word in line if word.endswith(".sh"))
        raise MoodError(f"SLURM refuses the job ({said or f'status {done.returncode}'})", where=script, fix=FIX)
    return done.stdout.strip().split(";")[0]


def _check_may_begin(jobs: Sequence[str], cohort: Cohort) -> None:
    """`MoodError` when a job would wait for ever, as one does that asks for more time than its partition gives."""
    asked = ["squeue", "--noheader", f"--jobs={','.join(jobs)}", "--format=%r"]
    for _ in range(2):  # the scheduler looks at new jobs within a second
        shown = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
        if found := next((why for why in shown if why in NEVER), None):
            raise MoodError(f"SLURM would never begin the job ({found})", where=cohort.scripts, fix=FIX)
        if "None" not in shown:
            return
        time.sleep(1)


def largest_array() -> int:
    """The cluster's MaxArraySize; SLURM's default where it cannot be asked."""
    try:
        shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return LARGEST_ARRAY
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", shown.stdout, re.MULTILINE)
    return max(1, int(found[1])) if found else LARGEST_ARRAY
