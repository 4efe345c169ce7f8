"""The search of a whole study, without workers: what it deals and counts, and what it keeps and continues from."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lethe.results import Store, TrialRow
from lethe.results.columns import setting_of
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


def best_of(rows: list[TrialRow]) -> set[str]:
    """The best trial of each scenario, by its id."""
    finished = sorted((row for row in rows if row.status == "done"), key=lambda row: (row.gap, row.number))
    return {
        next(row.trial_id for row in finished if row.scenario == scenario)
        for scenario in {row.scenario for row in finished}
    }


def assert_counts(search: StudySearch) -> None:
    assert search.ended == len(search.rows)
    assert search.failed == sum(row.status in ("failed", "diverged") for row in search.rows)
    assert {row.trial_id for row in search.best} == best_of(search.rows)


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
    assert (search.ended, search.failed, search.best) == (0, 0, [])
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


def test_a_setting_at_a_default_that_its_json_leaves_out_is_read_back(
    write_study: Callable[..., Path], store: Store
) -> None:
    space = {"schedule": ["constant", "cosine"], "lr": {"low": 0.01, "high": 0.1}}
    study = read_study(write_study(methods=[{"name": "fine_tune", "search": space}], search={"trials": 6, "window": 2}))
    [method_search] = expand(study, {source: load(source) for source in study.data})
    search = StudySearch([method_search], store, Journal(store.root, study.name))
    search.open_search(method_search)
    proposed = {}
    while (proposal := search.next_proposal()) is not None:
        proposed[proposal.number] = proposal.setting
        search.report(proposal, report("done", 0.1))
    assert any("schedule" not in json.loads(row.setting) for row in search.rows)
    assert {row.number: setting_of(row, method_search) for row in search.rows} == proposed


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


@pytest.fixture
def race(write_study: Callable[..., Path], store: Store) -> Callable[..., StudySearch]:
    """Begins, or continues, a search of nine trials that races on further seeds, in a store of its own if one is
    named."""

    def search(where: Store = store, tuning: tuple[int, ...] = (0, 4, 5), **options: Any) -> StudySearch:
        choice = {"name": "fine_tune", "epochs": 1, "search": {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}}}
        study = read_study(
            write_study(
                methods=[choice],
                search={"trials": 9, "window": 2, **options},
                seeds={"tuning": list(tuning), "reporting": [1, 2]},
            )
        )
        method_searches = expand(study, {source: load(source) for source in study.data})
        begun = StudySearch(method_searches, where, Journal(where.root, study.name))
        begun.open_search(method_searches[0])
        return begun

    return search


def raced(search: StudySearch, trials: int | None = None) -> list[Proposal]:
    """Runs so many trials (all by default), two at a time; returns what was proposed.

    The gap follows from setting and seeds; a trial takes a second.
    """
    running: list[Proposal] = []
    proposed: list[Proposal] = []
    while trials is None or trials > 0:
        while len(running) < 2 and (proposal := search.next_proposal()) is not None:
            running.append(proposal)
            proposed.append(proposal)
        if not running:
            break
        ended = running.pop()
        gap = round(abs(ended.setting["lr"] - 0.02) + 0.001 * sum(ended.seeds), 6)
        begun = report("done", gap)
        search.report(ended, replace(begun, started_at=NOW - timedelta(seconds=1)))
        trials = trials and trials - 1
    return proposed


def kept(search: StudySearch) -> set[tuple[str, str, tuple[int, ...], float | None, int | None]]:
    return {(row.trial_id, row.setting, tuple(row.training_seeds), row.gap, row.round) for row in search.rows}


def test_the_best_settings_run_again_on_the_further_tuning_seeds(race: Callable[..., StudySearch]) -> None:
    search = race()
    assert search.planned == 9 + 3 + 2
    proposed = raced(search)
    assert search.finished
    assert [one.round for one in proposed] == 9 * [0] + 3 * [1] + 2 * [2]
    assert [one.seeds for one in proposed[9:]] == 3 * [(4,)] + 2 * [(5,)]
    assert {one.proposed_by for one in proposed[9:]} == {"race"}
    assert search.ended == search.planned == len(search.rows)
    promoted = {one.number for one in proposed if one.round == 1}
    assert promoted == {row.number for row in sorted(search.rows[:9], key=lambda row: row.gap or 0.0)[:3]}
    of_race = next(row for row in search.rows if row.round == 2)
    assert of_race.trial_id.endswith(f"-{of_race.number:04d}-seed5")
    assert of_race.training_seeds == [5]


@pytest.mark.parametrize("trials", [3, 9, 10, 13])
def test_a_race_that_is_killed_goes_on_as_if_nothing_had_happened(
    race: Callable[..., StudySearch], tmp_path: Path, store: Store, trials: int
) -> None:
    raced(race(), trials)
    continued = race()
    raced(continued)
    undisturbed = race(Store(store.root.at(tmp_path / "elsewhere")))
    raced(undisturbed)
    assert kept(continued) == kept(undisturbed)
    assert race().next_proposal() is None


def test_more_tuning_seeds_continue_a_search_of_one_and_run_only_the_race(race: Callable[..., StudySearch]) -> None:
    raced(race(tuning=(0,)))
    continued = race()
    assert (continued.ended, continued.planned) == (9, 14)
    assert {one.round for one in raced(continued)} == {1, 2}
    assert continued.finished


def test_more_trials_race_as_if_planned_from_the_start(
    race: Callable[..., StudySearch], tmp_path: Path, store: Store
) -> None:
    raced(race(trials=5))
    extended = race(trials=12)
    raced(extended)
    whole = race(Store(store.root.at(tmp_path / "whole")), trials=12)
    raced(whole)
    assert kept(whole) <= kept(extended)
    assert extended.ended == whole.ended == extended.planned


def test_a_search_with_a_budget_of_seconds_ends_and_continues_at_the_same_trial(
    race: Callable[..., StudySearch], tmp_path: Path, store: Store
) -> None:
    """9 of 13 seconds are round 0's: trial 11 would be the first to begin after trials 0 ... 8 took nine."""
    raced(race(trials=40, seconds=13.0), 8)
    continued = race(trials=40, seconds=13.0)
    raced(continued)
    assert continued.finished
    whole = race(Store(store.root.at(tmp_path / "whole")), trials=40, seconds=13.0)
    raced(whole)
    assert kept(continued) == kept(whole)
    assert [row.round for row in whole.rows].count(0) == 9 + 2
    longer = race(trials=40, seconds=26.0)
    raced(longer)
    assert kept(whole) < kept(longer)
