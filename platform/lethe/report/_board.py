"""The tables of a results place: for each question every row of its comparison, and how the rows compare.

The numbers are those of the views ``leaderboard`` and ``contrasts``; ``_leaderboard.py`` prints them.
"""

from collections import defaultdict
from dataclasses import dataclass

from lethe.place import Place
from lethe.report._numbers import model_title
from lethe.results import Results, to_rows
from lethe.results.views import ContrastRow, LeaderboardRow


@dataclass(frozen=True)
class Board:
    """The table of one question, and each method's contrasts with doing nothing and with its own controls."""

    lines: tuple[LeaderboardRow, ...]
    contrasts: tuple[ContrastRow, ...]

    @property
    def title(self) -> str:
        """How reports name the question and its study."""
        of = self.lines[0]
        model = model_title(of.network, of.precision)
        return f"{of.study} · {of.dataset}, augmentation {of.arm}, forget {of.forget} · {model}"


def leaderboard(place: Place, study: str | None = None) -> list[Board]:
    """Read the confirmed comparison of each question, of one study or of all.

    Raises:
        QueryError: no results in the place.
        SchemaError: a newer Lethe wrote a part.
    """
    return boards_of(Results(place, study))


def boards_of(results: Results) -> list[Board]:
    """Read the confirmed comparisons of results that are at hand."""
    questions: defaultdict[tuple[str, str], tuple[list[LeaderboardRow], list[ContrastRow]]]
    questions = defaultdict(lambda: ([], []))
    for line in to_rows(results.load("leaderboard"), LeaderboardRow):
        questions[line.study, line.question][0].append(line)
    for contrast in to_rows(results.load("contrasts"), ContrastRow):
        questions[contrast.study, contrast.question][1].append(contrast)
    return [Board(tuple(lines), tuple(contrasts)) for lines, contrasts in questions.values()]


def is_choice(line: LeaderboardRow) -> bool:
    """Tell whether a row is the setting that a search chose: no control, and neither original nor oracle."""
    return line.method == line.row and line.row not in ("original", "oracle")
