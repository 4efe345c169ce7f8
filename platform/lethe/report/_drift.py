"""Requests that come one after another, in words: what each left of every row, and what all of them cost so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lethe.report._board import Board
from lethe.report._numbers import difference, model_title, percent
from lethe.results.views import DriftRow

HEADS: Final = (
    "after",
    "images",
    "gap [95 %]",
    "since the first",
    "UA",
    "UA, last",
    "RA",
    "TA",
    "MIA",
    "images, of\nretraining",
)

DRIFT_TO_READ: Final = (
    "After so many requests, against oracles retrained without the images of all of them. Each method began with what "
    "it had left at the request before; 'at once': with the original, for all images together. Since the first: gap "
    "minus that after the first request, paired by seed, each with its own 95 % interval. UA, last: error on the "
    "images of the last request alone, and in brackets the oracles'; empty where an image has any number of labels. "
    "Images: passes of all unlearnings so far, as a share of a retraining at each request."
)


def drift_heads(board: Board) -> tuple[str, ...]:
    """Return the heads of the columns: `HEADS`, with the stars of the board's."""
    starred = {head.rstrip("*"): head for head in board.heads}
    return tuple(starred.get(head, head) for head in HEADS)


@dataclass(frozen=True)
class DriftLine:
    """A row of the table: a row of the stream after some of its requests.

    Attributes:
        cells: one for each of `HEADS`.
    """

    row: str
    cells: tuple[str, ...]


def drift_title(board: Board) -> str:
    """Name the stream that a board belongs to."""
    of = board.drift[0]
    model = model_title(of.network, of.precision)
    return (
        f"{of.study} · {of.dataset}, augmentation {of.augmentation} · {model} · {of.steps} requests one after another"
    )


def followed(rows: Sequence[DriftRow]) -> list[DriftRow]:
    """Return the rows of a stream that go beyond its first request; controls stand beside that one alone."""
    last = max(one.step for one in rows)
    beyond = {one.row for one in rows if one.step > 1 or last == 1}
    return [one for one in rows if one.row in beyond]


def drift_lines(rows: Sequence[DriftRow]) -> Iterator[DriftLine]:
    """Yield the lines of a stream, those of a row together."""
    for one in followed(rows):
        yield DriftLine(one.row, _cells(one))


def drift_in_words(board: Board) -> str:
    """Return what the requests did to each method, a sentence each; empty before the last one is confirmed."""
    last = [one for one in board.drift if one.step == one.steps and one.gap_change is not None]
    methods = [one for one in last if one.row not in ("original", "oracle")]
    return " ".join(_sentence(one) for one in methods)


def _sentence(one: DriftRow) -> str:
    change = one.gap_change or 0.0
    shown = difference(change, one.gap_change_low, one.gap_change_high)
    if one.gap_change_low is None or one.gap_change_high is None:
        found = "too few seeds to say whether that is noise"
    elif one.gap_change_low > 0:
        found = "it drifted away from retraining"
    elif one.gap_change_high < 0:
        found = "it came closer to retraining"
    else:
        found = "no drift that these seeds can distinguish from noise"
    return (
        f"{one.row}: from the first request to the {_ordinal(one.steps)} its gap changed by {shown} points to "
        f"{percent(one.gap)}: {found}."
    )


def _ordinal(number: int) -> str:
    last = number % 10
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(last, "th")
    return f"{number}{ending}"


def _cells(one: DriftRow) -> tuple[str, ...]:
    gap = percent(one.gap) if one.gap is not None else f"{one.seeds} of {one.seeds_wanted} seeds"
    interval = f" [{percent(one.gap_low)}, {percent(one.gap_high)}]" if one.gap_low is not None else ""
    change = "" if one.gap_change is None else difference(one.gap_change, one.gap_change_low, one.gap_change_high)
    oracles = "" if one.oracle_request_ua is None else f" ({percent(one.oracle_request_ua)})"
    share = "" if one.compute_share_so_far is None else f"{percent(one.compute_share_so_far)} %"
    return (
        str(one.step),
        f"{one.forget_images:,}",
        f"{gap}{interval}",
        change,
        percent(one.ua),
        f"{percent(one.request_ua)}{oracles}" if one.request_ua is not None else "",
        percent(one.ra),
        percent(one.ta),
        percent(one.mia),
        share,
    )
