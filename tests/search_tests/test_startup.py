"""Who proposes the settings of a search: how it starts, when the sampler's model takes over, what that learns of."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import TPESampler

from lethe.search._optuna import SAMPLERS, OptunaSearch, Outcome, Proposal, Setting
from lethe.search._space import startup_setting
from lethe.study import MethodSearch, expand, read_study
from unlearning.data import load

LR = {"low": 1.0e-3, "high": 1.0e-1, "log": True}
DENSITY = {"low": 0.1, "high": 0.9}


@pytest.fixture
def make_cell(write_study: Callable[..., Path]) -> Callable[..., MethodSearch]:
    def make(space: dict[str, Any] | None = None, **search: Any) -> MethodSearch:
        method = {"name": "salun", "search": {"lr": LR, "density": DENSITY} if space is None else space}
        study = read_study(write_study(methods=[method], search={"trials": 12, "window": 4} | search))
        [method_search] = expand(study, {source: load(source) for source in study.data})
        return method_search

    return make


def done(setting: Setting) -> Outcome:
    return Outcome("done", (0.1 * abs(math.log10(setting["lr"]) + 2) + 0.05,))


def run(
    search: OptunaSearch, outcome: Callable[[Setting], Outcome] = done, latest_first: bool = False
) -> dict[int, Proposal]:
    """Run the search with as many trials at a time as it allows; return its proposals by number."""
    proposals: dict[int, Proposal] = {}
    running: list[Proposal] = []
    while True:
        running += iter(search.propose, None)
        if not running:
            return dict(sorted(proposals.items()))
        ended = running.pop(-1 if latest_first else 0)
        proposals[ended.number] = ended
        search.settle(ended.number, outcome(ended.setting))


def proposers(search: OptunaSearch, outcome: Callable[[Setting], Outcome] = done) -> list[str]:
    return [proposal.proposed_by for proposal in run(search, outcome).values()]


@pytest.mark.parametrize(("trials", "window", "startup"), [(12, 4, 4), (24, 4, 4), (12, 1, 3), (12, 4, 8), (6, 4, 4)])
def test_the_model_proposes_once_it_has_learnt_of_the_startup_trials(
    make_cell: Callable[..., MethodSearch], trials: int, window: int, startup: int
) -> None:
    made = proposers(OptunaSearch(make_cell(trials=trials, window=window, startup=startup), {}))
    drawn = min(trials, startup + window)
    assert made == ["startup"] * drawn + ["model"] * (trials - drawn)


def test_twelve_trials_of_the_default_search_are_not_all_startup_draws(
    make_cell: Callable[..., MethodSearch], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    class Counting(TPESampler):
        def _sample(self, *arguments: Any) -> dict[str, Any]:
            nonlocal asked
            asked += 1
            return super()._sample(*arguments)

    monkeypatch.setitem(SAMPLERS, "tpe", lambda seed: Counting(seed=seed, n_startup_trials=0))
    made = proposers(OptunaSearch(make_cell(), {}))
    assert asked == made.count("model") == 4


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_model_learns_of_trials_that_diverged_but_not_of_those_that_failed(
    make_cell: Callable[..., MethodSearch], sampler: str
) -> None:
    method_search = make_cell(sampler=sampler, trials=4, window=1, startup=2)
    assert proposers(OptunaSearch(method_search, {}), lambda setting: Outcome("diverged", ())).count("model") == 1
    assert proposers(OptunaSearch(method_search, {}), lambda setting: Outcome("failed", ())).count("model") == 0


def test_a_model_leaves_the_settings_that_diverge(make_cell: Callable[..., MethodSearch]) -> None:
    def outcome(setting: Setting) -> Outcome:
        return Outcome("diverged", ()) if setting["lr"] > 0.01 else Outcome("done", (setting["lr"],))

    made = run(OptunaSearch(make_cell({"lr": LR}, trials=24), {}), outcome).values()
    diverged = {
        name: [one.setting["lr"] > 0.01 for one in made if one.proposed_by == name] for name in ("startup", "model")
    }
    assert sum(diverged["startup"]) == len(diverged["startup"]) / 2
    assert sum(diverged["model"]) < len(diverged["model"]) / 4


def test_a_gaussian_process_does_not_rest_on_trials_that_were_stopped(make_cell: Callable[..., MethodSearch]) -> None:
    early = {"early_stopping": {"grace_epochs": 1}, "trials": 7, "startup": 2}
    stopped = Outcome("stopped", (0.3,))
    assert "model" not in proposers(OptunaSearch(make_cell(sampler="gp", **early), {}), lambda setting: stopped)
    assert "model" in proposers(OptunaSearch(make_cell(sampler="tpe", **early), {}), lambda setting: stopped)


@pytest.mark.parametrize(
    ("space", "sampler", "wanted"), [({}, "tpe", "fixed"), ({}, "random", "fixed"), ({"lr": LR}, "random", "random")]
)
def test_what_has_no_model_is_recorded_as_such(
    make_cell: Callable[..., MethodSearch], space: dict[str, Any], sampler: str, wanted: str
) -> None:
    assert set(
        proposers(OptunaSearch(make_cell(space, sampler=sampler), {}), lambda setting: Outcome("done", (0.1,)))
    ) == {wanted}


def test_the_first_eight_settings_put_one_into_each_eighth_of_every_range(
    make_cell: Callable[..., MethodSearch],
) -> None:
    method_search = make_cell()
    settings = [startup_setting(method_search, number) for number in range(8)]
    lr = [math.log10(setting["lr"] / 1e-3) / 2 for setting in settings]
    density = [(setting["density"] - 0.1) / 0.8 for setting in settings]
    for shares in (lr, density):
        eighths = sorted((share - min(shares)) * 8 for share in shares)
        assert eighths == pytest.approx(range(8))
    assert lr != pytest.approx(density)


def test_startup_settings_lie_within_every_kind_of_range(make_cell: Callable[..., MethodSearch]) -> None:
    space = {
        "lr": LR,
        "density": DENSITY,
        "epochs": {"low": 1, "high": 3},
        "batch_size": {"low": 8, "high": 64, "log": True},
        "relabel": ["any", "other"],
    }
    method_search = make_cell(space)
    settings = [startup_setting(method_search, number) for number in range(64)]
    assert all(1e-3 <= one["lr"] <= 1e-1 and 0.1 <= one["density"] <= 0.9 for one in settings)
    assert {one["epochs"] for one in settings} == {1, 2, 3}
    assert {one["relabel"] for one in settings} == {"any", "other"}
    assert {type(one["batch_size"]) for one in settings} == {int}
    assert all(8 <= one["batch_size"] <= 64 for one in settings)
    assert all(method_search.method_at(setting) for setting in settings)


def test_startup_settings_differ_between_study_seeds(write_study: Callable[..., Path]) -> None:
    firsts = []
    for seed in (0, 1):
        study = read_study(write_study(seed=seed))
        [method_search] = expand(study, {source: load(source) for source in study.data})
        firsts.append(startup_setting(method_search, 0))
    assert firsts[0] != firsts[1]


@pytest.mark.parametrize("known_numbers", [[0, 1, 2], [0, 1, 2, 3, 4, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
def test_a_continued_search_is_proposed_by_the_same_whatever_diverged_before(
    make_cell: Callable[..., MethodSearch], known_numbers: list[int]
) -> None:
    def outcome(setting: Setting) -> Outcome:
        return Outcome("diverged", ()) if setting["lr"] > 0.02 else done(setting)

    method_search = make_cell()
    undisturbed = run(OptunaSearch(method_search, {}), outcome)
    known = {number: (undisturbed[number].setting, outcome(undisturbed[number].setting)) for number in known_numbers}
    continued = run(OptunaSearch(method_search, known), outcome, latest_first=True)
    assert continued == {number: one for number, one in undisturbed.items() if number not in known}


def test_the_startup_number_is_part_of_what_identifies_a_cell_and_the_number_of_trials_is_not(
    make_cell: Callable[..., MethodSearch],
) -> None:
    assert make_cell(startup=4).fingerprint != make_cell(startup=5).fingerprint
    assert make_cell(trials=12).fingerprint == make_cell(trials=24).fingerprint
