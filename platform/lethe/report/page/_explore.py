"""What a reader may compare of two rows of a table: numbers of each row, by scenario, as JSON for the page's script."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from lethe.report._board import Board, Key
from lethe.report._class_names import class_names, class_title
from lethe.report._leaderboard import setting_in_words
from lethe.report._numbers import row_title
from lethe.report.page._canvas import script_json
from lethe.report.page._gather import Report, among
from lethe.report.page._roc import rocs_of
from lethe.report.page._thresholds import thresholds_of
from lethe.results import Results, to_rows
from lethe.results.views import LeaderboardRow

BINS: Final = 20
"""Bins of the histograms of confidence."""


@dataclass(frozen=True, kw_only=True)
class _Confidence:
    study: str
    scenario: str
    row: str
    split: str
    bin: int
    images: int


@dataclass(frozen=True, kw_only=True)
class _Recall:
    study: str
    scenario: str
    row: str
    recall: list[float | None]
    labels: list[int]


def explored(results: Results, report: Report) -> Mapping[Key, Markup]:
    """Return what the rows of each scenario that is drawn are compared by, as JSON that is safe in a script element."""
    drawn = {
        (part.name, scenario.asked.scenario): scenario.board
        for part in report.studies
        for scenario in part.scenarios
        if scenario.detailed and scenario.board
    }
    if not drawn:
        return {}
    histograms, rocs = _histograms(results, set(drawn)), rocs_of(results, drawn)
    thresholds = thresholds_of(results, drawn)
    names = class_names(results)
    recalls = {
        (one.study, one.scenario, one.row): [
            (class_title(names.get((one.study, one.scenario), {}), label), recall)
            for label, recall in zip(one.labels, one.recall, strict=True)
        ]
        for one in to_rows(results.query(_RECALL.format(drawn=among(set(drawn)))), _Recall)
    }
    return {key: Markup(_json(board, key, histograms, recalls, rocs, thresholds)) for key, board in drawn.items()}


def _histograms(results: Results, drawn: set[Key]) -> Mapping[tuple[str, str, str], dict[str, list[int]]]:
    found: defaultdict[tuple[str, str, str], dict[str, list[int]]] = defaultdict(dict)
    for one in to_rows(results.query(_CONFIDENCE.format(drawn=among(drawn), bins=BINS)), _Confidence):
        counts = found[one.study, one.scenario, one.row].setdefault(one.split, [0] * BINS)
        counts[one.bin] = one.images
    return found


def _json(
    board: Board,
    key: Key,
    histograms: Mapping[tuple[str, str, str], dict[str, list[int]]],
    recalls: Mapping[tuple[str, str, str], list[tuple[str, float | None]]],
    rocs: Mapping[tuple[str, str, str], dict[str, Any]],
    thresholds: Mapping[tuple[str, str, str], dict[str, Any]],
) -> str:
    rows: list[dict[str, Any]] = [
        {
            "row": row_title(line.row, untuned=line.untuned),
            "setting": "" if line.row in ("original", "oracle") else setting_in_words(line.setting),
            "measures": {
                **_gap(line),
                **dict(zip(board.heads, (line.ua, line.ra, line.ta, line.mia), strict=True)),
                "AUC": line.auc,
            },
            "recall": recalls.get((*key, line.row), []),
            "confidence": histograms.get((*key, line.row), {}),
            "roc": rocs.get((*key, line.row)),
            "thresholds": thresholds.get((*key, line.row)),
        }
        for line in board.lines
    ]
    return script_json(json.dumps(rows, separators=(",", ":")))


def _gap(line: LeaderboardRow) -> dict[str, float | None]:
    """Return the gap of a row; the oracle's is between seeds, and compares with no paired one."""
    return {"gap": line.gap if line.row != "oracle" else None} if line.has_oracles else {}


_CONFIDENCE: Final = """
select p.study, p.scenario, p.row, coalesce(p.split, 'forget') as split,
    least({bins} - 1, floor(p.confidence * {bins}))::integer as bin, count(*)::integer as images
from predictions p semi join (from confirmed where {drawn}) using (study, scenario, confirmation_id)
group by all
"""

_RECALL: Final = """
with each as (
    select study, scenario, row, unnest(recall_per_class) as recall,
        generate_subscripts(recall_per_class, 1) - 1 as label
    from confirmed where {drawn}
),
means as (select study, scenario, row, label, avg(recall) as recall from each group by all)
select study, scenario, row, list(recall order by label) as recall, list(label order by label) as labels
from means group by all
"""
