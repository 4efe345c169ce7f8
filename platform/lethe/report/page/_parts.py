"""Which measure makes the gap: UA, RA, TA and MIA of every row, seed by seed, against the spread of the oracles."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lethe.report._numbers import METRICS, row_title
from lethe.report.page._gather import Model, ScenarioPart
from lethe.report.page._glance import kind_of
from lethe.report.page._wording import difference, percent
from lethe.results.views import DeviationRow, LeaderboardRow

Name = Literal["ua", "ra", "ta", "mia"]

NAMES: Final[tuple[Name, ...]] = ("ua", "ra", "ta", "mia")


@dataclass(frozen=True)
class Strip:
    """One measure of one row, drawn on the scale of its column, in percent of its width.

    Attributes:
        dots: one a seed.
        mean: of them; None where there are none.
        band: the lowest and the highest oracle; None where there is none.
        part: points that the measure adds to the gap; empty where the row has no gap.
        largest: whether it adds the most.
        told: the mean and the difference to the paired oracles, in words.
    """

    dots: tuple[float, ...]
    mean: float | None
    band: tuple[float, float] | None
    part: str
    largest: bool
    told: str


@dataclass(frozen=True)
class PartsRow:
    """The four strips of one row; ``kind`` as in a leaderboard."""

    name: str
    kind: str
    gap: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Parts:
    """All rows, and of each measure its name and the ends of its scale, in percent."""

    heads: tuple[tuple[str, str, str], ...]
    rows: tuple[PartsRow, ...]


def parts_of(scenario: ScenarioPart) -> Parts | None:
    """Return the strips of a scenario; None where it has no table or no oracles, or is not one of those drawn."""
    if scenario.board is None or not scenario.board.has_oracles or not scenario.models:
        return None
    models: defaultdict[str, list[Model]] = defaultdict(list)
    for model in scenario.models:
        models[model.row].append(model)
    scales = {name: _scale(scenario.models, name) for name in NAMES}
    deviations = {(one.row, one.metric): one for one in scenario.deviations}
    return Parts(
        tuple((METRICS[name], percent(scales[name][0]), percent(scales[name][1])) for name in NAMES),
        tuple(
            _row(line, models[line.row], models["oracle"], scales, deviations)
            for line in scenario.board.lines
            if line.row in models
        ),
    )


def _row(
    line: LeaderboardRow,
    models: Sequence[Model],
    oracles: Sequence[Model],
    scales: dict[Name, tuple[float, float]],
    deviations: dict[tuple[str, str], DeviationRow],
) -> PartsRow:
    own = {name: deviations[line.row, name] for name in NAMES if (line.row, name) in deviations}
    adds = {name: found.gap_part for name, found in own.items()} if line.gap is not None else {}
    most = max(adds, key=lambda name: adds[name], default=None)
    return PartsRow(
        row_title(line.row, untuned=line.untuned),
        kind_of(line),
        percent(line.gap),
        tuple(
            Strip(
                dots=tuple(_at(value, scales[name]) for value in _values(models, name)),
                mean=_mean([_at(value, scales[name]) for value in _values(models, name)]),
                band=_band(oracles, name, scales[name]),
                part=percent(adds.get(name)),
                largest=name == most,
                told=_told(_values(models, name), own.get(name)),
            )
            for name in NAMES
        ),
    )


def _values(models: Iterable[Model], name: Name) -> list[float]:
    return [value for model in models if (value := getattr(model, name)) is not None]


def _scale(models: Sequence[Model], name: Name) -> tuple[float, float]:
    """Return the lowest and the highest value of a measure, at least a point apart."""
    values = _values(models, name) or [0.0]
    low, high = min(values), max(values)
    air = max(0.0, 0.01 - (high - low)) / 2
    return low - air, high + air


def _at(value: float, scale: tuple[float, float]) -> float:
    return 100 * (value - scale[0]) / (scale[1] - scale[0])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _band(oracles: Sequence[Model], name: Name, scale: tuple[float, float]) -> tuple[float, float] | None:
    values = _values(oracles, name)
    return (_at(min(values), scale), _at(max(values), scale)) if values else None


def _told(values: Sequence[float], found: DeviationRow | None) -> str:
    if not values:
        return "not measured"
    mean = f"{percent(sum(values) / len(values))} %"
    return mean if found is None else f"{mean}, {difference(found.difference, found.low, found.high)} to its oracles"
