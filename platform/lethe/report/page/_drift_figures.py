"""The figures of a stream of requests: gap and accuracy on test after each of them."""

import html
from collections.abc import Iterator, Sequence
from typing import Final

import plotly.graph_objects as go

from lethe.report._drift import followed
from lethe.report.page._canvas import BAND, INK, MUTED, ORACLE, UNLEARNED, figure_json, in_points
from lethe.results.views import DriftRow

SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "x", "star", "pentagon", "cross")
"""Markers of the methods, in their order; what forgets all at once has the open one of its method."""


def gaps(rows: Sequence[DriftRow]) -> str:
    """Draw the gap of each row after each request; the noise floor with its interval is a band."""
    figure = _with_band(
        [(one.step, one.gap_low, one.gap_high) for one in rows if one.row == "oracle" and one.gap_low is not None]
    )
    for row, own, symbol in _lines(rows):
        points = [(one.step, in_points(one.gap)) for one in own if one.gap is not None]
        _add(figure, row, points, symbol)
    figure.update_yaxes(title="gap, points", rangemode="tozero")
    return _finished(figure, rows)


def accuracies(rows: Sequence[DriftRow]) -> str:
    """Draw the accuracy on test of each row after each request; the lowest to the highest oracle are a band."""
    figure = _with_band([(one.step, one.ta_lowest, one.ta_highest) for one in rows if one.row == "oracle"])
    for row, own, symbol in _lines(rows):
        _add(figure, row, [(one.step, in_points(one.ta)) for one in own if one.ta is not None], symbol)
    figure.update_yaxes(title="TA, percent")
    return _finished(figure, rows)


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


def _add(figure: go.Figure, row: str, points: Sequence[tuple[int, float | None]], symbol: str) -> None:
    colour = {"original": MUTED, "oracle": ORACLE}.get(row, UNLEARNED)
    name = html.escape({"original": "do nothing", "oracle": "oracles"}.get(row, row))
    dash = {"original": "dot", "oracle": "dash"}.get(row, "solid")
    figure.add_scatter(
        x=[step for step, _ in points],
        y=[value for _, value in points],
        mode="lines+markers+text" if colour == UNLEARNED else "lines+markers",
        text=[""] * (len(points) - 1) + [name],
        textposition="top left",
        textfont={"size": 11, "color": INK},
        line={"width": 1.6, "color": colour, "dash": dash},
        marker={"size": 7, "symbol": symbol, "color": colour},
        cliponaxis=False,
        name=name,
        hovertemplate=f"{name}, after request %{{x}}: %{{y:.1f}}<extra></extra>",
    )


def _finished(figure: go.Figure, rows: Sequence[DriftRow]) -> str:
    last = max(one.step for one in rows)
    figure.update_xaxes(title="requests", range=[0.6, last + 0.4], dtick=max(1, -(-last // 10)), tick0=0)
    return figure_json(figure, height=340)
