import pytest

from unlearning.metrics import (
    REPORT_METRICS,
    SEARCH_METRICS,
    average_gap,
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
