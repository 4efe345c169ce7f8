"""What changes the fingerprints of method searches and models, and what leaves them as they are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from small_scenarios import cells_of, content, fingerprints

import lethe
import unlearning
from lethe.artifacts import oracle, original
from lethe.study import MethodSearch
from unlearning import metrics
from unlearning.data import Synthetic
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


@pytest.mark.parametrize(
    "options",
    [
        {"name": "renamed"},
        {"search": {"trials": 99}},
        {"search": {"seconds": 99.0}},
        {"search": {"choose": "mean_plus_sd"}},
        {"search": {"racing": {"first": 2, "reduction": 4}}},
        {"search": {"curves": True}},
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
        "curves",
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


def test_a_new_arm_leaves_the_cells_of_the_other_alone(method_searches: list[MethodSearch]) -> None:
    assert set(fingerprints(cells_of(augmentations=["none"]))) < set(fingerprints(method_searches))


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


def test_a_search_that_races_is_named_by_the_seeds_that_every_setting_is_tried_on() -> None:
    """So results of one tuning seed are continued with more, and none of them is run again."""
    alone = cells_of(search={"racing": None}, seeds={"tuning": [0], "reporting": [2, 3]})
    raced = cells_of(search={"racing": {}}, seeds={"tuning": [0, 1, 7], "reporting": [2, 3]})
    assert fingerprints(raced) == fingerprints(alone)
    assert [one.stream for one in raced] == [one.stream for one in alone]
    assert raced[0].rounds == ((0,), (1,), (7,))
    assert alone[0].rounds == ((0,),)
