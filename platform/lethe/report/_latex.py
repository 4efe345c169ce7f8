"""The tables for a paper: one booktabs table a question, and one of what augmentation changes, each in its own file."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lethe.place import Place
from lethe.report._board import Board, is_choice, leaderboard
from lethe.report._numbers import METRICS, difference, gap_interval, percent, row_title
from lethe.results import QueryError, load, to_rows
from lethe.results.latex import escaped, tabular
from lethe.results.views import AugmentationRow, LeaderboardRow


def write_latex(place: Place, study: str | None, folder: Path) -> list[Path]:
    """Write the leaderboard of each question, and the effects of augmentation where there are any, as LaTeX.

    A table needs the package ``booktabs``.

    Returns:
        The files, in the order of the tables.

    Raises:
        QueryError: no results in the place, or none that were confirmed.
        PlaceError: the folder cannot be written to.
        SchemaError: a newer Lethe wrote a part.
    """
    boards = leaderboard(place, study)
    if not boards:
        raise QueryError(
            f"no confirmed results{f' of study {study}' if study else ''} in {place}, so there is no table"
        )
    tables = {_file_name(board): _leaderboard(board) for board in boards}
    effects: dict[str, list[AugmentationRow]] = {}
    for row in to_rows(load(place, "augmentation", study), AugmentationRow):
        effects.setdefault(row.study, []).append(row)
    tables |= {f"augmentation-{name}.tex": _augmentation(name, rows) for name, rows in effects.items()}
    target = Place.at(folder)
    for name, text in tables.items():
        target.write(name, text.encode())
    return [folder / name for name in tables]


def _file_name(board: Board) -> str:
    of = board.lines[0]
    return f"leaderboard-{of.study}-{of.question[:8]}.tex"


def _leaderboard(board: Board) -> str:
    head = ["", "UA", "RA", "TA", "MIA", "Gap [95\\,\\%]", "Time (s)", "Of retraining", "Trials"]
    first = board.lines[0]
    caption = (
        f"{escaped(board.title)}. Percent, means over {first.seeds} training seeds. Gap: mean absolute difference to "
        "the oracle of the same seed over UA, RA, TA and MIA, with its 95\\,\\% interval (Student's $t$). The noise "
        "floor is the gap between oracles of different seeds; $\\approx$: the interval reaches it."
    )
    label = f"tab:lethe-{first.study}-{first.question[:8]}"
    return _table(caption, label, "lrrrrlrrr", head, [_line(line) for line in board.lines])


def _line(line: LeaderboardRow) -> list[str]:
    name = escaped(row_title(line.row))
    return [
        f"\\textbf{{{name}}}" if is_choice(line) else name,
        *(_minus(percent(value)) for value in (line.ua, line.ra, line.ta, line.mia)),
        _gap(line),
        "" if line.seconds_unlearn is None else f"{line.seconds_unlearn:.1f}",
        _minus(percent(line.retrain_share)),
        "" if line.tuning_trials is None else str(line.tuning_trials),
    ]


def _gap(line: LeaderboardRow) -> str:
    if line.gap is None:
        return escaped(line.status) if line.status != "done" else ""
    return f"{percent(line.gap)} {gap_interval(line)}".rstrip() + (" $\\approx$" if line.at_floor else "")


def _augmentation(study: str, rows: Sequence[AugmentationRow]) -> str:
    head = ["Data", "Precision", "Forget", "Row", "Measure", "Arm", "With", "Without", "Difference [95\\,\\%]", ""]
    caption = (
        f"{escaped(study)}: what augmentation changes, paired by training seed. Percent and points; the arm without is "
        f"{escaped(', '.join(sorted({row.against for row in rows})))}."
    )
    body = [
        [
            *(escaped(text) for text in (row.dataset, row.precision or "", row.forget, row.row)),
            METRICS.get(row.metric, row.metric),
            escaped(row.arm),
            _minus(percent(row.mean)),
            _minus(percent(row.mean_against)),
            _minus(difference(row.difference, row.low, row.high)),
            escaped(row.verdict),
        ]
        for row in rows
    ]
    return _table(caption, f"tab:lethe-{study}-augmentation", "llllllrrrl", head, body)


def _table(caption: str, label: str, columns: str, head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [
        "% Needs \\usepackage{booktabs}. Written by lethe.",
        "\\begin{table}",
        "\\centering",
        "\\small",
        f"\\caption{{{caption}}}",
        f"\\label{{{label}}}",
        tabular(columns, head, body),
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _minus(text: str) -> str:
    """Write the signs of numbers as mathematics does."""
    return re.sub(r"[+-](?=\d)", r"$\g<0>$", text)
