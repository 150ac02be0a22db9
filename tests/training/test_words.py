from types import SimpleNamespace

import pytest

from mood.training import words
from mood.training.loop import Progress, Schedule


def a_run(training=20, held_out=5, finished=False, schedule=None, **progress):
    method = SimpleNamespace(
        name="mix",
        region=SimpleNamespace(name="brain"),
        engine=SimpleNamespace(device=lambda: "CPU (2 cores)"),
        finished=finished,
    )
    return SimpleNamespace(
        method=method,
        schedule=schedule or Schedule(epochs=50, steps=None, held_out=5),
        training=[None] * training,
        held_out=[None] * held_out,
        target="weights",
        progress=Progress(**progress),
    )


def test_a_training_begins_with_what_it_found():
    run = a_run(schedule=Schedule(epochs=1000, steps=24_000))
    assert words.beginning(run) == (
        "training mix (brain) on 20 scans, 5 more held out for the checks; on CPU (2 cores); until 1,000 epochs or "
        "24,000 steps, whichever comes first; writing to weights"
    )
    assert words.warnings(run) == []


@pytest.mark.parametrize(
    ("training", "held_out", "told"),
    [(4, 5, ["only 4 scans are left"]), (2, 1, ["only 2 scans", "instead of 5"]), (12, 0, ["instead of 5", "no scan"])],
)
def test_what_is_not_meant_is_warned_of(training, held_out, told):
    found = words.warnings(a_run(training, held_out))
    assert len(found) == len(told)
    assert all(part in text for part, text in zip(told, found, strict=True))


def test_the_time_left_is_told_once_it_is_known():
    assert words.time_left(a_run(step=10, epoch=1), 20.0, 10) == ""  # nobody knows how long an epoch is
    assert words.time_left(a_run(step=100, epoch=3), 200.0, 100) == ", about 80 min left"
    by_steps = a_run(step=100, epoch=1, schedule=Schedule(steps=110))
    assert words.time_left(by_steps, 200.0, 100) == ", about 20 s left"
    assert words.time_left(by_steps, 200.0, 0) == ""


def test_the_end_says_why():
    done = a_run(step=24_000, epoch=30, best_ap=0.5, best_step=20_000, schedule=Schedule(epochs=1000, steps=24_000))
    assert words.end(done) == (
        "stopped after 24,000 steps: the 24,000 steps asked for are done; best AP on held-out synthetic outliers "
        "0.5000, at step 20000"
    )
    assert "50 epochs are done" in words.end(a_run(step=9, epoch=50))
    assert "its own end" in words.end(a_run(step=9, epoch=3, finished=True))
    assert "best AP" not in words.end(a_run(held_out=0, step=9, epoch=3))
