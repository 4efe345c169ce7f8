"""The epsilon lower bound: what guessing finds in a model."""

from dataclasses import replace

import pytest
import torch

from unlearning.audits import AuditError, EpsilonBound, audit_measures
from unlearning.audits._epsilon import _right
from unlearning.guessing import Guesses, mean_bound, median_bound
from unlearning.metrics import Evaluation, Measure, Predictions


def test_under_the_null_at_most_five_percent_of_bounds_lie_above_zero() -> None:
    """Halves are dealt out by lot and guessed by scores that do not know them, 1,000 times."""
    random, law = torch.Generator().manual_seed(0), Guesses(80, 40)
    rejected = 0
    for _ in range(1000):
        names_M = torch.randperm(80, generator=random)
        right = _right(torch.randn(80, generator=random), names_M, 40)
        rejected += median_bound(law, [right], 0.05) > 0
        assert mean_bound(law, [right], 0.05) <= median_bound(law, [right], 0.05)
    assert rejected <= 70


def test_names_and_not_halves_decide_between_equal_scores() -> None:
    scores_M = torch.zeros(8)
    forgotten_first = torch.arange(8)
    control_first = torch.cat([torch.arange(4, 8), torch.arange(4)])
    alternating = torch.cat([torch.arange(0, 8, 2), torch.arange(1, 8, 2)])
    assert [_right(scores_M, names_M, 4) for names_M in (forgotten_first, control_first, alternating)] == [4, 0, 2]


def model(seed: int, surer: float = 0.0, candidates: int = 400) -> Evaluation:
    random = torch.Generator().manual_seed(seed)
    labels_N, logits_NK = torch.arange(candidates + 40) % 3, torch.randn(candidates + 40, 3, generator=random)
    forget_F, control_C, retain_R = torch.arange(candidates + 40).split([candidates // 2, candidates // 2, 40])
    logits_NK[forget_F, labels_N[forget_F]] += surer
    return Evaluation(
        {"train": Predictions(logits_NK, labels_N)}, forget_F, retain_R, "test", seed=0, control_C=control_C
    )


def measures_of(audit: EpsilonBound, audited: Evaluation, references: tuple[Evaluation, ...]) -> list[Measure]:
    pools = {"references": references}
    return audit_measures(audit, audited, pools, original=audited, class_names=("a", "b", "c"))


def found(audited: Evaluation, audit: EpsilonBound) -> dict[str, float]:
    candidates = 2 * len(audited.forget_F)
    references = tuple(model(seed, candidates=candidates) for seed in range(10, 10 + audit.references))
    measures = measures_of(audit, audited, references)
    assert {one.value.n for one in measures} == {min(audit.guesses, candidates)}
    return {one.metric.removeprefix("epsilon_"): one.value.value for one in measures}


def test_a_model_that_knows_the_forgotten_half_is_bounded_from_below_and_one_that_does_not_is_not() -> None:
    knows, does_not = found(model(1, surer=4.0), EpsilonBound()), found(model(1), EpsilonBound())
    assert knows["right"] > 0.95
    assert knows["bound"] > 15
    assert knows["gaussian_bound"] > 3
    assert (does_not["bound"], does_not["mean_bound"], does_not["gaussian_bound"]) == (0, 0, 0)
    assert 0.35 < does_not["right"] < 0.65


def test_no_more_are_guessed_than_there_are() -> None:
    assert found(model(1, candidates=20), EpsilonBound(references=1))["right"] > 0


def test_halves_of_different_sizes_are_refused() -> None:
    audited = model(1)
    uneven = replace(audited, control_C=audited.control_C[:-1])
    with pytest.raises(AuditError, match="wanted halves of equally many units, got 200 and 199"):
        measures_of(EpsilonBound(references=1), uneven, (uneven,))
