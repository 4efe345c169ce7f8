"""What labels mean, held to other libraries and to the definitions written out."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor

from unlearning.audits._output_distance import jensen_shannon
from unlearning.metrics import FEATURES, Predictions, accuracy, auc, per_class_recall, unlearning_accuracy
from unlearning.metrics.accuracy import per_class_unlearning_accuracy, share_per_class
from unlearning.tasks import MULTI_CLASS, MULTI_LABEL, NO_LABEL, LabelTask, mean_loss, summed_loss, task_of

IMAGES, LABELS = 40, 5
TASKS: tuple[LabelTask, ...] = (MULTI_CLASS, MULTI_LABEL)


def logits(seed: int = 0) -> Tensor:
    return torch.randn(IMAGES, LABELS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


def several(seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return (torch.rand(IMAGES, LABELS, generator=random) < torch.tensor([0.5, 0.3, 0.2, 0.15, 0.1])).long()


def one(seed: int = 2) -> Tensor:
    return torch.randint(0, LABELS, (IMAGES,), generator=torch.Generator().manual_seed(seed))


def labels_of(task: LabelTask) -> Tensor:
    return several() if task.several else one()


def test_the_task_follows_from_the_shape_of_labels() -> None:
    assert task_of(one()) is MULTI_CLASS
    assert task_of(several()) is MULTI_LABEL


def test_the_loss_of_several_labels_is_the_mean_binary_cross_entropy() -> None:
    values, labels = logits(), several()
    wanted = [
        np.mean([log_loss([y], [p], labels=[0, 1]) for y, p in zip(row, expit(z), strict=True)])
        for row, z in zip(labels.numpy(), values.numpy(), strict=True)
    ]
    torch.testing.assert_close(MULTI_LABEL.losses(values, labels), torch.tensor(wanted))
    torch.testing.assert_close(mean_loss(values, labels), torch.tensor(float(np.mean(wanted)), dtype=torch.float64))
    torch.testing.assert_close(summed_loss(values, labels), torch.tensor(float(np.sum(wanted)), dtype=torch.float64))
    torch.testing.assert_close(MULTI_LABEL.log_likelihood(values, labels), -torch.tensor(wanted))


@pytest.mark.parametrize("task", TASKS)
def test_log_likelihood_is_minus_the_loss_and_the_mean_loss_their_mean(task: LabelTask) -> None:
    values, labels = logits(), labels_of(task)
    torch.testing.assert_close(task.log_likelihood(values, labels), -task.losses(values, labels))
    torch.testing.assert_close(task.loss(values, labels), task.losses(values, labels).mean())


@pytest.mark.parametrize("task", TASKS)
def test_scaled_confidence_is_the_log_odds_of_the_confidence(task: LabelTask) -> None:
    values, labels = logits(), labels_of(task)
    torch.testing.assert_close(task.scaled_confidence(values, labels), torch.logit(task.confidence(values, labels)))


def test_scaled_confidence_of_several_labels_stays_finite_where_probabilities_round_to_one() -> None:
    labels = several()
    sure = 60.0 * (2 * labels.double() - 1)
    torch.testing.assert_close(MULTI_LABEL.scaled_confidence(sure, labels), torch.full((IMAGES,), 60.0).double())


@pytest.mark.parametrize("task", TASKS)
def test_divergence_is_zero_from_the_same_outputs_and_the_torch_one_from_others(task: LabelTask) -> None:
    ours, theirs = logits(), logits(7)
    assert float(task.divergence(task.probabilities(ours), ours)) == pytest.approx(0, abs=1e-12)
    p, q = task.probabilities(theirs / 2), task.probabilities(ours / 2)
    if task.several:
        pairs = [torch.stack([each, 1 - each], -1).flatten(0, 1) for each in (p, q)]
        p, q = pairs
    wanted = torch.distributions.kl_divergence(torch.distributions.Categorical(p), torch.distributions.Categorical(q))
    got = task.divergence(task.probabilities(theirs / 2), ours, 2.0)
    assert float(got) == pytest.approx(float(wanted.mean()), rel=1e-9)


def test_the_divergence_of_distributions_of_several_labels_is_the_mean_over_the_labels() -> None:
    ours, theirs = logits(), logits(7)
    pairs = [[torch.stack([p, 1 - p], 1) for p in MULTI_LABEL.probabilities(one_of).T] for one_of in (ours, theirs)]
    wanted = torch.stack([jensen_shannon(mine, yours) for mine, yours in zip(*pairs, strict=True)]).mean(0)
    both = [MULTI_LABEL.distribution(one_of) for one_of in (ours, theirs)]
    torch.testing.assert_close(jensen_shannon(*both), wanted)
    torch.testing.assert_close(both[0].sum(1), torch.ones(IMAGES).double())


def test_what_is_predicted_and_right_of_several_labels() -> None:
    values, labels = torch.tensor([[2.0, -1.0], [0.5, 3.0]]), torch.tensor([[1, 1], [1, 1]])
    assert MULTI_LABEL.predicted(values).tolist() == [[1, 0], [1, 1]]
    assert MULTI_LABEL.correctness(values, labels).tolist() == [0.5, 1.0]
    probability = expit([[2.0, -1.0], [0.5, 3.0]])
    np.testing.assert_allclose(MULTI_LABEL.confidence(values, labels), probability.mean(1), rtol=1e-6)
    assert MULTI_LABEL.margin(values, labels).tolist() == [0.5, 1.75]


def test_entropies_of_several_labels_are_means_of_those_of_two_classes() -> None:
    values, labels = logits(), several()
    as_two = [torch.stack([torch.zeros(IMAGES), values[:, k]], 1).double() for k in range(LABELS)]
    entropies = torch.stack([MULTI_CLASS.entropy(two) for two in as_two]).mean(0)
    modified = torch.stack([MULTI_CLASS.modified_entropy(two, labels[:, k]) for k, two in enumerate(as_two)]).mean(0)
    torch.testing.assert_close(MULTI_LABEL.entropy(values), entropies)
    torch.testing.assert_close(MULTI_LABEL.modified_entropy(values, labels), modified)


@pytest.mark.parametrize("task", TASKS)
def test_every_feature_of_the_attack_has_a_row_an_image(task: LabelTask) -> None:
    values, labels = logits(), labels_of(task)
    widths = {name: feature(values, labels).shape for name, feature in FEATURES.items()}
    assert widths == {name: (IMAGES, LABELS if name == "prob" else 1) for name in FEATURES}


def test_ra_of_several_labels_is_the_mean_auroc_and_ua_one_minus_it() -> None:
    values, labels = logits(), several()
    wanted = [roc_auc_score(labels[:, k], values[:, k]) for k in range(LABELS)]
    predictions = Predictions(values, labels)
    assert accuracy(predictions) == pytest.approx(np.mean(wanted))
    assert unlearning_accuracy(predictions) == pytest.approx(1 - np.mean(wanted))
    assert auc(predictions) == pytest.approx(roc_auc_score(labels, values))
    assert per_class_unlearning_accuracy(predictions) == pytest.approx([1 - area for area in wanted])


def test_labels_that_rank_nothing_are_left_out_of_ra_and_leave_auc_without_a_value() -> None:
    values, labels = logits(), several()
    labels[:, 0], labels[:, 1] = 1, 0
    predictions = Predictions(values, labels)
    wanted = [roc_auc_score(labels[:, k], values[:, k]) for k in range(2, LABELS)]
    assert accuracy(predictions) == pytest.approx(np.mean(wanted))
    assert math.isnan(auc(predictions))
    assert np.isnan(per_class_unlearning_accuracy(predictions)).tolist() == [True, True, False, False, False]
    assert math.isnan(accuracy(Predictions(values[:1], labels[:1])))


def test_recall_counts_and_shares_of_several_labels_are_of_the_images_that_have_them() -> None:
    labels = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 0]])
    values = torch.tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [1.0, 1.0, -1.0]])
    predictions = Predictions(values, labels)
    assert predictions.count_per_class() == [2, 2, 0]
    assert per_class_recall(predictions)[:2] == (0.5, 0.5)
    assert math.isnan(per_class_recall(predictions)[2])
    assert share_per_class(torch.tensor([True, False, False]), predictions)[:2] == (0.5, 0.5)
    assert len(predictions.at(torch.tensor([2]))) == 1


def test_random_labels_are_those_of_another_image() -> None:
    known = several()
    drawn = MULTI_LABEL.draw_labels(known, known, LABELS, "any", torch.Generator().manual_seed(0))
    there = {tuple(row) for row in known.tolist()}
    assert drawn.shape == known.shape
    assert {tuple(row) for row in drawn.tolist()} <= there


def test_other_random_labels_differ_and_keep_how_often_each_set_comes() -> None:
    known = torch.tensor([[0, 0]] * 6 + [[1, 0]] * 3 + [[0, 1]])
    asked = torch.tensor([[0, 0]] * 4000 + [[1, 0]] * 4000)
    drawn = MULTI_LABEL.draw_labels(asked, known, 2, "other", torch.Generator().manual_seed(0))
    assert not (drawn == asked).all(1).any()
    share = {
        asked_for: (drawn[rows] == torch.tensor([0, 1])).all(1).double().mean().item()
        for asked_for, rows in (("none", slice(4000)), ("first", slice(4000, None)))
    }
    assert share["none"] == pytest.approx(1 / 4, abs=0.03)  # of [1, 0] three and of [0, 1] one
    assert share["first"] == pytest.approx(1 / 7, abs=0.03)  # of [0, 0] six and of [0, 1] one
    again = MULTI_LABEL.draw_labels(asked, known, 2, "other", torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)


def test_other_labels_where_all_images_have_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted images with other labels"):
        MULTI_LABEL.draw_labels(torch.zeros(2, 3).long(), torch.zeros(4, 3).long(), 3, "other", torch.Generator())


@pytest.mark.parametrize("task", TASKS)
def test_marks_come_off_again(task: LabelTask) -> None:
    labels, marks = labels_of(task), torch.arange(IMAGES) % 3 == 0
    plain, marked = task.unmarked(task.marked(labels, marks, LABELS), LABELS)
    assert torch.equal(plain, labels)
    assert torch.equal(marked, marks)


def test_names_of_several_labels_are_joined() -> None:
    labels = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    assert MULTI_LABEL.names(labels, ("a", "b", "c")) == ["a + c", NO_LABEL, "b"]
    assert MULTI_CLASS.names(torch.tensor([2, 0]), ("a", "b", "c")) == ["c", "a"]
