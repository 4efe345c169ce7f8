"""Audits of a whole study: which models they require, what is planned for them, and their values among the measures."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field
from rich.console import Console
from torch import nn

from lethe.artifacts import ArtifactStore, oracle
from lethe.artifacts.context import MissingArtifactError, TrialContexts
from lethe.execution.shared_data import SharedData
from lethe.pipeline.audit import audit_tasks, pool_seeds
from lethe.pipeline.plan import Plan, make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report.page import render_page
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import Resources, Seeds, Study, StudyError, read_study
from unlearning.audits import AUDITS, Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.audits._rmia import GRID
from unlearning.data import PATIENT, SOURCES, RawData, Source, Synthetic
from unlearning.metrics import Value
from unlearning.models import CNN, NETWORKS
from unlearning.seeds import derive

WriteStudy = Callable[..., Path]
AddPart = Callable[..., None]

SHORT: dict[str, Any] = {
    "methods": [{"name": "fine_tune", "epochs": 1}],
    "training": {"epochs": 1, "batch_size": 32, "lr": 0.1},
    "seeds": {"tuning": [0], "reporting": [1, 2]},
}


def run(study: Study, results: Path) -> list[str]:
    """Runs a study; returns its problems."""
    with Progress(Console(quiet=True)) as progress:
        study_run = StudyRun(study, StorageRoot.at(results), progress)
        study_run.run(local=True)
    return study_run.problems


def plan_of(study: Study, results: Path) -> Plan:
    root = StorageRoot.at(results)
    return make_plan(study, ArtifactStore(root), Store(root))


def records(sql: str, results: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = query(sql, results).to_pylist()
    return found


@pytest.mark.parametrize(
    ("audited", "models", "expected"),
    [(0, 2, (1, 2)), (1, 2, (0, 2)), (7, 2, (0, 1)), (1, 4, (0, 2, 3, 4)), (2, 0, ())],
)
def test_a_pool_takes_the_studys_other_seeds_first_and_new_ones_after_them(
    audited: int, models: int, expected: tuple[int, ...]
) -> None:
    assert pool_seeds(Seeds(tuning=(0,), reporting=(1, 2)), audited, models) == expected


def test_new_seeds_lie_above_those_of_the_study() -> None:
    assert pool_seeds(Seeds(tuning=(9,), reporting=(5, 30)), 9, 4) == (5, 30, 31, 32)


def test_an_audit_is_planned_run_stored_and_compared_with_the_oracles(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    study = read_study(write_study(**SHORT, audits=[{"name": "rmia", "references": 3}]))
    assert plan_of(study, results).audits == (
        "audit rmia: reads 3 oracles and 2 originals of other training seeds; adds 1 trained model of further seeds (1 "
        "to make)",
    )
    assert run(study, results) == []
    after = plan_of(study, results)
    assert after.complete
    assert after.audits[0].endswith("(0 to make)")
    trained = records("select kind, training_seed from artifacts order by 1, 2", results)
    assert [(one["kind"], one["training_seed"]) for one in trained] == [
        *(("oracle", seed) for seed in (0, 1, 2, 3)),
        *(("original", seed) for seed in (0, 1, 2)),
    ]

    measured = records("from measures where metric = 'rmia_auc' order by unit_id", results)
    confirmed = records("from confirmations order by confirmation_id", results)
    assert [one["unit_id"] for one in measured] == [one["confirmation_id"] for one in confirmed]
    assert len(measured) == 3 + 2 + 2
    for one in measured:
        assert (one["unit_kind"], one["metric"], one["version"]) == ("confirmation", "rmia_auc", 2)
        assert (one["split"], one["class_index"], one["n"]) == ("forget", None, 32 + 80)
        assert one["package"].startswith("lethe ")
        assert 0 <= one["low"] < one["value"] < one["high"] <= 1

    tuned = records("select value, count(*) n from measures where metric = 'rmia_a' group by all", results)
    assert sum(one["n"] for one in tuned) == len(measured)
    assert all(one["value"] in GRID for one in tuned)

    summary = records("select row, seeds, mean, oracle_mean from metric_summary where metric = 'rmia_auc'", results)
    assert {(one["row"], one["seeds"]) for one in summary} == {("original", 2), ("oracle", 2), ("fine_tune", 2)}
    [oracle] = [one for one in summary if one["row"] == "oracle"]
    assert all(one["oracle_mean"] == oracle["mean"] for one in summary if one["row"] != "oracle")


def test_a_control_half_is_audited_in_every_row_and_the_original_is_detected(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    """The tiny original is trained until it knows its images by heart."""
    options = SHORT | {"training": {"epochs": 15, "batch_size": 8, "lr": 0.1}}
    requests = [{"kind": "random", "fraction": 0.3, "control": True}, {"kind": "random", "fraction": 0.3}]
    audits = [{"name": "control"}, {"name": "epsilon", "references": 2, "guesses": 20}]
    study = read_study(write_study(**options, forget=requests, audits=audits))
    assert plan_of(study, tmp_path).audits == (
        "audit control: reads no other model; adds no training; finds nothing for forget random 30 %, which keeps no "
        "control half",
        "audit epsilon: reads 2 oracles of other training seeds; adds no training; finds nothing for forget random "
        "30 %, which keeps no control half",
    )
    assert run(study, tmp_path) == []
    trained = records("select distinct kind, forget, images_trained from artifacts order by all", tmp_path)
    assert [one["images_trained"] for one in trained] == [15 * 112, 15 * 64, 15 * 112, 15 * 160]
    found = records("from metric_summary where metric like 'control%' or metric like 'epsilon%'", tmp_path)
    assert {one["forget"] for one in found} == {"random 30 % with control"}
    mean = {(one["row"], one["metric"]): one["mean"] for one in found}
    assert len(mean) == 3 * (8 + 5)
    assert {one["seeds"] for one in found} == {2}
    sizes = records(
        "select distinct n from measures where metric similar to '(control|epsilon).*' order by n", tmp_path
    )
    assert {one["n"] for one in sizes} == {20, 96}
    assert mean["original", "control_loss_auc"] > 0.7
    assert mean["original", "control_loss_p"] < 0.05
    assert mean["original", "epsilon_bound"] > mean["oracle", "epsilon_bound"]
    assert 0.3 < mean["oracle", "control_loss_auc"] < 0.7
    [judged] = records("select * from audit_verdicts where row = 'original' and metric = 'control_loss_p'", tmp_path)
    assert (judged["audit"], judged["power"], judged["oracles"]) == ("control", 1.0, 3)
    assert judged["false_positive_rate"] < 1
    assert judged["verdict"] == "too few seeds"


def test_doses_are_trained_and_audited_as_rows_of_their_own_and_stand_in_no_table(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    study = read_study(write_study(**SHORT, audits=[{"name": "output_distance"}], doses=[0.25, 0.5]))
    assert run(study, tmp_path) == []
    plan = plan_of(study, tmp_path)
    assert plan.complete
    assert plan.confirmations_planned == plan.confirmed == 2 * (3 + 2) + 1
    made = "select kind, training_seed, images_trained from artifacts where kind ^@ 'dose' order by all"
    trained = records(made, tmp_path)
    assert [tuple(one.values()) for one in trained] == [
        *(("dose 25 %", seed, 128 + 8) for seed in (1, 2)),
        *(("dose 50 %", seed, 128 + 16) for seed in (1, 2)),
    ]
    confirmed = records("select * from compared where role = 'dose' order by row, training_seed", tmp_path)
    assert [(one["row"], one["method"], one["images_unlearn"]) for one in confirmed] == [
        *[("dose 25 %", "dose", 136)] * 2,
        *[("dose 50 %", "dose", 144)] * 2,
    ]
    assert all(one["ua"] is not None and one["gap"] is not None for one in confirmed)
    rows = {one["row"] for one in records("select distinct row from metric_summary", tmp_path)}
    assert rows == {"original", "oracle", "fine_tune", "dose 25 %", "dose 50 %"}
    for view in ("leaderboard", "contrasts", "ranks", "confirmed", "joint_tests"):
        column = "first" if view == "contrasts" else "row"
        assert not any("dose" in one[column] for one in records(f"from {view}", tmp_path))
    judged = records("select distinct row from audit_verdicts where row ^@ 'dose'", tmp_path)
    assert len(judged) == 2


def test_swapped_labels_are_trained_on_forgotten_and_found_in_the_original(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    """The tiny original is trained until it knows its images by heart, those with a wrong label too."""
    options = SHORT | {"training": {"epochs": 15, "batch_size": 16, "lr": 0.1}}
    requests = [{"kind": "confusion", "classes": [0, 1], "fraction": 0.4}, {"kind": "random", "fraction": 0.2}]
    study = read_study(write_study(**options, forget=requests, audits=[{"name": "confusion"}]))
    plan = plan_of(study, tmp_path)
    assert plan.audits == (
        "audit confusion: reads no other model; adds no training; finds nothing for forget random 20 %, which plants "
        "no labels",
    )
    assert any("are labelled" in line for line in plan.requests)
    assert len({data.content_hash for data in plan.shared}) == len(plan.datasets) + 1
    assert run(study, tmp_path) == []
    assert plan_of(study, tmp_path).complete
    found = records("from metric_summary where metric like 'confusion%'", tmp_path)
    assert {one["forget"] for one in found} == {"confusion of 0 and 1, 40 %"}
    mean = {(one["row"], one["metric"], one["split"]): one["mean"] for one in found}
    assert len(mean) == 3 * 3
    assert mean["original", "confusion_forget", "forget"] > mean["oracle", "confusion_forget", "forget"] + 0.4
    errors = records("select row, avg(ua) as ua from confirmed where forget ^@ 'confusion' group by 1", tmp_path)
    ua = {one["row"]: one["ua"] for one in errors}
    assert ua["original"] < 0.3 < 0.7 < ua["oracle"]
    asked = "select confirmation_id from confirmations where forget_kind = 'confusion'"
    labels = records(f"select distinct label from predictions where confirmation_id in ({asked})", tmp_path)
    assert {one["label"] for one in labels} == {0, 1}


def test_models_of_the_studys_own_seeds_cost_no_training(write_study: WriteStudy, tmp_path: Path) -> None:
    study = read_study(write_study(**SHORT, audits=[{"name": "rmia", "references": 2}]))
    assert plan_of(study, tmp_path).audits == (
        "audit rmia: reads 2 oracles and 2 originals of other training seeds; adds no training",
    )
    assert {needed.seed for needed in plan_of(study, tmp_path).needed} == {0, 1, 2}


def test_a_worker_reads_the_logits_of_a_pool_model_once_and_keeps_a_bounded_number_of_them(
    write_study: WriteStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = read_study(write_study(**SHORT))
    assert run(study, tmp_path) == []
    plan, artifacts = plan_of(study, tmp_path), ArtifactStore(StorageRoot.at(tmp_path))
    scenario = plan.method_searches[0].scenario
    for weights in tmp_path.glob("artifacts/trained_model/*/weights-*"):
        weights.write_bytes(b"not read")
    contexts = TrialContexts(artifacts, SharedData(plan.datasets), Resources())
    first = contexts.evaluation_of(oracle(scenario, 1), 0)
    assert contexts.evaluation_of(oracle(scenario, 1), 0) is first
    stored = artifacts.load(oracle(scenario, 1).key, {"logits"})
    assert stored is not None
    assert torch.equal(first.predictions["test"].logits_NK, stored.files["logits"]["test"])
    assert torch.equal(first.forget_F, scenario.selected.indices_F)
    monkeypatch.setattr("lethe.artifacts.context.KEPT_MODELS", 1)
    contexts.evaluation_of(oracle(scenario, 2), 0)
    assert contexts.evaluation_of(oracle(scenario, 1), 0) is not first
    for logits in tmp_path.glob("artifacts/trained_model/*/logits-*"):
        logits.write_bytes(b"torn")
    with pytest.raises(MissingArtifactError, match=r"It was moved to .*/quarantine/"):
        contexts.evaluation_of(oracle(scenario, 2), 0)


class Confidence(Audit):
    """How much more the audited model knows of the forget set than an original of another seed."""

    name: Literal["confidence"] = "confidence"
    title: ClassVar[str] = "mean loss against originals"
    version: ClassVar[int] = 4
    source: ClassVar[str] = "this test"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "loss": Statistic("mean loss minus that of the originals", "nats"),
        "of_one": Statistic("the same of each original", "nats"),
    }
    originals: int = Field(2, ge=1, description="how many originals")

    @property
    def pools(self) -> Mapping[str, ModelPool]:
        return {"originals": ModelPool("train", self.originals)}

    def run(self, evidence: Evidence) -> Iterable[Finding]:
        audited, originals = evidence.audited, evidence.pools["originals"]
        losses = [float((audited.losses("forget") - other.losses("forget")).mean()) for other in originals]
        yield "loss", Value("forget", sum(losses) / len(losses), len(audited.forget_F))
        for index, loss in enumerate(losses):
            yield "of_one", Value("forget", loss, len(audited.forget_F), class_index=index)


def test_an_audit_that_a_program_adds_gets_its_pool_of_originals(
    write_study: WriteStudy, tmp_path: Path, add_part: AddPart
) -> None:
    add_part(AUDITS, Confidence)
    study = read_study(write_study(**SHORT, audits=[{"name": "confidence", "originals": 3}, {"name": "rmia"}]))
    of_originals, of_oracles = plan_of(study, tmp_path).audits
    assert of_originals.startswith("audit confidence: reads 3 originals of other training seeds; adds 1 trained model ")
    assert of_oracles.startswith("audit rmia: reads 4 oracles and 2 originals of other training seeds; adds 2 ")
    assert run(study, tmp_path) == []
    kinds = records("select kind, list(training_seed order by training_seed) s from artifacts group by 1", tmp_path)
    assert {one["kind"]: one["s"] for one in kinds} == {"original": [0, 1, 2, 3], "oracle": [0, 1, 2, 3, 4]}
    found = "select metric, version, package, count(value) n from measures where metric like 'confidence%' group by all"
    assert records(f"{found} order by 1", tmp_path) == [
        {"metric": "confidence_loss", "version": 4, "package": None, "n": 7},
        {"metric": "confidence_of_one", "version": 4, "package": None, "n": 3 * 7},
    ]


def test_with_halves_per_seed_each_model_forgets_its_own_and_pools_of_originals_have_seen_it(
    write_study: WriteStudy, tmp_path: Path, add_part: AddPart
) -> None:
    """Models of one epoch: what is checked is who is trained on what, and looked at by whom."""
    add_part(AUDITS, Confidence)
    request = {"kind": "random", "fraction": 0.3, "control": True, "halves": "per_seed"}
    seeds = {"tuning": [0], "reporting": [1, 2, 3, 4]}
    audits = [{"name": "confidence", "originals": 1}, {"name": "epsilon", "references": 2, "guesses": 20}]
    study = read_study(write_study(**SHORT | {"seeds": seeds}, forget=[request], audits=audits))
    plan = plan_of(study, tmp_path)
    assert plan.audits == (
        "audit confidence: reads 1 original of other training seeds; adds 5 trained models of further seeds and lots "
        "(5 to make)",
        "audit epsilon: reads 2 oracles of other training seeds; adds no training",
    )
    assert ": 96 of 160 train images are candidates, by class: " in plan.requests[0]
    assert run(study, tmp_path) == []
    assert plan_of(study, tmp_path).complete
    scenario = plan.method_searches[0].scenario
    trained = records("select kind, count(*) n, list(distinct images_trained) i from artifacts group by 1", tmp_path)
    assert {one["kind"]: (one["n"], one["i"]) for one in trained} == {"original": (10, [112]), "oracle": (5, [64])}

    said = "select training_seed, split, list(distinct image order by image) i from predictions group by all"
    images = {(one["training_seed"], one["split"]): one["i"] for one in records(said, tmp_path)}
    for seed in (0, 1, 2, 3, 4):
        parts = scenario.partition(seed)
        assert images[seed, "forget"] == parts.forgotten.indices_M.tolist()
        assert images[seed, "control"] == parts.control.indices_M.tolist()
    attacked = records("from halves", tmp_path)
    assert [(one["row"], one["models"], one["images"]) for one in attacked] == [
        ("original", 4, 96),
        ("oracle", 4, 96),
        ("fine_tune", 4, 96),
    ]
    assert attacked[1]["lira_auc_oracles"] == 0.5

    contexts = TrialContexts(ArtifactStore(StorageRoot.at(tmp_path)), SharedData(plan.datasets), Resources())
    [pool_model] = [read.model(scenario) for read in audit_tasks(plan.study, scenario, 2)[0].reads]
    assert pool_model.seed == 0
    assert torch.equal(pool_model.subset.indices_M, scenario.partition(2).everything.indices_M)
    assert torch.equal(contexts.evaluation_of(pool_model, 2).forget_F, scenario.partition(2).forget.indices_F)


class Failing(Confidence):
    name: Literal["failing"] = "failing"  # type: ignore[assignment]
    version: ClassVar[int] = 1

    def run(self, evidence: Evidence) -> Iterable[Finding]:
        raise RuntimeError("no such luck")


def test_an_audit_that_raises_is_a_problem_of_its_rows_and_ends_no_run(
    write_study: WriteStudy, tmp_path: Path, add_part: AddPart
) -> None:
    add_part(AUDITS, Failing)
    problems = run(read_study(write_study(**SHORT, audits=[{"name": "failing"}])), tmp_path)
    assert len(problems) == 7
    assert "could not confirm fine_tune on seed 1: audit 'failing': RuntimeError: no such luck" in problems


class Fragile(CNN):
    """A network that cannot be built for one training seed."""

    name: Literal["fragile"] = "fragile"  # type: ignore[assignment]
    version: ClassVar[int] = 1
    breaks_at: int = Field(description="the seed of the weights that it cannot be built from")

    def build(self, channels: int, classes: int, seed: int) -> nn.Sequential:
        if seed == self.breaks_at:
            raise RuntimeError("it broke")
        return super().build(channels, classes, seed)


def test_a_pool_model_that_cannot_be_made_is_a_problem_and_ends_no_run(
    write_study: WriteStudy, tmp_path: Path, add_part: AddPart
) -> None:
    add_part(NETWORKS, Fragile)
    breaks_at = derive(derive(0, "training", 3), "weights")
    network = {"name": "fragile", "width": 4, "breaks_at": breaks_at}
    study = read_study(write_study(**SHORT | {"network": network}, audits=[{"name": "rmia", "references": 3}]))
    first, second = run(study, tmp_path)
    assert first.startswith("could not make the oracle of seed 3 (")
    assert first.endswith("): it broke")
    assert second.startswith("could not confirm 7 rows of the table: the oracle of seed 3 (")
    assert second.endswith("), which these or their audits read, could not be made")
    assert records("select count(*) n from trials where status = 'done'", tmp_path) == [{"n": 1}]
    fewer = read_study(write_study(**SHORT | {"network": network}, audits=[{"name": "rmia", "references": 2}]))
    assert run(fewer, tmp_path) == []
    assert records("select count(*) n from measures where metric = 'rmia_auc'", tmp_path) == [{"n": 7}]


def test_the_clinical_block_costs_no_training_and_compares_each_row_with_the_oracles(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    audit = {"name": "clinical", "critical": ["pattern 1", 2], "sensitivity": 0.9, "margin": 0.05}
    study = read_study(write_study(**SHORT, audits=[audit]))
    assert plan_of(study, results).audits == (
        "audit clinical: reads 1 oracle of other training seeds; adds no training",
    )
    assert run(study, results) == []
    recall, sensitivity = (
        records(f"select unit_id, class_index, value from measures where metric = '{name}' order by all", results)
        for name in ("recall", "clinical_sensitivity")
    )
    assert sensitivity == recall
    flips = "select row, mean > 0 as any, difference is null as alone from clinical where statistic = 'flips'"
    assert records(f"{flips} order by row", results) == [
        {"row": "fine_tune", "any": True, "alone": False},
        {"row": "oracle", "any": True, "alone": True},
        {"row": "original", "any": True, "alone": False},
    ]
    page = render_page(StorageRoot.at(results), None).html
    assert ">The critical classes, at the operating point of the original: pattern 1, pattern 2</h3>" in page


class Sited(Source):
    version: ClassVar[int] = 1
    source: Literal["sited"] = "sited"
    sites: int = 2

    def read(self) -> RawData:
        raw = Synthetic(train=160, val=80, test=80, size=12, classes=3).read()
        splits = {name: replace(split, columns=self._columns(len(split))) for name, split in raw.splits.items()}
        return replace(raw, splits=splits)

    def _columns(self, count: int) -> dict[str, tuple[str, ...]]:
        return {
            PATIENT: tuple(f"p{index // 4}" for index in range(count)),
            "site": tuple(f"s{index % self.sites}" for index in range(count)),
        }


def test_a_model_is_confirmed_again_where_a_column_has_changed_that_an_audit_reads(
    write_study: WriteStudy, tmp_path: Path, add_part: AddPart
) -> None:
    add_part(SOURCES, Sited)

    def confirmations(sites: int, audit: dict[str, Any]) -> set[str]:
        study = read_study(write_study(**SHORT, data=[{"source": "sited", "sites": sites}], audits=[audit]))
        return {one.confirmation_id for one in plan_of(study, tmp_path).unconfirmed}

    plain, grouped = {"name": "clinical"}, {"name": "clinical", "group": "site"}
    assert confirmations(2, plain) == confirmations(4, plain)
    assert confirmations(2, grouped).isdisjoint(confirmations(4, grouped))
    with pytest.raises(
        StudyError, match=r"audits: clinical: .*: group: no column 'scanner'; the columns are patient, site"
    ):
        confirmations(2, {"name": "clinical", "group": "scanner"})


def test_a_plan_names_the_audits_that_a_bundle_lacks_without_a_control_half(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    audits = plan_of(read_study(write_study(**SHORT, audits="quick")), tmp_path).audits
    assert audits[-1] == "audits left out: control; no forget request keeps a control half (kind random, control: true)"
    assert all(line.startswith("audit ") for line in audits[:-1])
