"""A study expanded over its data into scenarios and method searches, and what does not fit the data."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from small_scenarios import cells_of, content, fingerprints

from lethe.artifacts import oracle, original
from lethe.study import MethodSearch, expand, parse_study, scenarios_of
from unlearning.data import DataError, load


def test_a_study_expands_to_arms_times_requests_times_methods_in_the_order_of_its_file(
    method_searches: list[MethodSearch],
) -> None:
    assert [
        (method_search.scenario.augmentation, method_search.scenario.request.label, method_search.choice.name)
        for method_search in method_searches
    ] == [
        (augmentation, request, method)
        for augmentation in ("none", "standard")
        for request in ("random 10 %", "class 2")
        for method in ("salun", "fine_tune")
    ]


def test_methods_of_one_scenario_share_it(method_searches: list[MethodSearch]) -> None:
    scenarios = scenarios_of(method_searches)
    assert len(scenarios) == 4
    assert [method_search.scenario.fingerprint for method_search in method_searches] == [
        q.fingerprint for q in scenarios for _ in range(2)
    ]


def test_cells_and_scenarios_of_a_study_all_have_fingerprints_of_their_own(method_searches: list[MethodSearch]) -> None:
    assert len(set(fingerprints(method_searches))) == 8
    assert len({scenario.fingerprint for scenario in scenarios_of(method_searches)}) == 4


def test_a_method_without_a_search_is_tried_once(method_searches: list[MethodSearch]) -> None:
    assert [method_search.trials for method_search in method_searches[:2]] == [
        method_searches[0].study.search.trials,
        1,
    ]


def test_the_default_search_is_the_search_of_the_ranges_that_it_stands_for() -> None:
    ranges = {"lr": {"low": 1e-3, "high": 0.5, "log": True}, "schedule": ["constant", "cosine"]}
    asked, written_out = (cells_of(methods=[{"name": "fine_tune", "search": search}]) for search in ("default", ranges))
    assert fingerprints(asked) == fingerprints(written_out)
    assert [one.stream for one in asked] == [one.stream for one in written_out]


def test_a_search_that_crosses_the_bound_of_its_method_is_refused_before_anything_is_trained() -> None:
    requests = [{"kind": "random", "fraction": 0.1}, {"kind": "random", "fraction": 0.5}]
    crossing = {"name": "ssd", "search": {"alpha": {"low": 1, "high": 20}, "strength": {"low": 0.1, "high": 1}}}
    with pytest.raises(DataError) as caught:
        cells_of(methods=[{"name": "fine_tune"}, crossing], forget=requests)
    assert [line.partition(" selects")[0] for line in str(caught.value).splitlines()] == [
        "ssd, synthetic, forget random 10 %: alpha 20",
        "ssd, synthetic, forget random 50 %: alpha 20",
    ]


@pytest.mark.parametrize(
    "options", [{"selection": "adaptive"}, {"importance": "batch"}, {"search": "default"}], ids=str
)
def test_a_method_that_can_do_something_for_a_request_is_not_refused(options: dict[str, Any]) -> None:
    assert cells_of(methods=[{"name": "ssd", **options}], forget=[{"kind": "random", "fraction": 0.1}])


def test_weights_of_another_number_of_classes_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(DataError, match=r"training\.class_weights: synthetic: wanted 6 weights, .*, got 2"):
        cells_of(training={"precision": "float32", "class_weights": [1.0, 2.0]})


def test_another_attack_is_another_scenario_with_the_same_models_and_the_same_draws() -> None:
    [plain, *_], [by_class, *_] = cells_of(), cells_of(attack_classes="forgotten")
    assert by_class.fingerprint != plain.fingerprint
    assert by_class.scenario.fingerprint != plain.scenario.fingerprint
    assert by_class.stream == plain.stream
    assert original(by_class.scenario, 0) == original(plain.scenario, 0)
    assert oracle(by_class.scenario, 0) == oracle(plain.scenario, 0)
    [written_out, *_] = cells_of(attack_classes="all")
    assert written_out.fingerprint == plain.fingerprint


def test_an_attack_by_class_without_non_members_of_a_forgotten_class_is_refused() -> None:
    sparse = {"source": "synthetic", "train": 200, "val": 3, "test": 60, "size": 8, "classes": 6}
    with pytest.raises(
        DataError, match=r"attack_classes: forgotten: .*got none of .* in val; wanted all, or a request"
    ):
        cells_of(data=[sparse], forget=[{"kind": "random", "fraction": 0.5}], attack_classes="forgotten")


def test_the_same_images_as_two_data_sets_are_refused() -> None:
    (data,) = content()["data"]
    with pytest.raises(DataError, match=r"by two names: synthetic, .*; renamed, .*; keep one"):
        cells_of(data=[data, {**data, "name": "renamed"}])


def test_rewinding_is_refused_where_val_has_no_image_of_the_classes_to_forget() -> None:
    study = parse_study(content(methods=[{"name": "fine_tune", "keep": "rewind"}]), "study.yaml")
    datasets = {source: load(source) for source in study.data}
    [(source, data)] = datasets.items()
    others = replace(data, val=replace(data.val, labels_N=torch.zeros_like(data.val.labels_N)))
    with pytest.raises(DataError, match="class 2: fine_tune with keep: rewind looks at validation images"):
        expand(study, {source: others})


@pytest.mark.parametrize(
    ("search", "keep", "round", "epochs"),
    [
        ({}, "last", 0, ()),
        ({}, "rewind", 0, ()),
        ({}, "best", 0, tuple(range(1, 9))),
        ({}, "best", 1, tuple(range(1, 9))),
        ({"curves": True}, "last", 0, tuple(range(1, 9))),
        ({"early_stopping": {}}, "last", 0, (1, 3)),
        ({"early_stopping": {"grace_epochs": 2, "reduction": 2}}, "last", 0, (2, 4, 8)),
        ({"early_stopping": {"grace_epochs": 9}}, "last", 0, ()),
        ({"early_stopping": {}}, "last", 1, ()),
        ({"early_stopping": {}, "curves": True}, "last", 1, tuple(range(1, 9))),
    ],
)
def test_a_trial_of_nine_epochs_is_measured_where_something_is_decided(
    search: dict[str, Any], keep: str, round: int, epochs: tuple[int, ...]
) -> None:
    method = {"name": "fine_tune", "epochs": 9, "keep": keep}
    [method_search, *_] = cells_of(search=search, methods=[method])
    assert method_search.measured_after(9, round) == epochs
