"""Audits of networks in a whole study: each row is audited at the weights that its metrics were computed from."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from rich.console import Console

import lethe
from lethe.artifacts import ArtifactStore
from lethe.pipeline.plan import make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import Study, read_study
from unlearning.audits import AUDITS, Audit, AuditNetwork, Evidence, Finding, ModelPool, Statistic
from unlearning.metrics import Evaluation, Value

WriteStudy = Callable[..., Path]
AddPart = Callable[..., None]

SHORT: dict[str, Any] = {
    "methods": [{"name": "fine_tune", "epochs": 1, "lr": 0.05}],
    "training": {"epochs": 1, "batch_size": 32, "lr": 0.1},
    "seeds": {"tuning": [0], "reporting": [1, 2]},
}


def run(study: Study, results: Path) -> list[str]:
    """Runs a study; returns its problems."""
    with Progress(Console(quiet=True)) as progress:
        study_run = StudyRun(study, StorageRoot.at(results), progress)
        study_run.run(local=True)
    return study_run.problems


def measured(metric: str, results: Path) -> list[dict[str, Any]]:
    sql = f"""
        select c.row, c.training_seed as seed, m.value from measures m
        join confirmations c on c.confirmation_id = m.unit_id where m.metric = '{metric}'
    """
    found: list[dict[str, Any]] = query(sql, results).to_pylist()
    return found


def plan_of(study: Study, results: Path) -> tuple[str, ...]:
    root = StorageRoot.at(results)
    return make_plan(study, ArtifactStore(root), Store(root)).audits


class Disturbing(Audit):
    """Trains the audited network until nothing is left of it."""

    name: Literal["disturbing"] = "disturbing"
    title: ClassVar[str] = "disturbance"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "this test"
    statistics: ClassVar[Mapping[str, Statistic]] = {"epochs": Statistic("epochs of training", "epochs")}
    needs_network: ClassVar[bool] = True

    @property
    def training_epochs(self) -> int:
        return 2

    def run(self, evidence: Evidence) -> Iterable[Finding]:
        audited, labels_N = evidence.audited, evidence.audited.of("train").labels_N
        training = evidence.networks.audited.trained_further(audited.forget_F, labels_N, epochs=2, lr=1.0, seed=0)
        yield "epochs", Value(None, float(len(list(training))))


class Faithful(Audit):
    """How far the logits of the networks are from those that were measured."""

    name: Literal["faithful"] = "faithful"
    title: ClassVar[str] = "faithfulness"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "this test"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "audited": Statistic("of the audited network", ""),
        "oracle": Statistic("of the paired oracle's", ""),
        "pool": Statistic("of another oracle's", ""),
    }
    needs_network: ClassVar[bool] = True

    @property
    def pools(self) -> Mapping[str, ModelPool]:
        return {"oracles": ModelPool("retain", 1)}

    def run(self, evidence: Evidence) -> Iterable[Finding]:
        networks, audited = evidence.networks, evidence.audited
        assert audited.oracle is not None
        pairs: dict[str, tuple[AuditNetwork, Evaluation]] = {
            "audited": (networks.audited, audited),
            "oracle": (networks.oracle, audited.oracle),
            "pool": (networks.pools["oracles"][0], evidence.pools["oracles"][0]),
        }
        for name, (network, evaluation) in pairs.items():
            for group in ("forget", "retain", "test"):
                logits_NK = network.restored().predict(evidence.images(group))
                yield name, Value(group, float((logits_NK - evaluation.of(group).logits_NK).abs().max()))


def test_every_row_is_audited_at_the_weights_that_were_measured_whatever_another_audit_did(
    write_study: WriteStudy, tmp_path: Path, add_part: AddPart
) -> None:
    add_part(AUDITS, Disturbing)
    add_part(AUDITS, Faithful)
    names = ("disturbing", "faithful")
    study = read_study(write_study(**SHORT, audits=[{"name": name} for name in names]))
    assert plan_of(study, tmp_path) == (
        "audit disturbing: reads no other model; adds no training; trains each model 2 epochs further",
        "audit faithful: reads 1 oracle of other training seeds; adds no training",
    )
    assert run(study, tmp_path) == []
    for statistic in Faithful.statistics:
        found = measured(f"faithful_{statistic}", tmp_path)
        assert {one["row"] for one in found} == {"original", "oracle", "fine_tune"}
        assert len(found) == 3 * (3 + 2 + 2)
        assert all(one["value"] < 1e-4 for one in found)


def test_an_original_relearns_what_an_oracle_never_knew(write_study: WriteStudy, tmp_path: Path) -> None:
    training = {"epochs": 15, "batch_size": 32, "lr": 0.1}
    options = {
        "network": {"name": "cnn", "width": 8},
        "training": training,
        "forget": [{"kind": "random", "fraction": 0.25}],
    }
    study = read_study(write_study(**SHORT | options, audits=[{"name": "relearning", "epochs": 2}]))
    assert run(study, tmp_path) == []
    for statistic in ("start", "retain_area", "share_area", "retain_end", "share_end"):
        values = {(one["row"], one["seed"]): one["value"] for one in measured(f"relearning_{statistic}", tmp_path)}
        assert all(values["original", seed] > values["oracle", seed] + 0.1 for seed in (1, 2))


def test_the_time_that_a_plan_estimates_includes_what_audits_train(write_study: WriteStudy, tmp_path: Path) -> None:
    def seconds(epochs: int) -> float:
        path = write_study(**SHORT, resources={"workers": 1}, audits=[{"name": "relearning", "epochs": epochs}])
        found = lethe.plan(path, tmp_path / "results").estimate
        assert found.seconds is not None
        return found.seconds

    assert seconds(epochs=2000) > 20 * seconds(epochs=1)
