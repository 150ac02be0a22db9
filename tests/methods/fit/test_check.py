from dataclasses import replace

import numpy as np

from mood.methods.fit.check import CHECKS, check_fit, fit_grid
from mood.methods.fit.verdict import FIT, NOT_CHECKED, Fit, Limit, held_against
from mood.regions import BRAIN, REGIONS


def test_every_region_has_a_check_and_a_new_one_is_said_not_to():
    assert CHECKS.keys() == REGIONS.keys()
    found = check_fit(np.zeros((24, 20, 16), np.float32), (1.0, 2.0, 3.0), replace(BRAIN, name="knee"))
    assert found.told == NOT_CHECKED
    assert found.ok


def test_scans_are_looked_at_where_methods_register_them():
    assert fit_grid(BRAIN).spacing_mm == (1.7, 1.7, 1.7)


def test_limits_are_told_with_the_figure_and_what_is_usual():
    limits = [Limit("volume_ml", "too small", "{:.0f} ml", low=700), Limit("gas", "a chest", "{:.0%} gas", high=0.2)]
    assert held_against(limits, {"volume_ml": 80.4, "gas": 0.3}) == (
        "too small (80 ml; at least 700 is usual)",
        "a chest (30% gas; at most 0.2 is usual)",
    )
    assert held_against(limits, {"volume_ml": 700, "gas": 0.2}) == ()
    assert held_against(limits, {}) == ()


def test_reasons_are_joined():
    assert Fit().told == FIT
    assert Fit(("a slab", "a chest")).told == "a slab; a chest"
