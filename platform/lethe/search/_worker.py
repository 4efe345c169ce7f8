"""The warm worker of a search: runs one trial after another on its workbench, all tuning seeds in step."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean

from lethe.cluster import Cause, cause_of
from lethe.place import PlaceError
from lethe.provenance import Stopwatch, reset_peak_memory
from lethe.search._cell import Proposal
from lethe.search._report import Reference, Report, Status
from lethe.study import Question
from lethe.workbench import Bench, Workbench
from unlearning.data import SplitName
from unlearning.methods import Method
from unlearning.metrics import SEARCH_METRICS, average_gap
from unlearning.trial import EpochResult
from unlearning.yardstick import Measures

SPLITS: tuple[SplitName, ...] = ("train", "val")
"""A search never sees test."""


@dataclass(frozen=True)
class TrialTask:
    """A trial as a worker gets it."""

    question: Question
    method: Method
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, proposal: Proposal) -> "TrialTask":
        """Make the task of a proposal."""
        cell = proposal.cell
        return cls(cell.question, cell.method_at(proposal.setting), cell.study.seeds.tuning)


class TrialWorker:
    """Runs trials; what a trial raises is its result, unless the place fails it: that says nothing of a setting."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def run(self, task: TrialTask) -> Iterator[Report]:
        """Run a trial; report after each epoch, the last time with another status than ``running``.

        Raises:
            PlaceError: what the trial starts from cannot be had.
        """
        stopwatch, epoch = Stopwatch(), 0
        reset_peak_memory(self._workbench.device)
        try:
            for report in self._run(task, stopwatch):
                epoch = report.epoch
                yield report
        except PlaceError:
            raise
        except Exception as error:
            yield self._report(
                epoch + 1, "failed", stopwatch, error=f"{type(error).__name__}: {error}", cause=cause_of(error)
            )

    def _run(self, task: TrialTask, stopwatch: Stopwatch) -> Iterator[Report]:
        begun = time.perf_counter()
        benches = [self._workbench.bench(task.question, seed) for seed in task.seeds]
        reference = _reference(benches, task.method)
        seconds_load = time.perf_counter() - begun
        runs = [bench.unlearn(task.method, SPLITS, every_epoch=True) for bench in benches]
        for results in zip(*runs, strict=False):
            yield self._epoch(task, benches, results, reference, stopwatch, seconds_load)
            seconds_load = 0.0

    def _epoch(
        self,
        task: TrialTask,
        benches: Sequence[Bench],
        results: Sequence[EpochResult],
        reference: Reference,
        stopwatch: Stopwatch,
        seconds_load: float,
    ) -> Report:
        epoch = results[0].epoch
        losses = [result.loss for result in results if result.loss is not None and math.isfinite(result.loss)]
        costs = {
            "seconds_load": seconds_load,
            "seconds_unlearn": sum(result.seconds_unlearn for result in results),
            "seconds_evaluate": sum(result.seconds_evaluate for result in results),
        }
        loss = fmean(losses) if len(losses) == len(results) else None
        if any(result.diverged for result in results):
            return self._report(epoch, "diverged", stopwatch, loss=loss, reference=reference, costs=costs)
        measured = [bench.yardstick.measure(result.logits) for bench, result in zip(benches, results, strict=True)]
        measures = [one for one, _ in measured]
        return self._report(
            epoch,
            "done" if epoch == task.method.epochs else "running",
            stopwatch,
            loss=loss,
            reference=reference,
            costs={**costs, "seconds_attack": sum(seconds for _, seconds in measured)},
            measures=mean_of(measures),
            gaps=tuple(gap_of(one, bench.oracle) for one, bench in zip(measures, benches, strict=True)),
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
        error: str | None = None,
        cause: Cause | None = None,
    ) -> Report:
        seconds = {"seconds_load": 0.0, "seconds_unlearn": 0.0, "seconds_evaluate": 0.0, "seconds_attack": 0.0}
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
            provenance=self._workbench.provenance,
            error=error,
            cause=cause,
        )


def gap_of(measures: Measures, oracle: Measures) -> float:
    """Give the objective of the search: the average gap over UA, RA, VA and MIA(val)."""
    return average_gap(asdict(measures), asdict(oracle), SEARCH_METRICS)


def mean_of(measures: Sequence[Measures]) -> Measures:
    """Average each measure over the seeds."""
    return Measures(**{field.name: fmean(getattr(one, field.name) for one in measures) for field in fields(Measures)})


def _reference(benches: Sequence[Bench], method: Method) -> Reference:
    oracles = [bench.oracle for bench in benches]
    thresholds = [bench.threshold(method) for bench in benches]
    known = [threshold for threshold in thresholds if threshold is not None]
    return Reference(
        oracle=mean_of(oracles),
        original_gap=fmean(gap_of(bench.original, bench.oracle) for bench in benches),
        threshold=fmean(known) if known else None,
        originals=tuple(bench.question.original(bench.seed).fingerprint for bench in benches),
        oracles=tuple(bench.question.oracle(bench.seed).fingerprint for bench in benches),
    )
