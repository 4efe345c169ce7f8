"""The rows of what a confirmed model predicts for the images that matter."""

from collections.abc import Iterator
from typing import Literal

from lethe.artifacts.context import TrialContext
from lethe.results import ConfirmationRow, PredictionRow
from unlearning.metrics import Evaluation


def prediction_rows(row: ConfirmationRow, trial_context: TrialContext, evaluation: Evaluation) -> list[PredictionRow]:
    """Build the rows of what a model predicts for each image of the forget set, and of the control half."""
    return [
        *_predictions_of("forget", row, trial_context, evaluation),
        *_predictions_of("control", row, trial_context, evaluation),
    ]


def _predictions_of(
    split: Literal["forget", "control"],
    row: ConfirmationRow,
    trial_context: TrialContext,
    evaluation: Evaluation,
) -> Iterator[PredictionRow]:
    data, task = trial_context.data, trial_context.data.labelling
    indices_M, predictions = evaluation.subsets[split], evaluation.of(split)
    labels_M, logits_MK = predictions.labels_N, predictions.logits_NK
    predicted_M, nothing = task.predicted(logits_MK), [None] * len(indices_M)
    columns = zip(
        indices_M.tolist(),
        data.duplicate_of_N[indices_M].tolist(),
        nothing if task.several else labels_M.tolist(),
        task.names(labels_M, data.class_names),
        nothing if task.several else predicted_M.tolist(),
        task.names(predicted_M, data.class_names),
        task.confidence(logits_MK, labels_M).tolist(),
        evaluation.called_nonmember("confidence", split).tolist(),
        strict=True,
    )
    for image, unit, label, label_name, predicted, predicted_name, confidence, nonmember in columns:
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
            label_name=label_name,
            predicted=predicted,
            predicted_name=predicted_name,
            confidence=confidence,
            called_nonmember=nonmember,
        )
