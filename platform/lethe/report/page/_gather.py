"""What the page says, read from the results: one object a study, one a scenario, nothing of how it looks.

Every table is read a few times at most, however many scenarios there are. What a scenario's figures need is read for
the first `DETAILED` scenarios alone, so that a page of a thousand scenarios stays one that a browser opens.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from lethe.report._board import Board, Key, boards_of, is_choice
from lethe.report._clinical import Clinic, clinics_of
from lethe.report._others import Other, others_of
from lethe.report.page._wording import (
    Answer,
    Progress,
    confirmed_answer,
    searched_answer,
    unsearched_answer,
)
from lethe.results import QueryError, Results, Store, StudyRow, to_rows
from lethe.results.views import AugmentationRow, ChosenRow, CostRow, DeviationRow, FailureRow
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot
from lethe.study import Study, StudyError, read_text
from unlearning.data._names import natural_key

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowT = TypeVar("RowT", bound="DataclassInstance")
_UNIT: Final = re.compile(r"^(.*?\.[0-9a-f]{32})(?:/.*)?$")
"""What is in quarantine, by the unique name that it got there; a folder's files follow."""

DETAILED: Final = 20
"""Scenarios whose search, curves, saliency and samples are drawn."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one scenario asks for."""

    study: str
    scenario: str
    dataset: str
    augmentation: str
    network: str
    forget: str
    forget_images: int
    forget_duplicates: int


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial, as the figures need it."""

    study: str
    scenario: str
    method: str
    method_search: str
    trial_id: str
    number: int
    lr: float | None
    density: float | None
    setting: str
    status: str
    gap: float | None
    original_gap: float | None
    oracle_ua: float | None
    oracle_ra: float | None
    oracle_va: float | None
    oracle_mia: float | None
    training_seeds: list[int]
    originals: list[str]
    oracles: list[str]
    seconds_total: float

    @property
    def measured(self) -> float | None:
        """The trial's gap; None where the trial did not run to its end."""
        return self.gap if self.status == "done" else None


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What a chosen trial measured after one epoch."""

    trial_id: str
    epoch: int
    ua: float | None
    ra: float | None
    va: float | None
    mia: float | None


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """An oracle of a reporting seed."""

    study: str
    scenario: str
    training_seed: int
    ua: float | None
    ra: float | None
    va: float | None
    mia: float | None
    mia_nonmembers: str
    seconds_retrain: float | None


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that a table compares: of a reporting seed, or an oracle of a tuning seed."""

    study: str
    scenario: str
    row: str
    ua: float | None
    ra: float | None
    ta: float | None
    mia: float | None


@dataclass(frozen=True, kw_only=True)
class Made:
    """The code, libraries and machine that made rows of a study, and how many rows."""

    study: str
    lethe_version: str
    code_version: str | None
    python_version: str
    torch_version: str
    ray_version: str | None
    optuna_version: str | None
    device: str
    node: str
    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Searched:
    """The search of one scenario with one method, and the epochs of the trial that it chose.

    Attributes:
        choice: None where no trial finished.
    """

    method: str
    method_search: str
    trials: tuple[Tried, ...]
    choice: ChosenRow | None
    epochs: tuple[Epoch, ...]

    @property
    def row(self) -> str:
        """The row of the table that was searched: the method, or a control that was tuned itself."""
        return self.choice.row if self.choice else self.method

    @property
    def measured(self) -> tuple[Epoch, ...]:
        """The epochs after which the chosen trial was measured."""
        return tuple(epoch for epoch in self.epochs if epoch.ra is not None)

    @property
    def finished(self) -> list[Tried]:
        """The trials that can be chosen."""
        return [trial for trial in self.trials if trial.measured is not None]

    @property
    def chosen(self) -> Tried | None:
        """The trial that was chosen."""
        return next((one for one in self.trials if self.choice and one.trial_id == self.choice.trial_id), None)


@dataclass(frozen=True)
class ScenarioPart:
    """What the page says about one scenario.

    Attributes:
        board: None where nothing was confirmed.
        searches: empty where the scenario is not one of those that are drawn.
        oracles: of the reporting seeds, of a scenario that is drawn.
        models: of all rows, of a scenario that is drawn.
        deviations: of each measure from the oracle's, of a scenario that is drawn.
        clinic: what a clinic sees; None where the study does not ask for it.
    """

    asked: Asked
    answers: tuple[Answer, ...]
    board: Board | None
    detailed: bool
    searches: tuple[Searched, ...]
    oracles: tuple[Retrained, ...]
    models: tuple[Model, ...]
    deviations: tuple[DeviationRow, ...]
    clinic: Clinic | None


@dataclass(frozen=True)
class StudyPart:
    """What the page says about one study.

    Attributes:
        specification: the one whose tables are shown; None in results of an early version.
        specifications: how many the study was run with.
        study: the specification, read; None where there is none or this version cannot read it.
        models: models and saliency scores that were made.
        earlier: specifications that have a table, where the one that is shown has none yet.
    """

    name: str
    specification: StudyRow | None
    specifications: int
    study: Study | None
    scenarios: tuple[ScenarioPart, ...]
    augmentation: tuple[AugmentationRow, ...]
    cost: tuple[CostRow, ...]
    failures: tuple[FailureRow, ...]
    made: tuple[Made, ...]
    earlier: tuple[Other, ...]

    @property
    def has_oracles(self) -> bool:
        """Whether its rows are held against oracles: by its tables, and by its specification before there are any."""
        boards = [one.board for one in self.scenarios if one.board is not None]
        return any(board.has_oracles for board in boards) if boards else self.study is None or self.study.has_oracles

    @property
    def models(self) -> int:
        """Models and saliency scores that the study has made."""
        return sum(line.units for line in self.cost if line.stage in ("originals", "oracles", "saliency"))


@dataclass(frozen=True)
class Report:
    """What the page says.

    Attributes:
        left_out: scenarios whose search, curves, saliency and samples are not drawn.
        set_aside: what was found broken and moved to quarantine.
    """

    studies: tuple[StudyPart, ...]
    left_out: int
    quarantine: tuple[str, ...]


def gather(results: Results) -> Report:
    """Read what the page says of results.

    Raises:
        QueryError: no results there, or none of that study.
        SchemaError: a newer Lethe wrote a part.
    """
    root, study = results.root, results.study
    names = Store(root).studies()
    if study is not None and study not in names:
        raise QueryError(f"no results of study {study} in {root}; studies there: {', '.join(names) or 'none'}")
    return _Gathering(results).report([study] if study is not None else names)


class _Gathering:
    """One reading of the results, sorted by study and scenario.

    Rows may arrive meanwhile, but each table is read once, trials before epochs, so that a choice has its trial.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._asked = sorted(self._ask(_ASKED, Asked), key=_place)
        self._drawn = {(one.study, one.scenario) for one in self._asked[:DETAILED]}
        self._clinics = clinics_of(results)
        self._boards = {board.key: board for board in boards_of(results)}
        self._progress = _by_scenario(self._ask(_PROGRESS, Progress))
        self._chosen = {(row.study, row.method_search): row for row in self._view("chosen", ChosenRow)}
        drawn = f"{among(self._drawn)} and {_of_searches('true')} and {_OF_ROUND_0}"
        self._tried = _by_scenario(self._ask(f"{_TRIED} where {drawn}", Tried))
        self._oracles = _by_scenario(self._ask(f"{_RETRAINED} where {among(self._drawn)}", Retrained))
        self._models = _by_scenario(self._ask(f"{_MODELS} and {among(self._drawn)}", Model))
        self._deviations = _by_scenario(self._view("deviations", DeviationRow))
        self._epochs = defaultdict(list)
        chosen = ", ".join(
            _quoted(row.trial_id) for row in self._chosen.values() if (row.study, row.scenario) in self._drawn
        )
        if chosen:
            for row in self._ask(f"{_EPOCHS} where trial_id in ({chosen}) order by epoch", Epoch):
                self._epochs[row.trial_id].append(row)

    def report(self, names: Sequence[str]) -> Report:
        specifications = _by_study(self._ask("from studies order by started_at", StudyRow))
        asked_for = self._results.query("select distinct study, specification_id from asked").to_pylist()
        boards = {row["study"]: row["specification_id"] for row in asked_for}
        augmentation = _by_study(self._view("augmentation", AugmentationRow))
        cost = _by_study(self._view("cost", CostRow))
        failures = _by_study(self._view("failures", FailureRow))
        made = _by_study(self._ask(_MADE, Made))
        asked = _by_study(self._asked)
        others, with_board = others_of(self._results), {study for study, _ in self._boards}
        parts = []
        for name in names:
            shown = _shown(specifications[name], boards.get(name))
            read = _read(shown)
            parts.append(
                StudyPart(
                    name=name,
                    specification=shown,
                    specifications=len(specifications[name]),
                    study=read,
                    scenarios=tuple(self._scenario(one, read) for one in asked[name]),
                    augmentation=tuple(augmentation[name]),
                    cost=tuple(cost[name]),
                    failures=tuple(failures[name]),
                    made=tuple(made[name]),
                    earlier=() if name in with_board else others.get(name, ()),
                )
            )
        return Report(tuple(parts), len(self._asked) - len(self._drawn), _set_aside(self._results.root))

    def _scenario(self, asked: Asked, study: Study | None) -> ScenarioPart:
        key = (asked.study, asked.scenario)
        board = self._boards.get(key)
        return ScenarioPart(
            asked=asked,
            answers=tuple(self._answers(key, board, study)),
            board=board,
            detailed=key in self._drawn,
            searches=tuple(self._searches(key)),
            oracles=tuple(self._oracles[key]),
            models=tuple(self._models[key]),
            deviations=tuple(self._deviations[key]) if key in self._drawn else (),
            clinic=self._clinics.get(key),
        )

    def _answers(self, key: Key, board: Board | None, study: Study | None) -> Iterable[Answer]:
        """Yield what each method found; where there is no oracle the headline says so for all that are confirmed."""
        lines = (
            {line.method: line for line in board.lines if is_choice(line) and line.row == line.method} if board else {}
        )
        original = board.original if board else None
        against = {one.first: one for one in board.contrasts if one.second == "original"} if board else {}
        progress = {one.method: one for one in self._progress[key]}
        planned = [choice.name for choice in study.methods] if study else []
        has_oracles = board is None or board.has_oracles
        for method in dict.fromkeys([*planned, *lines, *progress]):
            if method in lines:
                if has_oracles or lines[method].status != "done":
                    yield confirmed_answer(lines[method], original, against.get(method))
            elif method in progress:
                yield searched_answer(progress[method])
            else:
                yield unsearched_answer(method)

    def _searches(self, key: Key) -> Iterable[Searched]:
        method_searches: defaultdict[str, list[Tried]] = defaultdict(list)
        for trial in self._tried[key]:
            method_searches[trial.method_search].append(trial)
        for method_search, trials in method_searches.items():
            choice = self._chosen.get((key[0], method_search))
            epochs = self._epochs[choice.trial_id] if choice else []
            yield Searched(trials[0].method, method_search, tuple(trials), choice, tuple(epochs))

    def _ask(self, sql: str, row_type: type[RowT]) -> list[RowT]:
        return to_rows(self._results.query(sql), row_type)

    def _view(self, name: str, row_type: type[RowT]) -> list[RowT]:
        return to_rows(self._results.load(name), row_type)


_ASKED_SCENARIOS: Final = (
    "(study not in (select study from boards) or (study, scenario) in (select (study, scenario) from asked))"
)
"""SQL: what the specifications that are shown ask for; everything, in results from before boards were kept."""


def _of_searches(condition: str) -> str:
    """Write the SQL that is true for trials of the searches that these specifications ask for, for some of the rows."""
    asked = f"(study, method_search) in (select (study, method_search) from asked where {condition})"
    return f"(study not in (select study from boards) or {asked})"


_OF_ROUND_0: Final = "coalesce(round, 0) = 0"
"""SQL: the trials on the first tuning seeds, which all settings have; runs of the race are on others."""

_ASKED: Final = f"""
select study, scenario, any_value(dataset) as dataset, any_value(augmentation) as augmentation,
    any_value(network) as network,    any_value(forget) as forget, max(forget_images) as forget_images,
    max(forget_duplicates) as forget_duplicates
from (
    select study, scenario, dataset, augmentation, network, forget, forget_images, forget_duplicates from trials
    union all
    select study, scenario, dataset, augmentation, network, forget, forget_images, forget_duplicates from confirmations
)
where {_ASKED_SCENARIOS}
group by study, scenario
"""

_PROGRESS: Final = f"""
select study, scenario, method, count(*) as trials,
    count(*) filter (status = 'done') as done,
    count(*) filter (status = 'diverged') as diverged,
    count(*) filter (status = 'failed') as failed,
    min(gap) filter (status = 'done') as best,
    any_value(original_gap) as original
from trials where {_of_searches("row = method")} and {_OF_ROUND_0}
group by study, scenario, method order by study, scenario, method
"""

_TRIED: Final = """
select study, scenario, method, method_search, trial_id, number, lr, density, setting, status, gap, original_gap,
    oracle_ua, oracle_ra, oracle_va, oracle_mia, training_seeds, originals, oracles, seconds_total
from (from trials order by study, scenario, method, method_search, number)
"""

_EPOCHS: Final = "select trial_id, epoch, ua, ra, va, mia from epochs"

_RETRAINED: Final = """
select study, scenario, training_seed, ua, ra, va, mia, mia_nonmembers, seconds_retrain
from (from confirmed where row = 'oracle' and status = 'done' order by training_seed)
"""

_MODELS: Final = """
select study, scenario, row, ua, ra, ta, mia
from (from compared order by row, training_seed) where status = 'done' and role <> 'dose'
"""

_MADE: Final = """
select study, lethe_version, code_version, python_version, torch_version, ray_version, optuna_version, device, node,
    count(*) as rows, min(started_at) as first, max(ended_at) as last
from (from trials union all by name from confirmations union all by name from artifacts)
group by study, lethe_version, code_version, python_version, torch_version, ray_version, optuna_version, device, node
order by study, first
"""


ScenarioRowT = TypeVar("ScenarioRowT", Progress, Tried, Retrained, Model, DeviationRow)
StudyRowT = TypeVar("StudyRowT", StudyRow, AugmentationRow, CostRow, FailureRow, Made, Asked)


def _place(asked: Asked) -> tuple[object, ...]:
    """Return what scenarios are ordered by: the second of several requests stands before the tenth."""
    return asked.study, asked.dataset, natural_key(asked.forget), asked.augmentation, asked.network, asked.scenario


def among(keys: Iterable[Key]) -> str:
    """Write the SQL that is true for the rows of these scenarios."""
    pairs = ", ".join(f"({_quoted(study)}, {_quoted(scenario)})" for study, scenario in sorted(keys))
    return f"(study, scenario) in ({pairs})" if pairs else "false"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _by_scenario(rows: Iterable[ScenarioRowT]) -> defaultdict[Key, list[ScenarioRowT]]:
    sorted_rows: defaultdict[Key, list[ScenarioRowT]] = defaultdict(list)
    for row in rows:
        sorted_rows[row.study, row.scenario].append(row)
    return sorted_rows


def _by_study(rows: Iterable[StudyRowT]) -> defaultdict[str, list[StudyRowT]]:
    sorted_rows: defaultdict[str, list[StudyRowT]] = defaultdict(list)
    for row in rows:
        sorted_rows[row.study].append(row)
    return sorted_rows


def _shown(specifications: Sequence[StudyRow], board: str | None) -> StudyRow | None:
    """Return the specification whose tables are shown; in results from before boards were kept, the newest."""
    of_board = [one for one in specifications if one.specification_id == board]
    return next(reversed(of_board or list(specifications)), None)


def _read(specification: StudyRow | None) -> Study | None:
    """Read a study as it was run; None where another version wrote what this one cannot read."""
    if specification is None:
        return None
    try:
        return read_text(specification.specification, specification.study)
    except StudyError:
        return None


def _set_aside(root: StorageRoot) -> tuple[str, ...]:
    """Name what is in quarantine; a folder counts once."""
    names = Layout(root).quarantine.names(recursive=True)
    return tuple(dict.fromkeys(_UNIT.sub(r"\1", name) for name in names))
