"""How sure a model is of the images that it was to forget."""

from collections.abc import Iterator

from unlearning.metrics import Evaluation, Metric, Value


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    """Return the median loss of the forget set, between its quartiles."""
    losses_F = evaluation.losses("forget").double()
    low, median, high = (float(losses_F.quantile(share)) for share in (0.25, 0.5, 0.75))
    yield Value("forget", median, len(losses_F), low=low, high=high)


FORGET_LOSS = Metric(
    name="forget_loss",
    version=1,
    title="median loss of the forget set",
    compute=_compute,
    unit="nats",
    source="Lethe's page on extending it",
    groups=("forget",),
)
