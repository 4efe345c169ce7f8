"""A study of images with any number of labels, from its file to the rows; and what is refused of one."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

import lethe
from lethe.delivery import in_words
from lethe.pipeline.models import confirmed_models
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report._board import leaderboard
from lethe.report._drift import drift_heads, drift_lines
from lethe.report._notes import notes_of
from lethe.report.page import render_page
from lethe.results import load, query
from lethe.results.rows import SEVERAL_LABELS
from lethe.storage.root import StorageRoot
from lethe.study import expand, read_study
from unlearning.data import SEVERAL, DataError, Synthetic
from unlearning.data import load as load_data
from unlearning.methods import METHODS

WriteStudy = Callable[..., Path]

DATA = {"source": "synthetic", "train": 160, "val": 50, "test": 50, "size": 12, "classes": 3, "multi_label": True}
REQUEST = {"kind": "class", "class": "pattern 1", "fraction": 0.5}
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
        training={"epochs": 2, "batch_size": 32, "label_smoothing": 0.1, "class_weights": [1, 2, 3]},
    )
    assert [line.strip().partition(";")[0] for line in refusal(path).splitlines()] == [
        "tiny: images of synthetic have any number of labels",
        "methods: amun",
        "audits: clinical",
        "methods: scrub, fine_tune: rewinding looks for images of the forgotten classes",
        "training: label_smoothing, class_weights: of the cross-entropy of one class an image",
        "attack_classes: forgotten draws images in the forget set's mix of classes",
    ]


def test_a_forget_set_whose_labels_rank_nothing_is_refused(write: WriteStudy) -> None:
    said = refusal(write(methods=[{"name": "nothing"}], forget=[{"kind": "query", "sql": "label = 'pattern 0'"}]))
    assert re.search(r"all \d+ forget images have the labels pattern 0, so there is no AUROC, .*different labels", said)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that asks for the study leaves its results, for the others."""
    return tmp_path_factory.mktemp("several") / "results"


@pytest.fixture
def results(place: Path, write: WriteStudy) -> Path:
    """The results of a study with a request and a stream of requests; not to be changed."""
    if not place.exists():
        path = write(
            methods=[{"name": "random_label", "epochs": 1, "relabel": "other", "forget_weight": 0.5}],
            forget=[REQUEST, {"kind": "stream", "of": {**REQUEST, "fraction": 0.4}, "steps": 2}],
            metrics=["label_accuracy"],
            search={"trials": 1},
            keep_models="confirmed",
        )
        with Progress(Console(quiet=True)) as progress:
            StudyRun(read_study(path), StorageRoot.at(place), progress).run(local=True)
    return place


def test_a_study_is_run_and_says_what_its_measures_are(results: Path) -> None:
    confirmations = load(results, "confirmations").to_pylist()
    assert {row["task"] for row in confirmations} == {SEVERAL_LABELS} == {SEVERAL}
    assert all(row["ta"] == pytest.approx(row["auc"]) for row in confirmations)  # every label occurs in test
    assert all(0 <= row[name] <= 1 for row in confirmations for name in ("ua", "ra", "ta", "mia", "gap"))
    data = load_data(Synthetic(**DATA))
    for row in load(results, "predictions").to_pylist():
        assert (row["label"], row["predicted"]) == (None, None)
        labels = data.train.labels_N[row["image"]]
        assert row["label_name"] == " + ".join(name for name, has in zip(data.class_names, labels, strict=True) if has)
        assert "pattern 1" in row["label_name"]
    called = "avg(called_nonmember::int) as called from confirmations join predictions using (confirmation_id)"
    for one in query(f"select mia, {called} group by confirmation_id, mia", results).to_pylist():
        assert one["called"] == pytest.approx(one["mia"])
    accuracies = query("select value, n from measures where metric = 'label_accuracy'", results).to_pylist()
    assert len(accuracies) == len(confirmations)
    assert all(0 <= one["value"] <= 1 and one["n"] == len(data.test) for one in accuracies)

    for board in leaderboard(StorageRoot.at(results)):
        assert board.heads == ("UA*", "RA*", "TA*", "MIA")
        assert any(note.startswith("* An image has any number of labels: RA and TA are") for note in notes_of(board))


def test_a_stream_has_no_error_of_its_last_images_alone(results: Path) -> None:
    drift = load(results, "drift").to_pylist()
    assert {row["step"] for row in drift} == {1, 2}
    assert {(row["request_ua"], row["oracle_request_ua"]) for row in drift} == {(None, None)}
    assert all(0 <= row["ua"] <= 1 and row["request_images"] > 0 for row in drift)
    [last] = [board for board in leaderboard(StorageRoot.at(results)) if board.ends_stream]
    heads = drift_heads(last)
    assert [head for head in heads if head.endswith("*")] == ["UA*", "RA*", "TA*"]
    assert all(line.cells[heads.index("UA, last")] == "" for line in drift_lines(last.drift))
    assert "Mean AUROC on test after each request" in render_page(StorageRoot.at(results), None).html


def test_a_delivery_counts_an_image_for_each_of_its_labels(results: Path, tmp_path: Path) -> None:
    [plain] = query("select distinct scenario from confirmed where step is null", results)["scenario"].to_pylist()
    found = lethe.deliver("tiny", results, scenario=plain, out=tmp_path / "out", console=Console(quiet=True))
    said = json.loads((tmp_path / "out" / "certificate.json").read_text())
    labels_NK, forgotten = load_data(Synthetic(**DATA)).train.labels_N, found.model.parts.forgotten.indices_M
    counted = [(one["requested"], one["images"]) for one in said["request"]["by_class"]]
    assert counted == list(zip(labels_NK[forgotten].sum(0).tolist(), labels_NK.sum(0).tolist(), strict=True))
    assert (said["data"]["task"], said["data"]["classes"]) == (SEVERAL, 3)
    page = (tmp_path / "out" / "certificate.html").read_text()
    assert "An image counts for each of its labels." in page
    assert "mean AUROC on the test split" in page
    assert "accuracy" not in page
    assert yaml.safe_load((tmp_path / "out" / "setting.yaml").read_text())["task"] == SEVERAL
    assert any("test mean AUROC" in line for line in in_words(found, str(results)))
    assert [one for one in confirmed_models(StorageRoot.at(results)) if one.size_bytes is not None]
