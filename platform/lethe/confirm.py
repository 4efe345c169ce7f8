"""Confirmation: the chosen settings, and the rows that every honest table needs, on seeds that no search has seen.

The rows are the original as it is (do nothing), the oracles, the chosen setting of each method, and for SalUn its
controls: density 1.0 and a random mask of the same density. The oracles of the tuning seeds are measured too: they
stand in no row, but the noise floor is taken over every oracle there is.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal, cast

from lethe.cluster import Steps
from lethe.fingerprint import fingerprint
from lethe.provenance import Stopwatch, reset_peak_memory
from lethe.results import ConfirmationRow, PredictionRow, TrialRow
from lethe.results.columns import question_columns, setting_columns, setting_of
from lethe.study import Cell, Question
from lethe.workbench import Bench, Workbench
from unlearning.data import SplitName
from unlearning.methods import Method, Nothing
from unlearning.metrics import REPORT_METRICS, average_gap, tug_of_war
from unlearning.trial import EpochResult, Logits
from unlearning.yardstick import ReportMeasures

Role = Literal["reporting", "tuning"]

ALL_SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Choice:
    """The setting that a search chose, and what finding it cost."""

    trial: TrialRow
    trials: int
    seconds: float


@dataclass(frozen=True)
class Confirmation:
    """One row of the table on one reporting seed, as a worker gets it.

    Attributes:
        method: None for the oracle's own row.
        cell: whose search chose the setting; None for rows that belong to no search.
        others: the other reporting seeds, for the oracle's row.
        role: what the seed is for.
    """

    study: str
    question: Question
    row: str
    seed: int
    method: Method | None
    cell: Cell | None
    choice: Choice | None
    others: tuple[int, ...]
    role: Role = "reporting"

    @property
    def confirmation_id(self) -> str:
        """The row's name: a setting on a seed, attacked with the same non-members, is confirmed once."""
        setting = fingerprint(
            {"row": self.row, "setting": self.setting["setting"], "nonmembers": self.question.nonmembers}
        )
        return f"{self.study}-{self.question.fingerprint[:8]}-{setting[:8]}-{self.seed}"

    @property
    def setting(self) -> dict[str, Any]:
        """The setting's columns; the oracle's row tells which seeds' oracles it was compared with."""
        if self.method is None:
            return {"method": "oracle", "setting": json.dumps({"compared_with": list(self.others)})}
        return setting_columns(self.method) | ({"method": "original"} if self.row == "original" else {})

    @property
    def tuning(self) -> dict[str, Any]:
        """What finding the setting cost, as columns."""
        if self.choice is None:
            return {"tuning_trials": None, "tuning_seconds": None, "trial_id": None}
        return {
            "tuning_trials": self.choice.trials,
            "tuning_seconds": self.choice.seconds,
            "trial_id": self.choice.trial.trial_id,
        }


def choose(cell: Cell, trials: Sequence[TrialRow]) -> Choice | None:
    """Choose the finished trial of the smallest gap, the earlier of two equal ones; None if no trial finished.

    Of a cell that an earlier specification searched longer, only as many trials as the study asks for are seen.
    """
    own = [row for row in trials if row.cell == cell.fingerprint and row.number < cell.trials]
    finished = [row for row in own if row.status == "done" and row.gap is not None]
    if not finished:
        return None
    best = min(finished, key=lambda row: (row.gap, row.number))
    return Choice(best, len(own), sum(row.seconds_total for row in own))


def confirmations(cells: Sequence[Cell], trials: Sequence[TrialRow]) -> list[Confirmation]:
    """List every row of the tables of these cells' questions, on every reporting seed."""
    wanted: dict[str, Confirmation] = {}
    for cell in cells:
        seeds, choice = cell.study.seeds, choose(cell, trials)
        rows = [
            confirmation
            for seed in seeds.reporting
            for confirmation in _rows_on(cell, seed, tuple(one for one in seeds.reporting if one != seed), choice)
        ]
        for confirmation in [*rows, *(_tuning_oracle(cell, seed) for seed in seeds.tuning)]:
            wanted.setdefault(confirmation.confirmation_id, confirmation)
    return list(wanted.values())


def _tuning_oracle(cell: Cell, seed: int) -> Confirmation:
    study = cell.study
    return Confirmation(
        study.name, cell.question, "oracle", seed, None, None, None, study.seeds.reporting, role="tuning"
    )


def _rows_on(cell: Cell, seed: int, others: tuple[int, ...], choice: Choice | None) -> list[Confirmation]:
    study, question = cell.study.name, cell.question
    rows = [
        Confirmation(study, question, "original", seed, Nothing(), None, None, ()),
        Confirmation(study, question, "oracle", seed, None, None, None, others),
    ]
    if choice is None:
        return rows
    method = cell.method_at(setting_of(choice.trial, cell))
    rows.append(Confirmation(study, question, method.name, seed, method, cell, choice, ()))
    for name, control in method.controls().items():
        rows.append(Confirmation(study, question, f"{method.name} {name}", seed, control, cell, choice, ()))
    return rows


def missing_from(wanted: Sequence[Confirmation], confirmed: Iterable[str]) -> list[Confirmation]:
    """Return the wanted rows that are not among those confirmed, which are named by their ids."""
    known = set(confirmed)
    return [confirmation for confirmation in wanted if confirmation.confirmation_id not in known]


Confirmed = tuple[ConfirmationRow, list[PredictionRow]]


class Confirmer:
    """The worker of the confirmation: unlearns once, measures everything, makes the row and its predictions."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def __call__(self, confirmation: Confirmation) -> Steps[Confirmed]:
        """Confirm one row on one seed; a step is an epoch."""
        stopwatch = Stopwatch()
        reset_peak_memory(self._workbench.device)
        method = confirmation.method
        bench = self._workbench.bench(confirmation.question, confirmation.seed)
        epochs: list[EpochResult] = []
        if method is not None:
            for result in bench.unlearn(method, ALL_SPLITS, every_epoch=False):
                epochs.append(result)
                yield
        logits = epochs[-1].logits if epochs else bench.oracle_logits
        measured = bench.yardstick.report(logits) if logits else None
        row = ConfirmationRow(
            **question_columns(confirmation.study, confirmation.question),
            **confirmation.setting,
            **confirmation.tuning,
            **asdict(self._workbench.provenance),
            **self._measured(confirmation, bench, measured),
            **(_costs(method, bench, epochs) if method else _costs_of_oracle(bench)),
            confirmation_id=confirmation.confirmation_id,
            cell=confirmation.cell.fingerprint if confirmation.cell else None,
            row=confirmation.row,
            threshold=bench.threshold(method) if method else None,
            status="done" if measured else "diverged",
            training_seed=confirmation.seed,
            unlearning_seed=confirmation.question.unlearning_seed(confirmation.seed) if method else None,
            mia_nonmembers=bench.data.nonmembers,
            original=confirmation.question.original(confirmation.seed).fingerprint,
            oracle=confirmation.question.oracle(confirmation.seed).fingerprint,
            seconds_total=stopwatch.seconds,
            started_at=stopwatch.started_at,
            ended_at=stopwatch.ended_at,
        )
        return row, _predictions(row, bench, logits) if measured else []

    def _measured(self, confirmation: Confirmation, bench: Bench, measured: ReportMeasures | None) -> dict[str, Any]:
        oracle = _columns(bench.oracle_report)
        compared = {f"oracle_{name}": oracle[name] for name in ("ua", "ra", "va", "ta", "mia")}
        if measured is None:
            return {**compared, "recall_per_class": []}
        own = _columns(measured)
        gaps = [average_gap(own, other, REPORT_METRICS) for other in self._compared_with(confirmation, bench)]
        return {
            **compared,
            **own,
            **{f"mia_{name}": score for name, score in measured.attacks.items() if name != "confidence"},
            "mia_balanced_accuracy": _or_null(measured.attack_accuracy),
            "mia_per_class": list(map(_or_null, measured.mia_per_class)),
            "ua_per_class": list(map(_or_null, measured.ua_per_class)),
            "auc": _or_null(measured.auc),
            "recall_per_class": list(measured.recall),
            "gap": fmean(gaps),
            "tow": tug_of_war(own, oracle),
        }

    def _compared_with(self, confirmation: Confirmation, bench: Bench) -> list[dict[str, float]]:
        """Give the paired oracle; for the oracle itself, those of the other seeds."""
        if confirmation.method is not None:
            return [_columns(bench.oracle_report)]
        others = [self._workbench.bench(confirmation.question, seed) for seed in confirmation.others]
        return [_columns(other.oracle_report) for other in others]


def _predictions(row: ConfirmationRow, bench: Bench, logits: Logits) -> list[PredictionRow]:
    """Tell what a model says of each image of the forget set."""
    forget_F, names = bench.question.forget.indices_F, bench.data.class_names
    labels_F = bench.data.train.labels_N[forget_F]
    probabilities_FK = logits["train"][forget_F].softmax(1)
    confidence_F = probabilities_FK.gather(1, labels_F[:, None]).squeeze(1)
    columns = [forget_F, labels_F, probabilities_FK.argmax(1), confidence_F]
    return [
        PredictionRow(
            study=row.study,
            question=row.question,
            confirmation_id=row.confirmation_id,
            row=row.row,
            training_seed=row.training_seed,
            image=image,
            label=label,
            label_name=names[label],
            predicted=predicted,
            predicted_name=names[predicted],
            confidence=confidence,
        )
        for image, label, predicted, confidence in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _columns(measures: ReportMeasures) -> dict[str, float]:
    return {
        name: cast(float, value) for name, value in asdict(measures).items() if name in ("ua", "ra", "va", "ta", "mia")
    }


def _costs(method: Method, bench: Bench, epochs: Sequence[EpochResult]) -> dict[str, Any]:
    saliency = bench.seconds_saliency(method)
    seconds = sum(epoch.seconds_unlearn for epoch in epochs) + saliency
    images = sum(epoch.images_unlearn for epoch in epochs) + bench.images_saliency(method)
    return {"seconds_saliency": saliency, **_compared_with_retraining(bench, seconds, images)}


def _costs_of_oracle(bench: Bench) -> dict[str, Any]:
    return _compared_with_retraining(bench, bench.seconds_retrain, bench.images_retrain)


def _compared_with_retraining(bench: Bench, seconds: float, images: int) -> dict[str, Any]:
    return {
        "seconds_unlearn": seconds,
        "seconds_retrain": bench.seconds_retrain,
        "retrain_share": seconds / bench.seconds_retrain,
        "images_unlearn": images,
        "images_retrain": bench.images_retrain,
        "compute_share": images / bench.images_retrain,
    }
