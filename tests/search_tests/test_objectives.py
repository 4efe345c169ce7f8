"""Several objectives: the front, the rules that choose of it, and a search that learns from all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from lethe.results import Store, TrialRow, load, query
from lethe.results.objectives import Point, chosen_of, distances_to_ideal, point_of, promising_first, ranks
from lethe.search import Journal, export
from lethe.search._optuna import OptunaSearch, Outcome, Setting
from lethe.study import MethodSearch, expand, read_study
from lethe.study._search_options import Limits, Search
from unlearning.data import load as load_data

POINTS: list[Point] = [(0.5, 0.1), (0.2, 0.3), (0.1, 0.9), (0.3, 0.4), (0.6, 0.1)]


@pytest.fixture
def make_search(write_study: Callable[..., Path]) -> Callable[..., MethodSearch]:
    def make(**search: Any) -> MethodSearch:
        study = read_study(write_study(search={"trials": 12, "window": 2, "objectives": ["gap", "compute"]} | search))
        [method_search] = expand(study, {source: load_data(source) for source in study.data})
        return method_search

    return make


def outcome(setting: Setting) -> Outcome:
    return Outcome("done", (setting["lr"],), counted=(setting["lr"], 0.1 / setting["lr"] + setting["density"]))


def run(search: OptunaSearch, latest_first: bool = False) -> list[Setting]:
    settings: dict[int, Setting] = {}
    running = []
    while True:
        running += iter(search.propose, None)
        if not running:
            return [settings[number] for number in sorted(settings)]
        ended = running.pop(-1 if latest_first else 0)
        settings[ended.number] = ended.setting
        search.settle(ended.number, outcome(ended.setting))


def test_fronts_are_counted_from_what_nothing_dominates() -> None:
    assert ranks(POINTS) == [0, 0, 0, 1, 1]
    assert ranks([(1.0, 1.0), (1.0, 1.0)]) == [0, 0]
    search = Search(objectives=("gap", "compute"))
    assert promising_first(search, POINTS) == [2, 1, 0, 3, 4]
    limited = search.model_copy(update={"limits": Limits(compute=0.3)})
    assert promising_first(limited, POINTS) == [1, 0, 4, 2, 3]


def test_the_knee_is_nearest_to_the_ideal_point_on_axes_from_0_to_1() -> None:
    assert distances_to_ideal([(0.0, 20.0), (1.0, 0.0), (0.5, 5.0)]) == [
        1.0,
        1.0,
        pytest.approx((0.25 + 0.0625) ** 0.5),
    ]
    assert distances_to_ideal([(0.3, 0.3)]) == [0.0]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, 2),
        ({"choose": "knee"}, 1),
        ({"limits": {"compute": 0.4}}, 1),
        ({"limits": {"compute": 0.2}}, 0),
        ({"limits": {"compute": 0.2}, "choose": "knee"}, 0),
        ({"limits": {"gap": 0.3, "compute": 0.2}}, None),
    ],
    ids=["mean", "knee", "limit", "low limit", "knee within a limit", "limits that nothing keeps"],
)
def test_each_rule_chooses_its_setting(options: dict[str, Any], chosen: int | None) -> None:
    search = Search(objectives=("gap", "compute"), **options)
    assert chosen_of(search, POINTS, [point[0] for point in POINTS]) == chosen


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_settings_do_not_depend_on_the_order_in_which_trials_end(
    make_search: Callable[..., MethodSearch], sampler: str
) -> None:
    method_search = make_search(sampler=sampler, startup=2, trials=8)
    settings = run(OptunaSearch(method_search, {}))
    assert run(OptunaSearch(method_search, {}), latest_first=True) == settings
    known = {number: (settings[number], outcome(settings[number])) for number in (0, 1, 3)}
    continued = run(OptunaSearch(method_search, known))
    assert continued == [setting for number, setting in enumerate(settings) if number not in known]


def test_optuna_and_the_dashboard_learn_all_objectives_and_the_worst_of_what_diverged(
    make_search: Callable[..., MethodSearch], store: Store, tmp_path: Path
) -> None:
    method_search = make_search(trials=3)
    told: list[FrozenTrial] = []
    search = OptunaSearch(method_search, {}, told.append)
    for proposal in list(iter(search.propose, None)):
        ended = Outcome("diverged", ()) if proposal.number == 1 else Outcome("done", (0.3, 0.2), counted=(0.2, 0.05))
        search.settle(proposal.number, ended)
    assert [(trial.state, trial.values) for trial in told] == [
        (TrialState.COMPLETE, [0.2, 0.05]),
        (TrialState.COMPLETE, [1.0, 1.0]),
        (TrialState.COMPLETE, [0.2, 0.05]),
    ]
    record = Journal(store.root, "tiny").recorder(method_search)
    for trial in told:
        record(trial)
    again = Journal(store.root, "tiny")
    assert not again.problem
    [study] = again._storage.get_all_studies()
    assert len(study.directions) == 2
    assert len(again._storage.get_all_trials(study._study_id)) == 3


ROWS: list[dict[str, Any]] = [
    {"gap": 0.2, "compute_share": 0.3},
    {"gap": 0.1, "compute_share": 0.9},
    {"gap": 0.25, "compute_share": 0.4},
    {"gap": None, "compute_share": 0.1, "status": "diverged"},
]


@pytest.fixture
def two_objectives(store: Store, make: Callable[..., Any]) -> Store:
    """Four trials of a search of gap and compute: two on its front, one that is dominated, one that diverged."""
    for number, options in enumerate(ROWS):
        row = make(TrialRow, trial_id=f"t{number}", number=number, objectives=["gap", "compute"], copied_from=None)
        store.append_trial(
            make(TrialRow, **{**vars(row), "search_space": "{}", "status": "done", "training_seeds": [0], **options}),
            [],
        )
    return store


def test_the_view_front_has_what_no_other_setting_dominates(two_objectives: Store) -> None:
    front = load(two_objectives.root, "front").to_pylist()
    assert [(row["trial_id"], row["gap"], row["compute_share"]) for row in front] == [
        ("t1", 0.1, 0.9),
        ("t0", 0.2, 0.3),
    ]
    assert query("select count(*) n from front where chosen", two_objectives.root)["n"].to_pylist() == [0]


def test_an_export_has_a_direction_for_each_objective(two_objectives: Store, tmp_path: Path) -> None:
    path = str(tmp_path / "optuna.journal")
    [exported] = export(two_objectives.root, path)
    study = optuna.load_study(study_name=exported.name, storage=JournalStorage(JournalFileBackend(path)))
    assert [trial.values for trial in study.trials] == [[0.2, 0.3], [0.1, 0.9], [0.25, 0.4], [1.0, 1.0]]
    assert sorted(trial.number for trial in study.best_trials) == [0, 1]


def test_an_objective_without_a_value_makes_no_point(make: Callable[..., Any]) -> None:
    assert point_of(make(TrialRow, gap=0.1, compute_share=None), ("gap", "compute")) is None
