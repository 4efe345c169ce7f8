"""The names of classes, as far as the results hold them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from lethe.results import Results

Names = Mapping[int, str]
"""Names by the position of the class."""


def class_names(results: Results) -> Mapping[tuple[str, str], Names]:
    """Return the names of the classes of each scenario, by study and fingerprint.

    Of results of an early version only those that predictions of the forget set hold: its classes, and those predicted.
    """
    names: defaultdict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    early = results.query(_EARLY).num_rows > 0
    for row in results.query(f"{_RECORDED} union all {_PREDICTED}" if early else _RECORDED).to_pylist():
        names[row["study"], row["scenario"]][row["class_index"]] = row["name"]
    return dict(names)


def class_title(names: Names, class_index: int) -> str:
    """Return how reports call a class: by its name where that is known."""
    return names.get(class_index, f"class {class_index}")


_NAMED: Final = """
(select study, scenario, min(class_names) as class_names from asked where class_names is not null group by all)
"""

_EARLY: Final = f"select 1 from confirmed anti join {_NAMED} using (study, scenario) limit 1"

_RECORDED: Final = f"""
select study, scenario, generate_subscripts(class_names, 1) - 1 as class_index, unnest(class_names) as name
from {_NAMED}
"""

_PREDICTED: Final = f"""
select * from (
    select study, scenario, label as class_index, label_name as name from predictions where label is not null
    union
    select study, scenario, predicted, predicted_name from predictions where predicted is not null
) anti join {_NAMED} using (study, scenario)
"""
