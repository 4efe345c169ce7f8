"""The figures of a stream of requests: gap and accuracy on test after each of them."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import plotly.graph_objects as go

from lethe.report._drift import followed
from lethe.report.page._canvas import BAND, INK, MUTED, ORACLE, UNLEARNED, figure_json, in_points
from lethe.results.views import DriftRow

SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "x", "star", "pentagon", "cross")
"""Markers of the methods, in their order; what forgets all at once has the open one of its method."""

HEIGHT: Final = 340
MARGIN: Final = {"l": 48, "r": 132, "t": 8, "b": 44}
"""Of a figure, pixels; names stand in the right margin."""

LINE: Final = 14
"""Pixels from one name to the next, at least."""


def gaps(rows: Sequence[DriftRow]) -> str:
    """Draw the gap of each row after each request; the noise floor with its interval is a band."""
    band = [(one.step, one.gap_low, one.gap_high) for one in rows if one.row == "oracle" and one.gap_low is not None]
    return _drawn(rows, band, "gap", "gap, points", from_zero=True)


def accuracies(rows: Sequence[DriftRow]) -> str:
    """Draw the accuracy on test of each row after each request; the lowest to the highest oracle are a band."""
    band = [(one.step, one.ta_lowest, one.ta_highest) for one in rows if one.row == "oracle"]
    return _drawn(rows, band, "ta", "TA, percent", from_zero=False)


def _drawn(
    rows: Sequence[DriftRow],
    band: Sequence[tuple[int, float | None, float | None]],
    measure: Literal["gap", "ta"],
    title: str,
    *,
    from_zero: bool,
) -> str:
    figure = _with_band(band)
    ends: dict[str, float] = {}
    shown = [100 * end for _, *both in band for end in both if end is not None]
    for row, own, symbol in _lines(rows):
        points = [(one.step, 100 * value) for one in own if (value := getattr(one, measure)) is not None]
        _add(figure, row, points, symbol)
        shown += [value for _, value in points]
        if points and row not in ("original", "oracle"):
            ends[row] = points[-1][1]
    low, high = _range(shown, from_zero=from_zero)
    _add_names(figure, ends, (low, high))
    figure.update_yaxes(title=title, range=[low, high])
    last = max(one.step for one in rows)
    figure.update_xaxes(title="requests", range=[0.6, last + 0.2], dtick=max(1, -(-last // 10)), tick0=0)
    return figure_json(figure, height=HEIGHT, margin=MARGIN)


def _range(values: Sequence[float], *, from_zero: bool) -> tuple[float, float]:
    """Return the ends of an axis that shows these values with a small margin."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = max(0.5, 0.06 * (high - low))
    return 0.0 if from_zero else low - air, high + air


def _add_names(figure: go.Figure, ends: Mapping[str, float], ends_of_axis: tuple[float, float]) -> None:
    """Write each name beside the end of its line, moved up or down where two would lie on each other."""
    low, high = ends_of_axis
    pixels = (HEIGHT - MARGIN["t"] - MARGIN["b"]) / (high - low)
    names = sorted(ends, key=lambda name: ends[name])
    for name, at in zip(names, apart([pixels * (ends[name] - low) for name in names]), strict=True):
        figure.add_annotation(
            x=1,
            xref="x domain",
            y=ends[name],
            text=html.escape(name),
            xanchor="left",
            xshift=4,
            yshift=at - pixels * (ends[name] - low),
            font={"size": 11, "color": INK},
        )


def apart(heights: Sequence[float]) -> list[float]:
    """Return sorted heights in pixels, moved so that neighbours are a `LINE` apart and groups stay where they were."""
    groups: list[tuple[float, int]] = []
    for height in heights:
        middle, size = height, 1
        while groups and middle - groups[-1][0] < LINE * (size + groups[-1][1]) / 2:
            before, many = groups.pop()
            middle, size = (middle * size + before * many) / (size + many), size + many
        groups.append((middle, size))
    return [middle + LINE * (place - (size - 1) / 2) for middle, size in groups for place in range(size)]


def _lines(rows: Sequence[DriftRow]) -> Iterator[tuple[str, list[DriftRow], str]]:
    """Yield each row of the stream with its steps and its marker."""
    shown = followed(rows)
    names = list(dict.fromkeys(one.row for one in shown))
    methods = [name for name in names if name not in ("original", "oracle") and not _at_once(name, names)]
    for name in names:
        of = next((method for method in methods if name == method or name.startswith(f"{method} ")), "")
        symbol = SYMBOLS[methods.index(of) % len(SYMBOLS)] if of else "circle"
        own = [one for one in shown if one.row == name]
        yield name, own, symbol if name == of or not of else f"{symbol}-open"


def _at_once(name: str, names: Sequence[str]) -> bool:
    return any(name != other and name.startswith(f"{other} ") for other in names)


def _with_band(ends: Sequence[tuple[int, float | None, float | None]]) -> go.Figure:
    figure = go.Figure()
    known = [(step, low, high) for step, low, high in ends if low is not None and high is not None]
    figure.add_scatter(
        x=[step for step, _, _ in known] + [step for step, _, _ in reversed(known)],
        y=[in_points(low) for _, low, _ in known] + [in_points(high) for _, _, high in reversed(known)],
        mode="lines",
        fill="toself",
        fillcolor=BAND,
        line={"width": 0, "color": BAND},
        hoverinfo="skip",
        name="oracles",
    )
    return figure


def _add(figure: go.Figure, row: str, points: Sequence[tuple[int, float]], symbol: str) -> None:
    colour = {"original": MUTED, "oracle": ORACLE}.get(row, UNLEARNED)
    name = html.escape({"original": "do nothing", "oracle": "oracles"}.get(row, row))
    dash = {"original": "dot", "oracle": "dash"}.get(row, "solid")
    figure.add_scatter(
        x=[step for step, _ in points],
        y=[value for _, value in points],
        mode="lines+markers",
        line={"width": 1.6, "color": colour, "dash": dash},
        marker={"size": 7, "symbol": symbol, "color": colour},
        cliponaxis=False,
        name=name,
        hovertemplate=f"{name}, after request %{{x}}: %{{y:.1f}}<extra></extra>",
    )
