from unlearning.metrics import REPORT_METRICS, SEARCH_METRICS, versions


def test_every_metric_that_a_search_or_a_table_compares_has_a_version() -> None:
    found = versions()
    assert {*SEARCH_METRICS, *REPORT_METRICS, "gap", "tow"} <= found.keys()
    assert all(version >= 1 for version in found.values())
