"""The search of a whole study, without workers: what it deals and counts, and what it keeps and continues from."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lethe.results import Store, TrialRow
from lethe.results.provenance import Provenance
from lethe.search import Journal, StudySearch
from lethe.search._epoch_report import Report, Status
from lethe.search._optuna import Proposal
from lethe.study import MethodSearch, expand, read_study
from unlearning.data import load
from unlearning.evaluation import Measures

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def method_searches(write_study: Callable[..., Path]) -> list[MethodSearch]:
    """Two method searches of six trials in which one setting in three comes again."""
    study = read_study(
        write_study(
            forget=[{"kind": "random", "fraction": 0.2}, {"kind": "random", "fraction": 0.4}],
            methods=[{"name": "salun", "epochs": 1, "search": {"relabel": ["any", "other"], "density": [0.2, 0.5]}}],
            search={"trials": 6, "window": 2, "sampler": "random"},
        )
    )
    return expand(study, {source: load(source) for source in study.data})


@pytest.fixture
def begin(method_searches: list[MethodSearch], store: Store) -> Callable[[], StudySearch]:
    """Begins the search, or continues it, with all method searches open."""

    def search() -> StudySearch:
        begun = StudySearch(method_searches, store, Journal(store.root, method_searches[0].study.name))
        for method_search in method_searches:
            begun.open_search(method_search)
        return begun

    return search


def report(status: Status, gap: float) -> Report:
    measured: dict[str, Any] = {"gap": gap, "gap_per_seed": (gap,), "measures": Measures(0.2, 0.9, 0.8, 0.3)}
    if status in ("failed", "diverged"):
        measured = {"gap": float("inf"), "gap_per_seed": (), "measures": None}
    return Report(
        epoch=1,
        status=status,
        **measured,
        loss=0.5,
        seconds_load=0.0,
        seconds_unlearn=1.0,
        seconds_evaluate=0.0,
        seconds_attack=0.0,
        started_at=NOW,
        ended_at=NOW,
        reference=None,
        provenance=Provenance(),
        error="no reason" if status == "failed" else None,
        cause="code" if status == "failed" else None,
    )


def outcome(proposal: Proposal) -> Report:
    """Every kind of ending; gaps of which some are equal."""
    statuses: list[Status] = ["done", "failed", "done", "diverged"]
    return report(statuses[proposal.number % 4], 0.5 - 0.1 * (proposal.number // 2))


def best_of(rows: list[TrialRow]) -> TrialRow | None:
    finished = [row for row in rows if row.status == "done"]
    return min(finished, key=lambda row: (row.gap, row.number), default=None)


def assert_counts(search: StudySearch) -> None:
    assert search.ended == len(search.rows)
    assert search.failed == sum(row.status in ("failed", "diverged") for row in search.rows)
    assert search.best == best_of(search.rows)


def run(search: StudySearch, trials: int | None = None) -> None:
    """Run so many trials (all by default), two at a time, the later one ending first."""
    running: list[Proposal] = []
    while trials is None or trials > 0:
        while len(running) < 2 and (proposal := search.next_proposal()) is not None:
            running.append(proposal)
        if not running:
            return
        ended = running.pop()
        search.report(ended, outcome(ended))
        assert_counts(search)
        trials = trials and trials - 1


def settings(search: StudySearch) -> set[tuple[str, int, str, str | None]]:
    return {(row.method_search, row.number, row.setting, row.copied_from) for row in search.rows}


def test_what_is_told_of_all_trials_agrees_with_their_rows(begin: Callable[[], StudySearch]) -> None:
    search = begin()
    assert (search.ended, search.failed, search.best) == (0, 0, None)
    run(search)
    assert search.finished
    assert search.ended == search.planned == 12
    assert search.failed
    assert any(row.copied_from for row in search.rows)


@pytest.mark.parametrize("trials", [1, 4])
def test_a_continued_search_counts_what_it_found_and_ends_as_an_undisturbed_one(
    begin: Callable[[], StudySearch], method_searches: list[MethodSearch], tmp_path: Path, trials: int
) -> None:
    run(begin(), trials)
    continued = begin()
    assert continued.ended >= trials
    assert_counts(continued)
    run(continued)
    elsewhere = Store(continued._store.root.at(tmp_path / "elsewhere"))
    undisturbed = StudySearch(method_searches, elsewhere, Journal(elsewhere.root, "tiny"))
    for method_search in method_searches:
        undisturbed.open_search(method_search)
    run(undisturbed)
    assert settings(continued) == settings(undisturbed)


def test_every_row_says_what_proposed_it_a_repeated_setting_too(
    begin: Callable[[], StudySearch], write_study: Callable[..., Path], store: Store
) -> None:
    search = begin()
    run(search)
    assert {row.proposed_by for row in search.rows} == {"random"}
    choice = {"name": "salun", "epochs": 1, "search": {"relabel": ["any", "other"]}}
    study = read_study(write_study(methods=[choice], search={"trials": 8, "window": 2, "startup": 2}))
    [method_search] = expand(study, {source: load(source) for source in study.data})
    modelled = StudySearch([method_search], store, Journal(store.root, "modelled"))
    modelled.open_search(method_search)
    run(modelled)
    rows = sorted(modelled.rows, key=lambda row: row.number)
    assert rows[0].copied_from is None
    assert all(row.copied_from for row in rows[2:])
    assert {row.proposed_by for row in rows[:4]} == {"startup"}
    assert rows[-1].proposed_by == "model"


def test_a_finished_search_continues_as_finished(begin: Callable[[], StudySearch]) -> None:
    run(begin())
    again = begin()
    assert again.next_proposal() is None
    assert again.finished
    assert again.ended == again.planned
