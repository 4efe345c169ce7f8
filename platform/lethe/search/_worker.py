"""The warm worker of a search: runs one trial after another on its trial context, all seeds of it in step."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lethe.artifacts import oracle, original
from lethe.artifacts.context import TrialContext, TrialContexts
from lethe.execution.failures import Failure, failure_of
from lethe.results.provenance import Stopwatch, reset_peak_memory
from lethe.search._epoch_report import Reference, Report, Status
from lethe.storage.root import StorageError
from lethe.study import Objective, Scenario
from unlearning.data import DataError, SplitName
from unlearning.errors import InputError
from unlearning.evaluation import Measures
from unlearning.in_step import misfit
from unlearning.methods import Method
from unlearning.metrics import SEARCH_METRICS, average_gap
from unlearning.trial import EpochResult

if TYPE_CHECKING:
    from lethe.search._optuna import Proposal

SPLITS: tuple[SplitName, ...] = ("train", "val")
"""A search never sees test."""


@dataclass(frozen=True)
class TrialTask:
    """A trial as a worker gets it.

    Attributes:
        measured_after: epochs after which it is measured, beside the last.
    """

    scenario: Scenario
    method: Method
    seeds: tuple[int, ...]
    rewind: bool = False
    objectives: tuple[Objective, ...] = ("gap",)
    measured_after: tuple[int, ...] = ()
    fused: bool = False

    @classmethod
    def of(cls, proposal: "Proposal") -> "TrialTask":
        """Make the task of a proposal."""
        method_search, search = proposal.method_search, proposal.method_search.study.search
        method = method_search.method_at(proposal.setting)
        return cls(
            method_search.scenario,
            method,
            proposal.seeds,
            method_search.choice.keep == "rewind",
            search.objectives,
            method_search.measured_after(method.epochs, proposal.round),
            search.fused,
        )

    @property
    def in_step(self) -> bool:
        """Whether the seeds take their steps together."""
        return self.fused and len(self.seeds) > 1 and misfit(self.method) is None


class TrialWorker:
    """Runs trials; what a trial raises is its result, unless files or images are not there, which no setting causes."""

    def __init__(self, contexts: TrialContexts) -> None:
        self._contexts = contexts

    def run(self, task: TrialTask) -> Iterator[Report]:
        """Run a trial; report after each epoch, measured or not, the last time with another status than ``running``.

        Raises:
            StorageError: what the trial starts from cannot be read.
            DataError: this machine does not see the images.
        """
        stopwatch, epoch = Stopwatch(), 0
        reset_peak_memory(self._contexts.device)
        try:
            for report in self._run(task, stopwatch):
                epoch = report.epoch
                yield report
        except (StorageError, DataError):
            raise
        except Exception as error:
            yield self._report(
                epoch + 1, "failed", stopwatch, error=f"{type(error).__name__}: {error}", cause=failure_of(error)
            )

    def _run(self, task: TrialTask, stopwatch: Stopwatch) -> Iterator[Report]:
        begun = time.perf_counter()
        trial_contexts = [self._contexts.trial_context(task.scenario, seed) for seed in task.seeds]
        if "compute" in task.objectives and any(one.images_retrain is None for one in trial_contexts):
            raise InputError(
                "search.objectives: compute is a share of the images that retraining took, and the training function "
                "counted none; wanted one that calls data.epoch or data.count"
            )
        reference = _reference(trial_contexts, task.method)
        seconds_load = time.perf_counter() - begun
        runs = self._runs(task, trial_contexts)
        images = [trial_context.images_required(task.method) for trial_context in trial_contexts]
        for results in zip(*runs, strict=False):
            images = [count + result.images_unlearn for count, result in zip(images, results, strict=True)]
            yield self._epoch(task, trial_contexts, results, reference, stopwatch, seconds_load, images)
            seconds_load = 0.0

    def _runs(self, task: TrialTask, trial_contexts: Sequence[TrialContext]) -> list[Iterator[EpochResult]]:
        together = self._contexts.in_step(trial_contexts) if task.in_step else None
        return [
            one.unlearn(
                task.method,
                SPLITS,
                also_after=task.measured_after,
                rewind=task.rewind,
                losses=partial(together.losses, slot) if together else None,
            )
            for slot, one in enumerate(trial_contexts)
        ]

    def _epoch(
        self,
        task: TrialTask,
        trial_contexts: Sequence[TrialContext],
        results: Sequence[EpochResult],
        reference: Reference,
        stopwatch: Stopwatch,
        seconds_load: float,
        images: Sequence[int],
    ) -> Report:
        epoch = results[0].epoch
        losses = [result.loss for result in results if result.loss is not None and math.isfinite(result.loss)]
        costs = {
            "seconds_load": seconds_load,
            "seconds_unlearn": sum(result.seconds_unlearn for result in results),
            "seconds_evaluate": sum(result.seconds_evaluate for result in results),
        }
        fused = {"fused": len(results) if task.in_step else 1}
        loss = fmean(losses) if len(losses) == len(results) else None
        if any(result.diverged for result in results):
            return self._report(epoch, "diverged", stopwatch, loss=loss, reference=reference, costs=costs, more=fused)
        if not all(result.evaluated for result in results):
            return self._report(epoch, "running", stopwatch, loss=loss, reference=reference, costs=costs, more=fused)
        measured = [
            trial_context.evaluator.measure(result.logits)
            for trial_context, result in zip(trial_contexts, results, strict=True)
        ]
        measures, oracles = [one for one, _ in measured], [one.oracle for one in trial_contexts]
        return self._report(
            epoch,
            "done" if epoch == task.method.epochs else "running",
            stopwatch,
            loss=loss,
            reference=reference,
            costs={**costs, "seconds_attack": sum(seconds for _, seconds in measured)},
            measures=mean_of(measures),
            gaps=tuple(gap_of(one, oracle) for one, oracle in zip(measures, oracles, strict=True)),
            more={
                **fused,
                "kept": tuple(result.kept for result in results),
                "ua_gap": fmean(abs(one.ua - oracle.ua) for one, oracle in zip(measures, oracles, strict=True)),
                "va_drop": fmean(max(0.0, oracle.va - one.va) for one, oracle in zip(measures, oracles, strict=True)),
                "compute": _share(images, [one.images_retrain for one in trial_contexts]),
            },
        )

    def _report(
        self,
        epoch: int,
        status: Status,
        stopwatch: Stopwatch,
        *,
        loss: float | None = None,
        reference: Reference | None = None,
        costs: dict[str, float] | None = None,
        measures: Measures | None = None,
        gaps: tuple[float, ...] = (),
        more: Mapping[str, Any] = MappingProxyType({}),
        error: str | None = None,
        cause: Failure | None = None,
    ) -> Report:
        seconds: dict[str, Any] = {
            "seconds_load": 0.0,
            "seconds_unlearn": 0.0,
            "seconds_evaluate": 0.0,
            "seconds_attack": 0.0,
        }
        return Report(
            epoch=epoch,
            status=status,
            gap=fmean(gaps) if gaps else math.inf,
            gap_per_seed=gaps,
            measures=measures,
            loss=loss,
            **(seconds | (costs or {})),
            started_at=stopwatch.started_at,
            ended_at=stopwatch.ended_at,
            reference=reference,
            provenance=self._contexts.provenance,
            error=error,
            cause=cause,
            **more,
        )


def gap_of(measures: Measures, oracle: Measures) -> float:
    """Return the objective of the search: the average gap over UA, RA, VA and MIA(val)."""
    return average_gap(asdict(measures), asdict(oracle), SEARCH_METRICS)


def mean_of(measures: Sequence[Measures]) -> Measures:
    """Average each measure over the seeds."""
    return Measures(**{field.name: fmean(getattr(one, field.name) for one in measures) for field in fields(Measures)})


def _share(images: Sequence[int], retrained: Sequence[int | None]) -> float | None:
    """Return the mean share of retraining's images; None where those of a retraining are unknown."""
    shares = [count / of for count, of in zip(images, retrained, strict=True) if of is not None]
    return fmean(shares) if len(shares) == len(images) else None


def _reference(trial_contexts: Sequence[TrialContext], method: Method) -> Reference:
    oracles = [trial_context.oracle for trial_context in trial_contexts]
    thresholds = [trial_context.threshold(method) for trial_context in trial_contexts]
    known = [threshold for threshold in thresholds if threshold is not None]
    return Reference(
        oracle=mean_of(oracles),
        original_gap=fmean(gap_of(trial_context.original, trial_context.oracle) for trial_context in trial_contexts),
        threshold=fmean(known) if known else None,
        originals=tuple(original(one.scenario, one.seed).fingerprint for one in trial_contexts),
        oracles=tuple(oracle(one.scenario, one.seed).fingerprint for one in trial_contexts),
    )
