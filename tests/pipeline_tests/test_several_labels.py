"""A study of images with any number of labels, from its file to the rows; and what is refused of one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report._board import leaderboard
from lethe.report._notes import notes_of
from lethe.results import load, query
from lethe.results.rows import SEVERAL_LABELS
from lethe.storage.root import StorageRoot
from lethe.study import expand, read_study
from unlearning.data import SEVERAL, DataError
from unlearning.data import load as load_data
from unlearning.methods import METHODS

WriteStudy = Callable[..., Path]

DATA = {"source": "synthetic", "train": 160, "val": 50, "test": 50, "size": 12, "classes": 3, "multi_label": True}
ONE_CLASS = {**DATA, "multi_label": None, "name": "one class"}


@pytest.fixture
def write(write_study: WriteStudy) -> WriteStudy:
    def written(**options: Any) -> Path:
        return write_study(**{"data": [DATA], "training": {"epochs": 2, "batch_size": 32}, **options})

    return written


def refusal(path: Path) -> str:
    study = read_study(path)
    with pytest.raises(DataError) as caught:
        expand(study, {source: load_data(source) for source in study.data})
    return str(caught.value)


def test_every_method_is_taken_or_refused_as_it_says(write: WriteStudy) -> None:
    path = write(methods=[{"name": name} for name in METHODS], forget=[{"kind": "random", "fraction": 0.05}])
    study, said = read_study(path), refusal(path)
    [source] = study.data
    [(refused, taken)] = re.findall(r"methods: (.*); those that take several labels: (.*)", said)
    assert set(refused.split(", ")) == {name for name, method in METHODS.items() if not method.multi_label}
    assert set(taken.split(", ")) == {name for name, method in METHODS.items() if method.multi_label}
    fit = [choice for choice in study.methods if choice.method.multi_label]
    searches = expand(study.model_copy(update={"methods": tuple(fit)}), {source: load_data(source)})
    assert {one.choice.name for one in searches} == set(taken.split(", "))


def test_all_that_needs_one_class_is_refused_at_once(write: WriteStudy) -> None:
    path = write(
        data=[ONE_CLASS, DATA],
        methods=[{"name": "amun"}, {"name": "scrub", "rewind": True}, {"name": "fine_tune", "keep": "rewind"}],
        audits=[{"name": "cka"}, {"name": "clinical"}],
        attack_classes="forgotten",
    )
    assert [line.strip().partition(";")[0] for line in refusal(path).splitlines()] == [
        "tiny: images of synthetic have any number of labels",
        "methods: amun",
        "audits: clinical",
        "methods: scrub, fine_tune: rewinding looks for images of the forgotten classes",
        "attack_classes: forgotten draws images in the forget set's mix of classes",
    ]


def test_a_forget_set_whose_labels_rank_nothing_is_refused(write: WriteStudy) -> None:
    said = refusal(write(methods=[{"name": "nothing"}], forget=[{"kind": "query", "sql": "label = 'pattern 0'"}]))
    assert re.search(r"all \d+ forget images have the labels pattern 0, so there is no AUROC, .*different labels", said)


def test_a_study_is_run_and_says_what_its_measures_are(write: WriteStudy, tmp_path: Path) -> None:
    path = write(
        methods=[{"name": "random_label", "epochs": 1, "relabel": "other", "forget_weight": 0.5}],
        forget=[{"kind": "class", "class": "pattern 1", "fraction": 0.5}],
        metrics=["label_accuracy"],
        search={"trials": 1},
    )
    results = tmp_path / "results"
    with Progress(Console(quiet=True)) as progress:
        StudyRun(read_study(path), StorageRoot.at(results), progress).run(local=True)

    confirmations = load(results, "confirmations").to_pylist()
    assert {row["task"] for row in confirmations} == {SEVERAL_LABELS} == {SEVERAL}
    assert all(row["ta"] == pytest.approx(row["auc"]) for row in confirmations)  # every label occurs in test
    assert all(0 <= row[name] <= 1 for row in confirmations for name in ("ua", "ra", "ta", "mia", "gap"))
    data = load_data(read_study(path).data[0])
    for row in load(results, "predictions").to_pylist():
        assert (row["label"], row["predicted"]) == (None, None)
        labels = data.train.labels_N[row["image"]]
        assert row["label_name"] == " + ".join(name for name, has in zip(data.class_names, labels, strict=True) if has)
        assert "pattern 1" in row["label_name"]
    accuracies = query("select value, n from measures where metric = 'label_accuracy'", results).to_pylist()
    assert len(accuracies) == len(confirmations)
    assert all(0 <= one["value"] <= 1 and one["n"] == len(data.test) for one in accuracies)

    [board] = leaderboard(StorageRoot.at(results))
    assert board.heads == ("UA*", "RA*", "TA*", "MIA")
    assert any(note.startswith("* An image has any number of labels: RA and TA are") for note in notes_of(board))
