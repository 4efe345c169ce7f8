"""What a run keeps of single images: the answers of the membership attack, and the thresholds that the page draws."""

import json
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report.page import render_page
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import read_study


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predicted") / "results"


@pytest.fixture
def results(place: Path, write_study: Callable[..., Path]) -> Path:
    """The results of a study whose request has a control half; not to be changed."""
    if not place.exists():
        study = read_study(
            write_study(
                methods=[{"name": "fine_tune", "epochs": 1}],
                forget=[{"kind": "random", "fraction": 0.3, "control": True}],
                training={"epochs": 4, "batch_size": 16, "lr": 0.1},
                search={"trials": 1},
            )
        )
        with Progress(Console(quiet=True)) as progress:
            StudyRun(study, StorageRoot.at(place), progress).run(local=True)
    return place


def answers(results: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = query(
        "select row, training_seed, split, confidence, called_nonmember from predictions p"
        " semi join confirmed using (study, confirmation_id) order by row, training_seed, confidence",
        results,
    ).to_pylist()
    return found


def test_the_share_of_the_forget_images_that_are_called_nonmember_is_the_mia_of_the_confirmation(results: Path) -> None:
    shares = query(
        "select mia, avg(called_nonmember::int) filter (split = 'forget') as share,"
        " count(called_nonmember) filter (split = 'control') as controls"
        " from confirmations join predictions using (study, confirmation_id) group by confirmation_id, mia",
        results,
    ).to_pylist()
    assert len(shares) == len(query("from confirmations", results)) > 6
    for one in shares:
        assert one["share"] == pytest.approx(one["mia"], abs=1e-12)
        assert one["controls"] == 48
    assert len({one["mia"] for one in shares}) > 1


def test_the_thresholds_of_the_page_divide_the_answers_of_each_seed_or_none_does(results: Path) -> None:
    [held] = re.findall(r'class="rows">(.*?)</script>', render_page(StorageRoot.at(results), None).html, re.DOTALL)
    drawn = {row["row"].split(" (")[0]: row["thresholds"] for row in json.loads(held)}
    seen = 0
    for name, of_row in groupby(answers(results), lambda one: one["row"]):
        thresholds, alike, mixed = list(drawn[name]["at"]), 0, 0
        for _, of_seed in groupby(of_row, lambda one: one["training_seed"]):
            said = [(one["confidence"], one["called_nonmember"]) for one in of_seed]
            if len({called for _, called in said}) == 1:
                alike += 1
            elif sorted(said, key=lambda one: not one[1]) != sorted(said, key=lambda one: (one[0], not one[1])):
                mixed += 1
            else:
                at = thresholds.pop(0)
                assert all(confidence <= at if called else at <= confidence for confidence, called in said)
                seen += 1
        assert (thresholds, alike, mixed) == ([], drawn[name]["alike"], drawn[name]["mixed"])
    assert seen
