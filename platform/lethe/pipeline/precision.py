"""Chooses the precision of a study that leaves it to the hardware: measured once, and kept with the study's results.

Precision changes numbers, so it belongs to what identifies every model and method search. What the first run of a study
chose therefore holds for every later one, on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lethe.execution.device import claim_device
from lethe.results import Store, StudyRow, to_rows
from lethe.study import Study, StudyError, read_text
from unlearning.data import ImageData
from unlearning.engine import Precision
from unlearning.engine.precision import faster, training_rates


@dataclass(frozen=True)
class PrecisionChoice:
    """A study's precision.

    Attributes:
        rates: images a second of training in each; None unless they were measured now.
        told: why this one, a sentence; empty where the study names it.
    """

    precision: Precision
    rates: dict[Precision, float] | None
    told: str


def choose_precision(study: Study, datasets: Sequence[ImageData], store: Store) -> PrecisionChoice:
    """Return the study's own precision; for ``auto`` that of an earlier run, else bfloat16 on a GPU, else measure here.

    Measured are training steps of the study's network on images of its first data set's shape, on as many cores as a
    training has.
    """
    if study.training.precision != "auto":
        return PrecisionChoice(study.training.precision, None, "")
    if earlier := _earlier(study, store):
        return PrecisionChoice(earlier, None, f"Training in {earlier}, as when the study was first run.")
    if study.resources.training.gpu > 0:
        return PrecisionChoice("bfloat16", None, "Training in bfloat16, since on a GPU (training.precision: auto).")
    _, channels, size, _ = datasets[0].train.images_NCHW.shape
    rates = training_rates(
        study.network,
        channels=channels,
        size=size,
        classes=datasets[0].classes,
        batch_size=study.training.batch_size,
        device=claim_device(study.resources.training),
    )
    measured = " and ".join(f"{rate:,.0f} images/s in {precision}" for precision, rate in rates.items())
    chosen = faster(rates)
    told = f"Training in {chosen} (training.precision: auto): this machine trains on {measured}."
    return PrecisionChoice(chosen, rates, told)


def _earlier(study: Study, store: Store) -> Precision | None:
    """Look up what an earlier run of this study chose, for the same network, training and data."""
    rows = to_rows(store.read("studies", study.name), StudyRow)
    for row in sorted(rows, key=lambda row: row.started_at, reverse=True):
        try:
            kept = read_text(row.specification, f"the specification {row.specification_id}")
        except StudyError:
            continue
        precision = kept.training.precision
        if precision != "auto" and study.in_precision(precision).trains_as(kept):
            return precision
    return None
