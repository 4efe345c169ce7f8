"""AUC: the area under the ROC curve as MedMNIST defines it."""

from collections.abc import Iterator
from statistics import fmean

from torch import Tensor

from unlearning.metrics._base import Metric, Value
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics._predictions import Predictions
from unlearning.roc import area_under_curve


def auc(predictions: Predictions) -> float:
    """Return the area under the ROC curve as MedMNIST defines it (``medmnist.evaluator.getAUC``).

    Two classes: the AUC of the second class's score. More, ordered or not, or several labels an image: the unweighted
    mean over the classes of each against the rest.

    Returns:
        A fraction in [0, 1]; nan where the definition has no value, which is where some class has no sample (or, of two
        classes, or of a label, all of them).
    """
    classes, task = predictions.logits_NK.shape[1], predictions.task
    scores_NK = task.probabilities(predictions.logits_NK.detach().cpu().double())
    true_NK = task.indicators(predictions.labels_N.cpu(), classes)
    if not true_NK.any(0).all() or true_NK.all(0).any():
        return float("nan")
    scored = [1] if classes == 2 and not task.several else range(classes)
    return fmean(area_under_curve(*_sides(scores_NK[:, k], true_NK[:, k])).value for k in scored)


def _sides(scores_N: Tensor, is_positive_N: Tensor) -> tuple[Tensor, Tensor]:
    return scores_N[is_positive_N], scores_N[~is_positive_N]


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    test = evaluation.of("test")
    yield Value("test", auc(test), len(test))


AUC = Metric(
    name="auc",
    version=1,
    title="area under the ROC curve on the test split, as MedMNIST",
    compute=_compute,
    source="Yang et al., MedMNIST v2, Scientific Data 2023",
    groups=("test",),
    multi_label=True,
)
