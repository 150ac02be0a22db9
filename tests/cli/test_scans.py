import io
import json

import pytest
from rich.console import Console

from mood.cli import scans
from mood.cli.output import duration
from mood.run_record import Outcome


def printed(outcomes, calibrated=True, width=80) -> str:
    text = io.StringIO()
    scans.print_closing_table(Console(file=text, width=width), outcomes, calibrated)
    return text.getvalue()


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.2, "usual"),
        (0.5, "1 in 2"),
        (0.97, "1 in 33"),
        (0.9996, "1 in 2,500"),
        (1.0, "fewer than 1 in 100,000"),
        (None, "–"),
    ],
)
def test_a_score_has_a_meaning_in_words(score, words):
    assert scans.meaning(score, calibrated=True) == words
    assert scans.meaning(score, calibrated=False) == "–"


def test_the_table_begins_with_what_failed_and_what_is_most_abnormal():
    lines = printed(
        [
            Outcome("low", "done", 0.1, 1.0),
            Outcome("high[bold]", "done", 0.9, 2.0),
            Outcome("broken", "failed", message="It is empty."),
        ]
    ).splitlines()
    rows = [line.split()[0] for line in lines if line.strip() and line.split()[0] in ("low", "high[bold]", "broken")]
    assert rows == ["broken", "high[bold]", "low"]
    assert max(map(len, lines)) <= 80


def test_a_long_table_is_cut_and_says_so():
    text = printed([Outcome(f"s{i:03}", "done", 0.5, 1.0) for i in range(100)])
    assert "60 more are in scores.csv" in text
    assert text.count("done") == scans.MOST_ROWS


def test_what_is_unusual_among_healthy_scans_of_the_scanner_is_counted():
    flagged = [Outcome("a", "done", 0.99, flag="yes"), Outcome("b", "done", 0.2, flag="no"), Outcome("c", "failed")]
    assert "among them: 1 of 2." in " ".join(printed(flagged).split())


def test_what_is_not_fit_is_said_in_table_and_sentence(tmp_path):
    outcomes = [Outcome("a", "done", 0.5, fit="a slab (30 mm)"), Outcome("b", "done", 0.5, fit="fit")]
    assert "done, not fit" in printed(outcomes)
    assert "1 not fit to score" in scans.sentence(outcomes, "mix", tmp_path)


def test_scores_without_calibration_are_said_to_mean_nothing():
    assert "not calibrated" in printed([Outcome("a", "done", 0.5, 1.0)], calibrated=False)


def test_the_sentence_tells_what_was_done_before(tmp_path):
    outcomes = [Outcome("a", "skipped", 0.5), Outcome("b", "failed"), Outcome("c", "done", 0.5)]
    assert scans.sentence(outcomes, "mix", tmp_path) == (
        f"1 of 3 scans scored with mix, 1 were done before, 1 failed; outputs in {tmp_path}"
    )
    assert json.dumps(scans.as_json(outcomes, "mix", tmp_path))


def test_a_log_has_lines_with_the_time_left_and_a_terminal_a_bar():
    text = io.StringIO()
    with scans.ScanProgress(Console(file=text, width=100)) as progress:
        for number in range(3):
            progress(Outcome(f"scan{number}", "done", 0.5, 2.0), 3)
    lines = text.getvalue().strip().splitlines()
    assert lines[0].startswith("[1/3] scan0: done score 0.5000 (2.0 s), about ")
    assert lines[2] == "[3/3] scan2: done score 0.5000 (2.0 s)"
    text = io.StringIO()
    with scans.ScanProgress(Console(file=text, width=100, force_terminal=True)) as progress:
        progress(Outcome("scan0", "done", 0.5, 2.0), 3)
    assert "1/3" in text.getvalue()


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (700, "12 min"), (12_600, "3.5 h")])
def test_times_in_the_unit_people_choose(seconds, words):
    assert duration(seconds) == words
