"""The epsilon lower bound: figures of the authors' public code, exact counts, and what guessing finds in a model."""

import json
from dataclasses import replace
from itertools import combinations
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning.audits import AuditError, EpsilonBound, audit_measures
from unlearning.audits._epsilon import _right
from unlearning.guessing import Guesses, gaussian_bound, mean_bound, median_bound
from unlearning.metrics import Evaluation, Measure, Predictions

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")
BOUNDS = json.loads(str(REFERENCE["epsilon/bounds"]))


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: f"m {row['m']}, r {row['r']}, {len(row['v'])} runs")
def test_bounds_are_those_of_the_authors_code_halved(row: dict[str, object]) -> None:
    guesses, right = Guesses(row["m"], row["r"]), row["v"]  # type: ignore[arg-type]
    assert mean_bound(guesses, right, 0.05) == pytest.approx(row["eps_LB_mean"], abs=1e-8)  # type: ignore[arg-type]
    assert median_bound(guesses, right, 0.05) == pytest.approx(row["eps_LB_median"], abs=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize(("right", "bound"), [(20, 6.589330), (8, 2.499652)])
def test_ten_perfect_runs_over_twenty_candidates_give_the_published_bounds(right: int, bound: float) -> None:
    assert mean_bound(Guesses(20, right), [right] * 10, 0.05) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize(("candidates", "guesses"), [(20, 8), (40, 20), (60, 10)])
def test_counts_are_those_of_the_authors_code(candidates: int, guesses: int) -> None:
    ours, theirs = Guesses(candidates, guesses).log_counts, REFERENCE[f"epsilon/log_f_m{candidates}_r{guesses}"]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_counts_are_those_of_all_halves() -> None:
    halves = [
        sum(member < 2 for member in half) + sum(member not in half for member in (6, 7))
        for half in (combinations(range(8), 4))
    ]
    counted = torch.tensor(halves).bincount(minlength=5).double()
    assert np.exp(Guesses(8, 4).log_counts).tolist() == pytest.approx(counted.tolist())
    assert Guesses(8, 4).log_halves == pytest.approx(log(comb(8, 4)))
    assert Guesses(8, 4).tail([3]) == pytest.approx(float(counted[3:].sum() / counted.sum()))


@pytest.mark.parametrize(("candidates", "guesses"), [(7, 4), (8, 3), (8, 0), (8, 10)])
def test_odd_numbers_and_more_guesses_than_candidates_are_refused(candidates: int, guesses: int) -> None:
    with pytest.raises(ValueError, match="wanted even numbers of candidates and of guesses, 2 <= r <= m, got m"):
        Guesses(candidates, guesses)


def test_what_chance_explains_refutes_no_epsilon() -> None:
    guesses = Guesses(400, 100)
    assert (
        median_bound(guesses, [58], 0.05),
        mean_bound(guesses, [58], 0.05),
        gaussian_bound(guesses, [58], 0.05),
    ) == (
        0,
        0,
        0,
    )


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
