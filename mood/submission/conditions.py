"""What a script of the challenge must do without, and what it means when it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Conditions:
    """How a script is run.

    Attributes
    ----------
    damaged : bool
        With a scan among the others that cannot be read.
    writable, network, root : bool
        What a script may not count on.
    shell : bool
        In a shell of our own instead of the image's entry point.
    """

    damaged: bool = True
    writable: bool = False
    network: bool = False
    root: bool = False
    shell: bool = False


class Lack(NamedTuple):
    """What a script may lack: with what it works, the words and the advice for it."""

    code: str
    allowed: Conditions
    what: str
    fix: str


WRITE_ELSEWHERE = "Write to the output folder alone, and point TMPDIR, HOME and caches to /dev/shm"
LACKS = (
    Lack(
        "damaged",
        Conditions(damaged=False),
        "it fails because of one scan that cannot be read",
        "Catch the error, write 0.5 or zeros for that scan, do the others, and end with status 0",
    ),
    Lack(
        "read-only",
        Conditions(writable=True),
        "it works only where the image can be written to",
        WRITE_ELSEWHERE,
    ),
    Lack(
        "user",
        Conditions(root=True),
        "it works only as root",
        "Let everybody read code and weights (chmod -R a+rX), and write to the output folder alone",
    ),
    Lack(
        "network",
        Conditions(network=True),
        "it works only with a network",
        "Put into the image what it downloads",
    ),
    Lack(
        "entrypoint",
        Conditions(shell=True),
        "the image's entry point does not run the command it is given",
        'Take ENTRYPOINT out of the image, or end it with: exec "$@"',
    ),
    Lack(
        "read-only",
        Conditions(writable=True, root=True),
        "it works only where root may write to the image",
        WRITE_ELSEWHERE,
    ),
)
ALL_ALLOWED = Conditions(damaged=False, writable=True, network=True, root=True, shell=True)
