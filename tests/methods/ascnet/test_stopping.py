import numpy as np
import pytest

from mood.errors import TrainingError
from mood.methods.ascnet.grey_levels import Histogram, measure
from mood.methods.ascnet.stopping import COLLAPSED_CHECKS, Rounds
from mood.typed import decode_text, encode_text


def histogram(rng, anomaly: float | None = 0.9) -> Histogram:
    reference = rng.normal(0.5, 0.02, 5000)
    return measure(reference if anomaly is None else np.append(reference, rng.normal(anomaly, 0.02, 500)), reference)


def test_the_same_peaks_several_times_in_a_row_end_a_stage(rng):
    rounds = Rounds(stable_checks=3, most_rounds=20)
    stages = []
    for _ in range(6):
        rounds.check(histogram(rng))
        stages.append(rounds.stage)
    assert stages == [1, 1, 2, 2, 2, 3]
    assert rounds.finished


def test_peaks_that_move_or_vanish_start_the_count_anew(rng):
    rounds = Rounds(stable_checks=2, most_rounds=20)
    for anomaly in (0.9, 0.7, 0.9, None, 0.9, 0.1):
        rounds.check(histogram(rng, anomaly))
        assert rounds.stage == 1
    rounds.check(histogram(rng, 0.1))
    assert rounds.stage == 2


def test_without_peaks_the_cap_of_stage_1_leads_on_and_that_of_stage_2_is_an_error(rng):
    rounds = Rounds(stable_checks=2, most_rounds=3)
    for _ in range(3):
        assert rounds.stage == 1
        rounds.check(histogram(rng, None))
    assert rounds.stage == 2
    for _ in range(2):
        rounds.check(histogram(rng, None))
    with pytest.raises(TrainingError, match="no distinct peaks after 3 rounds of stage 2"):
        rounds.check(histogram(rng, None))


def test_an_unsteady_split_at_the_cap_is_taken(rng):
    rounds = Rounds(stable_checks=5, most_rounds=2)
    for anomaly in (0.9, 0.7, 0.9, 0.7):
        rounds.check(histogram(rng, anomaly))
    assert rounds.finished
    assert rounds.levels.split


def test_one_grey_level_for_long_is_a_collapse(rng):
    flat = measure(np.full(10, 0.5), np.full(10, 0.5))
    rounds = Rounds(stable_checks=3, most_rounds=50)
    for _ in range(COLLAPSED_CHECKS - 1):
        rounds.check(flat)
    with pytest.raises(TrainingError, match="collapsed"):
        rounds.check(flat)


def test_rounds_survive_json(rng):
    rounds = Rounds(stable_checks=3, most_rounds=50)
    assert decode_text(Rounds, encode_text(rounds)) == rounds
    rounds.check(histogram(rng))
    assert decode_text(Rounds, encode_text(rounds)) == rounds
