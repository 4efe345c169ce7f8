"""The head probe: logistic regression as scikit-learn's, and what hidden features give away."""

from collections.abc import Callable
from math import isnan

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from unlearning.audits import Evidence, HeadProbe
from unlearning.audits._accuracy import matched_share
from unlearning.audits._head_probe import drawn_by_class
from unlearning.audits._logistic import fit_probe

EvidenceOf = Callable[[str], Evidence]


def found(evidence: Evidence, audit: HeadProbe) -> dict[str, float]:
    return {name: value.value for name, value in audit.run(evidence)}


@pytest.mark.parametrize(("classes", "penalty"), [(2, 1.0), (4, 1.0), (4, 0.1)])
def test_the_regression_is_that_of_scikit_learn(classes: int, penalty: float) -> None:
    random = np.random.default_rng(classes)
    labels_N = random.integers(classes, size=90)
    features_ND = random.normal(size=(90, 12)) + random.normal(size=(classes, 12))[labels_N]
    features_ND[:, 3] = 5.0
    ours = fit_probe(torch.from_numpy(features_ND), torch.from_numpy(labels_N), penalty)
    standard_ND = StandardScaler().fit_transform(features_ND)
    # of two classes scikit-learn penalises the difference of the weights alone, whose minimum is as far from zero
    theirs = LogisticRegression(C=(2 if classes == 2 else 1) / penalty, tol=1e-10, max_iter=10_000)
    theirs.fit(standard_ND, labels_N)
    weights_KD = ours.weights_DK.T.numpy()
    if classes == 2:
        weights_KD = (weights_KD[1] - weights_KD[0])[None]
    np.testing.assert_allclose(weights_KD, theirs.coef_, atol=1e-5)
    fresh_ND = random.normal(size=(50, 12))
    fresh_ND[:, 3] = 5.0
    standard_ND = (fresh_ND - features_ND.mean(0)) / np.where(features_ND.std(0) > 1e-9, features_ND.std(0), 1)
    assert ours.classify(torch.from_numpy(fresh_ND)).tolist() == theirs.predict(standard_ND).tolist()


def test_classes_that_a_probe_has_not_seen_are_never_named() -> None:
    features_ND = torch.eye(4, dtype=torch.float64)
    probe = fit_probe(features_ND, torch.tensor([1, 1, 3, 3]))
    assert probe.classes_K.tolist() == [1, 3]
    assert probe.classify(features_ND).tolist() == [1, 1, 3, 3]


def test_features_behind_a_head_that_names_the_next_class_give_the_original_away(evidence_of: EvidenceOf) -> None:
    hidden, original, oracle = (
        found(evidence_of(name), HeadProbe(share=0.1)) for name in ("hidden", "original", "oracle")
    )
    assert hidden == original
    assert hidden.keys() == HeadProbe.statistics.keys()
    for name in hidden:
        assert hidden[name] > oracle[name] + 0.2
    assert abs(oracle["retain_advantage"]) < 0.2


def test_forget_images_that_the_head_is_fitted_on_do_not_count(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    values = dict(HeadProbe(share=0.5).run(evidence))
    fitted = sum(round(0.5 * count) for count in evidence.audited.of("forget").count_per_class())
    assert values["retain_accuracy"].n == 40
    assert values["both_accuracy"].n == 40 - fitted
    assert values["retain_advantage"].n == 40 + 80


def test_a_share_is_drawn_of_each_class_and_one_image_at_least() -> None:
    labels_N = torch.tensor([0] * 100 + [1] * 10 + [2])
    drawn_N = drawn_by_class(labels_N, 0.04, torch.Generator().manual_seed(0))
    assert torch.bincount(labels_N[drawn_N]).tolist() == [4, 1, 1]


def test_the_matched_share_weighs_classes_as_the_other_images_have_them() -> None:
    right_N, labels_N = torch.tensor([True, False, True, True]), torch.tensor([0, 0, 1, 1])
    assert matched_share(right_N, labels_N, torch.tensor([0, 1])) == 0.75
    assert matched_share(right_N, labels_N, torch.tensor([0, 0, 0, 1])) == pytest.approx(0.625)
    assert matched_share(right_N, labels_N, torch.tensor([1])) == 1.0
    assert isnan(matched_share(right_N, labels_N, torch.tensor([0, 2])))
