"""The tables of a results place: for each question every row of its comparison, and how the rows compare.

The numbers are those of the views; ``_leaderboard.py`` prints them, ``_notes.py`` says what to know beside them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from lethe.place import Place
from lethe.report._numbers import listed, model_title
from lethe.report._others import Other, others_of, unlisted_of
from lethe.results import Results, to_rows
from lethe.results.views import ChosenRow, ContrastRow, JointTestRow, LeaderboardRow, SearchQualityRow

Key = tuple[str, str]
"""A study's name and a question's fingerprint."""


@dataclass(frozen=True)
class Board:
    """The table of one question, as one specification of a study asked it.

    Attributes:
        contrasts: each method against doing nothing, the other methods and its own controls.
        tests: of each row, whether its four measures together are those of oracles.
        choices: the settings that the searches of this specification chose.
        searches: how good these searches were.
        others: what else is stored under the study's name.
        unlisted: confirmations stored under the study's name that no specification's tables hold any more.
        twin: whether another board has the same title.
    """

    lines: tuple[LeaderboardRow, ...]
    contrasts: tuple[ContrastRow, ...]
    tests: tuple[JointTestRow, ...]
    choices: tuple[ChosenRow, ...]
    searches: tuple[SearchQualityRow, ...]
    others: tuple[Other, ...]
    unlisted: int = 0
    twin: bool = False

    @property
    def key(self) -> Key:
        """Which board it is."""
        return self.lines[0].study, self.lines[0].question

    @property
    def title(self) -> str:
        """How reports name the question and its study; with the question's fingerprint where names do not suffice."""
        return f"{self._named} · question {self.lines[0].question[:8]}" if self.twin else self._named

    @property
    def seeds(self) -> str:
        """Which seeds its numbers come from, a sentence."""
        of = max(self.lines, key=lambda line: line.seeds)
        tuned = f"; settings were chosen on {listed('seed', of.tuning_seeds)}" if of.tuning_seeds else ""
        return f"Means over {listed('training seed', of.reporting_seeds, counted=True)}{tuned}."

    @property
    def original(self) -> LeaderboardRow | None:
        """The row of doing nothing."""
        return next((line for line in self.lines if line.row == "original"), None)

    @property
    def _named(self) -> str:
        of = self.lines[0]
        model = model_title(of.network, of.precision)
        training = f", {of.training}" if of.training else ""
        return f"{of.study} · {of.dataset}, augmentation {of.arm}, forget {of.forget} · {model}{training}"


def leaderboard(place: Place, study: str | None = None, specification: str | None = None) -> list[Board]:
    """Read the confirmed comparison of each question, of one study or of all.

    Args:
        specification: whose comparisons; if not given, of each study the specification that was run last.

    Raises:
        QueryError: no results in the place, or no such specification.
        SchemaError: a newer Lethe wrote a part.
    """
    return boards_of(Results(place, study, specification))


def earlier_tables(place: Place, study: str | None, boards: Iterable[Board]) -> list[str]:
    """Return of each study without a board whether earlier specifications have one, and which command shows it."""
    with_board = {board.key[0] for board in boards}
    return [
        f"{name}: nothing is confirmed yet of the specification that was run last. {other.sentence}"
        for name, others in others_of(Results(place, study)).items()
        for other in others
        if name not in with_board
    ]


def boards_of(results: Results) -> list[Board]:
    """Read the confirmed comparisons of results that are at hand."""
    lines = _by_question(to_rows(results.load("leaderboard"), LeaderboardRow))
    contrasts = _by_question(to_rows(results.load("contrasts"), ContrastRow))
    tests = _by_question(to_rows(results.load("joint_tests"), JointTestRow))
    choices = _by_question(row for row in to_rows(results.load("chosen"), ChosenRow) if row.current)
    cells = set(results.query("select distinct cell from asked where cell is not null")["cell"].to_pylist())
    searches = _by_question(
        row for row in to_rows(results.load("search_quality"), SearchQualityRow) if row.cell in cells
    )
    others, unlisted = others_of(results), unlisted_of(results)
    boards = [
        Board(
            tuple(rows),
            tuple(contrasts[key]),
            tuple(tests[key]),
            tuple(choices[key]),
            tuple(searches[key]),
            others.get(key[0], ()),
            unlisted.get(key[0], 0),
        )
        for key, rows in lines.items()
    ]
    titles = Counter(board.title for board in boards)
    return [replace(board, twin=titles[board.title] > 1) for board in boards]


def is_choice(line: LeaderboardRow) -> bool:
    """Tell whether a row is the setting that a search chose: no control, and neither original nor oracle."""
    return not line.untuned and line.row not in ("original", "oracle")


QuestionRowT = TypeVar("QuestionRowT", LeaderboardRow, ContrastRow, JointTestRow, ChosenRow, SearchQualityRow)


def _by_question(rows: Iterable[QuestionRowT]) -> defaultdict[Key, list[QuestionRowT]]:
    sorted_rows: defaultdict[Key, list[QuestionRowT]] = defaultdict(list)
    for row in rows:
        sorted_rows[row.study, row.question].append(row)
    return sorted_rows
