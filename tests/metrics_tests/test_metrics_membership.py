import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.svm import SVC
from torch import Tensor

from unlearning.metrics import (
    FEATURES,
    Feature,
    Predictions,
    attack_accuracy,
    called_nonmember,
    draw_matched,
    draw_members,
    membership_scores,
)

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "svc_attack.npz")
"""Figures of the SalUn authors' public code (see tests/fidelity/make_svc_attack.py)."""

SHARED_REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "fidelity" / "salun_reference.npz"


def outputs(classes: int, samples: int, seed: int, margin: float) -> Predictions:
    """A model that is right the more often, and the more sure, the larger the margin."""
    random = torch.Generator().manual_seed(seed)
    labels_N = torch.randint(classes, (samples,), generator=random)
    logits_NK = 1.5 * torch.randn(samples, classes, generator=random)
    logits_NK[torch.arange(samples), labels_N] += margin + 2.5 * torch.randn(samples, generator=random)
    return Predictions(logits_NK, labels_N)


def from_probabilities(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


@pytest.mark.parametrize("model", ["original", "salun", "random_label"])
@pytest.mark.parametrize("feature", ["correctness", "confidence", "entropy", "prob"])
def test_scores_are_exactly_those_of_the_authors_code(model: str, feature: Feature) -> None:
    members, nonmembers, forget = (
        Predictions(
            torch.from_numpy(REFERENCE[f"logits/{model}/{sample}"]), torch.from_numpy(REFERENCE[f"labels/{sample}"])
        )
        for sample in ("members", "nonmembers", "forget")
    )
    scores = membership_scores(members, nonmembers, forget, [feature])
    assert scores == {feature: pytest.approx(float(REFERENCE[f"score/{model}/{feature}"]), abs=1e-12)}


@pytest.mark.skipif(not SHARED_REFERENCE.exists(), reason="the full reference of the authors' code is not here")
def test_the_copied_figures_are_those_of_the_full_reference() -> None:
    full = np.load(SHARED_REFERENCE)
    np.testing.assert_array_equal(REFERENCE["logits/salun/members"], full["logits_salun/retain"][:64])
    np.testing.assert_array_equal(REFERENCE["labels/forget"], full["y_forget"])


def test_features_of_hand_computed_probabilities() -> None:
    logits_NK, labels_N = from_probabilities([0.5, 0.25, 0.25], [0.1, 0.2, 0.7]), torch.tensor([0, 1])
    values = {name: feature(logits_NK, labels_N) for name, feature in FEATURES.items()}
    log = math.log
    assert values["correctness"].tolist() == [[1.0], [0.0]]
    torch.testing.assert_close(values["confidence"], torch.tensor([[0.5], [0.2]], dtype=torch.float64))
    torch.testing.assert_close(values["prob"], logits_NK.exp())
    entropies = [1.5 * log(2), -(0.1 * log(0.1) + 0.2 * log(0.2) + 0.7 * log(0.7))]
    torch.testing.assert_close(values["entropy"].squeeze(1), torch.tensor(entropies, dtype=torch.float64))
    modified = [-0.5 * log(0.5) - 2 * 0.25 * log(0.75), -0.8 * log(0.2) - 0.1 * log(0.9) - 0.7 * log(0.3)]
    torch.testing.assert_close(values["modified_entropy"].squeeze(1), torch.tensor(modified, dtype=torch.float64))


def test_modified_entropy_keeps_its_precision_where_a_probability_rounds_to_one() -> None:
    logits_NK, labels_N = torch.tensor([[50.0, 0.0, 0.0]] * 2, dtype=torch.float64), torch.tensor([0, 1])
    rest = 2 * math.exp(-50)
    sure_and_right, sure_and_wrong = FEATURES["modified_entropy"](logits_NK, labels_N).squeeze(1).tolist()
    assert sure_and_right == pytest.approx(2 * math.exp(-50) ** 2 + rest * rest, rel=1e-9)
    assert sure_and_wrong == pytest.approx(50 - math.log(rest), rel=1e-12)


@pytest.mark.parametrize("feature", FEATURES)
def test_features_stay_finite_and_bounded_for_extreme_logits(feature: Feature) -> None:
    logits_NK = torch.tensor([[3e38, -3e38, 0.0], [0.0, 0.0, 0.0], [-3e38, 3e38, 3e38]], dtype=torch.float64)
    values_ND = FEATURES[feature](logits_NK, torch.tensor([1, 0, 0]))
    assert values_ND.isfinite().all()
    assert values_ND.abs().max() < 138.2


@pytest.mark.parametrize("classes", [2, 8, 11])
@pytest.mark.parametrize("feature", FEATURES)
def test_scores_equal_those_of_scikit_learns_classifier(feature: Feature, classes: int) -> None:
    samples = [outputs(classes, 400, seed, margin) for seed, margin in enumerate((6.0, 3.0, 4.5))]
    members_ND, nonmembers_ND, forget_ND = (
        FEATURES[feature](sample.logits_NK.double(), sample.labels_N).numpy() for sample in samples
    )
    theirs = SVC(C=3, gamma="auto", tol=1e-6)
    theirs.fit(np.concatenate([members_ND, nonmembers_ND]), np.repeat([1, 0], [len(members_ND), len(nonmembers_ND)]))
    expected = 1 - theirs.predict(forget_ND).mean()
    assert membership_scores(*samples, [feature]) == {feature: pytest.approx(expected, abs=1e-3)}


def test_forgotten_samples_that_look_like_nonmembers_score_higher_than_those_that_look_like_members() -> None:
    members, nonmembers = outputs(9, 500, 0, margin=9.0), outputs(9, 500, 1, margin=3.0)
    kept, forgotten = outputs(9, 500, 2, margin=9.0), outputs(9, 500, 3, margin=3.0)
    remembered, forgot = (membership_scores(members, nonmembers, forget, FEATURES) for forget in (kept, forgotten))
    assert all(forgot[feature] > remembered[feature] + 0.1 for feature in FEATURES)


def test_an_attacker_who_sees_no_difference_calls_everything_a_member() -> None:
    sample = outputs(5, 200, 0, margin=3.0)
    assert membership_scores(sample, sample, outputs(5, 50, 1, margin=0.0), FEATURES) == dict.fromkeys(FEATURES, 0.0)


def test_members_are_drawn_at_random_from_retain_as_many_as_nonmembers() -> None:
    retain, nonmembers = outputs(3, 100, 0, margin=1.0), outputs(3, 40, 1, margin=1.0)
    members, same = draw_members(retain, nonmembers, torch.Generator().manual_seed(7))
    assert len(members) == 40
    assert same is nonmembers
    chosen = {tuple(row) for row in members.logits_NK.tolist()}
    assert len(chosen) == 40
    assert chosen < {tuple(row) for row in retain.logits_NK.tolist()}
    assert not torch.equal(members.logits_NK, retain.logits_NK[:40])


def test_the_same_seed_draws_the_same_members_and_another_seed_others() -> None:
    retain, nonmembers = outputs(3, 100, 0, margin=1.0), outputs(3, 40, 1, margin=1.0)
    first, again, other = (
        draw_members(retain, nonmembers, torch.Generator().manual_seed(seed))[0].logits_NK for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_nonmembers_are_drawn_down_where_retain_is_smaller() -> None:
    retain, nonmembers = outputs(3, 30, 0, margin=1.0), outputs(3, 100, 1, margin=1.0)
    members, fewer = draw_members(retain, nonmembers, torch.Generator().manual_seed(7))
    assert members is retain
    assert len(fewer) == 30
    assert not torch.equal(fewer.logits_NK, nonmembers.logits_NK[:30])


def of_classes(*counts: int) -> Predictions:
    """A model's outputs for so many samples of each class, no two of them alike."""
    labels_N = torch.cat([torch.full((count,), index) for index, count in enumerate(counts)])
    return Predictions(torch.arange(3.0 * len(labels_N)).view(-1, 3), labels_N)


def drawn(retain: Predictions, nonmembers: Predictions, forget: Predictions) -> tuple[Predictions, Predictions]:
    return draw_matched(retain, nonmembers, forget, torch.Generator().manual_seed(7))


def test_matched_sides_have_the_mix_of_classes_of_the_forget_set() -> None:
    members, nonmembers = drawn(of_classes(30, 30, 90), of_classes(20, 40, 10), of_classes(0, 9, 3))
    assert members.count_per_class() == nonmembers.count_per_class() == [0, 30, 10]
    assert len(members.logits_NK.unique(dim=0)) == 40


def test_members_of_a_class_that_is_forgotten_as_a_whole_come_from_the_retain_set_and_non_members_from_the_class() -> (
    None
):
    retain = of_classes(50, 0, 0)
    members, nonmembers = drawn(retain, of_classes(30, 40, 0), of_classes(0, 25, 0))
    assert (members.count_per_class(), nonmembers.count_per_class()) == ([40, 0, 0], [0, 40, 0])
    assert torch.isin(members.logits_NK, retain.logits_NK).all()


def test_members_are_of_the_forgotten_classes_that_are_left() -> None:
    members, nonmembers = drawn(of_classes(50, 0, 50), of_classes(30, 40, 30), of_classes(0, 20, 10))
    assert members.count_per_class() == [0, 0, 50]
    assert nonmembers.count_per_class()[0] == 0
    assert nonmembers.count_per_class()[1] / nonmembers.count_per_class()[2] == pytest.approx(2, abs=0.5)


def test_the_same_state_draws_the_same_matched_samples() -> None:
    sides = of_classes(30, 30, 90), of_classes(20, 40, 10), of_classes(5, 9, 3)
    assert all(
        torch.equal(one.logits_NK, same.logits_NK) for one, same in zip(drawn(*sides), drawn(*sides), strict=True)
    )


def test_a_forgotten_class_without_non_members_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no non-members of the classes \[1\], which D_f has images of"):
        drawn(of_classes(5, 5, 5), of_classes(5, 0, 5), of_classes(0, 2, 1))


def test_a_class_that_is_easier_than_the_others_is_no_sign_of_membership_of_its_images() -> None:
    """Nobody was trained on anything: class 0 is recognised and class 1 not; half of class 1 is to be forgotten."""
    random = torch.Generator().manual_seed(0)

    def untrained(*counts: int) -> Predictions:
        sample = of_classes(*counts)
        logits_NK = torch.randn(len(sample), 3, generator=random)
        logits_NK[sample.labels_N == 0, 0] += 4
        return Predictions(logits_NK, sample.labels_N)

    retain, nonmembers, forget = untrained(400, 100, 0), untrained(100, 400, 0), untrained(0, 100, 0)
    plain, matched = draw_members(retain, nonmembers, random), draw_matched(retain, nonmembers, forget, random)
    accuracies = [attack_accuracy(*sides, torch.Generator().manual_seed(1)) for sides in (plain, matched)]
    assert accuracies[0] > 0.65
    assert accuracies[1] == pytest.approx(0.5, abs=0.15)


def test_unequal_numbers_of_members_and_nonmembers_are_refused() -> None:
    sample = outputs(3, 10, 0, margin=1.0)
    with pytest.raises(ValueError, match="got 10 and 4; `draw_members`"):
        membership_scores(sample, sample.at(torch.arange(4)), sample)
    nobody = sample.at(torch.arange(0))
    with pytest.raises(ValueError, match="got 0 and 0"):
        membership_scores(nobody, nobody, sample)


def test_the_score_is_the_share_of_the_samples_that_are_called_nonmember() -> None:
    members, nonmembers, forget = (outputs(4, 200, seed, margin) for seed, margin in enumerate((6.0, 3.0, 4.5)))
    called = called_nonmember(members, nonmembers, forget, FEATURES)
    scores = membership_scores(members, nonmembers, forget, FEATURES)
    assert {feature: int(called_M.sum()) / 200 for feature, called_M in called.items()} == scores
    assert 0 < scores["confidence"] < 1


def dealt(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_attacks_accuracy_is_that_of_a_classifier_that_never_saw_the_samples() -> None:
    """With scikit-learn's classifier, folds dealt by hand in the same order."""
    members, nonmembers = outputs(3, 103, 0, margin=5.0), outputs(3, 103, 1, margin=2.0)
    random, right = dealt(4), 0
    points = [
        FEATURES["confidence"](sample.logits_NK.double(), sample.labels_N)[
            torch.randperm(103, generator=random)
        ].numpy()
        for sample in (members, nonmembers)
    ]
    for fold in range(5):
        held = np.arange(103) % 5 == fold
        theirs = SVC(C=3, gamma="auto", tol=1e-6)
        fitted = np.concatenate([side[~held] for side in points])
        theirs.fit(fitted, np.repeat([1, 0], len(fitted) // 2))
        right += int(theirs.predict(points[0][held]).sum() + (1 - theirs.predict(points[1][held])).sum())
    assert attack_accuracy(members, nonmembers, dealt(4)) == pytest.approx(right / 206, abs=0.01)


def test_an_attack_on_noise_is_right_half_the_time_although_it_fits_its_own_samples_better() -> None:
    fresh, fitted = [], []
    for seed in range(12):
        members, nonmembers = outputs(3, 40, 2 * seed, margin=1.0), outputs(3, 40, 2 * seed + 1, margin=1.0)
        fresh.append(attack_accuracy(members, nonmembers, dealt(seed)))
        called = [called_nonmember(members, nonmembers, side)["confidence"] for side in (members, nonmembers)]
        fitted.append(float((~called[0]).double().mean() + called[1].double().mean()) / 2)
    assert abs(np.mean(fresh) - 0.5) < 0.03
    assert np.mean(fitted) > 0.55


def test_an_attack_on_two_different_crowds_is_right_and_one_that_sees_no_difference_guesses() -> None:
    sure, unsure = outputs(9, 500, 0, margin=20.0), outputs(9, 500, 1, margin=-20.0)
    assert attack_accuracy(sure, unsure, dealt(0)) > 0.99
    alike = Predictions(torch.zeros(50, 3), torch.zeros(50, dtype=torch.int64))
    assert attack_accuracy(alike, alike, dealt(0)) == 0.5


def test_the_same_seed_gives_the_same_accuracy_of_the_attack_and_another_seed_another() -> None:
    members, nonmembers = outputs(3, 101, 0, margin=3.0), outputs(3, 101, 1, margin=1.0)
    first = attack_accuracy(members, nonmembers, dealt(1))
    assert attack_accuracy(members, nonmembers, dealt(1)) == first
    assert len({attack_accuracy(members, nonmembers, dealt(seed)) for seed in range(6)}) > 1


def test_the_attacks_accuracy_on_very_few_samples() -> None:
    pair = outputs(3, 2, 0, margin=3.0), outputs(3, 2, 1, margin=1.0)
    assert attack_accuracy(*pair, dealt(0)) in (0.0, 0.25, 0.5, 0.75, 1.0)
    single = outputs(3, 1, 0, margin=3.0)
    assert math.isnan(attack_accuracy(single, single, dealt(0)))
    with pytest.raises(ValueError, match="got 2 and 1; `draw_members`"):
        attack_accuracy(pair[0], single, dealt(0))
