"""The tables of the results: for each scenario every row of its comparison, and how the rows compare.

The numbers are those of the views; ``_leaderboard.py`` prints them, ``_notes.py`` writes the notes below them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from lethe.report._class_names import class_names
from lethe.report._measured import is_measured
from lethe.report._numbers import listed, model_title
from lethe.report._others import Other, others_of, unlisted_of
from lethe.results import Results, to_rows
from lethe.results.rows import SEVERAL_LABELS
from lethe.results.views import (
    AuditVerdictRow,
    BreakEvenRow,
    BudgetRow,
    ChosenRow,
    ContrastRow,
    DriftRow,
    FrontRow,
    JointTestRow,
    LeaderboardRow,
    MeanRankRow,
    OptimismRow,
    RankRow,
    SearchQualityRow,
)
from lethe.storage.root import StorageRoot

Key = tuple[str, str]
"""A study's name and a scenario's fingerprint."""


@dataclass(frozen=True)
class Board:
    """The table of one scenario, as one specification of a study asked it.

    Attributes:
        contrasts: each method against doing nothing, the other methods and its own controls.
        tests: of each row, whether its four measures together are those of oracles.
        choices: the settings that the searches of this specification chose.
        searches: how good these searches were.
        ranks: the methods by their gap, the closest to retraining first.
        optimism: of the settings that were chosen, the gap where that was and where it was not.
        budgets: what these searches spent.
        break_even: from how many requests on each method pays; of a stream, by what the first one took.
        mean_ranks: the ranks of the methods over all boards of the study; the same on each of them.
        fronts: the settings that no other dominates, of searches of several objectives.
        audits: what the audits say of the rows.
        class_names: of the classes that audits say something of by themselves; empty without any.
        drift: of all requests of the stream that the scenario's belong to; the same on each of their boards.
        others: what else is stored under the study's name.
        unlisted: confirmations stored under the study's name that no specification's tables hold any more.
        duplicate: whether another board has the same title.
    """

    lines: tuple[LeaderboardRow, ...]
    contrasts: tuple[ContrastRow, ...]
    tests: tuple[JointTestRow, ...]
    choices: tuple[ChosenRow, ...]
    searches: tuple[SearchQualityRow, ...]
    ranks: tuple[RankRow, ...]
    optimism: tuple[OptimismRow, ...]
    budgets: tuple[BudgetRow, ...]
    break_even: tuple[BreakEvenRow, ...]
    mean_ranks: tuple[MeanRankRow, ...]
    fronts: tuple[FrontRow, ...]
    audits: tuple[AuditVerdictRow, ...]
    class_names: Mapping[int, str]
    drift: tuple[DriftRow, ...]
    others: tuple[Other, ...]
    unlisted: int = 0
    duplicate: bool = False

    @property
    def key(self) -> Key:
        """Which board it is."""
        return self.lines[0].study, self.lines[0].scenario

    @property
    def title(self) -> str:
        """How reports name the scenario and its study; with the scenario's fingerprint where names do not suffice."""
        return f"{self._named} · scenario {self.lines[0].scenario[:8]}" if self.duplicate else self._named

    @property
    def has_several_labels(self) -> bool:
        """Whether an image has any number of labels, so that UA, RA and TA are made of AUROC."""
        return self.lines[0].task == SEVERAL_LABELS

    @property
    def score(self) -> str:
        """What RA and TA are."""
        return "mean AUROC" if self.has_several_labels else "accuracy"

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads of the columns of UA, RA, TA and MIA; with a star, which a note explains, where they are AUROC."""
        star = "*" if self.has_several_labels else ""
        return f"UA{star}", f"RA{star}", f"TA{star}", "MIA"

    @property
    def seeds(self) -> str:
        """Which seeds its numbers come from, a sentence."""
        of = max(self.lines, key=lambda line: line.seeds)
        tuned = f"; settings were chosen on {listed('seed', of.tuning_seeds)}" if of.tuning_seeds else ""
        seed = "training seed" if self.has_oracles else "seed"
        return f"Means over {listed(seed, of.reporting_seeds, counted=True)}{tuned}."

    @property
    def has_oracles(self) -> bool:
        """Whether there is anything to hold its rows against."""
        return self.lines[0].has_oracles

    @property
    def step(self) -> int | None:
        """How many requests of a stream have come; None for a request by itself."""
        return next((one.step for one in self.drift if one.scenario == self.key[1]), None)

    @property
    def ends_stream(self) -> bool:
        """Whether no board of the stream is about more requests."""
        return bool(self.drift) and self.step == max(one.step for one in self.drift)

    @property
    def original(self) -> LeaderboardRow | None:
        """The row of doing nothing."""
        return next((line for line in self.lines if line.row == "original"), None)

    @property
    def _named(self) -> str:
        of = self.lines[0]
        model = model_title(of.network, of.precision)
        training = f", {of.training}" if of.training else ""
        return f"{of.study} · {of.dataset}, augmentation {of.augmentation}, forget {of.forget} · {model}{training}"


def leaderboard(root: StorageRoot, study: str | None = None, specification: str | None = None) -> list[Board]:
    """Read the confirmed comparison of each scenario, of one study or of all.

    Args:
        specification: whose comparisons; if not given, of each study the specification that was run last.

    Raises:
        QueryError: no results there, or no such specification.
        SchemaError: a newer Lethe wrote a part.
    """
    return boards_of(Results(root, study, specification))


def earlier_tables(root: StorageRoot, study: str | None, boards: Iterable[Board]) -> list[str]:
    """Return for each study without a board whether earlier specifications have one, and which command shows it."""
    with_board = {board.key[0] for board in boards}
    return [
        f"{name}: nothing is confirmed yet of the specification that was run last. {other.sentence}"
        for name, others in others_of(Results(root, study)).items()
        for other in others
        if name not in with_board
    ]


def boards_of(results: Results) -> list[Board]:
    """Read the confirmed comparisons of results that are at hand."""
    lines = _by_scenario(to_rows(results.load("leaderboard"), LeaderboardRow))
    contrasts = _by_scenario(to_rows(results.load("contrasts"), ContrastRow))
    tests = _by_scenario(to_rows(results.load("joint_tests"), JointTestRow))
    choices = _by_scenario(row for row in to_rows(results.load("chosen"), ChosenRow) if row.current)
    method_searches = set(
        results.query("select distinct method_search from asked where method_search is not null")[
            "method_search"
        ].to_pylist()
    )
    searches = _by_scenario(
        row for row in to_rows(results.load("search_quality"), SearchQualityRow) if row.method_search in method_searches
    )
    ranks = _by_scenario(to_rows(results.load("ranks"), RankRow))
    optimism = _by_scenario(
        row for row in to_rows(results.load("optimism"), OptimismRow) if row.method_search in method_searches
    )
    budgets = _by_scenario(
        row for row in to_rows(results.load("budgets"), BudgetRow) if row.method_search in method_searches
    )
    break_even = _by_scenario(to_rows(results.load("break_even"), BreakEvenRow))
    mean_ranks = to_rows(results.load("mean_ranks"), MeanRankRow)
    fronts = _by_scenario(
        row for row in to_rows(results.load("front"), FrontRow) if row.current and len(row.objectives) > 1
    )
    audited = is_measured(results, "test is not null")
    audits = _by_scenario(to_rows(results.load("audit_verdicts"), AuditVerdictRow) if audited else ())
    has_streams = results.query("select 1 from asked where step is not null limit 1").num_rows
    drift = _by_stream(to_rows(results.load("drift"), DriftRow) if has_streams else ())
    by_class = any(one.class_index is not None for rows in audits.values() for one in rows)
    names = class_names(results) if by_class else {}
    others, unlisted = others_of(results), unlisted_of(results)
    boards = [
        Board(
            tuple(rows),
            tuple(contrasts[key]),
            tuple(tests[key]),
            tuple(choices[key]),
            tuple(searches[key]),
            tuple(ranks[key]),
            tuple(optimism[key]),
            tuple(budgets[key]),
            tuple(break_even[key[0], drift[key][0].stream] if key in drift else break_even[key]),
            tuple(one for one in mean_ranks if one.study == key[0]),
            tuple(fronts[key]),
            tuple(audits[key]),
            names.get(key, {}),
            drift.get(key, ()),
            others.get(key[0], ()),
            unlisted.get(key[0], 0),
        )
        for key, rows in lines.items()
    ]
    titles = Counter(board.title for board in boards)
    return [replace(board, duplicate=titles[board.title] > 1) for board in _in_order(boards)]


def _in_order(boards: Sequence[Board]) -> list[Board]:
    """Return boards in their order, but those of a stream together and by the number of requests."""
    places: dict[Key, int] = {}
    for place, board in enumerate(boards):
        places.setdefault(_stream_of(board), place)
    return sorted(boards, key=lambda board: (places[_stream_of(board)], board.step or 0))


def _stream_of(board: Board) -> Key:
    return (board.key[0], board.drift[0].stream) if board.drift else board.key


def is_choice(line: LeaderboardRow) -> bool:
    """Return whether a row is the setting that a search chose: no control, and neither original nor oracle."""
    return not line.untuned and line.row not in ("original", "oracle")


ScenarioRowT = TypeVar(
    "ScenarioRowT",
    AuditVerdictRow,
    LeaderboardRow,
    ContrastRow,
    FrontRow,
    JointTestRow,
    ChosenRow,
    SearchQualityRow,
    RankRow,
    OptimismRow,
    BudgetRow,
    BreakEvenRow,
)


def _by_scenario(rows: Iterable[ScenarioRowT]) -> defaultdict[Key, list[ScenarioRowT]]:
    sorted_rows: defaultdict[Key, list[ScenarioRowT]] = defaultdict(list)
    for row in rows:
        sorted_rows[row.study, row.scenario].append(row)
    return sorted_rows


def _by_stream(rows: Iterable[DriftRow]) -> dict[Key, tuple[DriftRow, ...]]:
    """Return for each scenario of a stream the rows of the whole stream."""
    streams: defaultdict[Key, list[DriftRow]] = defaultdict(list)
    scenarios: dict[Key, Key] = {}
    for row in rows:
        streams[row.study, row.stream].append(row)
        scenarios[row.study, row.scenario] = row.study, row.stream
    return {scenario: tuple(streams[stream]) for scenario, stream in scenarios.items()}
