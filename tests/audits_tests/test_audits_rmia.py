"""RMIA: the figures of the authors' public code, and what its options and the non-members change."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from unlearning.audits import RMIA, Evidence, audit_measures
from unlearning.audits._rmia import Confidences, relative_scores
from unlearning.metrics import Evaluation, Measure, Predictions, Split, Value
from unlearning.metrics.roc import area_under_curve

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")
CLASS_NAMES = ("a", "b", "c")
MEMBERS = 30
"""The reference's first images are its members."""


def figures(name: str) -> Tensor:
    return torch.from_numpy(REFERENCE[f"rmia/{name}"])


@pytest.mark.parametrize(("scores", "a"), [("all_out_k8_a0.3", 0.3), ("all_out_k8_a0", 0.0)])
def test_scores_and_area_are_exactly_those_of_the_authors_code(scores: str, a: float) -> None:
    images = Confidences(figures("target_signals"), figures("ref_signals"))
    population = Confidences(figures("z_target_signals"), figures("z_ref_signals"))
    ours = relative_scores(images, population, a)
    assert torch.equal(ours, figures(f"score_{scores}"))
    area = area_under_curve(ours[:MEMBERS], ours[MEMBERS:])
    assert area.value == pytest.approx(float(figures(f"auc_{scores}")), abs=1e-12)


@pytest.mark.parametrize(("scores", "a"), [("half_default_a0.3", 0.3), ("half_default_a1", 1.0)])
def test_scores_from_the_references_that_the_authors_code_would_choose_are_its_scores(scores: str, a: float) -> None:
    """Its default takes half of the models: those that are OUT of an image, and the largest of the population's."""
    out_of = ~figures("memberships_half")
    references = figures("ref_signals")[out_of].view(len(out_of), -1)
    of_population = figures("z_ref_signals").sort(1).values[:, references.shape[1] :]
    images = Confidences(figures("target_signals"), references)
    ours = relative_scores(images, Confidences(figures("z_target_signals"), of_population), a)
    assert torch.equal(ours, figures(f"score_{scores}"))
    area = area_under_curve(ours[:MEMBERS], ours[MEMBERS:])
    assert area.value == pytest.approx(float(figures(f"auc_{scores}")), abs=1e-12)


def model(seed: int, known: int = 0, held_out: int = 40, nonmembers: Split = "test") -> Evaluation:
    """A model that is surer of the first train images, as many as it knows; the first 30 are to be forgotten."""
    random = torch.Generator().manual_seed(seed)
    predictions: dict[Split, Predictions] = {}
    for split, count in (("train", 60), ("val", held_out), ("test", held_out)):
        labels_N = torch.arange(count) % 3
        logits_NK = torch.randn(count, 3, generator=random)
        if split == "train":
            logits_NK[torch.arange(known), labels_N[:known]] += 3
        predictions[split] = Predictions(logits_NK, labels_N)  # type: ignore[index]
    return Evaluation(predictions, torch.arange(30), torch.arange(30, 60), nonmembers, seed=0)


def measures_of(audit: RMIA, audited: Evaluation, references: tuple[Evaluation, ...]) -> list[Measure]:
    pools = {"references": references}
    return audit_measures(audit, audited, pools, original=model(9), class_names=CLASS_NAMES)


def found(audited: Evaluation, audit: RMIA) -> dict[str, Value]:
    references = tuple(model(seed) for seed in range(10, 10 + audit.references))
    return {one.metric: one.value for one in measures_of(audit, audited, references)}


def test_a_model_that_knows_the_forget_set_is_distinguished_from_one_that_does_not() -> None:
    knowing, unknowing = (found(model(0, known), RMIA())["rmia_auc"] for known in (30, 0))
    assert knowing.value > 0.8
    assert unknowing.value < 0.7
    for value in (knowing, unknowing):
        assert value.low is not None
        assert value.high is not None
        assert 0 <= value.low < value.value < value.high <= 1
        assert (value.group, value.n, value.class_index) == ("forget", 70, None)


def test_the_rate_at_few_false_alarms_has_no_value_below_a_thousand_held_out_images() -> None:
    assert found(model(0, 30), RMIA()).keys() == {"rmia_auc"}
    enough = model(0, 30, held_out=1000)
    references = tuple(model(seed, held_out=1000) for seed in range(10, 14))
    values = {one.metric: one.value for one in measures_of(RMIA(), enough, references)}
    rate = values["rmia_tpr_at_1_percent_fpr"]
    assert (rate.n, rate.low, rate.high) == (1030, None, None)
    assert 0.05 < rate.value < 0.9


def test_the_options_change_the_value() -> None:
    values = {found(model(0, 30), audit)["rmia_auc"].value for audit in (RMIA(), RMIA(a=1.0), RMIA(references=1))}
    assert len(values) == 3


def test_the_population_is_the_held_out_split_that_the_non_members_do_not_come_from() -> None:
    [ours] = measures_of(RMIA(), model(0, 30), tuple(map(model, range(10, 14))))
    turned = tuple(exchanged(model(seed)) for seed in range(10, 14))
    [theirs] = measures_of(RMIA(), exchanged(model(0, 30)), turned)
    assert ours == theirs


def exchanged(one: Evaluation) -> Evaluation:
    """The same model where val and test, and with them the non-members' split, have changed places."""
    predictions = {**one.predictions, "val": one.predictions["test"], "test": one.predictions["val"]}
    return Evaluation(predictions, one.forget_F, one.retain_R, "val", one.seed)  # type: ignore[arg-type]


def test_images_that_no_model_gives_any_probability_have_a_score() -> None:
    nothing = torch.zeros(4, dtype=torch.float64)
    population = Confidences(torch.full((3,), 0.5).double(), torch.ones(3, 1).double())
    scores = relative_scores(Confidences(nothing, nothing[:, None]), population, 1.0)
    assert scores.tolist() == [0.0] * 4


def test_its_pool_is_of_oracles() -> None:
    [pool] = RMIA(references=3).pools.values()
    assert (pool.subset, pool.models) == ("retain", 3)
    references = tuple(model(seed) for seed in range(1, 4))
    evidence = Evidence(model(0), model(9), CLASS_NAMES, {"references": references}, seed=0)
    assert [name for name, _ in RMIA(references=3).run(evidence)] == ["auc"]
