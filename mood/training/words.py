"""What a training says: what it found before it starts, how long it will take, and why it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mood.training.loop import Run

FEW_SCANS = 10  # to train on; fewer teach a network their own faces


def beginning(run: Run) -> str:
    """Scans, device, end and folder in a line."""
    schedule = run.schedule
    ends = [f"{schedule.epochs:,} epochs"] + ([f"{schedule.steps:,} steps"] if schedule.steps is not None else [])
    which = ", whichever comes first" if len(ends) > 1 else ""
    count, kept = len(run.training), len(run.held_out)
    found = f"on {count} scan{'s' * (count != 1)}, {kept} more held out for the checks"
    until = f"until {' or '.join(ends)}{which}"
    name = f"{run.method.name} ({run.method.region.name})"
    return f"training {name} {found}; on {run.method.engine.device()}; {until}; writing to {run.target}"


def warnings(run: Run) -> list[str]:
    """What is likely not to be meant."""
    told, count, kept = [], len(run.training), len(run.held_out)
    if count < FEW_SCANS:
        told.append(f"only {count} scans are left to train on, with {kept} held out: add scans, or lower --held-out")
    if kept < run.schedule.held_out:
        told.append(f"only {kept} scans are held out instead of {run.schedule.held_out}, so that two are left")
    if not kept:
        told.append("no scan is held out: no checkpoint can be chosen, and scores will not be calibrated")
    return told


def total_steps(run: Run) -> int | None:
    """Steps of the whole training; None before the first epoch has told how many it has, where only they end it."""
    by_epochs = None
    if run.progress.epoch > 1:
        by_epochs = round(run.progress.step / (run.progress.epoch - 1) * run.schedule.epochs)
    known = [steps for steps in (run.schedule.steps, by_epochs) if steps is not None]
    return min(known) if known else None


def time_left(run: Run, seconds: float, steps: int) -> str:
    """How long the rest will take, where it can be told.

    Parameters
    ----------
    seconds, steps
        Of this process so far.
    """
    total = total_steps(run)
    if total is None or not steps:
        return ""
    minutes = seconds / steps * max(total - run.progress.step, 0) / 60
    return f", about {minutes:.0f} min left" if minutes >= 1.5 else f", about {minutes * 60:.0f} s left"


def end(run: Run) -> str:
    """How many steps, why no more, and what was reached."""
    schedule, at = run.schedule, run.progress
    if run.method.finished:
        why = "the method has come to its own end"
    elif schedule.steps is not None and at.step >= schedule.steps:
        why = f"the {schedule.steps:,} steps asked for are done"
    else:
        why = f"{at.epoch:,} epochs are done"
    best = f"; best AP on held-out synthetic outliers {at.best_ap:.4f}, at step {at.best_step}" if run.held_out else ""
    return f"stopped after {at.step:,} steps: {why}{best}"
