"""Searches that begin with settings of others: which these are, that they stay, and what is proposed after them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lethe.results import BoardRow, Store, TrialRow
from lethe.search import StudySearch, unrecorded, with_priors
from lethe.search._journal import Journal
from lethe.search._optuna import OptunaSearch, Outcome
from lethe.search._priors import within
from lethe.search._space import startup_setting
from lethe.study import MethodSearch, Prior, StudyError, expand, parse_study
from unlearning.data import load

Record = Callable[..., None]
LR = {"low": 0.001, "high": 0.1, "log": True}


def searches(start_from: Sequence[str] = (), **salun: Any) -> list[MethodSearch]:
    options = {
        "name": "mine",
        "data": [{"source": "synthetic", "train": 40, "val": 10, "test": 10, "size": 8}],
        "forget": [{"kind": "random", "fraction": 0.1}],
        "network": {"name": "cnn", "width": 4},
        "training": {"precision": "float32"},
        "methods": [{"name": "salun", "search": {"lr": LR, "density": {"low": 0.1, "high": 0.9}}, **salun}],
        "search": {"start_from": list(start_from), "window": 1, "startup": 2},
    }
    study = parse_study(options, "s")
    return expand(study, {source: load(source) for source in study.data})


@pytest.fixture
def record(store: Store, make: Callable[..., Any]) -> Record:
    """Records a search that has ended: its board and its one trial."""

    def ended(study: str, lr: float, *, planned: int = 1, data_hash: str = "other", **changes: Any) -> None:
        common = {"study": study, "scenario": f"q-{study}", "method_search": f"c-{study}"} | changes
        trial = {"trial_id": f"t-{study}", "training_seeds": [0], "setting": f'{{"lr": {lr}, "density": 0.5}}'}
        board = {
            "row": common.get("method", "salun"),
            "data_hash": data_hash,
            "planned_trials": planned,
            "trial_id": trial["trial_id"],
        }
        store.append([make(TrialRow, **common, **trial)])
        store.append([make(BoardRow, **common, **board, run_at=datetime(2026, 11, 23, tzinfo=UTC))])

    return ended


def rates(method_search: MethodSearch) -> list[float]:
    return [prior.setting["lr"] for prior in method_search.priors]


def test_a_search_that_asks_for_none_keeps_its_fingerprint(store: Store) -> None:
    plain = searches()
    assert with_priors(plain, store) == plain
    assert plain[0].fingerprint == searches(["results"])[0].fingerprint
    assert unrecorded(plain, store) == []


def test_settings_of_other_images_are_taken_by_study_and_once_each(store: Store, record: Record) -> None:
    [own] = searches()
    record("b", 0.02)
    record("a", 0.01)
    record("again", 0.02)
    record("same", 0.05, data_hash=own.scenario.data_hash)
    record("running", 0.06, planned=3)
    record("other-method", 0.07, method="fine_tune")
    [found] = with_priors(searches(["results"]), store)
    assert rates(found) == [0.01, 0.02]
    assert found.priors[0].source == "study a: bloodmnist, augmentation none, forget random 10 %, resnet18"
    assert found.fingerprint != own.fingerprint
    assert found.stream == own.stream


def test_a_study_that_is_named_counts_with_the_same_images_too(store: Store, record: Record) -> None:
    record("same", 0.05, data_hash=searches()[0].scenario.data_hash)
    record("b", 0.02)
    assert rates(with_priors(searches(["same"]), store)[0]) == [0.05]


def test_what_was_found_first_stays(store: Store, record: Record) -> None:
    """Even that nothing was found."""
    first = with_priors(searches(["results"], epochs=1), store)
    store.append(unrecorded(first, store))
    record("a", 0.01)
    [second] = with_priors(searches(["results"]), store)
    store.append(unrecorded([second], store))
    record("b", 0.02)
    assert with_priors(searches(["results"], epochs=1), store)[0].priors == ()
    assert with_priors(searches(["results"]), store)[0].fingerprint == second.fingerprint
    assert unrecorded([second], store) == []


def test_a_setting_that_was_chosen_on_a_reporting_seed_of_the_same_images_is_refused(
    store: Store, record: Record, make: Callable[..., Any]
) -> None:
    record("same", 0.05, data_hash=searches()[0].scenario.data_hash)
    trial = make(TrialRow, study="same", scenario="q-same", method_search="c-same", trial_id="t-same")
    store.append([trial])
    with pytest.raises(StudyError, match=r"salun of study same was chosen on the seeds \[1\] of the same images"):
        with_priors(searches(["same"]), store)


def test_a_study_that_is_not_there_is_answered_with_those_that_are(store: Store, record: Record) -> None:
    record("blood", 0.01)
    with pytest.raises(
        StudyError, match=r"search.start_from.0: no study 'bloot' in .*; studies there: blood; a settings"
    ):
        with_priors(searches(["bloot"]), store)


def test_a_file_that_is_not_there_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.yaml"):
        with_priors(searches([str(tmp_path / "none.yaml")]), store)


def test_numbers_are_clipped_to_their_ranges_and_other_choices_left_out() -> None:
    search = {"lr": LR, "epochs": {"low": 1, "high": 4}, "relabel": ["any", "other"]}
    [method_search] = searches(search=search)
    choice = method_search.choice
    setting = {"lr": 0.5, "epochs": 9, "relabel": "other", "density": 0.3}
    assert within(choice, setting) == {"lr": 0.1, "epochs": 4, "relabel": "other"}
    assert within(choice, {"lr": 0.5, "epochs": 1}) == {"lr": 0.1, "epochs": 1, "relabel": "any"}
    assert within(choice, setting | {"relabel": "none"}) is None
    assert within(choice, setting | {"lr": None}) is None


def proposals(method_search: MethodSearch, known: dict[int, Any]) -> list[tuple[str, Any]]:
    search = OptunaSearch(method_search, known)
    found = []
    while (proposal := search.propose()) is not None and proposal.number < 7:
        found.append((proposal.proposed_by, proposal.setting, proposal.prior_from))
        search.settle(proposal.number, Outcome("done", (proposal.setting["lr"],)))
    return found


def test_the_settings_come_first_then_the_start_up_draws_of_any_search_then_the_model() -> None:
    [plain] = searches()
    given = ({"lr": 0.02, "density": 0.5}, {"lr": 0.1, "density": 0.1})
    with_two = replace(plain, priors=tuple(Prior(one, f"study {one['lr']}") for one in given))
    found = proposals(with_two, {})
    assert [one[0] for one in found] == ["prior", "prior", "startup", "startup", "startup", "model", "model"]
    assert [one[1] for one in found[:2]] == list(given)
    assert [one[2] for one in found[:3]] == ["study 0.02", "study 0.1", None]
    assert [one[1] for one in found[2:4]] == [startup_setting(plain, 0), startup_setting(plain, 1)]
    known = {n: (setting, Outcome("done", (setting["lr"],))) for n, (_, setting, _) in enumerate(found[:4])}
    assert proposals(with_two, known) == found[4:]


def test_a_trial_says_where_its_setting_is_from(store: Store, record: Record) -> None:
    record("a", 0.01)
    method_searches = with_priors(searches(["a"]), store)
    search = StudySearch(method_searches, store, Journal(store.root, "mine"))
    search.open_search(method_searches[0])
    proposal = search.next_proposal()
    assert proposal is not None
    search.end(proposal, "failed", "it was a test")
    [row] = search.rows
    assert (row.proposed_by, row.prior_from) == ("prior", method_searches[0].priors[0].source)
