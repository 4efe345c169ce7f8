"""What else is stored under a study's name: specifications of other tables, and in what they differ."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml

from lethe.results import Results

NAMED: Final = 4
"""Differences that a sentence names; the others are counted."""


@dataclass(frozen=True)
class Other:
    """A specification whose tables are not those that are shown.

    Attributes:
        differences: dotted option, its value there and its value in what is shown.
    """

    study: str
    specification_id: str
    run_at: datetime
    differences: tuple[tuple[str, str, str], ...]

    @property
    def sentence(self) -> str:
        """A sentence: when it was run, in what it differs, and which command shows it."""
        named = "; ".join(f"{key} {there} (shown: {here})" for key, there, here in self.differences[:NAMED])
        more = f" and {len(self.differences) - NAMED} more" if len(self.differences) > NAMED else ""
        return (
            f"Also stored under this name, run {self.run_at:%Y-%m-%d %H:%M} UTC, with {named or 'no known difference'}"
            f"{more}: lethe leaderboard --study {self.study} --specification {self.specification_id[:8]}"
        )


def others_of(results: Results) -> dict[str, tuple[Other, ...]]:
    """Find, by study, the specifications whose boards hold other confirmations or another margin, newest first."""
    boards = results.query(_BOARDS).to_pylist()
    texts = {row["specification_id"]: row["specification"] for row in results.query(_TEXTS).to_pylist()}
    shown = {row["study"]: row for row in boards if row["shown"]}
    found: defaultdict[str, list[Other]] = defaultdict(list)
    for row in boards:
        here = shown.get(row["study"])
        if here is None or row["shown"] or not row["confirmations"] or _is_told_by(row, here):
            continue
        differences = _differences(texts.get(row["specification_id"]), texts.get(here["specification_id"]))
        found[row["study"]].append(Other(row["study"], row["specification_id"], row["run_at"], tuple(differences)))
    return {study: tuple(others) for study, others in found.items()}


def unlisted_of(results: Results) -> dict[str, int]:
    """Count, by study, the confirmations that no board names: those from versions before boards were kept."""
    return {row["study"]: row["unlisted"] for row in results.query(_UNLISTED).to_pylist()}


def _is_told_by(board: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Whether a table adds nothing to the one that is shown: no other model, no other margin."""
    return bool(set(board["confirmations"]) <= set(shown["confirmations"]) and board["margin"] == shown["margin"])


_BOARDS: Final = """
select study, specification_id, max(run_at) as run_at, any_value(margin) as margin,
    coalesce(list(distinct confirmation_id) filter (c.confirmation_id is not null), []) as confirmations,
    specification_id in (select specification_id from asked) as shown
from boards b left join confirmations c using (study, confirmation_id) group by study, specification_id
order by run_at desc, specification_id
"""

_UNLISTED: Final = """
select study, count(*) as unlisted
from confirmations anti join (select study, confirmation_id from boards) using (study, confirmation_id)
where role is null and study in (select study from boards)
group by study
"""

_TEXTS: Final = "select specification_id, specification from studies"


def _differences(there: str | None, here: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield the options in which two specifications differ; an option that one of them lacks is 'not set' there."""
    if there is None or here is None:
        return
    first, second = dict(_flat(yaml.safe_load(there))), dict(_flat(yaml.safe_load(here)))
    for key in dict.fromkeys([*first, *second]):
        one, other = first.get(key, "not set"), second.get(key, "not set")
        if one != other:
            yield key, one, other


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted places and values; a list whose items have names goes by these, a plain one counts as one value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}.{item.get('name', index)}")
    else:
        yield path, str(value)
