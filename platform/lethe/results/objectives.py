"""What a search minimises: the objectives of a trial, the front of several, and the point of it that rules choose.

A setting *dominates* another if it is no worse in any objective and better in one; the *front* is what nothing
dominates. Every objective is a mean over tuning seeds, is smaller the better, and repeats exactly: cost is counted in
images trained on and not in seconds.
"""

import math
from collections.abc import Sequence
from typing import cast

from lethe.results.metric_columns import OBJECTIVE_COLUMNS
from lethe.results.rows import TrialRow
from lethe.study import Objective, Search

Point = tuple[float, ...]
"""The values of the objectives, in the order of the study."""


def objectives_of(row: TrialRow) -> Sequence[Objective]:
    """Return what the search of a trial minimises: the gap alone in results of an early version."""
    return cast(Sequence[Objective], row.objectives or ["gap"])


def point_of(row: TrialRow, objectives: Sequence[Objective]) -> Point | None:
    """Return the objectives of a trial; None where one of them has no value."""
    values = [getattr(row, OBJECTIVE_COLUMNS[name]) for name in objectives]
    return None if any(value is None for value in values) else tuple(values)


def dominates(one: Point, other: Point) -> bool:
    """Return whether the first point is no worse in any objective and better in one."""
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def ranks(points: Sequence[Point]) -> list[int]:
    """Return of each point the front that it is on: 0 for what nothing dominates, 1 without these, and so on."""
    found: dict[int, int] = {}
    rank = 0
    while left := [index for index in range(len(points)) if index not in found]:
        on_front = [index for index in left if not any(dominates(points[other], points[index]) for other in left)]
        found |= dict.fromkeys(on_front, rank)
        rank += 1
    return [found[index] for index in range(len(points))]


def distances_to_ideal(points: Sequence[Point]) -> list[float]:
    """Return of each point how far it is from the ideal point, on axes on which the points range from 0 to 1.

    The ideal point has the smallest value of each objective; the point nearest to it is taken for the front's knee
    (the compromise solution of Zeleny, 1973, with Euclidean distance). The points are a front: one far behind
    it would stretch the axes.
    """
    axes = list(zip(*points, strict=True))
    lows, spans = [min(axis) for axis in axes], [max(axis) - min(axis) for axis in axes]
    return [
        math.hypot(
            *((value - low) / span if span else 0.0 for value, low, span in zip(point, lows, spans, strict=True))
        )
        for point in points
    ]


def within_limits(search: Search, point: Point) -> bool:
    """Return whether a point keeps the limits of a study."""
    values = dict(zip(search.objectives, point, strict=True))
    return all(values[name] <= limit for name, limit in search.limits.given.items())


def chosen_of(search: Search, points: Sequence[Point], firsts: Sequence[float]) -> int | None:
    """Return the index of the point that a study's rule chooses, the earlier of two equal ones.

    Args:
        firsts: of each point what is compared of its first objective: its mean, or mean + standard deviation.

    Returns:
        None where no point keeps the limits.
    """
    within = [index for index, point in enumerate(points) if within_limits(search, point)]
    if search.choose != "knee" or not within:
        return min(within, key=lambda index: (firsts[index], points[index]), default=None)
    on_front = [index for index, rank in zip(within, ranks([points[one] for one in within]), strict=True) if rank == 0]
    distances = distances_to_ideal([points[index] for index in on_front])
    return min(zip(distances, on_front, strict=True))[1]


def promising_first(search: Search, points: Sequence[Point]) -> list[int]:
    """Return the indices of points in the order in which settings go on, the earlier of two equal ones first.

    Those within the limits come first; among them front comes after front, each by the first objective.
    """
    fronts = ranks(points) if len(search.objectives) > 1 else [0] * len(points)
    return sorted(
        range(len(points)),
        key=lambda index: (not within_limits(search, points[index]), fronts[index], points[index], index),
    )
