import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import lethe
import unlearning
from lethe.study import Cell, expand, parse_study, questions_of
from unlearning.data import DataError, load
from unlearning.seeds import derive

ROOTS = [str(Path(package.__path__[0]).parent) for package in (lethe, unlearning)]

PRINT_FINGERPRINTS = """
import sys
from pathlib import Path
from lethe.study import expand, read_study
from unlearning.data import DataError, load

study = read_study(Path(sys.argv[1]))
for cell in expand(study, {source: load(source) for source in study.data}):
    print(cell.fingerprint, cell.question.original(0).fingerprint, cell.question.oracle(0).fingerprint)
"""


def content(**options: Any) -> dict[str, Any]:
    """Two arms, two forget requests and two methods on a handful of images."""
    return {
        "name": "small",
        "data": [{"source": "synthetic", "train": 40, "val": 10, "test": 10, "size": 8}],
        "arms": ["none", "standard"],
        "forget": [{"kind": "random", "fraction": 0.1}, {"kind": "class", "class_index": 2}],
        "network": {"name": "cnn", "width": 4},
        "training": {"precision": "float32"},
        "methods": [
            {"name": "salun", "search": {"density": {"low": 0.1, "high": 0.9}}},
            {"name": "fine_tune", "epochs": 2},
        ],
        "seeds": {"tuning": [0, 1], "reporting": [2, 3]},
        **options,
    }


def cells_of(**options: Any) -> list[Cell]:
    study = parse_study(content(**options), "study.yaml")
    return expand(study, {source: load(source) for source in study.data})


def fingerprints(cells: list[Cell]) -> list[str]:
    return [cell.fingerprint for cell in cells]


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return cells_of()


def test_a_study_expands_to_arms_times_requests_times_methods_in_the_order_of_its_file(cells: list[Cell]) -> None:
    assert [(cell.question.arm, cell.question.request.label, cell.choice.name) for cell in cells] == [
        (arm, request, method)
        for arm in ("none", "standard")
        for request in ("random 10 %", "class 2")
        for method in ("salun", "fine_tune")
    ]


def test_methods_of_one_question_share_it(cells: list[Cell]) -> None:
    questions = questions_of(cells)
    assert len(questions) == 4
    assert [cell.question.fingerprint for cell in cells] == [q.fingerprint for q in questions for _ in range(2)]


def test_cells_and_questions_of_a_study_all_have_fingerprints_of_their_own(cells: list[Cell]) -> None:
    assert len(set(fingerprints(cells))) == 8
    assert len({question.fingerprint for question in questions_of(cells)}) == 4


def test_a_method_without_a_search_is_tried_once(cells: list[Cell]) -> None:
    assert [cell.trials for cell in cells[:2]] == [cells[0].study.search.trials, 1]


def test_fingerprints_are_the_same_in_another_process(cells: list[Cell], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content()), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(ROOTS), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", PRINT_FINGERPRINTS, str(path)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert [line.split() for line in printed.splitlines()] == [
        [cell.fingerprint, cell.question.original(0).fingerprint, cell.question.oracle(0).fingerprint] for cell in cells
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"name": "renamed"},
        {"search": {"trials": 99}},
        {"results": "elsewhere"},
        {"resources": {"trial": {"cpu": 2.0}}},
        {"seeds": {"tuning": [0, 1], "reporting": [7, 8, 9]}},
        {"data": [{**content()["data"][0], "name": "renamed"}]},
    ],
    ids=["study's name", "trials", "results", "resources", "reporting seeds", "data's name"],
)
def test_what_does_not_determine_a_cells_numbers_leaves_its_fingerprint_alone(
    cells: list[Cell], options: dict[str, Any]
) -> None:
    assert fingerprints(cells_of(**options)) == fingerprints(cells)


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
    cells: list[Cell], options: dict[str, Any]
) -> None:
    for before, after in zip(cells, cells_of(**options), strict=True):
        assert before.fingerprint != after.fingerprint
        assert before.question.original(0) != after.question.original(0)
        assert before.question.oracle(0) != after.question.oracle(0)


@pytest.mark.parametrize(
    "options",
    [
        {"search": {"sampler": "random"}},
        {"search": {"window": 5}},
        {"seeds": {"tuning": [0], "reporting": [2, 3]}},
        {"search": {"early_stopping": {}}},
    ],
    ids=["sampler", "window", "tuning seeds", "early stopping"],
)
def test_what_determines_the_search_changes_cells_but_no_model(cells: list[Cell], options: dict[str, Any]) -> None:
    for before, after in zip(cells, cells_of(**options), strict=True):
        assert before.fingerprint != after.fingerprint
        assert before.question.fingerprint == after.question.fingerprint
        assert before.question.original(0) == after.question.original(0)


def test_the_options_of_a_method_change_its_own_cells_alone(cells: list[Cell]) -> None:
    salun, fine_tune = content()["methods"]
    changed = cells_of(methods=[salun, {**fine_tune, "epochs": 3}])
    same = [before == after for before, after in zip(fingerprints(cells), fingerprints(changed), strict=True)]
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
    cells: list[Cell], grow: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    grown = {cell.fingerprint: cell for cell in cells_of(**grow(content()))}
    assert len(grown) > len(cells)
    for cell in cells:
        question, same = cell.question, grown[cell.fingerprint].question
        assert torch.equal(question.forget.indices_F, same.forget.indices_F)
        for seed in (0, 2):
            assert question.training_seed(seed) == same.training_seed(seed)
            assert question.unlearning_seed(seed) == same.unlearning_seed(seed)


def test_a_new_arm_leaves_the_cells_of_the_other_alone(cells: list[Cell]) -> None:
    assert set(fingerprints(cells_of(arms=["none"]))) < set(fingerprints(cells))


def test_forget_requests_share_the_original_and_have_an_oracle_each(cells: list[Cell]) -> None:
    random, whole_class, *other_arm = questions_of(cells)
    assert random.original(0) == whole_class.original(0)
    assert hash(random.original(0)) == hash(whole_class.original(0))
    assert random.oracle(0) != whole_class.oracle(0)
    assert random.saliency(0) != whole_class.saliency(0)
    assert random.original(0) != random.original(1)
    assert all(random.original(0) != question.original(0) for question in other_arm)


def test_requests_that_name_the_same_images_share_the_oracle(tmp_path: Path) -> None:
    (by_class,) = questions_of(cells_of(forget=[{"kind": "class", "class_index": 2}], arms=["none"]))
    listed = tmp_path / "forget.txt"
    listed.write_text("\n".join(map(str, by_class.forget.indices_F.tolist())), encoding="utf-8")
    (by_list,) = questions_of(cells_of(forget=[{"kind": "indices", "file": str(listed)}], arms=["none"]))
    assert by_list.oracle(0) == by_class.oracle(0)


def test_a_list_that_names_the_images_of_another_request_is_refused(cells: list[Cell], tmp_path: Path) -> None:
    by_class, listed = questions_of(cells)[1], tmp_path / "forget.txt"
    listed.write_text("\n".join(map(str, by_class.forget.indices_F.tolist())), encoding="utf-8")
    with pytest.raises(DataError, match=r"by two names: .*forget class 2; .*forget indices forget\.txt: .*; keep one"):
        cells_of(forget=[content()["forget"][1], {"kind": "indices", "file": str(listed)}])


def test_the_same_images_as_two_data_sets_are_refused() -> None:
    (data,) = content()["data"]
    with pytest.raises(DataError, match=r"by two names: synthetic, .*; renamed, .*; keep one"):
        cells_of(data=[data, {**data, "name": "renamed"}])


def test_an_original_and_its_oracle_are_paired_by_their_training_seed(cells: list[Cell]) -> None:
    question = cells[0].question
    assert question.original(3).inputs["training_seed"] == question.oracle(3).inputs["training_seed"]


def test_seeds_derive_from_the_studys_seed_by_name(cells: list[Cell]) -> None:
    question = cells[0].question
    assert question.training_seed(1) == derive(0, "training", 1)
    assert len({stream(seed) for stream in (question.training_seed, question.unlearning_seed) for seed in (0, 1)}) == 4
