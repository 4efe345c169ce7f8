"""ACC of MedMNIST where an image has any number of labels: the share of all labels of all images that is right."""

from collections.abc import Iterator

from unlearning.metrics._base import Metric, Value
from unlearning.metrics._evaluation import Evaluation


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    test = evaluation.of("test")
    if test.task.several:
        right_N = test.task.correctness(test.logits_NK.double(), test.labels_N)
        yield Value("test", float(right_N.mean()), len(test))


LABEL_ACCURACY = Metric(
    name="label_accuracy",
    version=1,
    title="share of all labels of the test images that is right, as MedMNIST's ACC; none where an image has one class",
    compute=_compute,
    source="Yang et al., MedMNIST v2, Scientific Data 2023",
    groups=("test",),
    multi_label=True,
)
