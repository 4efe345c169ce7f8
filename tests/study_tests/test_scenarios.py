import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import lethe
import unlearning
from lethe.artifacts import oracle, original, saliency
from lethe.study import MethodSearch, StudyError, expand, parse_study, planted_data, scenarios_of
from unlearning import metrics
from unlearning.data import DataError, Synthetic, load
from unlearning.data.augment import CropAndFlip
from unlearning.methods import FineTune
from unlearning.models import CNN, ResNet18
from unlearning.seeds import derive

ROOTS = [str(Path(package.__path__[0]).parent) for package in (lethe, unlearning)]

STREAMS = ["776ffd9917aa0f3b4632", "ad7c0fd700e9e4ee2a71"]

PRINT_FINGERPRINTS = """
import sys
from pathlib import Path
from lethe.artifacts import oracle, original
from lethe.study import expand, read_study
from unlearning.data import DataError, load

study = read_study(Path(sys.argv[1]))
for method_search in expand(study, {source: load(source) for source in study.data}):
    print(method_search.fingerprint, original(method_search.scenario, 0).fingerprint,
    oracle(method_search.scenario, 0).fingerprint)
"""


def content(**options: Any) -> dict[str, Any]:
    """Two augmentations, two forget requests and two methods on a handful of images."""
    return {
        "name": "small",
        "data": [{"source": "synthetic", "train": 40, "val": 10, "test": 10, "size": 8}],
        "augmentations": ["none", "standard"],
        "forget": [{"kind": "random", "fraction": 0.1}, {"kind": "class", "class_index": 2}],
        "network": {"name": "cnn", "width": 4},
        "training": {"precision": "float32"},
        "methods": [
            {"name": "salun", "search": {"density": {"low": 0.1, "high": 0.9}}},
            {"name": "fine_tune", "epochs": 2},
        ],
        "search": {"racing": None, **options.pop("search", {})},
        "seeds": {"tuning": [0, 1], "reporting": [2, 3]},
        **options,
    }


def cells_of(**options: Any) -> list[MethodSearch]:
    study = parse_study(content(**options), "study.yaml")
    return expand(study, {source: load(source) for source in study.data})


def fingerprints(method_searches: list[MethodSearch]) -> list[str]:
    return [method_search.fingerprint for method_search in method_searches]


@pytest.fixture(scope="module")
def method_searches() -> list[MethodSearch]:
    return cells_of()


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


def test_fingerprints_are_the_same_in_another_process(method_searches: list[MethodSearch], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content()), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(ROOTS), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", PRINT_FINGERPRINTS, str(path)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert [line.split() for line in printed.splitlines()] == [
        [
            method_search.fingerprint,
            original(method_search.scenario, 0).fingerprint,
            oracle(method_search.scenario, 0).fingerprint,
        ]
        for method_search in method_searches
    ]


def test_a_recipe_that_says_nothing_new_is_named_as_before_there_were_further_options() -> None:
    [first, *_] = cells_of(training={"precision": "float32", "epochs": 3, "lr": 0.05})
    scenario = first.scenario
    assert original(scenario, 0).fingerprint == "5431d33b00f26ae868c1"
    assert oracle(scenario, 0).fingerprint == "31f122e33296cbc130ca"
    assert scenario.fingerprint == "c33fb6a5a4967bdb0e57"
    assert scenario.recipe_id == "fd4d472f4c79e93f10d5"
    assert first.fingerprint == "92681d6c7ffe28bf0f77"
    at_defaults = {"optimizer": "sgd", "nesterov": False, "betas": [0.9, 0.999], "class_weights": "none"}
    [written_out, *_] = cells_of(training={"precision": "float32", "epochs": 3, "lr": 0.05, **at_defaults})
    assert written_out.fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "further",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw"},
        {"optimizer": "adamw", "betas": [0.9, 0.99]},
        {"optimizer": "adamw", "eps": 1e-6},
        {"nesterov": True},
        {"clip_norm": 1.0},
        {"warmup": 0.1},
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
        {"class_weights": [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]},
    ],
)
def test_each_further_option_of_a_recipe_makes_other_models(further: dict[str, Any]) -> None:
    usual = {"precision": "float32", "epochs": 3, "lr": 0.05}
    seen = {original(cells_of(training={**usual, **one})[0].scenario, 0).fingerprint for one in ({}, further)}
    assert len(seen) == 2


def test_weights_of_another_number_of_classes_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(DataError, match=r"training\.class_weights: synthetic: wanted 6 weights, .*, got 2"):
        cells_of(training={"precision": "float32", "class_weights": [1.0, 2.0]})


@pytest.mark.parametrize(
    "options",
    [
        {"name": "renamed"},
        {"search": {"trials": 99}},
        {"search": {"seconds": 99.0}},
        {"search": {"choose": "mean_plus_sd"}},
        {"search": {"racing": {"first": 2, "reduction": 4}}},
        {"results": "elsewhere"},
        {"resources": {"trial": {"cpu": 2.0}}},
        {"seeds": {"tuning": [0, 1], "reporting": [7, 8, 9]}},
        {"data": [{**content()["data"][0], "name": "renamed"}]},
    ],
    ids=[
        "study's name",
        "trials",
        "seconds",
        "choice",
        "racing on all seeds",
        "results",
        "resources",
        "reporting seeds",
        "data's name",
    ],
)
def test_what_does_not_determine_a_cells_numbers_leaves_its_fingerprint_alone(
    method_searches: list[MethodSearch], options: dict[str, Any]
) -> None:
    assert fingerprints(cells_of(**options)) == fingerprints(method_searches)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"training": {"precision": "float32", "lr": 0.05}},
        {"training": {"precision": "float32", "epochs": 3}},
        {"training": {"precision": "bfloat16"}},
        {"network": {"name": "cnn", "width": 5}},
        {"data": [{**content()["data"][0], "seed": 1}]},
    ],
    ids=["study's seed", "lr", "epochs", "precision", "network", "images"],
)
def test_what_determines_the_models_changes_cells_originals_and_oracles(
    method_searches: list[MethodSearch], options: dict[str, Any]
) -> None:
    for before, after in zip(method_searches, cells_of(**options), strict=True):
        assert before.fingerprint != after.fingerprint
        assert original(before.scenario, 0) != original(after.scenario, 0)
        assert oracle(before.scenario, 0) != oracle(after.scenario, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"search": {"sampler": "random"}},
        {"search": {"window": 5}},
        {"seeds": {"tuning": [0], "reporting": [2, 3]}},
        {"search": {"early_stopping": {}}},
        {"search": {"racing": {"first": 1}}},
    ],
    ids=["sampler", "window", "tuning seeds", "early stopping", "fewer seeds for every setting"],
)
def test_what_determines_the_search_changes_cells_but_no_model(
    method_searches: list[MethodSearch], options: dict[str, Any]
) -> None:
    for before, after in zip(method_searches, cells_of(**options), strict=True):
        assert before.fingerprint != after.fingerprint
        assert before.scenario.fingerprint == after.scenario.fingerprint
        assert original(before.scenario, 0) == original(after.scenario, 0)


def test_seeds_in_one_step_are_another_search_of_the_same_settings() -> None:
    alone, together = (cells_of(search={"racing": None, "fused": fused}) for fused in (False, True))
    assert fingerprints(alone) == fingerprints(cells_of(search={"racing": None}))
    for before, after in zip(alone, together, strict=True):
        assert before.fingerprint != after.fingerprint
        assert before.stream == after.stream


def test_the_options_of_a_method_change_its_own_cells_alone(method_searches: list[MethodSearch]) -> None:
    salun, fine_tune = content()["methods"]
    changed = cells_of(methods=[salun, {**fine_tune, "epochs": 3}])
    same = [before == after for before, after in zip(fingerprints(method_searches), fingerprints(changed), strict=True)]
    assert same == [True, False] * 4


@pytest.mark.parametrize(
    "grow",
    [
        lambda study: {"methods": [{"name": "gradient_ascent"}, *study["methods"]]},
        lambda study: {"forget": [{"kind": "random", "fraction": 0.3}, *study["forget"]]},
        lambda study: {"data": [{**study["data"][0], "seed": 1}, *study["data"]]},
    ],
    ids=["method", "forget request", "data"],
)
def test_a_new_cell_changes_neither_fingerprints_nor_draws_nor_seeds_of_the_others(
    method_searches: list[MethodSearch], grow: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    grown = {method_search.fingerprint: method_search for method_search in cells_of(**grow(content()))}
    assert len(grown) > len(method_searches)
    for method_search in method_searches:
        scenario, same = method_search.scenario, grown[method_search.fingerprint].scenario
        assert torch.equal(scenario.selected.indices_F, same.selected.indices_F)
        for seed in (0, 2):
            assert scenario.training_seed(seed) == same.training_seed(seed)
            assert scenario.unlearning_seed(seed) == same.unlearning_seed(seed)


def test_a_control_half_is_kept_out_of_originals_and_oracles_alike_and_names_scenario_and_models() -> None:
    [plain, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2}]))
    [scenario, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2, "control": True}]))
    of_scenario = scenario.partition(0)
    parts = [of_scenario.forgotten, scenario.retained, of_scenario.control]
    assert [len(part) for part in parts] == [
        len(plain.partition(0).forgotten),
        len(plain.retained) - len(parts[0]),
        len(parts[0]),
    ]
    assert torch.equal(of_scenario.everything.indices_M, of_scenario.control.rest.indices_M)
    assert torch.equal(original(scenario, 0).subset.indices_M, of_scenario.everything.indices_M)
    assert torch.equal(oracle(scenario, 0).subset.indices_M, scenario.retained.indices_M)
    for name_of in (lambda one: one.fingerprint, lambda one: one.stream, lambda one: original(one, 0)):
        assert name_of(scenario) != name_of(plain)
    [written_out, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2, "control": False}]))
    assert written_out.fingerprint == plain.fingerprint


def test_with_halves_per_seed_originals_and_what_is_made_of_them_differ_by_seed_and_oracles_serve_all() -> None:
    shared_request = {"kind": "random", "fraction": 0.2, "control": True}
    [shared, *_] = scenarios_of(cells_of(forget=[shared_request]))
    [scenario, *_] = scenarios_of(cells_of(forget=[{**shared_request, "halves": "per_seed"}]))
    first, second = scenario.partition(0), scenario.partition(1)
    assert scenario.partition(0) is first
    assert first.forgotten.hash != second.forgotten.hash
    assert first.candidates.hash == second.candidates.hash == shared.partition(0).candidates.hash
    assert shared.partition(0) is shared.partition(1)
    for seed in (0, 1):
        assert oracle(scenario, seed) == oracle(shared, seed)
        assert torch.equal(original(scenario, seed).subset.indices_M, scenario.partition(seed).everything.indices_M)
        assert saliency(scenario, seed).subset is scenario.partition(seed).forgotten
        dose = set(scenario.dosed(seed, 0.5).indices_M.tolist()) - set(scenario.retained.indices_M.tolist())
        assert dose < set(scenario.partition(seed).forgotten.indices_M.tolist())
    for name_of in (lambda one: one.fingerprint, lambda one: one.stream, lambda one: one.forget_hash):
        assert name_of(scenario) != name_of(shared)
    [written_out, *_] = scenarios_of(cells_of(forget=[{**shared_request, "halves": "shared"}]))
    assert written_out.fingerprint == shared.fingerprint


def test_a_dose_is_the_retain_set_with_whole_groups_of_the_forget_set_and_a_larger_one_holds_it() -> None:
    [scenario, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2}]))
    doses = [set(scenario.dosed(0, share).indices_M.tolist()) for share in (0.1, 0.25, 0.5)]
    retained, forgotten = (set(one.indices_M.tolist()) for one in (scenario.retained, scenario.partition(0).forgotten))
    assert retained < doses[0] < doses[1] < doses[2] < retained | forgotten
    assert [len(dose - retained) for dose in doses] == [round(share * len(forgotten)) for share in (0.1, 0.25, 0.5)]


def test_doses_of_no_image_of_all_and_of_the_same_images_are_refused() -> None:
    few = [{"kind": "class", "class_index": 0, "fraction": 0.1}]
    with pytest.raises(DataError, match=r"doses: .*0\.01 is 0 images, 0\.5 is \d+ images; wanted different numbers"):
        cells_of(forget=few, doses=[0.5, 0.01])
    many = [{"kind": "random", "fraction": 0.2}]
    with pytest.raises(DataError, match=r"0\.25 is (\d+) images, 0\.251 is \1 images"):
        cells_of(forget=many, doses=[0.25, 0.251])
    with pytest.raises(StudyError, match=r"doses: wanted each share once, got 0\.5, 0\.5"):
        cells_of(forget=few, doses=[0.5, 0.5])


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


CONFUSION = {"kind": "confusion", "classes": [0, 1], "fraction": 0.5}


def test_a_request_that_plants_labels_has_data_of_its_own_and_leaves_other_requests_alone() -> None:
    requests = [{"kind": "random", "fraction": 0.1}, CONFUSION]
    study = parse_study(content(forget=requests), "study.yaml")
    datasets = {source: load(source) for source in study.data}
    plain, confused = (scenarios_of(expand(study, datasets))[index] for index in (0, 1))
    [planted] = planted_data(study, datasets)
    assert confused.data_hash == planted.content_hash != plain.data_hash
    assert planted.planted is not None
    assert torch.equal(planted.train.labels_N[confused.selected.indices_F], 1 - planted.planted.labels_F)
    [alone, *_] = scenarios_of(cells_of(forget=requests[:1]))
    assert alone.fingerprint == plain.fingerprint
    assert original(confused, 0) != original(plain, 0)


def test_an_audit_of_what_no_request_plants_is_refused() -> None:
    with pytest.raises(DataError, match=r"audits: confusion: looks for labels .*kind: confusion, .* got random 20 %"):
        cells_of(forget=[{"kind": "random", "fraction": 0.2}], audits=[{"name": "confusion"}])
    assert cells_of(forget=[CONFUSION], audits=[{"name": "confusion"}])


def test_an_audit_of_a_control_half_that_no_request_keeps_is_refused() -> None:
    with pytest.raises(DataError, match=r"audits: control, epsilon: compares .* control: true\}, got random 20 %"):
        cells_of(forget=[{"kind": "random", "fraction": 0.2}], audits=[{"name": "control"}, {"name": "epsilon"}])


def test_a_new_arm_leaves_the_cells_of_the_other_alone(method_searches: list[MethodSearch]) -> None:
    assert set(fingerprints(cells_of(augmentations=["none"]))) < set(fingerprints(method_searches))


def test_forget_requests_share_the_original_and_have_an_oracle_each(method_searches: list[MethodSearch]) -> None:
    random, whole_class, *other_arm = scenarios_of(method_searches)
    assert original(random, 0) == original(whole_class, 0)
    assert hash(original(random, 0)) == hash(original(whole_class, 0))
    assert oracle(random, 0) != oracle(whole_class, 0)
    assert saliency(random, 0) != saliency(whole_class, 0)
    assert original(random, 0) != original(random, 1)
    assert all(original(random, 0) != original(scenario, 0) for scenario in other_arm)


def test_requests_that_name_the_same_images_share_the_oracle(tmp_path: Path) -> None:
    of_class = {"kind": "class", "class_index": 2, "fraction": 0.5}
    (by_class,) = scenarios_of(cells_of(forget=[of_class], augmentations=["none"]))
    listed = tmp_path / "forget.txt"
    listed.write_text("\n".join(map(str, by_class.selected.indices_F.tolist())), encoding="utf-8")
    (by_list,) = scenarios_of(cells_of(forget=[{"kind": "indices", "file": str(listed)}], augmentations=["none"]))
    assert oracle(by_list, 0) == oracle(by_class, 0)


def test_a_list_that_names_the_images_of_another_request_is_refused(
    method_searches: list[MethodSearch], tmp_path: Path
) -> None:
    by_chance, listed = scenarios_of(method_searches)[0], tmp_path / "forget.txt"
    listed.write_text("\n".join(map(str, by_chance.selected.indices_F.tolist())), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"by two names: .*forget random 10 %; .*forget indices forget\.txt: .*; keep one"
    ):
        cells_of(forget=[content()["forget"][0], {"kind": "indices", "file": str(listed)}])


def test_the_same_images_as_two_data_sets_are_refused() -> None:
    (data,) = content()["data"]
    with pytest.raises(DataError, match=r"by two names: synthetic, .*; renamed, .*; keep one"):
        cells_of(data=[data, {**data, "name": "renamed"}])


def test_an_original_and_its_oracle_are_paired_by_their_training_seed(method_searches: list[MethodSearch]) -> None:
    scenario = method_searches[0].scenario
    assert original(scenario, 3).inputs["training_seed"] == oracle(scenario, 3).inputs["training_seed"]


def test_seeds_derive_from_the_studys_seed_by_name(method_searches: list[MethodSearch]) -> None:
    scenario = method_searches[0].scenario
    assert scenario.training_seed(1) == derive(0, "training", 1)
    assert len({stream(seed) for stream in (scenario.training_seed, scenario.unlearning_seed) for seed in (0, 1)}) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"methods": [{**content()["methods"][0], "momentum": 0.9}, content()["methods"][1]]},
        {"methods": [content()["methods"][0], {**content()["methods"][1], "lr": 0.01, "batch_norm": "update"}]},
        {"network": {"name": "cnn", "width": 4}, "training": {"precision": "float32", "epochs": 50}},
        {"training": {"precision": "float32", "schedule": {"kind": "cosine"}, "momentum": 0.9}},
        {"data": [{**content()["data"][0], "difficulty": 0.6}]},
        {"search": {"sampler": "tpe", "window": 4, "startup": 4, "early_stopping": None}},
        {"seed": 0, "margin": 0.01},
    ],
    ids=["searched method", "fixed method", "network", "training", "data", "search", "study"],
)
def test_a_default_that_is_written_out_changes_neither_fingerprints_nor_draws(
    method_searches: list[MethodSearch], options: dict[str, Any]
) -> None:
    written = cells_of(**options)
    assert fingerprints(written) == fingerprints(method_searches)
    assert [one.stream for one in written] == [one.stream for one in method_searches]


def test_the_names_of_random_draws_are_those_of_the_first_version(method_searches: list[MethodSearch]) -> None:
    """Under other names every search would draw other settings: a stored table could not be made again."""
    assert [one.stream for one in method_searches][:2] == STREAMS


@pytest.mark.parametrize(
    ("versioned", "changed"),
    [
        (FineTune, lambda one: one.choice.name == "fine_tune"),
        (CNN, lambda one: True),
        (Synthetic, lambda one: True),
        (CropAndFlip, lambda one: one.scenario.augmentation == "standard"),
        (ResNet18, lambda one: False),
    ],
)
def test_a_new_version_changes_the_method_searches_that_it_concerns_and_no_draw(
    method_searches: list[MethodSearch],
    monkeypatch: pytest.MonkeyPatch,
    versioned: type[Any],
    changed: Callable[[MethodSearch], bool],
) -> None:
    monkeypatch.setattr(versioned, "version", 2)
    raised = cells_of()
    for before, after in zip(method_searches, raised, strict=True):
        assert (before.fingerprint != after.fingerprint) == changed(before)
        assert before.stream == after.stream


def test_a_metric_of_a_new_version_changes_method_searches_only_where_the_search_sees_it(
    method_searches: list[MethodSearch], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = metrics.versions()
    monkeypatch.setattr("unlearning.metrics.versions", lambda: now | {"auc": 2})
    assert fingerprints(cells_of()) == fingerprints(method_searches)
    monkeypatch.setattr("unlearning.metrics.versions", lambda: now | {"mia": 2})
    assert not set(fingerprints(cells_of())) & set(fingerprints(method_searches))


def test_rewinding_is_refused_where_val_has_no_image_of_the_classes_to_forget() -> None:
    study = parse_study(content(methods=[{"name": "fine_tune", "keep": "rewind"}]), "study.yaml")
    datasets = {source: load(source) for source in study.data}
    [(source, data)] = datasets.items()
    others = replace(data, val=replace(data.val, labels_N=torch.zeros_like(data.val.labels_N)))
    with pytest.raises(DataError, match="class 2: fine_tune with keep: rewind looks at validation images"):
        expand(study, {source: others})


def test_a_search_that_races_is_named_by_the_seeds_that_every_setting_is_tried_on() -> None:
    """So results of one tuning seed are continued with more, and none of them is run again."""
    alone = cells_of(search={"racing": None}, seeds={"tuning": [0], "reporting": [2, 3]})
    raced = cells_of(search={"racing": {}}, seeds={"tuning": [0, 1, 7], "reporting": [2, 3]})
    assert fingerprints(raced) == fingerprints(alone)
    assert [one.stream for one in raced] == [one.stream for one in alone]
    assert raced[0].rounds == ((0,), (1,), (7,))
    assert alone[0].rounds == ((0,),)
