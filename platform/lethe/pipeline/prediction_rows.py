"""The rows of what a confirmed model predicts for the images that matter."""

from collections.abc import Iterator
from typing import Literal

from torch import Tensor

from lethe.artifacts.context import TrialContext
from lethe.results import ConfirmationRow, PredictionRow
from unlearning.trial import Logits


def prediction_rows(row: ConfirmationRow, trial_context: TrialContext, logits: Logits) -> list[PredictionRow]:
    """Build the rows of what a model predicts for each image of the forget set, and of the control half."""
    forget = trial_context.scenario.partition(row.training_seed).forget
    return [
        *_predictions_of("forget", forget.indices_F, row, trial_context, logits),
        *_predictions_of("control", forget.control_C, row, trial_context, logits),
    ]


def _predictions_of(
    split: Literal["forget", "control"],
    indices_M: Tensor,
    row: ConfirmationRow,
    trial_context: TrialContext,
    logits: Logits,
) -> Iterator[PredictionRow]:
    data = trial_context.data
    names, labels_M = data.class_names, data.train.labels_N[indices_M]
    probabilities_MK = logits["train"][indices_M].softmax(1)
    confidence_M = probabilities_MK.gather(1, labels_M[:, None]).squeeze(1)
    columns = [indices_M, data.duplicate_of_N[indices_M], labels_M, probabilities_MK.argmax(1), confidence_M]
    for image, unit, label, predicted, confidence in zip(*(column.tolist() for column in columns), strict=True):
        yield PredictionRow(
            study=row.study,
            scenario=row.scenario,
            confirmation_id=row.confirmation_id,
            row=row.row,
            training_seed=row.training_seed,
            split=split,
            image=image,
            unit=unit,
            label=label,
            label_name=names[label],
            predicted=predicted,
            predicted_name=names[predicted],
            confidence=confidence,
        )
