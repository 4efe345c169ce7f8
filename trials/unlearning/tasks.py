"""What labels mean: one class an image (`MULTI_CLASS`), or any number of labels an image (`MULTI_LABEL`).

Whatever computes with labels asks their task (`task_of`): losses, probabilities, what is predicted and whether it is
right, random labels. Labels of one class an image are int64, (N,), in 0 ... K-1; several labels are int64, (N, K), of 0
and 1, for which a network has K logits of its own each. In both cases a place in K is called a class.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax, logsigmoid, one_hot

from unlearning.roc import area_under_curve

LOG_FLOOR: Final = -69.07755278982137
"""log(1e-30), below which logarithms in the modified entropy are cut, as in the code of Song and Mittal."""

NO_LABEL: Final = "(no label)"
"""What an image without any label is called."""

Relabel = Literal["any", "other"]


class LabelTask(ABC):
    """A kind of labels, and what follows from it; N images, K classes.

    Attributes:
        several: whether an image may have several labels, or none.
        score_title: what `score` is, for people.
    """

    several: ClassVar[bool]
    score_title: ClassVar[str]

    @abstractmethod
    def losses(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the loss of each image, (N,)."""

    @abstractmethod
    def loss(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean loss, a scalar."""

    @abstractmethod
    def probabilities(self, logits_NK: Tensor) -> Tensor:
        """Return the probability of each class, (N, K)."""

    @abstractmethod
    def distribution(self, logits_NK: Tensor) -> Tensor:
        """Return the prediction for each image as one distribution, (N, M): shares that add up to 1."""

    @abstractmethod
    def divergence(self, target_NK: Tensor, logits_NK: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """Return the mean over images of KL(target || probabilities of logits / temperature), a scalar.

        Args:
            target_NK: probabilities.
        """

    @abstractmethod
    def predicted(self, logits_NK: Tensor) -> Tensor:
        """Return what the network answers, in the form of labels."""

    @abstractmethod
    def correctness(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return how much of the answer for each image is right, in [0, 1], of the logits' type, (N,)."""

    @abstractmethod
    def confidence(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the probability of what is true of each image, (N,)."""

    @abstractmethod
    def scaled_confidence(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return log p - log(1 - p) of the confidence p, (N,) (Carlini et al., 2022)."""

    @abstractmethod
    def log_likelihood(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return minus the loss of each image, (N,)."""

    @abstractmethod
    def margin(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return by how much the logits of what is true exceed those of what is not, (N,)."""

    @abstractmethod
    def entropy(self, logits_NK: Tensor) -> Tensor:
        """Return the entropy of each image's prediction in nats, (N,)."""

    @abstractmethod
    def modified_entropy(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the modified entropy of each image in nats, (N,).

        Source: Song and Mittal, "Systematic evaluation of privacy risks of machine learning models", USENIX Security
        2021. (SalUn's public code computes another quantity under this name.)
        """

    @abstractmethod
    def indicators(self, labels_N: Tensor, classes: int) -> Tensor:
        """Return which images are of which class: bool, (N, K)."""

    @abstractmethod
    def score(self, logits_NK: Tensor, labels_N: Tensor) -> float:
        """Return what UA (one minus it), RA, VA and TA are made of, in [0, 1]; nan where it has no value."""

    @abstractmethod
    def score_per_class(self, logits_NK: Tensor, labels_N: Tensor) -> tuple[float, ...]:
        """Return the score of each class, K fractions; nan where it has no value."""

    @abstractmethod
    def draw_labels(
        self, labels_M: Tensor, known_L: Tensor, classes: int, relabel: Relabel, random: torch.Generator
    ) -> Tensor:
        """Draw labels for images whose true ones are ``labels_M``.

        Args:
            known_L: the labels of all images that were trained on.
            relabel: ``other`` draws none that equals the true one.
            random: a CPU generator.
        """

    @abstractmethod
    def marked(self, labels_M: Tensor, marks_M: Tensor, classes: int) -> Tensor:
        """Return labels that also say which images are marked (bool, (M,)); see `unmarked`."""

    @abstractmethod
    def unmarked(self, labels_M: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Return labels as they were before `marked`, and the marks."""

    @abstractmethod
    def names(self, labels_N: Tensor, class_names: Sequence[str]) -> list[str]:
        """Return what the labels of each image are called."""

    def recall_per_class(self, logits_NK: Tensor, labels_N: Tensor) -> tuple[float, ...]:
        """Return for each class the share of its images that are predicted to be of it; nan without such images."""
        classes = logits_NK.shape[1]
        called_NK, true_NK = (self.indicators(one, classes) for one in (self.predicted(logits_NK), labels_N))
        return tuple(((called_NK & true_NK).sum(0).double() / true_NK.sum(0)).tolist())

    def share_per_class(self, chosen_N: Tensor, labels_N: Tensor, classes: int) -> tuple[float, ...]:
        """Return for each class the share of its images that are chosen (bool, (N,)); nan without such images."""
        true_NK = self.indicators(labels_N, classes)
        return tuple(((chosen_N[:, None] & true_NK).sum(0).double() / true_NK.sum(0)).tolist())

    def count_per_class(self, labels_N: Tensor, classes: int) -> list[int]:
        """Count the images of each class."""
        counts: list[int] = self.indicators(labels_N, classes).sum(0).tolist()
        return counts


class MultiClass(LabelTask):
    """One class an image: softmax and cross-entropy."""

    several: ClassVar[bool] = False
    score_title: ClassVar[str] = "accuracy"

    def losses(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the cross-entropy of each image."""
        return cross_entropy(logits_NK, labels_N, reduction="none")

    def loss(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean cross-entropy."""
        return cross_entropy(logits_NK, labels_N)

    def probabilities(self, logits_NK: Tensor) -> Tensor:
        """Return the softmax."""
        return logits_NK.softmax(1)

    def distribution(self, logits_NK: Tensor) -> Tensor:
        """Return the softmax."""
        return self.probabilities(logits_NK)

    def divergence(self, target_NK: Tensor, logits_NK: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """Return the mean KL divergence of the softmax."""
        surprise_NK = torch.special.xlogy(target_NK, target_NK) - target_NK * log_softmax(logits_NK / temperature, 1)
        mean: Tensor = surprise_NK.sum(1).mean()
        return mean

    def predicted(self, logits_NK: Tensor) -> Tensor:
        """Return the class of the largest logit."""
        return logits_NK.argmax(1)

    def correctness(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return 1 where the largest logit is the true class's, else 0."""
        return (self.predicted(logits_NK) == labels_N).to(logits_NK.dtype)

    def confidence(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the probability of the true class."""
        return _at(logits_NK.softmax(1), labels_N)

    def scaled_confidence(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the true class's logit minus the log-sum-exp of the others."""
        return _at(logits_NK, labels_N) - logits_NK.scatter(1, labels_N[:, None], -torch.inf).logsumexp(1)

    def log_likelihood(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the log-probability of the true class."""
        return _at(logits_NK.log_softmax(1), labels_N)

    def margin(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the true class's logit minus the largest other."""
        return _at(logits_NK, labels_N) - logits_NK.scatter(1, labels_N[:, None], -torch.inf).amax(1)

    def entropy(self, logits_NK: Tensor) -> Tensor:
        """Return ``-sum_i p_i log p_i``."""
        log_p_NK = logits_NK.log_softmax(1)
        return -(log_p_NK.exp() * log_p_NK).sum(1)

    def modified_entropy(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return ``-(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i)``, between 0 and 138.2."""
        log_p_NK, log_rest_NK = logits_NK.log_softmax(1), _log_of_the_rest(logits_NK)
        true_N1 = labels_N[:, None]
        of_true_N1 = log_rest_NK.gather(1, true_N1).exp() * log_p_NK.gather(1, true_N1).clamp_min(LOG_FLOOR)
        of_others_NK = (log_p_NK.exp() * log_rest_NK.clamp_min(LOG_FLOOR)).scatter(1, true_N1, 0.0)
        return -of_true_N1.squeeze(1) - of_others_NK.sum(1)

    def indicators(self, labels_N: Tensor, classes: int) -> Tensor:
        """Return the one-hot form."""
        return one_hot(labels_N, classes).bool()

    def score(self, logits_NK: Tensor, labels_N: Tensor) -> float:
        """Return the accuracy."""
        return float((self.predicted(logits_NK) == labels_N).double().mean())

    def score_per_class(self, logits_NK: Tensor, labels_N: Tensor) -> tuple[float, ...]:
        """Return the accuracy on the images of each class."""
        return self.recall_per_class(logits_NK, labels_N)

    def draw_labels(
        self, labels_M: Tensor, known_L: Tensor, classes: int, relabel: Relabel, random: torch.Generator
    ) -> Tensor:
        """Draw from all classes, or from the other ones."""
        if relabel == "any":
            return torch.randint(0, classes, labels_M.shape, generator=random)
        return (labels_M + torch.randint(1, classes, labels_M.shape, generator=random)) % classes

    def marked(self, labels_M: Tensor, marks_M: Tensor, classes: int) -> Tensor:
        """Raise the labels of marked images by K."""
        return labels_M + classes * marks_M

    def unmarked(self, labels_M: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Return the labels below K, and which were above."""
        return labels_M % classes, labels_M >= classes

    def names(self, labels_N: Tensor, class_names: Sequence[str]) -> list[str]:
        """Return the name of each image's class."""
        return [class_names[label] for label in labels_N.tolist()]


class MultiLabel(LabelTask):
    """Any number of labels an image: a sigmoid for each, binary cross-entropy, and means over the labels."""

    several: ClassVar[bool] = True
    score_title: ClassVar[str] = "mean AUROC over the labels"

    def losses(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean over the labels of the binary cross-entropy, for each image."""
        return _binary(logits_NK, labels_N, "none").mean(1)

    def loss(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean binary cross-entropy over images and labels, as MedMNIST's own training."""
        return _binary(logits_NK, labels_N, "mean")

    def probabilities(self, logits_NK: Tensor) -> Tensor:
        """Return the sigmoid."""
        return logits_NK.sigmoid()

    def distribution(self, logits_NK: Tensor) -> Tensor:
        """Return a label at random and whether the image has it: a divergence of such is the mean over the labels."""
        p_NK = self.probabilities(logits_NK)
        return torch.cat([p_NK, 1 - p_NK], dim=1) / p_NK.shape[1]

    def divergence(self, target_NK: Tensor, logits_NK: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """Return the mean over images and labels of the divergence of two Bernoulli distributions."""
        rest_NK, softened_NK = 1 - target_NK, logits_NK / temperature
        negative_entropy_NK = torch.special.xlogy(target_NK, target_NK) + torch.special.xlogy(rest_NK, rest_NK)
        likely_NK = target_NK * logsigmoid(softened_NK) + rest_NK * logsigmoid(-softened_NK)
        mean: Tensor = (negative_entropy_NK - likely_NK).mean()
        return mean

    def predicted(self, logits_NK: Tensor) -> Tensor:
        """Return the labels with a probability above one half."""
        return (logits_NK > 0).long()

    def correctness(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the share of the labels that are right."""
        return (self.predicted(logits_NK) == labels_N).to(logits_NK.dtype).mean(1)

    def confidence(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean over the labels of the probability of what is true."""
        return _signed(logits_NK, labels_N).sigmoid().mean(1)

    def scaled_confidence(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the log-odds of the mean probability, without cancellation where that rounds to 1."""
        signed_NK = _signed(logits_NK, labels_N)
        return logsigmoid(signed_NK).logsumexp(1) - logsigmoid(-signed_NK).logsumexp(1)

    def log_likelihood(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean over the labels of the log-probability of what is true."""
        return logsigmoid(_signed(logits_NK, labels_N)).mean(1)

    def margin(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean over the labels of the log-odds of what is true."""
        return _signed(logits_NK, labels_N).mean(1)

    def entropy(self, logits_NK: Tensor) -> Tensor:
        """Return the mean over the labels of the entropy of each."""
        p_NK = logits_NK.sigmoid()
        return -(p_NK * logsigmoid(logits_NK) + (1 - p_NK) * logsigmoid(-logits_NK)).mean(1)

    def modified_entropy(self, logits_NK: Tensor, labels_N: Tensor) -> Tensor:
        """Return the mean over the labels of ``-2 (1 - p_y) log p_y``, which it is for two classes."""
        signed_NK = _signed(logits_NK, labels_N)
        return -2 * ((-signed_NK).sigmoid() * logsigmoid(signed_NK).clamp_min(LOG_FLOOR)).mean(1)

    def indicators(self, labels_N: Tensor, classes: int) -> Tensor:
        """Return the labels as bool."""
        return labels_N.bool()

    def score(self, logits_NK: Tensor, labels_N: Tensor) -> float:
        """Return the mean AUROC over the labels that some images have and others lack; nan where there is none."""
        defined = [area for area in self.score_per_class(logits_NK, labels_N) if area == area]
        return sum(defined) / len(defined) if defined else float("nan")

    def score_per_class(self, logits_NK: Tensor, labels_N: Tensor) -> tuple[float, ...]:
        """Return the AUROC of each label; nan where all images have it or none does."""
        scores_NK, true_NK = logits_NK.detach().cpu().double(), labels_N.cpu().bool()
        return tuple(_area(scores_N, true_N) for scores_N, true_N in zip(scores_NK.T, true_NK.T, strict=True))

    def draw_labels(
        self, labels_M: Tensor, known_L: Tensor, classes: int, relabel: Relabel, random: torch.Generator
    ) -> Tensor:
        """Draw the labels of another image, which keeps how often each label comes, alone and with others.

        Raises:
            ValueError: ``other`` is asked for, and all images have the same labels.
        """
        if relabel == "any":
            return known_L[torch.randint(len(known_L), (len(labels_M),), generator=random)]
        sets_SK, place, counts_S = torch.cat([known_L, labels_M]).unique(dim=0, return_inverse=True, return_counts=True)
        own_M = place[len(known_L) :]
        counts_S -= own_M.bincount(minlength=len(counts_S))
        others_M = len(known_L) - counts_S[own_M]
        if not others_M.all():
            raise ValueError("relabel: other: wanted images with other labels to take labels from, got none")
        drawn_M = (torch.rand(len(labels_M), generator=random, dtype=torch.float64) * others_M).long()
        ends_S = counts_S.cumsum(0)
        drawn_M += counts_S[own_M] * (drawn_M >= (ends_S - counts_S)[own_M])
        drawn_MK: Tensor = sets_SK[torch.searchsorted(ends_S, drawn_M, right=True)]
        return drawn_MK

    def marked(self, labels_M: Tensor, marks_M: Tensor, classes: int) -> Tensor:
        """Raise the labels of marked images by 2."""
        return labels_M + 2 * marks_M[:, None]

    def unmarked(self, labels_M: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Return the labels below 2, and of which images they were above."""
        return labels_M % 2, labels_M[:, 0] >= 2

    def names(self, labels_N: Tensor, class_names: Sequence[str]) -> list[str]:
        """Return the names of each image's labels, joined by " + "."""
        rows = labels_N.bool().tolist()
        named = (" + ".join(name for name, has in zip(class_names, row, strict=True) if has) for row in rows)
        return [names or NO_LABEL for names in named]


MULTI_CLASS: Final = MultiClass()
MULTI_LABEL: Final = MultiLabel()


def task_of(labels_N: Tensor) -> LabelTask:
    """Return the task of labels: by their shape, (N,) or (N, K)."""
    return MULTI_LABEL if labels_N.ndim == 2 else MULTI_CLASS


def mean_loss(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Return the mean loss of a batch: what a training descends on."""
    return task_of(labels_B).loss(logits_BK, labels_B)


def summed_loss(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Return the sum of the losses of a batch's images."""
    total: Tensor = task_of(labels_B).losses(logits_BK, labels_B).sum()
    return total


def _at(values_NK: Tensor, labels_N: Tensor) -> Tensor:
    return values_NK.gather(1, labels_N[:, None]).squeeze(1)


def _binary(logits_NK: Tensor, labels_N: Tensor, reduction: str) -> Tensor:
    return binary_cross_entropy_with_logits(logits_NK, labels_N.to(logits_NK.dtype), reduction=reduction)


def _signed(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """Return the log-odds of what is true of each label."""
    return logits_NK * (2 * labels_N - 1)


def _area(scores_N: Tensor, true_N: Tensor) -> float:
    if true_N.all() or not true_N.any():
        return float("nan")
    return area_under_curve(scores_N[true_N], scores_N[~true_N]).value


def _log_of_the_rest(logits_NK: Tensor) -> Tensor:
    """``log(1 - p_i)``, finite also where ``p_i`` rounds to 1: the most probable class's is summed from the others'."""
    top_N1 = logits_NK.argmax(1, keepdim=True)
    others_N1 = logits_NK.scatter(1, top_N1, -torch.inf).logsumexp(1, keepdim=True)
    log_top_N1 = others_N1 - logits_NK.logsumexp(1, keepdim=True)
    return torch.log1p(-logits_NK.softmax(1)).scatter(1, top_N1, log_top_N1)
