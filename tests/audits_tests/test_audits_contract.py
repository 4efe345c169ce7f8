"""What holds for every built-in audit, and what is refused of one that does not keep its contract."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field, ValidationError

from unlearning.audits import (
    AUDITS,
    BUNDLES,
    CKA,
    IDI,
    RMIA,
    Audit,
    AuditError,
    Clinical,
    ControlTest,
    Durability,
    EpsilonBound,
    Evidence,
    Finding,
    GaussianScore,
    HeadProbe,
    InterclassConfusion,
    ModelPool,
    OutputDistance,
    Perturbed,
    RelativeTest,
    Relearning,
    Statistic,
    audit_measures,
)
from unlearning.families import PluginError
from unlearning.metrics import Evaluation, Measure, Predictions, Split, Value
from unlearning.testing import AUDIT_CHECKS, name_of

SAMPLES: dict[str, list[Audit]] = {
    "control": [ControlTest()],
    "epsilon": [EpsilonBound(), EpsilonBound(references=1, guesses=10, level=0.1)],
    "confusion": [InterclassConfusion()],
    "gaussian": [GaussianScore()],
    "rmia": [RMIA(), RMIA(references=1), RMIA(references=3, a=1.0), RMIA(references=2, targets=3)],
    "clinical": [Clinical(), Clinical(critical=(0, "class 2"), oracles=2), Clinical(sensitivity=0.9, oracles=0)],
    "output_distance": [OutputDistance(), OutputDistance(oracles=2)],
    "relative": [RelativeTest(), RelativeTest(models=3)],
    "relearning": [Relearning(), Relearning(share=0.5, epochs=1)],
    "head_probe": [HeadProbe(), HeadProbe(share=0.5)],
    "cka": [CKA(), CKA(oracles=2)],
    "idi": [IDI(), IDI(models=2, layers=1, images=20)],
    "durability": [Durability(), Durability(lr=0.1)],
    "perturbed": [Perturbed(), Perturbed(sigma=0.3, draws=1)],
}


def test_each_built_in_audit_has_samples() -> None:
    assert SAMPLES.keys() == AUDITS.keys()


@pytest.mark.parametrize("check", AUDIT_CHECKS, ids=name_of)
@pytest.mark.parametrize("audit", [one for samples in SAMPLES.values() for one in samples], ids=str)
def test_a_built_in_audit_keeps_the_contract(audit: Audit, check: Callable[[Audit], None]) -> None:
    check(audit)


def test_the_documentation_has_every_audit_with_its_version_and_measures() -> None:
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    section = page.partition("\n## Audits\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.*?) \|", section, re.MULTILINE)
    documented = {name: (int(version), re.findall(r"`(\w+)`", measures)) for name, version, measures in rows}
    assert documented == {name: (AUDITS[name].version, list(SAMPLES[name][0].metrics)) for name in AUDITS}


def test_the_page_for_data_protection_officers_asks_the_question_of_every_audit_and_its_bundle() -> None:
    page = (Path(__file__).parents[2] / "docs" / "auditing.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+\? \| (\w+) \|$", page, re.MULTILINE)
    for name, bundle in dict(rows).items():
        with_it = [size for size, audits in BUNDLES.items() if name in {one.name for one in audits}]
        assert with_it[0] == bundle, name
    assert {name for name, _ in rows} == AUDITS.keys()


def evaluation(seed: int = 0) -> Evaluation:
    random = torch.Generator().manual_seed(seed)
    counts: dict[Split, int] = {"train": 60, "val": 30, "test": 30}
    predictions = {
        split: Predictions(torch.randn(count, 3, generator=random), torch.arange(count) % 3)
        for split, count in counts.items()
    }
    return Evaluation(predictions, torch.arange(15), torch.arange(15, 60), "test", seed=0)


def measures_of(audit: Audit, audited: Evaluation, pools: Mapping[str, tuple[Evaluation, ...]]) -> list[Measure]:
    return audit_measures(audit, audited, pools, original=evaluation(9), class_names=("a", "b", "c"))


class Kept(Audit):
    """The mean loss of the forget set, minus that of one original."""

    name: Literal["kept"] = "kept"
    title: ClassVar[str] = "mean loss"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "this test"
    statistics: ClassVar[Mapping[str, Statistic]] = {"loss": Statistic("mean loss of the forget set", "nats")}
    scale: Annotated[float, Field(description="what the loss is multiplied by")] = 1.0

    @property
    def pools(self) -> Mapping[str, ModelPool]:
        return {"originals": ModelPool("train", 1)}

    def run(self, evidence: Evidence) -> Iterable[Finding]:
        [original] = evidence.pools["originals"]
        loss = float(evidence.audited.losses("forget").mean() - original.losses("forget").mean())
        yield "loss", Value("forget", self.scale * loss, len(evidence.audited.forget_F))


class Drawn(Kept):
    def run(self, evidence: Evidence) -> Iterable[Finding]:
        list(super().run(evidence))
        yield "loss", Value("forget", float(torch.rand(1)))


class Silent(Kept):
    def run(self, evidence: Evidence) -> Iterable[Finding]:
        return []


class Greedy(Kept):
    def run(self, evidence: Evidence) -> Iterable[Finding]:
        evidence.pools["oracles"]
        return super().run(evidence)


class Idle(Kept):
    def run(self, evidence: Evidence) -> Iterable[Finding]:
        yield "loss", Value("forget", 1.0)


class Untitled(Kept):
    title: ClassVar[str] = ""


class Meaningless(Kept):
    statistics: ClassVar[Mapping[str, Statistic]] = {"loss": Statistic("")}


class Changing(Kept):
    def run(self, evidence: Evidence) -> Iterable[Finding]:
        yield from super().run(evidence)
        evidence.pools["originals"][0].predictions["train"].logits_NK.add_(torch.arange(3.0))


@pytest.mark.parametrize(
    ("faulty", "problem"),
    [
        (Drawn(), "a second run on the same evidence differs"),
        (Silent(), "it gives no value"),
        (Greedy(), "it reads the pool 'oracles', which it does not declare"),
        (Idle(), "it declares pools that it does not read: {'originals'}"),
        (Untitled(), "wanted a title, a text, got ''"),
        (Meaningless(), "the statistic loss has no meaning"),
        (Changing(), "it changed what metrics measure"),
    ],
)
def test_the_checks_find_an_audit_that_does_not_keep_the_contract(faulty: Audit, problem: str) -> None:
    for check in AUDIT_CHECKS:
        check(Kept())
    with pytest.raises(AssertionError, match=problem):
        for check in AUDIT_CHECKS:
            check(faulty)


def giving(*findings: Finding) -> Audit:
    class Giving(Kept):
        def run(self, evidence: Evidence) -> Iterable[Finding]:
            return findings

    return Giving()


class Bare(Audit):
    name: Literal["bare"] = "bare"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "bare"
    source: ClassVar[str] = "this test"

    def run(self, evidence: Evidence) -> Iterable[Finding]:
        return []


class Spaced(Kept):
    name: Literal["well kept"] = "well kept"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("audit", "problem"),
    [
        (giving(("los", Value(None, 0.5))), r"audit 'kept': wanted values of loss, got one of 'los'"),
        (giving(("loss", Value(None, float("inf")))), "audit 'kept': loss: wanted finite values, or nan for none"),
        (giving(*[("loss", Value("test", 0.5))] * 2), "audit 'kept': loss: wanted one value for a group of images"),
        (Bare(), "audit 'bare': wanted statistics: a name and a Statistic for each value"),
        (Spaced(), "audit 'well kept': wanted a name of letters, digits and _"),
    ],
)
def test_an_audit_that_does_not_keep_its_contract_is_named(audit: Audit, problem: str) -> None:
    pools = {name: (evaluation(1),) for name in audit.pools}
    with pytest.raises(ValueError, match=problem):
        measures_of(audit, evaluation(), pools)


def test_an_audit_that_raises_is_named_with_what_it_raised() -> None:
    class Raising(Kept):
        def run(self, evidence: Evidence) -> Iterable[Finding]:
            yield "loss", Value(None, 1.0)
            raise ZeroDivisionError("by zero")

    with pytest.raises(AuditError, match="audit 'kept': ZeroDivisionError: by zero"):
        measures_of(Raising(), evaluation(), {"originals": (evaluation(1),)})


def test_pools_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"audit 'rmia': wanted pools of \{'references': 4\} models, got .* 1\}"):
        measures_of(RMIA(a=0.3), evaluation(), {"references": (evaluation(1),)})


@pytest.mark.parametrize(("subset", "models"), [("retain", 0), ("forget", 1)])
def test_a_pool_of_no_model_or_of_another_subset_is_refused(subset: Any, models: int) -> None:
    with pytest.raises(ValueError, match="a pool of models: wanted subset train or retain and models from 1, got "):
        ModelPool(subset, models)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"references": 0}, "greater than or equal to 1"), ({"a": 1.5}, "less than or equal to 1"), ({"b": 1}, "Extra")],
)
def test_wrong_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        RMIA(**options)


def test_what_is_no_audit_cannot_be_added() -> None:
    class Nameless(Audit):
        version: ClassVar[int] = 1

        def run(self, evidence: Evidence) -> Iterable[Finding]:
            return []

    with pytest.raises(PluginError, match="Nameless lacks its name"):
        AUDITS.add(Nameless)
    with pytest.raises(PluginError, match=r"wanted a class that derives from unlearning\.audits\.Audit, got 7"):
        AUDITS.add(7)  # type: ignore[arg-type]


def test_a_model_and_its_oracle_meet_the_same_draws() -> None:
    class Seeded(Kept):
        def run(self, evidence: Evidence) -> Iterable[Finding]:
            yield "loss", Value(None, float(evidence.seed))

    pools = {"originals": (evaluation(2),)}
    [ours], [theirs] = (measures_of(Seeded(), evaluation(seed), pools) for seed in (0, 1))
    assert ours == theirs
    assert (ours.metric, ours.version) == ("kept_loss", 1)
