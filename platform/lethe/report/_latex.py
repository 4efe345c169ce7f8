"""The tables for a paper, each in its own file: the leaderboard of each scenario, what a clinic sees of it, and what
augmentation changes."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from lethe.report._audits import AUDITS_TO_READ, audits_of, violations_in_words
from lethe.report._board import Board, boards_of, is_choice
from lethe.report._clinical import TO_READ, TO_READ_ALONE, Cell, Clinic, Table, clinics_of
from lethe.report._leaderboard import second
from lethe.report._notes import notes_of
from lethe.report._numbers import (
    METRICS,
    difference,
    excess,
    gap_interval,
    missing,
    p_value,
    percent,
    row_title,
    seconds,
    share,
    standing,
)
from lethe.report._ranks import families_in_words, is_ranked, summaries_of
from lethe.results import QueryError, Results, to_rows
from lethe.results.latex import escaped, tabular
from lethe.results.views import AugmentationRow, LeaderboardRow
from lethe.storage.root import StorageRoot


def write_latex(root: StorageRoot, study: str | None, folder: Path, specification: str | None = None) -> list[Path]:
    """Write the leaderboard of each scenario, what a clinic sees and what augmentation changes where known, as LaTeX.

    A table needs the packages ``array`` and ``booktabs``.

    Returns:
        The files, in the order of the tables.

    Raises:
        QueryError: no results there, or none that were confirmed.
        StorageError: the folder cannot be written to.
        SchemaError: a newer Lethe wrote a part.
    """
    results = Results(root, study, specification)
    boards = boards_of(results)
    if not boards:
        raise QueryError(f"no confirmed results{f' of study {study}' if study else ''} in {root}, so there is no table")
    tables = {
        _file_name(board): _leaderboard(board) + _ranks(board) + _contrasts(board) + _audits(board) for board in boards
    }
    effects: dict[str, list[AugmentationRow]] = {}
    for row in to_rows(results.load("augmentation"), AugmentationRow):
        effects.setdefault(row.study, []).append(row)
    tables |= {f"augmentation-{name}.tex": _augmentation(name, rows) for name, rows in effects.items()}
    clinics = clinics_of(results)
    tables |= {
        f"clinical-{board.key[0]}-{board.key[1][:8]}.tex": _clinical(board, clinics[board.key])
        for board in boards
        if board.key in clinics
    }
    target = StorageRoot.at(folder)
    for name, text in tables.items():
        target.write(name, text.encode())
    return [folder / name for name in tables]


def _file_name(board: Board) -> str:
    of = board.lines[0]
    return f"leaderboard-{of.study}-{of.scenario[:8]}.tex"


def _leaderboard(board: Board) -> str:
    compared = board.has_oracles
    head = [
        *("", *board.heads),
        *(("Gap [95\\,\\%]", "Over the floor [95\\,\\%]", "Verdict") if compared else ("Status",)),
        *("Time (s)", *(("Images of retraining",) if compared else ()), "Trials"),
    ]
    first = board.lines[0]
    notes = " ".join(escaped(note) for note in notes_of(board))
    legend = _LEGEND if board.has_oracles else "Percent."
    caption = f"{escaped(board.title)}. {escaped(board.seeds)} {legend} {notes}"
    label = f"tab:lethe-{first.study}-{first.scenario[:8]}"
    columns = "lrrrrrrlrrr" if compared else "lrrrrlrr"
    return _table(caption, label, columns, head, [_line(line, compared=compared) for line in board.lines])


def _contrasts(board: Board) -> str:
    """Write how the rows compare, where ranks sum that up with controls alone; nothing where there is nothing."""
    contrasts = [one for one in board.contrasts if one.family == "controls" or not is_ranked(board)]
    if not contrasts:
        return ""
    of = board.lines[0]
    caption = (
        f"{escaped(board.title)}: differences of the gaps in points, paired by seed, each with its own 95\\,\\% "
        f"interval; below zero the first is closer to the oracle. {escaped(families_in_words(board))}."
    )
    body = [
        [
            escaped(f"{one.first} - {second(one)}"),
            _minus(difference(one.difference, one.low, one.high)),
            "" if one.p_holm is None else p_value(one.p_holm).replace("<", "$<$"),
            one.verdict,
        ]
        for one in contrasts
    ]
    label = f"tab:lethe-{of.study}-{of.scenario[:8]}-contrasts"
    head = ["Rows", "Difference [95\\,\\%]", "$p$ (Holm)", "Verdict"]
    return "\n" + _table(caption, label, "lrrl", head, body)


def _ranks(board: Board) -> str:
    """Write the ranks of the methods and how they compare, a line each; nothing where there are too few for ranks."""
    if not is_ranked(board):
        return ""
    of = board.lines[0]
    caption = (
        f"{escaped(board.title)}: ranks by the gap. Best on: share of the seeds with the smallest gap. Differences of "
        "the gaps in points, paired by seed, each with its own 95\\,\\% interval; below zero the method is closer to "
        "the oracle. Closer than: ranks of the methods that it is closer than by the adjusted verdict; the intervals "
        f"of the ranks follow from these and hold together. {escaped(families_in_words(board))}."
    )
    body = [
        [
            one.rank,
            escaped(one.method),
            escaped(one.best),
            _minus(one.minus_nothing),
            one.p.replace("<", "$<$"),
            _minus(one.minus_first),
            one.closer_than.replace("-", "--"),
        ]
        for one in summaries_of(board)
    ]
    label = f"tab:lethe-{of.study}-{of.scenario[:8]}-ranks"
    head = [
        *("Rank [95\\,\\%]", "Method", "Best on", "Minus doing nothing [95\\,\\%]", "$p$ (Holm)"),
        *("Minus the first [95\\,\\%]", "Closer than"),
    ]
    return "\n" + _table(caption, label, "rlrrrrl", head, body)


def _audits(board: Board) -> str:
    """Write the verdict of the audits on each row, and what each statistic is worth; nothing where there were none."""
    audits = audits_of(board)
    if audits is None:
        return ""
    title, label = escaped(board.title), f"tab:lethe-{board.lines[0].study}-{board.lines[0].scenario[:8]}-audits"
    judged = [
        [escaped(line.row), line.overall, escaped(line.doses), escaped(violations_in_words(audits, line))]
        for line in audits.rows
    ]
    head = ["", "Verdict", "As if still in", "Violation by"]
    caption = f"{title}: audits. {escaped(AUDITS_TO_READ)}"
    worth = [[escaped(one.metric), escaped(one.power), one.false_alarms] for one in audits.statistics]
    of_each = f"{title}: what each statistic of the audits is worth on these data."
    return (
        "\n"
        + _table(caption, label, f"llr{_WRAPPED}", head, judged)
        + "\n"
        + _table(of_each, f"{label}-worth", "lrr", ["Statistic", "Power", "False alarms"], worth)
    )


_WRAPPED: Final = ">{\\raggedright\\arraybackslash}p{0.42\\linewidth}"
"""A column whose text breaks into lines."""


_LEGEND: Final = (
    "Percent and points. Gap: mean absolute difference to the oracle of the same seed over UA, RA, TA and MIA, with "
    "its 95\\,\\% interval (Student's $t$). Noise floor: the gap between oracles of different seeds. Over the floor: "
    "gap to the oracles of the other seeds, minus that of the seed's own oracle; both with jackknife intervals."
)


def _line(line: LeaderboardRow, *, compared: bool) -> list[str]:
    name = escaped(row_title(line.row, untuned=line.untuned))
    gap = f"{percent(line.gap)} {gap_interval(line)}".rstrip() if line.gap is not None else escaped(missing(line))
    return [
        f"\\textbf{{{name}}}" if is_choice(line) else name,
        *(_minus(percent(value)) for value in (line.ua, line.ra, line.ta, line.mia)),
        *((gap, _minus(excess(line)), line.verdict or "") if compared else (standing(line),)),
        seconds(line.seconds_unlearn),
        *((share(line.compute_share, line.seconds_unlearn).removesuffix(" %"),) if compared else ()),
        "" if line.tuning_trials is None else str(line.tuning_trials),
    ]


def _augmentation(study: str, rows: Sequence[AugmentationRow]) -> str:
    head = [
        "Data",
        "Precision",
        "Forget",
        "Row",
        "Measure",
        "Augmentation",
        "With",
        "Without",
        "Difference [95\\,\\%]",
        "",
    ]
    caption = (
        f"{escaped(study)}: what augmentation changes, paired by training seed. Percent and points; "
        "the augmentation without is "
        f"{escaped(', '.join(sorted({row.against for row in rows})))}."
    )
    body = [
        [
            *(escaped(text) for text in (row.dataset, row.precision or "", row.forget, row.row)),
            METRICS.get(row.metric, row.metric),
            escaped(row.augmentation),
            _minus(percent(row.mean)),
            _minus(percent(row.mean_against)),
            _minus(difference(row.difference, row.low, row.high)),
            escaped(row.verdict),
        ]
        for row in rows
    ]
    return _table(caption, f"tab:lethe-{study}-augmentation", "llllllrrrl", head, body)


def _clinical(board: Board, clinic: Clinic) -> str:
    """Write what a clinic sees of a scenario; a difference is bold where its interval excludes 0."""
    return "\n".join(_clinical_table(board, table, number) for number, table in enumerate(clinic.tables, start=1))


def _clinical_table(board: Board, table: Table, number: int) -> str:
    title = f" {escaped(table.title)}." if table.title else ""
    to_read = escaped(TO_READ_ALONE)
    if board.has_oracles:
        to_read = f"{escaped(TO_READ)} In parentheses the difference. Bold: the 95\\,\\% interval excludes 0."
    caption = (
        f"{escaped(board.title)}: what a clinic sees.{title} {to_read} "
        f"{escaped(table.legend[0].upper() + table.legend[1:])}."
    )
    head = ["", *(escaped(one.heading[0].upper() + one.heading[1:]) for one in table.columns)]
    body = [[escaped(line.name), *map(_clinical_cell, line.cells)] for line in table.lines]
    study, scenario = board.key
    label = f"tab:lethe-{study}-{scenario[:8]}-clinical-{number}"
    return _table(caption, label, "l" + "r" * len(table.columns), head, body)


def _clinical_cell(cell: Cell) -> str:
    text, difference = _minus(cell.text), _minus(cell.difference)
    if not difference:
        return f"\\textbf{{{text}}}" if cell.excludes_zero else text
    return f"{text} (\\textbf{{{difference}}})" if cell.excludes_zero else f"{text} ({difference})"


def _table(caption: str, label: str, columns: str, head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [
        "% Needs \\usepackage{array, booktabs}. Written by lethe.",
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
