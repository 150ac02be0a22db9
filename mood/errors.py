"""Everything that can go wrong for a user, each with the exit status of the command line.

A message has three parts: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_NOTHING_TO_DO = 3
EXIT_INTERRUPTED = 130


class MoodError(Exception):
    """Base of all errors that the command line prints as a sentence instead of a traceback.

    Parameters
    ----------
    what : str
        What is wrong, as a clause without a full stop.
    where : object, optional
        The file, folder or option it is about.
    fix : str
        What the user can do, as a sentence without a full stop.
    """

    exit_code = EXIT_SOME_FAILED

    def __init__(self, what: str, *, where: object = None, fix: str) -> None:
        self.what, self.where, self.fix = what, where, fix
        place = f": {where}" if where is not None else ""
        super().__init__(f"{what}{place}. {fix}.")

    @property
    def sentence(self) -> str:
        """What and what to do, for use within another sentence."""
        return f"{self.what}; {self.fix[0].lower()}{self.fix[1:]}"


class ScanError(MoodError):
    """One scan cannot be read or is not a scan; the others are still done."""


class OutputError(MoodError):
    """The output folder cannot be written."""

    exit_code = EXIT_USAGE


class UsageError(MoodError):
    """An option has a value that cannot be meant."""

    exit_code = EXIT_USAGE


class NoInputError(MoodError):
    """There is nothing to work on: no folder, or no scan in it."""

    exit_code = EXIT_NOTHING_TO_DO


class WeightsError(MoodError):
    """Trained weights are absent, damaged or made for something else."""

    exit_code = EXIT_NOTHING_TO_DO


class TrainingError(MoodError):
    """A training diverged or came to nothing; what it had reached before is kept."""


LOWER_RATE = "Train in another folder with a lower learning rate (--set learning_rate=...)"


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """` (did you mean 'NAME'?)` for the name that a word is a slip of, or nothing."""
    nearest = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.5)
    return f" (did you mean '{nearest[0]}'?)" if nearest else ""


def unknown(kind: str, word: str, names: Iterable[str]) -> UsageError:
    """The error for a word that is none of the names there are of a kind.

    Parameters
    ----------
    kind : str
        What the names are of: "region", "method".
    word : str
        What was given.
    names : iterable of str
        What there is.
    """
    known = list(names)
    what = f"unknown {kind} '{word}'{did_you_mean(word, known)}"
    return UsageError(what, fix=f"Choose one of: {', '.join(known)}")
