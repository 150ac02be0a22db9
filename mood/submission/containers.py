"""Images and containers through the command line of Docker or Podman, whichever answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path
from typing import IO, Any

from mood.errors import MoodError, NoInputError

PROGRAMS = ("docker", "podman")
LOG_BYTES = 20_000  # the end of what a container said
FRAMES = " \t" + "".join(map(chr, range(0x2500, 0x2580)))  # box-drawing characters
UNITS = {"": 1, "k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
USAGE = re.compile(r"([\d.]+)\s*([kKMGT]?i?)B\s*/")


@dataclass(frozen=True)
class Ended:
    """How a container came to its end.

    Attributes
    ----------
    status : int
    seconds : float
        From its start to its end.
    peak_bytes : int
        The most memory that was seen in use, looked at about once a second; 0 when it was too short to be seen.
    timed_out, out_of_memory : bool
        Whether it was stopped, because its time was over or its memory used up.
    log : str
        The end of what it printed.
    """

    status: int
    seconds: float
    peak_bytes: int = 0
    timed_out: bool = False
    out_of_memory: bool = False
    log: str = ""

    @property
    def last_line(self) -> str:
        """The last thing that it said, without the frames that some programs draw around it."""
        return next(filter(None, (line.strip(FRAMES) for line in reversed(self.log.splitlines()))), "")


class Engine:
    """Docker or Podman.

    Raises
    ------
    NoInputError
        When neither answers.
    """

    def __init__(self) -> None:
        self.program = next(filter(_answers, PROGRAMS), "")
        if not self.program:
            fix = "Start one, and see that you may use it: docker info"
            raise NoInputError("neither Docker nor Podman answers", fix=fix)

    def facts(self, image: str) -> dict[str, Any]:
        """What the engine knows of an image (`docker image inspect`); `NoInputError` when there is no such image."""
        done = self._call("image", "inspect", image, check=False)
        if done.returncode:
            fix = f"Build or pull it first; {self.program} images lists those there are"
            raise NoInputError("there is no such image", where=image, fix=fix)
        facts: dict[str, Any] = json.loads(done.stdout)[0]
        return facts

    def has_gpu(self) -> bool:
        """Whether containers can be given a GPU."""
        return "nvidia" in self._call("info", "--format", "{{json .Runtimes}}", check=False).stdout

    def run(self, image: str, command: Sequence[str], options: Sequence[str], seconds: float, log: Path) -> Ended:
        """Run a command in a new container, which is removed when it has ended.

        Parameters
        ----------
        image : str
        command, options : sequence of str
            What is run, and how: options of `docker create`.
        seconds : float
            After which it is stopped.
        log : pathlib.Path
            Where to keep all that it prints.

        Raises
        ------
        MoodError
            When the engine cannot make or start it.
        """
        with self._container(image, command, options) as name:
            watch = _MemoryWatch(self.program, name)
            begin = time.monotonic()
            timed_out = self._attended(name, seconds, log)
            took = time.monotonic() - begin
            state = json.loads(self._call("inspect", "--format", "{{json .State}}", name).stdout)
            peak = watch.end()
        said = log.read_bytes()[-LOG_BYTES:].decode(errors="replace")
        if state.get("Error"):
            raise MoodError(f"the image does not start ({state['Error']})", where=image, fix="Mend it")
        killed = bool(state.get("OOMKilled"))
        return Ended(int(state["ExitCode"]), took, peak, timed_out, killed and not timed_out, said)

    def _attended(self, name: str, seconds: float, log: Path) -> bool:
        """Start a container and wait for its end; whether it had to be stopped."""
        with log.open("wb") as file:
            process = subprocess.Popen(
                [self.program, "start", "--attach", name], stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                return True
            finally:
                if process.poll() is None:
                    self._call("kill", name, check=False)
                    process.wait()
        return False

    @contextmanager
    def _container(self, image: str, command: Sequence[str], options: Sequence[str]) -> Iterator[str]:
        done = self._call("create", *options, image, *command, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise MoodError(f"no container can be made ({said[-1]})", where=image, fix="Mend the image, or the engine")
        name = done.stdout.strip().splitlines()[-1]
        try:
            yield name
        finally:
            self._call("rm", "--force", "--volumes", name, check=False)

    @contextmanager
    def files(self, image: str) -> Iterator[tarfile.TarFile]:
        """All files of an image, as an archive that is read once from its beginning to its end."""
        with self._container(image, ["sh"], []) as name:
            process = subprocess.Popen(
                [self.program, "export", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            assert process.stdout is not None
            try:
                with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                    yield archive
            finally:
                process.stdout.close()
                process.wait()

    def tag(self, image: str, name: str) -> None:
        """Give an image a further name; `MoodError` when it cannot bear it."""
        done = self._call("tag", image, name, check=False)
        if done.returncode:
            raise MoodError(
                f"the image cannot be called so ({done.stderr.strip()})", where=name, fix="Use another name"
            )

    def save(self, image: str, file: IO[bytes] | GzipFile) -> None:
        """Write an image as `docker load` reads it."""
        process = subprocess.Popen([self.program, "save", image], stdout=subprocess.PIPE)
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, file, 2**20)
        if process.wait():
            raise MoodError("the image cannot be saved", where=image, fix="Look at what the engine says above")

    def _call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, check=check)


class _MemoryWatch:
    """Looks at how much memory a container uses, until it is told to end."""

    def __init__(self, program: str, name: str) -> None:
        line = [program, "stats", "--format", "{{.MemUsage}}", name]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.peak = 0
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.peak = max(self.peak, used_bytes(line))

    def end(self) -> int:
        """The most bytes that were seen."""
        self.process.kill()  # Docker's client does not end at once when it is asked to
        self.process.wait()
        self.thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.peak


def used_bytes(line: str) -> int:
    """What is in use by a line of `docker stats`.

    Examples
    --------
    >>> used_bytes("1.5MiB / 23.5GiB")
    1572864
    """
    found = USAGE.search(line)
    return int(float(found[1]) * UNITS.get(found[2], 1)) if found else 0


def _answers(program: str) -> bool:
    if shutil.which(program) is None:
        return False
    return subprocess.run([program, "info"], capture_output=True, check=False).returncode == 0
