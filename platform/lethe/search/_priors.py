"""The settings of other searches that a search begins with: where they are from, and that they stay the same.

They are looked up when the search first begins, and recorded with the results. So a search that goes on proposes what
it did, even if other searches have ended meanwhile; and the list is part of what identifies the search.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from lethe.results import PriorsRow, Store, to_rows
from lethe.results.json_column import json_column
from lethe.results.settings import chosen_settings
from lethe.storage.hashing import fingerprint
from lethe.study import Choices, ChosenSetting, MethodChoice, MethodSearch, Prior, StudyError, read_settings

EVERY_STUDY: Final = "results"
"""What `search.start_from` calls all studies of the results."""


def with_priors(method_searches: Sequence[MethodSearch], store: Store) -> list[MethodSearch]:
    """Return the method searches with the settings that they begin with: as recorded, else as found now.

    Raises:
        StudyError: a study or settings file does not exist or cannot be read, or a setting was chosen on a reporting
            seed of the same images; all errors at once.
        CorruptRowError: a row holds what no Lethe writes.
    """
    searched = [one for one in method_searches if _begins(one)]
    if not searched:
        return list(method_searches)
    study = searched[0].study
    recorded = {row.priors_id: row for row in to_rows(store.read("priors", study.name), PriorsRow)}
    known: dict[str, list[ChosenSetting]] = {}
    if any(_priors_id(one) not in recorded for one in searched):
        known = _known(searched[0], store)
    problems = [line for one in searched if _priors_id(one) not in recorded for line in _leaks(one, known)]
    if problems:
        raise StudyError("\n".join([f"{study.name}: settings to start from", *map("  {}".format, problems)]))
    return [_with(one, recorded.get(_priors_id(one)), known) if _begins(one) else one for one in method_searches]


def unrecorded(method_searches: Sequence[MethodSearch], store: Store) -> list[PriorsRow]:
    """Return the rows that record what searches begin with, of those that begin now."""
    searched = [one for one in method_searches if _begins(one)]
    if not searched:
        return []
    present = set(store.read("priors", searched[0].study.name)["priors_id"].to_pylist())
    return [row for one in searched if (row := _row(one)).priors_id not in present]


def _begins(method_search: MethodSearch) -> bool:
    return bool(method_search.study.search.start_from and method_search.choice.search)


def _priors_id(method_search: MethodSearch) -> str:
    alone = replace(method_search, priors=())
    return fingerprint({"search": alone.fingerprint, "start_from": list(method_search.study.search.start_from)})


def _row(method_search: MethodSearch) -> PriorsRow:
    priors = [{"setting": prior.setting, "source": prior.source} for prior in method_search.priors]
    return PriorsRow(
        study=method_search.study.name,
        priors_id=_priors_id(method_search),
        method_search=method_search.fingerprint,
        scenario=method_search.scenario.fingerprint,
        row=method_search.row,
        priors=json.dumps({"priors": priors}),
        recorded_at=datetime.now(UTC),
    )


def _known(method_search: MethodSearch, store: Store) -> dict[str, list[ChosenSetting]]:
    """Read the settings of each source that the study names."""
    search, studies = method_search.study.search, store.studies()
    known: dict[str, list[ChosenSetting]] = {}
    for number, name in enumerate(search.start_from):
        if number in search.start_files:
            known[name] = list(read_settings(search.start_files[number]))
        elif name == EVERY_STUDY:
            known[name] = chosen_settings(store.root, complete=True) if studies else []
        elif name in studies:
            known[name] = chosen_settings(store.root, name, complete=True)
        else:
            raise StudyError(
                f"search.start_from.{number}: no study {name!r} in {store.root}; studies there: "
                f"{', '.join(studies) or 'none'}; a settings file ends in .yaml"
            )
    return known


def _fitting(
    method_search: MethodSearch, known: Mapping[str, Sequence[ChosenSetting]]
) -> Iterator[tuple[ChosenSetting, dict[str, Any]]]:
    """Yield the settings of the same row, within the ranges, in the order of the sources.

    Of all studies those of other images count, else a search would begin with what it found itself.
    """
    for name, settings in known.items():
        for one in settings:
            same_images = one.tuned_on.data_hash == method_search.scenario.data_hash
            if one.row != method_search.row or (name == EVERY_STUDY and same_images):
                continue
            if (setting := within(method_search.choice, one.setting)) is not None:
                yield one, setting


def _leaks(method_search: MethodSearch, known: Mapping[str, Sequence[ChosenSetting]]) -> Iterator[str]:
    for one, _ in _fitting(method_search, known):
        leaked = sorted({*one.search.seeds} & {*method_search.study.seeds.reporting})
        if leaked and one.tuned_on.data_hash == method_search.scenario.data_hash:
            yield (
                f"search.start_from: {method_search.row} of study {one.search.study} was chosen on the seeds {leaked} "
                f"of the same images ({one.tuned_on.title}), which are reporting seeds here: name others in "
                "seeds.reporting"
            )


def _with(
    method_search: MethodSearch, recorded: PriorsRow | None, known: Mapping[str, Sequence[ChosenSetting]]
) -> MethodSearch:
    if recorded is not None:
        found = json_column("priors", recorded.priors)["priors"]
        return replace(method_search, priors=tuple(Prior(one["setting"], one["source"]) for one in found))
    priors: dict[str, Prior] = {}
    for one, setting in _fitting(method_search, known):
        source = f"study {one.search.study}: {one.tuned_on.title}"
        priors.setdefault(json.dumps(setting, sort_keys=True), Prior(setting, source))
    return replace(method_search, priors=tuple(priors.values()))


def within(choice: MethodChoice, setting: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the searched options of a setting, numbers clipped to their ranges.

    Returns:
        None where an option has a value that is no number of a range, or none of the choices.
    """
    fields = choice.method.model_fields
    found: dict[str, Any] = {}
    for name, dimension in choice.search.items():
        value = setting.get(name, fields[name].default)
        if isinstance(dimension, Choices):
            if value not in dimension.choices:
                return None
            found[name] = dimension.choices[dimension.choices.index(value)]
        elif isinstance(value, bool) or not isinstance(value, int | float):
            return None
        else:
            clipped = min(max(value, dimension.low), dimension.high)
            found[name] = int(clipped) if choice.is_whole(name) else float(clipped)
    return found
