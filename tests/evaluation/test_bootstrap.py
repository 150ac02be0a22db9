import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mood.evaluation.bootstrap import bootstrap_interval
from mood.evaluation.metrics import auroc, average_precision, count_scores, count_values, stack_cases

SHAPE = (24, 20, 16)


def draw_case(rng, share=0.1, signal=0.3):
    """A label and a map that partly sees it, with values below 0 and above 1."""
    label = rng.random(SHAPE) < share
    return (rng.normal(0.4, 0.3, SHAPE) + signal * label).astype(np.float32), label


def test_an_undefined_metric_has_an_undefined_interval():
    lonely = stack_cases([count_values(np.linspace(0, 1, 5), np.full(5, False))])
    assert np.isnan(bootstrap_interval(lonely, auroc, np.random.default_rng(0), resamples=10)).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_bootstrap_equals_resampling_by_hand(cases, seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.random(cases), rng.random(cases) < 0.5
    counts = count_scores(scores, labels)
    interval = bootstrap_interval(counts, average_precision, np.random.default_rng(seed), 60, level=0.8)
    weights = np.random.default_rng(seed).multinomial(cases, np.full(cases, 1 / cases), size=60)
    resampled = [np.repeat(np.arange(cases), times) for times in weights]
    estimates = [average_precision_score(labels[c], scores[c]) for c in resampled if labels[c].any()]
    expected = np.quantile(estimates, [0.1, 0.9]) if estimates else [np.nan, np.nan]
    np.testing.assert_allclose(interval, expected, atol=1e-12)


def test_bootstrap_interval_holds_the_estimate_and_narrows_with_cases():
    rng = np.random.default_rng(6)
    stacked = stack_cases([count_values(*draw_case(rng, share=rng.uniform(0, 0.3))) for _ in range(24)])
    few = bootstrap_interval(stacked.cases(np.arange(4)), average_precision, np.random.default_rng(0), 200)
    many = bootstrap_interval(stacked, average_precision, np.random.default_rng(0), 200)
    assert many[0] < average_precision(stacked.pooled()) < many[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert many == bootstrap_interval(stacked, average_precision, np.random.default_rng(0), 200)
