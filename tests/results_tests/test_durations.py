"""Time spans in words."""

from lethe.results import durations


def test_an_estimated_span_has_no_decimals_that_would_claim_more() -> None:
    written = [durations.estimated(seconds) for seconds in (0.4, 99, 100, 3600, 7200)]
    assert written == ["0 s", "99 s", "2 min", "60 min", "2.0 h"]


def test_a_measured_span_has_one_decimal_of_its_unit() -> None:
    written = [durations.measured(seconds) for seconds in (None, 0.0, 0.04, 99.0, 120.0, 7200.0)]
    assert written == ["", "0.0 s", "< 0.1 s", "99.0 s", "2.0 min", "2.0 h"]
