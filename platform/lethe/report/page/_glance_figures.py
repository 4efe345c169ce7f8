"""The figures of the first section: every gap with its interval, and what each costs."""

import html
from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from lethe.report._board import Board
from lethe.report._numbers import gap_interval, row_title
from lethe.report.page._canvas import (
    BAD,
    BAND,
    GOOD,
    INK,
    MUTED,
    ORACLE,
    UNLEARNED,
    figure_json,
    in_points,
    log_axis,
    spans_decades,
)
from lethe.report.page._glance import kind_of
from lethe.report.page._wording import percent
from lethe.results.views import LeaderboardRow, RankRow

LOOKS: Final = {
    "above the floor": (BAD, "triangle-up"),
    "equivalent": (GOOD, "circle"),
    "inconclusive": (MUTED, "circle-open"),
}
"""Colour and shape of a row by its verdict; other rows have those of the last line."""

NAMED: Final = 8
"""Methods up to which all are named beside their points; of more, those on the front."""

RIGHT_UP_TO: Final = 0.3
"""Share of the axis up to which a name stands right of its point, inside the figure: below the front, where no point
is, or above it."""

LAST_RIGHT_UP_TO: Final = 0.8
"""The same of the last point of the front: nothing lies below and right of it, and left its name may meet another."""


def forest(board: Board) -> str | None:
    """Draw the gap of every row with its interval, the noise floor as a band, and doing nothing as a line.

    The scale ends behind the largest mean: an interval that reaches farther is cut there. None where no row has a gap.
    """
    lines = [line for line in board.lines if line.gap is not None and line.row != "oracle"]
    lines.sort(key=lambda line: (line.row != "original", -(line.gap or 0.0)))
    if not lines:
        return None
    figure = go.Figure()
    for verdict in dict.fromkeys(line.verdict for line in lines):
        _add_gaps(figure, [(at, line) for at, line in enumerate(lines) if line.verdict == verdict], verdict)
    end = 1.12 * max(*(line.gap or 0.0 for line in lines), board.lines[0].noise_floor_high or 0.0, 0.001)
    _add_references(figure, board)
    figure.update_xaxes(title="gap, points", range=[0, 100 * end])
    figure.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[_label(line) for line in lines],
        range=[-0.6, len(lines) - 0.4],
        showgrid=False,
        automargin=True,
        ticks="",
        tickfont={"size": 11, "color": INK},
    )
    return figure_json(figure, height=76 + 21 * len(lines), margin={"l": 8, "r": 12, "t": 8, "b": 44})


def _add_gaps(figure: go.Figure, placed: Sequence[tuple[int, LeaderboardRow]], verdict: str | None) -> None:
    colour, symbol = LOOKS.get(verdict or "", (MUTED, "circle-open"))
    low, high = (
        [100 * abs((end if end is not None else line.gap or 0.0) - (line.gap or 0.0)) for line, end in ends]
        for ends in (
            [(line, line.gap_low) for _, line in placed],
            [(line, line.gap_high) for _, line in placed],
        )
    )
    figure.add_scatter(
        x=[in_points(line.gap) for _, line in placed],
        y=[at for at, _ in placed],
        mode="markers",
        name=verdict or "no verdict",
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high,
            "arrayminus": low,
            "color": colour,
            "thickness": 1.6,
            "width": 0,
        },
        marker={"size": 9, "color": colour, "symbol": symbol, "line": {"width": 1.6, "color": colour}},
        text=[
            f"{html.escape(row_title(line.row, untuned=line.untuned))}: gap {percent(line.gap)} {gap_interval(line)}, "
            f"{line.verdict or 'no verdict'}"
            for _, line in placed
        ],
        hoverinfo="text",
    )


def _add_references(figure: go.Figure, board: Board) -> None:
    """Draw the noise floor with its interval, and doing nothing."""
    of = board.lines[0]
    if of.noise_floor_low is not None:
        ends = {"x0": in_points(of.noise_floor_low), "x1": in_points(of.noise_floor_high)}
        figure.add_vrect(**ends, fillcolor=BAND, line={"width": 0}, layer="below")
    if of.noise_floor is not None:
        figure.add_vline(x=in_points(of.noise_floor), line={"dash": "dash", "width": 1.5, "color": ORACLE})
    if board.original is not None and board.original.gap is not None:
        figure.add_vline(x=in_points(board.original.gap), line={"dash": "dot", "width": 1.5, "color": MUTED})


def _label(line: LeaderboardRow) -> str:
    """Name a row on the axis: a method in bold, a control with its name on a line of its own where it is long."""
    if kind_of(line) == "method":
        return f"<b>{html.escape(line.row)}</b>"
    return html.escape("do nothing" if line.row == "original" else line.row)


def front(board: Board) -> str | None:
    """Draw the gap of each method over the images that it trained on, and the front that no other method beats.

    None where these images are not known, or fewer than two methods have a gap.
    """
    known = sorted(
        ((one, 100 * one.compute_share) for one in board.ranks if one.compute_share is not None),
        key=lambda pair: pair[1],
    )
    if not known:
        return None
    figure = go.Figure()
    _add_references_of_cost(figure, board)
    on_front = [pair for pair in known if pair[0].on_front]
    figure.add_scatter(
        x=[share for _, share in on_front],
        y=[in_points(one.gap) for one, _ in on_front],
        mode="lines",
        name="front",
        hoverinfo="skip",
        line={"shape": "hv", "width": 1.5, "color": UNLEARNED},
    )
    shares = [share for _, share in known]
    logarithmic = spans_decades(shares)
    _add_methods(figure, "other methods", [pair for pair in known if not pair[0].on_front], shares, len(known) <= NAMED)
    _add_methods(figure, "on the front", on_front, shares, True)
    original = board.original.gap if board.original is not None else None
    highest = max(*(one.gap for one, _ in known), original or 0.0, 0.001)
    figure.update_xaxes(
        title="images trained on, percent of one retraining",
        **(log_axis(shares) if logarithmic else {"range": [-0.02 * max(shares), 1.06 * max(shares) or 1.0]}),
    )
    figure.update_yaxes(title="gap, points", range=[0, 112 * highest])
    return figure_json(figure, height=340)


def _add_methods(
    figure: go.Figure, name: str, some: Sequence[tuple[RankRow, float]], shares: Sequence[float], named: bool
) -> None:
    on_front = name == "on the front"
    colour = UNLEARNED if on_front else MUTED
    right_up_to = [RIGHT_UP_TO] * len(some)
    if on_front and some:
        right_up_to[-1] = LAST_RIGHT_UP_TO
    figure.add_scatter(
        x=[share for _, share in some],
        y=[in_points(one.gap) for one, _ in some],
        mode="markers+text" if named else "markers",
        name=name,
        text=[html.escape(one.row) for one, _ in some],
        textposition=[
            f"{'bottom' if on_front else 'top'} {'right' if share / (max(shares) or 1.0) < limit else 'left'}"
            for (_, share), limit in zip(some, right_up_to, strict=True)
        ],
        textfont={"size": 11, "color": INK if on_front else MUTED},
        customdata=[f"{one.rank} {html.escape(one.row)}" for one, _ in some],
        hovertemplate="%{customdata}: gap %{y:.1f} points, %{x:.1f} % of retraining<extra></extra>",
        marker={"size": 9, "color": colour, "symbol": "circle" if on_front else "circle-open"},
        cliponaxis=False,
    )


def _add_references_of_cost(figure: go.Figure, board: Board) -> None:
    of = board.lines[0]
    if of.noise_floor_low is not None:
        ends = {"y0": in_points(of.noise_floor_low), "y1": in_points(of.noise_floor_high)}
        figure.add_hrect(**ends, fillcolor=BAND, line={"width": 0}, layer="below")
    if board.original is not None and board.original.gap is not None:
        figure.add_hline(y=in_points(board.original.gap), line={"dash": "dot", "width": 1.5, "color": MUTED})
