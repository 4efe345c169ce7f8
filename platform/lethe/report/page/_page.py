"""Renders the page: what was gathered, in words, tables and figures, filled into one template that fetches nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from lethe.report import _break_even as break_even
from lethe.report import _clinical as clinical
from lethe.report import _drift as drift
from lethe.report._audits import AUDITS_TO_READ, audits_of
from lethe.report._board import Board
from lethe.report._headline import headline
from lethe.report._notes import notes_of
from lethe.report._numbers import count, listed
from lethe.report._ranks import MEAN_RANKS_TO_READ, families_in_words, front_in_words
from lethe.report.page import _drift_figures as drift_figures
from lethe.report.page import _figures as draw
from lethe.report.page import _glance_figures as glance_figures
from lethe.report.page import _tables as tables
from lethe.report.page import _wording as wording
from lethe.report.page._anchors import anchor
from lethe.report.page._canvas import shared_json
from lethe.report.page._explore import explored
from lethe.report.page._gallery import galleries
from lethe.report.page._gather import DETAILED, ScenarioPart, Searched, StudyPart, gather
from lethe.report.page._glance import AUDIT_SYMBOLS, HEATS, NOT_AUDITED, SYMBOLS, glance_of
from lethe.report.page._glossary import glossary, meaning
from lethe.report.page._importance import importance_of
from lethe.report.page._parts import parts_of
from lethe.report.page._saliency import Layers, layers_of
from lethe.results import Results, durations
from lethe.results.deliveries import known_deliveries
from lethe.storage.root import StorageRoot

OPEN: Final = 2
"""Scenarios up to which a page shows the details of each unfolded."""


@dataclass(frozen=True)
class Page:
    """A self-contained page.

    Attributes:
        images: how many different images that were asked to be forgotten it holds.
    """

    html: str
    images: int


@dataclass(frozen=True)
class Figure:
    """A figure with its title and caption; a wide one takes the whole width."""

    title: str
    json: Markup
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Search:
    """How the search of one method is shown.

    Attributes:
        finished, ended: whether any trial did or broke off.
        importance: of each searched option, as a share; empty where too little is known.
    """

    title: str
    summary: str
    finished: bool
    ended: bool
    tuning: tuple[Figure, ...]
    importance: Mapping[str, float]
    trials: tuple[tables.TrialLine, ...]
    curves: tuple[Figure, ...]
    curves_caption: str
    layers: Layers | None
    layers_figure: Figure | None


def render_page(
    root: StorageRoot,
    study: str | None,
    *,
    specification: str | None = None,
    images: bool = True,
    names: bool = False,
    live: bool = False,
) -> Page:
    """Render the report of one study or of all.

    Args:
        specification: whose tables; if not given, of each study the specification that was run last.
        images: whether the forget samples are shown with their pictures.
        names: whether they are shown with their files and patients.
        live: whether the page listens to the server that it came from, at ``/events``, for what is new.

    Raises:
        QueryError: no results in the place, or none of that study.
        SchemaError: a newer Lethe wrote a part.
        MalformedError: a certificate among the results was changed.
    """
    results = Results(root, study, specification)
    report = gather(results)
    glances = {part.name: glance_of(part) for part in report.studies}
    drawn = [one.board for part in report.studies for one in part.scenarios if one.board and one.detailed]
    found = galleries(results, report, images=images, names=names)
    text = _template().render(
        report=report,
        root=root,
        study=study,
        live=live,
        galleries=found,
        explored=explored(results, report),
        searches={
            (part.name, scenario.asked.scenario): [
                _search(search, scenario, part, root) for search in scenario.searches
            ]
            for part in report.studies
            for scenario in part.scenarios
        },
        glances=glances,
        deliveries=known_deliveries(root),
        has_oracles=any(part.has_oracles for part in report.studies),
        compared={board.key: tuple(_compared(board)) for board in drawn},
        drifts={board.key: tuple(_drift(board)) for part in report.studies for board in _ends_of_streams(part)},
        costs={part.name: _cost_figure(part) for part in report.studies},
        unfolded=sum(len(part.scenarios) for part in report.studies) <= OPEN,
        detailed=DETAILED,
        now=datetime.now(UTC),
        lethe_version=version("lethe"),
    )
    return Page(text.lstrip(), found.images)


@cache
def _template() -> Any:
    """Read the template with its styles and scripts; whatever is filled in later is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals = {
        **environment.globals,
        "style": Markup(_file("style.css")),
        "shared_layout": Markup(shared_json()),
        "script": Markup("".join(map(_file, ("explore.js", "gallery.js", "page.js")))),
        "plotly": Markup(get_plotlyjs()),
        "glossary": glossary,
        "anchor": anchor,
        "meaning": meaning,
        "MEAN_RANKS_TO_READ": MEAN_RANKS_TO_READ,
        "AUDITS_TO_READ": AUDITS_TO_READ,
        "HEATS": HEATS,
        "SYMBOLS": SYMBOLS,
        "AUDIT_SYMBOLS": AUDIT_SYMBOLS,
        "NOT_AUDITED": NOT_AUDITED,
        "audits_of": audits_of,
        "families_in_words": families_in_words,
        "headline": headline,
        "notes_of": notes_of,
        "parts_of": parts_of,
        "sortable": tables.sortable,
        "clinical": clinical,
        "tables": tables,
        "break_even": break_even,
        "drift": drift,
        "durations": durations,
        "wording": wording,
    }
    return environment.from_string(_file("template.html.j2"))


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _search(search: Searched, scenario: ScenarioPart, part: StudyPart, root: StorageRoot) -> Search:
    layers = layers_of(search, part.study, root)
    title = wording.searched_title(search.method, search.row)
    alone = [other.row for other in scenario.searches].count(search.row) == 1
    return Search(
        title=title if alone else f"{title} (search {search.method_search[:8]})",
        summary=_summary(search),
        finished=bool(search.finished),
        ended=any(trial.status != "done" for trial in search.trials),
        tuning=tuple(_tuning(search)),
        importance=importance_of(search),
        trials=tables.trials_of(search),
        curves=tuple(_curves(search, scenario)),
        curves_caption=_curves_caption(search, scenario),
        layers=layers,
        layers_figure=_layers_figure(layers) if layers and layers.shares else None,
    )


def _summary(search: Searched) -> str:
    """Describe how the trials of a search ended, and which was chosen."""
    ends: dict[str, int] = {}
    for trial in search.trials:
        ends[trial.status] = ends.get(trial.status, 0) + 1
    ended = ", ".join(f"{number} {status}" for status, number in ends.items())
    chosen, choice = search.chosen, search.choice
    if chosen is None or choice is None:
        return f"{count(len(search.trials), 'trial')}: {ended}. None finished, so none was chosen."
    rates = [f"{name} {value:.3g}" for name in ("lr", "density") if (value := getattr(chosen, name)) is not None]
    setting = f", {', '.join(rates)}" if rates else ""
    raced = f", and {count(choice.tuning_raced, 'run')} on further tuning seeds" if choice.tuning_raced else ""
    return (
        f"{count(len(search.trials), 'trial')}: {ended}{raced}. Chosen: trial {chosen.number}{setting}, with a "
        f"gap of {wording.percent(choice.tuning_gap)} points on the tuning {listed('seed', choice.tuning_seeds)}."
    )


def _tuning(search: Searched) -> Iterable[Figure]:
    flat = all(trial.density is None for trial in search.trials)
    if any(trial.lr for trial in (search.finished if flat else search.trials)):
        yield Figure(
            "Gap over learning rate" if flat else "Gap over learning rate and density",
            Markup(draw.landscape(search)),
            "On the tuning seeds." if flat else "Colour: the gap, in points, on the tuning seeds.",
        )
    if not search.finished:
        return
    yield Figure("Best gap against trials", Markup(draw.history(search, "trials")))
    yield Figure(
        "Best gap against time",
        Markup(draw.history(search, "seconds")),
        "Seconds of the trials, added in their order. Those that ran side by side took less time than that.",
    )
    if (lines := draw.parallel(search)) is not None:
        yield Figure(
            "Searched options",
            Markup(lines),
            "Each line a finished trial, blue where its gap is small, orange where it is large; the thick line is the "
            f"chosen one.{draw.shown_lines(search)}",
            wide=True,
        )


def _curves(search: Searched, scenario: ScenarioPart) -> Iterable[Figure]:
    if _has_curve(search):
        for measure, title in draw.MEASURES.items():
            yield Figure(title, Markup(draw.curve(search, measure, scenario.oracles)))


def _has_curve(search: Searched) -> bool:
    """Return whether there is more to draw than the end of several epochs."""
    return len(search.measured) > 1 or 0 < len(search.measured) == len(search.epochs)


def _curves_caption(search: Searched, scenario: ScenarioPart) -> str:
    """Explain the lines and the band of the curves, or why there are none."""
    if search.chosen is None:
        return "No trial was chosen, so there is no curve."
    if not _has_curve(search):
        return (
            "The chosen trial was measured after its last epoch alone. With search.curves: true trials are measured "
            "after every epoch; those that have ended are not run again for it."
        )
    every = "each epoch" if len(search.measured) == len(search.epochs) else "each epoch that was measured"
    parts = [
        f"Percent after {every} of the chosen trial, on the tuning {listed('seed', search.chosen.training_seeds)}. "
        "Dashed: the oracle there."
    ]
    if scenario.oracles:
        seeds = listed("seed", [oracle.training_seed for oracle in scenario.oracles])
        parts.append(
            f"Band: lowest to highest oracle of the reporting {seeds}, which no line here comes from; it shows how "
            "much retraining alone varies."
        )
        if draw.oracle_band("mia", scenario.oracles) is None:
            parts.append("MIA has no band: reporting takes its non-members from test, the search from validation.")
    else:
        parts.append("No band: no oracle of a reporting seed is confirmed yet.")
    return " ".join(parts)


def _layers_figure(layers: Layers) -> Figure:
    return Figure(
        "Trainable weights by layer",
        Markup(draw.layers(layers.shares, layers.density)),
        f"Share of each layer's weights that the chosen density {layers.density:.3g} leaves trainable, over the "
        f"tuning {listed('seed', layers.seeds)}; first layer on top. Reporting seeds have originals, and so masks, of "
        "their own.",
        wide=True,
    )


def _compared(board: Board) -> Iterable[Figure]:
    """Draw every gap of a board, and what it costs."""
    if (drawn := glance_figures.forest(board)) is not None:
        yield Figure("Every gap, with its 95 % interval", Markup(drawn))
    if (drawn := glance_figures.front(board)) is not None:
        yield Figure("Gap against images trained on", Markup(drawn), front_in_words(board))


def _ends_of_streams(part: StudyPart) -> list[Board]:
    """Return the boards of a study that are about the last request of a stream."""
    return [one.board for one in part.scenarios if one.board and one.board.ends_stream]


def _drift(board: Board) -> Iterable[Figure]:
    yield Figure("Gap after each request", Markup(drift_figures.gaps(board.drift)))
    score = board.score[0].upper() + board.score[1:]
    yield Figure(f"{score} on test after each request", Markup(drift_figures.accuracies(board.drift)))


def _cost_figure(part: StudyPart) -> Figure | None:
    seconds = tables.stages_of(part)
    return Figure("Seconds by stage", Markup(draw.stages(seconds)), wide=True) if seconds else None
