"""AUC: the area under the ROC curve as MedMNIST defines it, which scikit-learn computes on the CPU."""

from collections.abc import Iterator

import numpy as np

from unlearning.metrics._base import Metric, Value
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics._predictions import Predictions


def auc(predictions: Predictions) -> float:
    """Return the area under the ROC curve as MedMNIST defines it (``medmnist.evaluator.getAUC``, scores = softmax).

    Two classes: the AUC of the second class's score. More, ordered or not: the unweighted mean over the classes of each
    against the rest.

    Returns:
        A fraction in [0, 1]; nan where the definition has no value, which is where some class has no sample (or, of two
        classes, all of them).
    """
    from sklearn.metrics import roc_auc_score  # takes a second to import, which no search's worker needs

    classes = predictions.logits_NK.shape[1]
    labels_N = predictions.labels_N.cpu().numpy()
    scores_NK = predictions.logits_NK.detach().cpu().double().softmax(1).numpy()
    if len(np.unique(labels_N)) < classes:
        return float("nan")
    if classes == 2:
        return float(roc_auc_score(labels_N, scores_NK[:, 1]))
    return float(np.mean([roc_auc_score(labels_N == k, scores_NK[:, k]) for k in range(classes)]))


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
)
