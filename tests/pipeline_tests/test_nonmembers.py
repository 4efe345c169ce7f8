"""What changes with the split that the attack takes non-members from, and what does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lethe.artifacts import oracle, original, saliency
from lethe.pipeline.confirm import confirmations
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import MethodSearch, expand, read_study
from unlearning.data import Synthetic, load

WriteStudy = Callable[..., Path]


@pytest.fixture
def study_from(write_study: WriteStudy, tmp_path: Path) -> Callable[..., Path]:
    """Writes a study of doing nothing, on images of its own, with non-members from a split."""
    arrays = {}
    for name, split in Synthetic(train=120, val=40, test=50, size=12, classes=3).read().splits.items():
        arrays[f"{name}_images"] = split.images_NCHW[:, 0].numpy()
        arrays[f"{name}_labels"] = split.labels_N.numpy()
    np.savez(tmp_path / "mine.npz", **arrays)

    def write(nonmembers: str, **options: Any) -> Path:
        data = {"source": "npz", "path": str(tmp_path / "mine.npz"), "nonmembers": nonmembers}
        training = {"epochs": 1, "batch_size": 32}
        return write_study(data=[data], methods=[{"name": "nothing"}], training=training, **options)

    return write


def cells_of(path: Path) -> list[MethodSearch]:
    study = read_study(path)
    return expand(study, {source: load(source) for source in study.data})


def test_nonmembers_change_the_names_of_confirmations_and_no_other_fingerprint(
    study_from: Callable[..., Path],
) -> None:
    [from_val], [from_test] = cells_of(study_from("val")), cells_of(study_from("test"))
    assert from_val.fingerprint == from_test.fingerprint
    assert from_val.scenario.fingerprint == from_test.scenario.fingerprint
    assert original(from_val.scenario, 1) == original(from_test.scenario, 1)
    assert oracle(from_val.scenario, 1) == oracle(from_test.scenario, 1)
    assert saliency(from_val.scenario, 1) == saliency(from_test.scenario, 1)
    names = [
        {confirmation.confirmation_id for confirmation in confirmations([method_search], [])}
        for method_search in (from_val, from_test)
    ]
    assert names[0]
    assert len(names[0]) == len(names[1])
    assert not names[0] & names[1]


def test_a_study_whose_nonmembers_change_is_confirmed_anew_and_neither_trained_nor_searched_again(
    study_from: Callable[..., Path], tmp_path: Path
) -> None:
    def run(nonmembers: str) -> list[dict[str, Any]]:
        with Progress(Console(quiet=True)) as progress:
            StudyRun(read_study(study_from(nonmembers)), StorageRoot.at(tmp_path / "results"), progress).run(local=True)
        made = """
            select count(*) as n, max(ended_at) as latest from artifacts
            union all select count(*), max(ended_at) from trials
        """
        records: list[dict[str, Any]] = query(made, tmp_path / "results").to_pylist()
        return records

    assert run("test") == run("val")
    counts = """
        select mia_nonmembers, row, count(distinct training_seed) as seeds, count(distinct confirmation_id) as names
        from confirmations where row <> 'oracle' group by all order by row, mia_nonmembers
    """
    assert [tuple(row.values()) for row in query(counts, tmp_path / "results").to_pylist()] == [
        ("test", "nothing", 2, 2),
        ("val", "nothing", 2, 2),
        ("test", "original", 2, 2),
        ("val", "original", 2, 2),
    ]


def test_an_attack_on_the_forgotten_class_searches_and_confirms_anew_and_trains_nothing(
    study_from: Callable[..., Path], tmp_path: Path
) -> None:
    forget = [{"kind": "class", "class_index": 1}]
    for classes in ("all", "forgotten"):
        study = read_study(study_from("test", forget=forget, attack_classes=classes))
        with Progress(Console(quiet=True)) as progress:
            StudyRun(study, StorageRoot.at(tmp_path / "results"), progress).run(local=True)
    results = tmp_path / "results"
    assert query("select count(*) n from artifacts", results).to_pylist() == [{"n": 2 * 3}]
    trials = query("select attack_classes, count(*) n from trials group by 1 order by 1", results).to_pylist()
    assert [(one["attack_classes"], one["n"]) for one in trials] == [("all", 1), ("forgotten", 1)]
    counts = "select attack_classes, count(distinct scenario) s, count(*) n, count(mia) m from confirmations group by 1"
    assert [tuple(one.values()) for one in query(f"{counts} order by 1", results).to_pylist()] == [
        ("all", 1, 7, 7),
        ("forgotten", 1, 7, 7),
    ]
