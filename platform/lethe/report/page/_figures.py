"""The figures of a search and its cost, one function a figure, as the JSON that plotly draws in the browser.

plotly draws them: it is well kept, its library of 4.8 MB can be embedded in the page so that nothing is fetched, and it
is what Optuna's own plots use. Parallel coordinates are drawn as lines, since plotly's own need a WebGL context each,
of which a browser gives about sixteen to a page and none to a printer.

Text that comes from a study is escaped, because plotly reads some HTML in labels.
"""

import html
import json
import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, Literal

import plotly.graph_objects as go

from lethe.report._numbers import count
from lethe.report.page._canvas import (
    BAND,
    INK,
    MUTED,
    ORACLE,
    SURFACE,
    UNLEARNED,
    figure_json,
    in_points,
    log_axis,
    spans_decades,
)
from lethe.report.page._gather import Retrained, Searched, Tried
from lethe.report.page._wording import method_title, percent
from lethe.results import durations
from lethe.results.json_column import json_column

Measure = Literal["ua", "ra", "va", "mia"]

MEASURES: Final[dict[Measure, str]] = {
    "ua": "UA, on the forget set",
    "ra": "RA, on retain",
    "va": "VA, on validation",
    "mia": "MIA-efficacy",
}


SCALE: Final = ((0.0, (38, 122, 188)), (0.5, (132, 158, 176)), (1.0, (217, 130, 43)))
"""From a small gap (blue) to a large one (orange): distinguishable with any colour vision, on white and on black."""

LINES: Final = 150
"""Most trials that the parallel coordinates show; the best are."""


def landscape(search: Searched) -> str:
    """Draw the gap of each trial over learning rate and density, over the former alone where there is no density."""
    trials = [trial for trial in search.trials if trial.lr is not None]
    flat = all(trial.density is None for trial in trials)
    done = [trial for trial in trials if trial.measured is not None]
    other = [trial for trial in trials if trial.measured is None]
    figure = go.Figure()
    gaps = [in_points(trial.gap) for trial in done]
    figure.add_scatter(
        x=[trial.lr for trial in done],
        y=gaps if flat else [trial.density for trial in done],
        mode="markers",
        name="finished",
        text=[_told(trial) for trial in done],
        hoverinfo="text",
        marker={"size": 9, "color": gaps, "line": {"width": 0}, **_colours(gaps, bar=not flat)},
    )
    if other and not flat:
        figure.add_scatter(
            x=[trial.lr for trial in other],
            y=[trial.density for trial in other],
            mode="markers",
            name="diverged, stopped or failed",
            text=[_told(trial) for trial in other],
            hoverinfo="text",
            marker={"size": 8, "symbol": "x-thin", "color": MUTED, "line": {"width": 1.5, "color": MUTED}},
        )
    if (chosen := search.chosen) and chosen.lr is not None:
        figure.add_scatter(
            x=[chosen.lr],
            y=[in_points(chosen.gap) if flat else chosen.density],
            mode="markers",
            name="chosen",
            text=[_told(chosen)],
            hoverinfo="text",
            marker={"size": 17, "symbol": "circle-open", "color": INK, "line": {"width": 2, "color": INK}},
        )
    figure.update_xaxes(title="learning rate", **log_axis([trial.lr for trial in trials if trial.lr]))
    figure.update_yaxes(**({"title": "gap, points", "rangemode": "tozero"} if flat else {"title": "density"}))
    if not flat:
        figure.update_yaxes(range=[0, 1.03])
    return figure_json(figure)


def history(search: Searched, over: Literal["trials", "seconds"]) -> str:
    """Draw the gap of each trial and the best so far, over trial numbers or over the seconds spent."""
    spent = list(accumulate(trial.seconds_total for trial in search.trials))
    roots = [float(trial.number) for trial in search.trials] if over == "trials" else spent
    done = [(root, trial) for root, trial in zip(roots, search.trials, strict=True) if trial.measured is not None]
    figure = go.Figure()
    figure.add_scatter(
        x=[root for root, _ in done],
        y=[in_points(trial.gap) for _, trial in done],
        mode="markers",
        name="trial",
        text=[f"trial {trial.number}" for _, trial in done],
        hovertemplate="%{text}: gap %{y:.1f} points<extra></extra>",
        marker={"size": 7, "color": UNLEARNED, "opacity": 0.55},
    )
    best = list(accumulate((in_points(trial.gap) or 0.0 for _, trial in done), min))
    ends = [root for root, _ in done]
    if best:
        ends, best = [*ends, roots[-1]], [*best, best[-1]]
    figure.add_scatter(
        x=ends, y=best, mode="lines", name="best so far", line={"shape": "hv", "width": 2, "color": UNLEARNED}
    )
    nothing = next((trial.original_gap for trial in search.trials if trial.original_gap is not None), None)
    start, end = (-0.5, roots[-1] + 0.5) if over == "trials" else (0.0, 1.03 * roots[-1])
    if nothing is not None:
        figure.add_scatter(
            x=[start, end],
            y=[in_points(nothing)] * 2,
            mode="lines",
            name="doing nothing",
            line={"dash": "dot", "width": 1.5, "color": MUTED},
        )
    figure.update_xaxes(title="trial" if over == "trials" else "seconds of trials", range=[start, end])
    if over == "trials":
        figure.update_xaxes(**_whole_ticks(len(roots)))
    figure.update_yaxes(title="gap, points", rangemode="tozero")
    return figure_json(figure)


def parallel(search: Searched) -> str | None:
    """Draw each trial as a line through its options to its gap; None where nothing was searched or finished."""
    done = sorted(search.finished, key=lambda trial: trial.measured or 0.0)
    settings = {trial.trial_id: json_column("setting", trial.setting) for trial in done[:LINES]}
    options = varied(list(settings.values()))
    if not options:
        return None
    axes = [_Axis(name, [setting.get(name) for setting in settings.values()]) for name in options]
    gaps = [in_points(trial.gap) for trial in done[:LINES]]
    axes.append(_Axis("gap", gaps))
    figure = go.Figure()
    for trial in reversed(done[:LINES]):
        row = [*(settings[trial.trial_id].get(name) for name in options), in_points(trial.gap)]
        chosen = search.choice is not None and trial.trial_id == search.choice.trial_id
        figure.add_scatter(
            x=list(range(len(axes))),
            y=[axis.root(value) for axis, value in zip(axes, row, strict=True)],
            mode="lines",
            text=_told(trial),
            hoverinfo="text",
            opacity=1.0 if chosen else 0.75,
            line={
                "width": 3.5 if chosen else 1.2,
                "color": INK if chosen else _colour(_share(in_points(trial.gap), gaps)),
            },
        )
    for root, axis in enumerate(axes):
        figure.add_shape(type="line", x0=root, x1=root, y0=0, y1=1, layer="below")
        last = root == len(axes) - 1
        for y, text in axis.ticks:
            figure.add_annotation(
                x=root,
                y=y,
                text=text,
                xanchor="right" if last else "left",
                xshift=-6 if last else 6,
                bgcolor=SURFACE,
            )
        figure.add_annotation(
            x=root,
            y=1.13,
            text=f"<b>{html.escape(axis.name)}</b>",
            font={"color": INK},
            xanchor="right" if last else "center" if root else "left",
        )
    figure.update_xaxes(visible=False, range=[-0.08, len(axes) - 0.92])
    figure.update_yaxes(visible=False, range=[-0.08, 1.22])
    return figure_json(figure, margin={"l": 8, "r": 8, "t": 4, "b": 4}, height=300)


def curve(search: Searched, measure: Measure, oracles: Sequence[Retrained]) -> str:
    """Draw a measure of the chosen trial after each epoch, its oracle, and the band of the reporting seeds' oracles."""
    points = [(epoch.epoch, getattr(epoch, measure)) for epoch in search.epochs]
    points = [(epoch, value) for epoch, value in points if value is not None]
    last = max([epoch for epoch, _ in points], default=1)
    figure = go.Figure()
    band = oracle_band(measure, oracles)
    if band is not None:
        low, high = band
        figure.add_scatter(
            x=[0.5, last + 0.5, last + 0.5, 0.5],
            y=[100 * low, 100 * low, 100 * high, 100 * high],
            mode="lines",
            fill="toself",
            fillcolor=BAND,
            line={"width": 0, "color": BAND},
            hoverinfo="skip",
            name="oracles, reporting seeds",
        )
    target = getattr(search.chosen, f"oracle_{measure}") if search.chosen else None
    if target is not None:
        figure.add_scatter(
            x=[0.5, last + 0.5],
            y=[100 * target] * 2,
            mode="lines",
            name="oracle, tuning seeds",
            line={"dash": "dash", "width": 2, "color": ORACLE},
            hovertemplate="oracle %{y:.1f} %<extra></extra>",
        )
    figure.add_scatter(
        x=[epoch for epoch, _ in points],
        y=[100 * value for _, value in points],
        mode="lines+markers",
        name=html.escape(method_title(search.method)),
        line={"width": 2, "color": UNLEARNED},
        marker={"size": 6},
        cliponaxis=False,
        hovertemplate="epoch %{x}: %{y:.1f} %<extra></extra>",
    )
    figure.update_xaxes(title="epoch", range=[0.5, last + 0.5], **_whole_ticks(last))
    figure.update_yaxes(nticks=5, range=_percents([value for _, value in points], target, band))
    return figure_json(figure, height=190, margin={"l": 36, "r": 8, "t": 8, "b": 42})


def _percents(values: Sequence[float], target: float | None, band: tuple[float, float] | None) -> list[float]:
    """Return the range of a percent axis that shows all of these with a small margin, never above 100 %."""
    shown = [100 * value for value in (*values, *(() if target is None else (target,)), *(band or ()))] or [0.0, 100.0]
    air = max(2.0, 0.08 * (max(shown) - min(shown)))
    return [max(0.0, min(shown) - air), min(100.0, max(shown) + air)]


def oracle_band(measure: Measure, oracles: Sequence[Retrained]) -> tuple[float, float] | None:
    """Return the lowest and highest value of the reporting seeds' oracles.

    None where there is none, and for an MIA whose non-members are test images: the search takes validation images.
    """
    if measure == "mia" and any(oracle.mia_nonmembers != "val" for oracle in oracles):
        return None
    values = [value for oracle in oracles if (value := getattr(oracle, measure)) is not None]
    return (min(values), max(values)) if values else None


def layers(shares: Mapping[str, tuple[int, int]], density: float) -> str:
    """Draw the share of trainable weights of each layer, first layer on top, and the share over all."""
    names = list(shares)
    figure = go.Figure()
    figure.add_bar(
        x=[100 * trainable / weights for trainable, weights in shares.values()],
        y=[html.escape(name) for name in names],
        orientation="h",
        marker={"color": UNLEARNED},
        customdata=[f"{trainable:,} of {weights:,}" for trainable, weights in shares.values()],
        hovertemplate="%{y}: %{x:.1f} %, %{customdata} weights<extra></extra>",
        name="layer",
    )
    figure.add_vline(x=100 * density, line={"color": ORACLE, "dash": "dash", "width": 2})
    figure.add_annotation(
        x=100 * density,
        y=1,
        yref="paper",
        yanchor="bottom",
        text=f"all layers {100 * density:.0f} %",
        font={"color": ORACLE},
    )
    figure.update_xaxes(title="trainable weights, percent", range=[0, 100.5])
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True, ticks="", dtick=1, tickfont={"size": 10})
    figure.update_layout(bargap=0.25)
    return figure_json(figure, height=max(180, 70 + 17 * len(names)), margin={"l": 8, "r": 16, "t": 24, "b": 44})


def stages(seconds: Mapping[str, float]) -> str:
    """Draw the seconds that each stage took, in the order of the work."""
    figure = go.Figure()
    figure.add_bar(
        x=list(seconds.values()),
        y=[html.escape(name) for name in seconds],
        orientation="h",
        marker={"color": UNLEARNED},
        text=[durations.measured(spent) for spent in seconds.values()],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
        name="stage",
    )
    figure.update_xaxes(title="seconds", rangemode="tozero", range=[0, 1.18 * max(seconds.values(), default=1.0)])
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True, ticks="")
    figure.update_layout(bargap=0.35)
    return figure_json(figure, height=max(160, 66 + 30 * len(seconds)), margin={"l": 8, "r": 16, "t": 8, "b": 44})


class _Axis:
    """One axis of the parallel coordinates: numbers on a plain or logarithmic scale, or words at even distances."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        self.name = "gap, points" if name == "gap" else name
        self._words = None
        if not all(_is_number(value) for value in values):
            self._words = sorted({str(value) for value in values})
            return
        self._log = spans_decades(values)
        self._low, self._high = (self._scaled(end) for end in (min(values), max(values)))

    def root(self, value: Any) -> float:
        """Return the height of a value, from 0 to 1."""
        if self._words is not None:
            return self._words.index(str(value)) / max(len(self._words) - 1, 1)
        return (self._scaled(value) - self._low) / (self._high - self._low) if self._high > self._low else 0.5

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Return the positions and labels of the ticks."""
        if self._words is not None:
            return [(self.root(word), html.escape(word)) for word in self._words]
        ends = {0.0: self._low, 0.5: (self._low + self._high) / 2, 1.0: self._high}
        return [(root, f"{10**end if self._log else end:.2g}") for root, end in ends.items()]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self._log else float(value)


def varied(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the options that differ between settings."""
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [name for name in names if len({json.dumps(setting.get(name)) for setting in settings}) > 1]


def _told(trial: Tried) -> str:
    """Return what hovering over a trial shows."""
    options = {
        name: value
        for name, value in json_column("setting", trial.setting).items()
        if name in ("lr", "density", "epochs")
    }
    shown = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    ]
    gap = f"gap {percent(trial.gap)} points" if trial.gap is not None else "no gap"
    state = "" if trial.status == "done" else f" ({trial.status})"
    return html.escape(", ".join((f"trial {trial.number}: {gap}{state}", *shown)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole_ticks(last: int) -> dict[str, Any]:
    return {"dtick": max(1, math.ceil(last / 6)), "tick0": 0 if last > 6 else 1}


def _share(value: float | None, values: Sequence[float | None]) -> float:
    known = [one for one in values if one is not None]
    low, high = min(known), max(known)
    return ((value or low) - low) / (high - low) if high > low else 0.0


def _colour(share: float) -> str:
    (start, first), (end, second) = next(
        pair for pair in pairwise(SCALE) if share <= pair[1][0] or pair[1] is SCALE[-1]
    )
    part = (share - start) / (end - start)
    return "rgb({},{},{})".format(*(round(a + part * (b - a)) for a, b in zip(first, second, strict=True)))


def _colours(gaps: Sequence[float | None], *, bar: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"colorscale": [[at, "rgb({},{},{})".format(*rgb)] for at, rgb in SCALE]}
    if bar and gaps:
        title = {"text": "gap", "side": "top", "font": {"size": 11}}
        options |= {"showscale": True, "colorbar": {"title": title, "thickness": 8, "outlinewidth": 0, "len": 0.9}}
    return options


def shown_lines(search: Searched) -> str:
    """Return how many trials the parallel coordinates show, where they leave some out."""
    done = len(search.finished)
    return f" The best {LINES} of {count(done, 'trial')} are shown." if done > LINES else ""
