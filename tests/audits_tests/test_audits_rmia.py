"""RMIA: the figures of the authors' public code, and what its options and the non-members change."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from torch import Tensor

from unlearning.audits import RMIA, audit_measures
from unlearning.audits._rmia import DEFAULT_A, GRID, Attack, Confidences, relative_scores, tuned_a
from unlearning.metrics import Evaluation, Group, Measure, Predictions, Split, Value
from unlearning.roc import area_under_curve

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
    held_out = len(references[0].predictions["test"])
    targets = {"targets": tuple(model(20 + seed, 30, held_out, audited.nonmembers) for seed in range(audit.targets))}
    pools = {"references": references, **(targets if "targets" in audit.pools else {})}
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
    assert found(model(0, 30), RMIA()).keys() == {"rmia_auc", "rmia_a"}
    enough = model(0, 30, held_out=1000)
    references = tuple(model(seed, held_out=1000) for seed in range(10, 14))
    values = {one.metric: one.value for one in measures_of(RMIA(), enough, references)}
    rate = values["rmia_tpr_at_1_percent_fpr"]
    assert (rate.n, rate.low, rate.high) == (1030, None, None)
    assert 0.05 < rate.value < 0.9


def test_the_options_change_the_value() -> None:
    values = {found(model(0, 30), audit)["rmia_auc"].value for audit in (RMIA(a=0.3), RMIA(a=1.0), RMIA(references=1))}
    assert len(values) == 3


def test_the_population_is_the_held_out_split_that_the_non_members_do_not_come_from() -> None:
    ours = measures_of(RMIA(a=0.3), model(0, 30), tuple(map(model, range(10, 14))))
    turned = tuple(exchanged(model(seed)) for seed in range(10, 14))
    theirs = measures_of(RMIA(a=0.3), exchanged(model(0, 30)), turned)
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


def test_its_pools_are_of_oracles_and_where_a_is_tuned_of_originals() -> None:
    pools = RMIA(references=3, targets=1).pools
    assert {name: (pool.subset, pool.models) for name, pool in pools.items()} == {
        "references": ("retain", 3),
        "targets": ("train", 1),
    }
    for audit in (RMIA(references=3, a=0.3), RMIA(references=1)):
        assert audit.pools.keys() == {"references"}


def test_a_is_the_given_one_or_the_documented_one_where_models_to_tune_on_are_too_few() -> None:
    assert found(model(0, 30), RMIA(a=0.7))["rmia_a"].value == 0.7
    few = found(model(0, 30), RMIA(references=1))
    assert few["rmia_a"].value == DEFAULT_A
    assert few["rmia_auc"] == found(model(0, 30), RMIA(references=1, a=DEFAULT_A))["rmia_auc"]


def test_a_is_tuned_on_the_targets_by_the_references_of_other_seeds_alone() -> None:
    audited, references = model(0, 5), tuple(model(seed) for seed in range(10, 14))
    targets = (model(20, 30), model(21, 30))
    pools = {"references": references, "targets": targets}
    values = {
        one.metric: one.value.value
        for one in audit_measures(RMIA(), audited, pools, original=model(9), class_names=CLASS_NAMES)
    }

    def mean_area(a: float) -> float:
        rest = (references[1:], (references[0], *references[2:]))
        return fmean(area_of(target, others, a) for target, others in zip(targets, rest, strict=True))

    areas = [mean_area(a) for a in GRID]
    assert len(set(areas)) > 1
    assert mean_area(values["rmia_a"]) == pytest.approx(max(areas), abs=1e-12)
    assert values["rmia_auc"] == pytest.approx(area_of(audited, references, values["rmia_a"]), abs=1e-12)


def area_of(target: Evaluation, references: tuple[Evaluation, ...], a: float) -> float:
    """The area that the formula gives, written out."""

    def confidence(one: Evaluation, group: Group) -> Tensor:
        predictions = one.of(group)
        return predictions.logits_NK.double().softmax(1)[torch.arange(len(predictions)), predictions.labels_N]

    def ratio(group: Group) -> Tensor:
        mean_N = torch.stack([confidence(one, group) for one in references]).mean(0)
        return confidence(target, group) / (((1 + a) * mean_N + 1 - a) / 2)

    population_M = ratio("val")
    forget_F, unseen_N = ((ratio(group)[:, None] > population_M).double().mean(1) for group in ("forget", "test"))
    above_FN = (forget_F[:, None] > unseen_N).double() + 0.5 * (forget_F[:, None] == unseen_N).double()
    return float(above_FN.mean())


def test_the_audited_model_has_no_part_in_the_tuning() -> None:
    chosen = {found(model(seed, known), RMIA())["rmia_a"].value for seed, known in ((0, 0), (1, 15), (2, 30))}
    assert len(chosen) == 1


def test_of_values_that_do_as_well_the_documented_one_is_taken() -> None:
    sure, unsure = torch.tensor([0.9, 0.8]).double(), torch.tensor([0.2, 0.1]).double()
    same = torch.full((2, 1), 0.5).double()
    attack = Attack(
        Confidences(sure, same), Confidences(unsure, same), Confidences(torch.tensor([0.3, 0.5]).double(), same)
    )
    assert tuned_a([attack]) == DEFAULT_A


def test_a_is_the_one_of_the_authors_grid_with_the_largest_area_on_their_figures() -> None:
    images = Confidences(figures("target_signals"), figures("ref_signals"))
    population = Confidences(figures("z_target_signals"), figures("z_ref_signals"))
    members, others = (
        Confidences(images.audited_N[part], images.references_NR[part])
        for part in (slice(MEMBERS), slice(MEMBERS, None))
    )
    attack = Attack(members, others, population)
    assert attack.area(0.3) == pytest.approx(float(figures("auc_all_out_k8_a0.3")), abs=1e-12)
    assert attack.area(0.0) == pytest.approx(float(figures("auc_all_out_k8_a0")), abs=1e-12)
    assert attack.area(tuned_a([attack])) >= float(figures("auc_all_out_k8_a0"))
