"""A part of a new version makes the right things run again, and only those."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from rich.console import Console

from lethe.artifacts import ArtifactStore, FisherInformation, SaliencyScores, TrainedModel
from lethe.pipeline.confirm import confirmations
from lethe.pipeline.plan import Plan, make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import Study, read_study
from unlearning import metrics
from unlearning.audits import RMIA
from unlearning.data import Synthetic
from unlearning.data.augment import CropAndFlip, NoAugmentation
from unlearning.methods import METHODS, FineTune, GradientAscent, Nothing, SalUn
from unlearning.metrics import METRICS, Evaluation, Metric, Value
from unlearning.models import CNN, ResNet18
from unlearning.requirements import REQUIREMENTS, Requirement

METHOD_CHOICES = [{"name": "salun", "epochs": 1, "batch_size": 32}, {"name": "fine_tune", "epochs": 1}]


@dataclass(frozen=True)
class Again:
    """What a plan would run again: artifacts by kind, searches by method, confirmations by row."""

    artifacts: frozenset[str]
    searches: frozenset[str]
    confirmations: frozenset[str]


MODELS = frozenset({"trained_model", "saliency"})
SEARCHES = frozenset({"salun", "fine_tune"})
SALUN_ROWS = frozenset({"salun", "salun density 1.0", "salun random mask"})
EVERY_ROW = SALUN_ROWS | {"fine_tune", "original", "oracle"}
NOTHING = Again(frozenset(), frozenset(), frozenset())
EVERYTHING = Again(MODELS, SEARCHES, EVERY_ROW)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves a finished study, for the others to plan over."""
    return tmp_path_factory.mktemp("versions") / "results"


@pytest.fixture
def study(write_study: Callable[..., Path], results: Path) -> Study:
    study = read_study(write_study(methods=METHOD_CHOICES, training={"epochs": 1, "batch_size": 32, "lr": 0.1}))
    if not results.exists():
        with Progress(Console(quiet=True)) as progress:
            StudyRun(study, StorageRoot.at(results), progress).run(local=True)
    return study


def plan_of(study: Study, results: Path) -> Plan:
    root = StorageRoot.at(results)
    return make_plan(study, ArtifactStore(root), Store(root))


def again(study: Study, results: Path) -> Again:
    """What runs again; a row whose search runs again is confirmed anew with whatever the search then chooses."""
    plan = plan_of(study, results)
    wanted = {one.confirmation_id for one in confirmations(plan.method_searches, plan.trials)}
    stored = query("select confirmation_id, row from confirmations", results).to_pylist()
    tried = {row.method_search for row in plan.trials}
    searches = {one.choice.name for one in plan.method_searches if one.fingerprint not in tried}
    confirmed = {one["row"] for one in stored if one["confirmation_id"] not in wanted}
    return Again(frozenset(needed.recipe.kind for needed in plan.missing), frozenset(searches), frozenset(confirmed))


@contextmanager
def version_of(part: type[Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as raised:
        raised.setattr(part, "version", part.version + 1)
        yield


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (FineTune, Again(frozenset(), frozenset({"fine_tune"}), frozenset({"fine_tune"}))),
        (SalUn, Again(frozenset(), frozenset({"salun"}), SALUN_ROWS)),
        (Nothing, Again(frozenset(), frozenset(), frozenset({"original"}))),
        (GradientAscent, NOTHING),
        (CNN, EVERYTHING),
        (ResNet18, NOTHING),
        (Synthetic, EVERYTHING),
        (NoAugmentation, EVERYTHING),
        (CropAndFlip, NOTHING),
        (FisherInformation, NOTHING),
    ],
)
def test_a_new_version_of_a_part_runs_what_it_makes_again(
    study: Study, results: Path, part: type[Any], expected: Again
) -> None:
    assert plan_of(study, results).complete
    with version_of(part):
        assert again(study, results) == expected
    assert plan_of(study, results).complete


@pytest.mark.parametrize(
    ("metric", "searches"), [("mia", SEARCHES), ("gap", SEARCHES), ("ta", frozenset()), ("auc", frozenset())]
)
def test_a_new_version_of_a_metric_measures_again_and_trains_nothing(
    study: Study, results: Path, monkeypatch: pytest.MonkeyPatch, metric: str, searches: frozenset[str]
) -> None:
    now = metrics.versions()
    monkeypatch.setattr("unlearning.metrics.versions", lambda: now | {metric: now[metric] + 1})
    assert again(study, results) == Again(frozenset(), searches, EVERY_ROW)


def count(results: Path) -> dict[str, int]:
    tables = ("artifacts", "trials", "epochs", "confirmations")
    return {table: query(f"select count(*) n from {table}", results).column("n")[0].as_py() for table in tables}


def _spread(evaluation: Evaluation) -> list[Value]:
    return [Value("test", float(evaluation.losses("test").std()))]


SPREAD = Metric(name="spread", version=1, title="spread of the losses", compute=_spread, unit="nats", groups=("test",))


def test_a_metric_that_is_named_in_a_study_measures_again_and_trains_nothing(
    study: Study, results: Path, tmp_path: Path, add_part: Callable[..., None]
) -> None:
    results = Path(shutil.copytree(results, tmp_path / "copy"))
    add_part(METRICS, SPREAD)
    assert again(study, results) == NOTHING, "a metric that no study names changes none"
    asked = study.model_copy(update={"metrics": ("spread",)})
    assert again(asked, results) == Again(frozenset(), frozenset(), EVERY_ROW)
    assert again(study.model_copy(update={"metrics": ("ua",)}), results) == NOTHING, "a built-in one is there"

    before = count(results)
    with Progress(Console(quiet=True)) as progress:
        run = StudyRun(asked, StorageRoot.at(results), progress)
        run.run(local=True)
    assert run.problems == []
    assert count(results) == before | {"confirmations": 2 * before["confirmations"]}
    assert plan_of(asked, results).complete
    assert plan_of(study, results).complete
    [spread] = query("select count(*) n from measures where metric = 'spread'", results).to_pylist()
    assert spread["n"] == before["confirmations"]


def test_an_audit_confirms_again_and_trains_no_more_than_it_requires(
    study: Study, results: Path, tmp_path: Path
) -> None:
    results = Path(shutil.copytree(results, tmp_path / "copy"))
    measured_again = Again(frozenset(), frozenset(), EVERY_ROW)
    audited = study.model_copy(update={"audits": (RMIA(references=2),)})
    assert again(audited, results) == measured_again, "its models are the study's own"
    more = study.model_copy(update={"audits": (RMIA(references=3),)})
    assert again(more, results) == Again(frozenset({"trained_model"}), frozenset(), EVERY_ROW)
    assert [(one.label, one.seed) for one in plan_of(more, results).missing] == [("oracle", 3)]

    before = count(results)
    with Progress(Console(quiet=True)) as progress:
        run = StudyRun(audited, StorageRoot.at(results), progress)
        run.run(local=True)
    assert run.problems == []
    assert count(results) == before | {"confirmations": 2 * before["confirmations"]}
    assert plan_of(audited, results).complete
    assert plan_of(study, results).complete, "without audits nothing has another name"
    with version_of(RMIA):
        plan = plan_of(audited, results)
        assert len(plan.unconfirmed) == before["confirmations"]
        assert (plan.missing, plan.trials_left) == ((), 0)
        assert plan_of(study, results).complete, "nor does it concern a study without the audit"
    other = study.model_copy(update={"audits": (RMIA(references=2, a=0.5),)})
    assert again(other, results) == measured_again


def test_a_new_version_of_what_a_method_requires_makes_it_and_runs_the_methods_that_require_it_again(
    study: Study, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = REQUIREMENTS["saliency"]
    raised = Requirement(known.meaning, known.version + 1, known.read)
    monkeypatch.setitem(REQUIREMENTS, "saliency", raised)
    monkeypatch.setattr(SaliencyScores, "version", raised.version)
    assert again(study, results) == Again(frozenset({"saliency"}), frozenset({"salun"}), SALUN_ROWS)


def test_a_new_version_of_training_makes_every_artifact_again(
    study: Study, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lethe.study._scenarios.RECIPE_VERSION", TrainedModel.version + 1)
    assert again(study, results) == EVERYTHING


def test_rows_carry_the_versions_of_what_made_them(study: Study, results: Path) -> None:
    parts = "network_version, source_version, augmentation_version"
    for table in ("trials", "confirmations", "artifacts"):
        assert query(f"select distinct {parts} from {table}", results).to_pylist() == [
            dict.fromkeys(parts.split(", "), 1)
        ]
    versions = query("select distinct method, method_version v from confirmations order by 1", results).to_pylist()
    assert [(one["method"], one["v"]) for one in versions] == [
        ("fine_tune", 1),
        ("oracle", None),
        ("original", 1),
        ("salun", 1),
    ]
    required = query("select kind, artifact_version v, len(requires) n from artifacts group by all order by 1", results)
    assert [(one["kind"], one["v"], one["n"]) for one in required.to_pylist()] == [
        ("oracle", 1, 0),
        ("original", 1, 0),
        ("saliency", 1, 1),
    ]


class Dampening(FineTune):
    """A method that requires Fisher information and stops at whatever weight has none."""

    name: Literal["dampening"] = "dampening"
    version: ClassVar[int] = 1
    requires = ("fisher_forget", "fisher_train")

    def unlearn(self, context: Any, seed: int) -> Iterator[float]:
        for name in self.requires:
            information = context.required[name]
            assert [(one, value.shape) for one, value in information.items()] == [
                (one, value.shape) for one, value in context.model.named_parameters()
            ]
            assert all((value >= 0).all() for value in information.values())
        yield from super().unlearn(context, seed)


def test_a_method_that_requires_another_kind_gets_it_planned_built_and_paid_for(
    write_study: Callable[..., Path], tmp_path: Path, add_part: Callable[..., None]
) -> None:
    add_part(METHODS, Dampening)
    training = {"epochs": 1, "batch_size": 32, "lr": 0.1}
    study = read_study(write_study(methods=[{"name": "dampening", "epochs": 1}], training=training))
    plan = plan_of(study, tmp_path / "results")
    assert [needed.label for needed in plan.missing if needed.seed == 0] == [
        "original",
        "oracle",
        "fisher_information",
        "fisher_information",
    ]
    with Progress(Console(quiet=True)) as progress:
        study_run = StudyRun(study, StorageRoot.at(tmp_path / "results"), progress)
        study_run.run(local=True)
    assert study_run.problems == []
    assert plan_of(study, tmp_path / "results").complete
    kinds = query("select kind, count(*) n from artifacts group by 1 order by 1", tmp_path / "results").to_pylist()
    assert {one["kind"]: one["n"] for one in kinds} == {"fisher_information": 6, "oracle": 3, "original": 3}
    [passes] = query(
        "select distinct images_unlearn n from confirmations where row = 'dampening'", tmp_path / "results"
    ).to_pylist()
    assert passes == {"n": 128 + 32 + 160}
