"""The names of classes, as far as the results hold them: of the forget set's, and of those that a model predicted."""

from collections import defaultdict
from typing import Final

from lethe.report._board import Key
from lethe.results import Results


def class_names(results: Results) -> dict[Key, dict[int, str]]:
    """Return the names of classes that predictions of the forget set hold: of its classes, and those predicted."""
    names: defaultdict[Key, dict[int, str]] = defaultdict(dict)
    for row in results.query(_NAMES).to_pylist():
        names[row["study"], row["scenario"]][row["label"]] = row["name"]
    return names


_NAMES: Final = """
select distinct study, scenario, label, label_name as name from predictions where label is not null
union
select distinct study, scenario, predicted, predicted_name from predictions where predicted is not null
"""
