"""The test of the control half: its p-value, its scores, and what it says of models that know or avoid D_f."""

from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import Tensor

from unlearning.audits import ControlTest, audit_measures
from unlearning.audits._mann_whitney import mann_whitney
from unlearning.audits._scores import by_unit, learned_score, scaled_confidence, simple_scores
from unlearning.metrics import Evaluation, Measure, Predictions, Split

SCORES = ("loss", "margin", "entropy", "learned")


@pytest.mark.parametrize(("first", "second"), [(1, 1), (3, 5), (8, 8), (20, 20)])
@pytest.mark.parametrize("shift", [0.0, 0.8, -3.0])
def test_the_p_value_of_few_scores_is_counted_as_by_scipy(first: int, second: int, shift: float) -> None:
    random = torch.Generator().manual_seed(first)
    ours, theirs = torch.randn(first, generator=random) + shift, torch.randn(second, generator=random)
    expected = stats.mannwhitneyu(ours, theirs, method="exact").pvalue
    assert mann_whitney(ours, theirs) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("levels", [2, 9, 10**6])
@pytest.mark.parametrize("shift", [0, 1])
def test_the_p_value_of_many_scores_with_ties_is_that_of_scipy(levels: int, shift: int) -> None:
    random = torch.Generator().manual_seed(levels)
    ours = torch.randint(0, levels, (60,), generator=random).double() + shift
    theirs = torch.randint(0, levels, (35,), generator=random).double()
    expected = stats.mannwhitneyu(ours, theirs, method="asymptotic").pvalue
    assert mann_whitney(ours, theirs) == pytest.approx(expected, rel=1e-9)


def test_scores_that_are_all_the_same_say_nothing() -> None:
    assert mann_whitney(torch.ones(30), torch.ones(40)) == 1


def test_under_the_null_five_percent_of_tests_reject_at_five_percent() -> None:
    """Of 1,000 tests: the number has a standard deviation of 7; whether p-values are counted or approximated."""
    random = torch.Generator().manual_seed(0)
    for size in (9, 60):
        values = [mann_whitney(*torch.randn(2, size, generator=random)) for _ in range(1000)]
        assert 30 <= sum(value < 0.05 for value in values) <= 70
        assert 0.45 < sum(values) / 1000 < 0.55


def model(surer: float, *, forgotten: int = 40) -> Evaluation:
    """A model that is surer of the images to be forgotten than of those of the control half, and knows the others."""
    random = torch.Generator().manual_seed(7)
    counts: dict[Split, int] = {"train": 3 * forgotten, "val": 60, "test": 60}
    predictions = {}
    for split, count in counts.items():
        labels_N, logits_NK = torch.arange(count) % 3, torch.randn(count, 3, generator=random)
        known_N = torch.zeros(count)
        if split == "train":
            known_N[:forgotten], known_N[forgotten : 2 * forgotten] = surer, 3.0
        logits_NK[torch.arange(count), labels_N] += known_N
        predictions[split] = Predictions(logits_NK, labels_N)
    forget_F, retain_R, control_C = torch.arange(3 * forgotten).split(forgotten)
    return Evaluation(predictions, forget_F, retain_R, "test", seed=0, control_C=control_C)


def measures_of(audited: Evaluation) -> list[Measure]:
    return audit_measures(ControlTest(), audited, {}, original=audited, class_names=("a", "b", "c"))


def found(audited: Evaluation) -> dict[str, float]:
    return {one.metric.removeprefix("control_"): one.value.value for one in measures_of(audited)}


def test_a_model_that_knows_the_forgotten_images_is_detected_by_every_score_and_one_that_does_not_by_none() -> None:
    knows, does_not = found(model(3.0)), found(model(0.0))
    for score in SCORES:
        assert knows[f"{score}_auc"] > 0.8
        assert knows[f"{score}_p"] < 1e-4
        assert 0.35 < does_not[f"{score}_auc"] < 0.65
        assert does_not[f"{score}_p"] > 0.05


def test_a_model_that_avoids_the_forgotten_images_is_detected_too() -> None:
    avoids = found(model(-3.0))
    assert avoids["loss_auc"] < 0.2
    assert avoids["loss_p"] < 1e-4


def test_without_a_control_half_there_is_nothing_to_find() -> None:
    audited = model(0.0)
    plain = Evaluation(audited.predictions, audited.forget_F, audited.retain_R, "test", seed=0)
    assert found(plain) == {}


def test_images_that_move_together_count_once() -> None:
    audited = model(1.0)
    by_pairs = replace(audited, unit_N=torch.arange(120) // 2)
    values = [one.value.n for one in measures_of(by_pairs)]
    assert values == [20 + 20] * 8


def test_the_score_of_a_unit_is_the_mean_of_its_images() -> None:
    unit_N = torch.tensor([0, 1, 0, 3, 3, 1])
    scores = by_unit(torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([0, 1, 3, 5]), unit_N)
    assert scores.tolist() == [1.0, 5.0, 4.0]


def logits() -> Predictions:
    return Predictions(torch.tensor([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]]), torch.tensor([0, 2]))


def test_scores_are_those_of_their_definitions() -> None:
    probabilities_NK = logits().logits_NK.double().softmax(1)
    true_N: Tensor = probabilities_NK[[0, 1], [0, 2]]
    scores = simple_scores(logits())
    assert torch.allclose(scores["loss"], true_N.log())
    assert scores["margin"].tolist() == pytest.approx([1.0, 0.0])
    assert torch.allclose(scores["entropy"], -torch.from_numpy(stats.entropy(probabilities_NK.numpy(), axis=1)))
    assert torch.allclose(scaled_confidence(logits()), (true_N / (1 - true_N)).log())


def test_the_learned_score_separates_members_better_than_any_that_it_is_made_of() -> None:
    audited = model(0.0)
    retain_R, unseen_N = learned_score(audited, ("retain", "test"))
    learned = stats.mannwhitneyu(retain_R, unseen_N).statistic
    for name in ("loss", "margin", "entropy"):
        single = stats.mannwhitneyu(*(simple_scores(audited.of(group))[name] for group in ("retain", "test"))).statistic
        assert learned >= 0.98 * single
