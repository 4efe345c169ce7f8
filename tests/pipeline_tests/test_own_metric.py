"""A metric that a program adds and a study names: an object with a function, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import load, query
from lethe.storage.root import StorageRoot
from lethe.study import read_study
from unlearning.metrics import BUILT_IN, METRICS, Evaluation, Metric, Value, by_class


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    """Return the median loss of the forget set, whole and class by class."""
    losses_F, forget = evaluation.losses("forget"), evaluation.of("forget")
    yield Value("forget", float(losses_F.median()), len(forget), low=float(losses_F.min()), high=float(losses_F.max()))
    medians = [float(losses_F[forget.labels_N == index].median()) for index in range(evaluation.classes)]
    yield from by_class("forget", medians, forget.count_per_class())


FORGET_LOSS = Metric(
    name="forget_loss",
    version=7,
    title="median loss of the forget set",
    compute=_compute,
    unit="nats",
    source="this test",
    groups=("forget",),
    per_class=True,
)


def test_a_metric_that_a_study_names_is_in_the_rows_and_the_views(
    write_study: Callable[..., Path], tmp_path: Path, add_part: Callable[..., None]
) -> None:
    add_part(METRICS, FORGET_LOSS)
    training = {"epochs": 1, "batch_size": 32, "lr": 0.1}
    study = write_study(search={"trials": 1}, training=training, metrics=["forget_loss"])
    results = tmp_path / "results"
    with Progress(Console(quiet=True)) as progress:
        StudyRun(read_study(study), StorageRoot.at(results), progress).run(local=True)

    confirmations = load(results, "confirmations").to_pylist()
    rows = query("from measures where metric = 'forget_loss'", results).to_pylist()
    whole = [row for row in rows if row["class_index"] is None]
    assert {row["unit_id"] for row in whole} == {row["confirmation_id"] for row in confirmations}
    assert len(rows) == 4 * len(confirmations)
    for row in rows:
        assert (row["version"], row["split"], row["unit_kind"]) == (7, "forget", "confirmation")
        assert row["package"] is None
    for row in whole:
        assert 0 <= row["low"] <= row["value"] <= row["high"]
        assert row["n"] == 32

    pivot = "pivot measures on metric in ('ua', 'forget_loss') using any_value(value) filter (class_index is null)"
    by_unit = {row["unit_id"]: row for row in query(f"{pivot} group by unit_id", results).to_pylist()}
    for row in confirmations:
        assert by_unit[row["confirmation_id"]]["ua"] == row["ua"]
    assert all(by_unit[row["unit_id"]]["forget_loss"] == row["value"] for row in whole)

    summary = query(
        "select row, mean, oracle_mean, difference from metric_summary"
        " where metric = 'forget_loss' and class_index is null and row <> 'oracle'",
        results,
    ).to_pylist()
    assert {row["row"] for row in summary} == {"original", "salun", "salun density 1.0", "salun random mask"}
    for row in summary:
        assert row["difference"] == pytest.approx(row["mean"] - row["oracle_mean"])

    usual = query("select * from recorded_measures where metric <> 'forget_loss'", results).to_pylist()
    assert {row["package"] for row in usual} == {confirmations[0]["network_package"]}
    overall = {(row["unit_id"], row["metric"]): row["value"] for row in usual if row["class_index"] is None}
    for row in confirmations:
        for metric in BUILT_IN.keys() - {"recall"}:
            assert overall[row["confirmation_id"], metric] == row[metric], metric
        recall = [
            one["value"] for one in usual if one["metric"] == "recall" and one["unit_id"] == row["confirmation_id"]
        ]
        assert recall == row["recall_per_class"]
