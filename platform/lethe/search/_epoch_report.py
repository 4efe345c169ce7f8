"""A worker's report of a trial after each epoch: the one message between worker and search."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lethe.execution.failures import Failure
from lethe.results.provenance import Provenance
from unlearning.evaluation import Measures

Status = Literal["running", "done", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Reference:
    """What a trial is compared with.

    Attributes:
        oracle: measures of the paired oracles.
        original_gap: the gap of doing nothing, on the same seeds.
        threshold: mean gamma that the setting's density means; None where no score decides.
    """

    oracle: Measures
    original_gap: float
    threshold: float | None
    originals: tuple[str, ...]
    oracles: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A trial after an epoch.

    Attributes:
        status: ``running`` until the last epoch.
        gap: mean over the tuning seeds; infinite where there is none, so that a scheduler can rank it. Where epochs are
            not measured it looks at none (`MethodSearch.measured_after`).
        ua_gap, va_drop: mean over the tuning seeds of the difference of UA to the oracle's, and of VA below it.
        compute: images trained on so far, as a share of a retraining's; mean over the tuning seeds.
        kept: the epoch whose weights were measured, on each seed: another than ``epoch`` where the run rewound.
        measures: None where the run diverged or failed, and after an epoch that is not measured.
        seconds_load: of fetching what the trial starts from; with the first epoch's report.
        fused: how many seeds took their steps together; 1: each by itself.
        cause: why it failed; None unless it did.
    """

    epoch: int
    status: Status
    gap: float
    gap_per_seed: tuple[float, ...]
    measures: Measures | None
    loss: float | None
    seconds_load: float
    seconds_unlearn: float
    seconds_evaluate: float
    seconds_attack: float
    started_at: datetime
    ended_at: datetime
    reference: Reference | None
    provenance: Provenance
    kept: tuple[int, ...] = ()
    ua_gap: float | None = None
    va_drop: float | None = None
    compute: float | None = None
    fused: int = 1
    error: str | None = None
    cause: Failure | None = None
