import math

import pytest
from scipy.stats import ttest_1samp

from unlearning.metrics import (
    REPORT_METRICS,
    SEARCH_METRICS,
    Interval,
    average_gap,
    interval,
    noise_floor,
    tug_of_war,
)

ORACLE = {"ua": 0.10, "ra": 1.00, "va": 0.88, "ta": 0.90, "mia": 0.20}
MODEL = {"ua": 0.06, "ra": 0.98, "va": 0.84, "ta": 0.93, "mia": 0.30}


def test_average_gap_is_the_mean_absolute_difference_over_the_named_metrics() -> None:
    assert average_gap(MODEL, ORACLE, REPORT_METRICS) == pytest.approx((0.04 + 0.02 + 0.03 + 0.10) / 4)
    assert average_gap(MODEL, ORACLE, SEARCH_METRICS) == pytest.approx((0.04 + 0.02 + 0.04 + 0.10) / 4)
    assert average_gap(ORACLE, ORACLE, REPORT_METRICS) == 0


def test_the_search_does_not_look_at_test() -> None:
    assert "ta" not in SEARCH_METRICS


def test_tug_of_war_multiplies_what_is_left_of_each_difference() -> None:
    assert tug_of_war(MODEL, ORACLE) == pytest.approx(0.96 * 0.98 * 0.97)
    assert tug_of_war(ORACLE, ORACLE) == 1


def test_noise_floor_is_each_oracles_mean_gap_to_the_other_seeds_oracles() -> None:
    oracles = [{"ua": ua, "ra": 1.0} for ua in (0.1, 0.2, 0.4)]
    assert noise_floor(oracles, ("ua", "ra")) == pytest.approx([0.1, 0.075, 0.125])


def test_noise_floor_of_one_seed_is_not_a_number() -> None:
    (floor,) = noise_floor([ORACLE], REPORT_METRICS)
    assert math.isnan(floor)


def test_oracles_of_different_seeds_that_score_the_same_have_no_noise() -> None:
    assert noise_floor([ORACLE, ORACLE, dict(ORACLE)], REPORT_METRICS) == [0, 0, 0]


def test_interval_equals_the_one_of_scipys_t_test() -> None:
    values = [0.031, 0.018, 0.027, 0.040, 0.022]
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    ours = interval(values)
    assert ours.mean == pytest.approx(0.0276)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high))


def test_interval_of_equal_values_has_no_width() -> None:
    assert interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)


def test_interval_of_one_seed_has_no_ends() -> None:
    one = interval([0.3])
    assert one.mean == 0.3
    assert math.isnan(one.low)
    assert math.isnan(one.high)
