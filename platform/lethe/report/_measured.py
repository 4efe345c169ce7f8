"""Whether there is anything that a view could show, which is asked before a costly view is planned."""

from lethe.results import Results


def is_measured(results: Results, condition: str) -> bool:
    """Return whether any recorded measure meets a condition, SQL over the columns of `recorded_measures`."""
    return len(results.query(f"select 1 from recorded_measures where {condition} limit 1")) > 0
