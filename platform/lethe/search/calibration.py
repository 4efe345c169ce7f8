"""Concurrency calibration: how many trials share a device, as measured on it.

A fraction of a GPU in Ray is book-keeping. So for ``resources.trial: auto`` the first device of each node type is taken
as a whole, and an epoch of a real trial is run on it alone, then two at a time, four, eight, for as long as that is
worth it and there is memory. The device is a GPU where trainings ask for one, else all cores of a machine.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from statistics import median
from typing import Any

import ray
import torch
from ray.exceptions import RayTaskError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from lethe.artifacts.context import TrialContexts
from lethe.execution.device import has_mps, memory_held
from lethe.execution.failures import ClusterError
from lethe.execution.node_types import NodeType
from lethe.execution.stop import InterruptedStudyError
from lethe.execution.supervision import Watch
from lethe.results import CalibrationRow, Store, to_rows
from lethe.results.provenance import Provenance
from lethe.search import Proposal, Report, TrialTask, TrialWorker
from lethe.storage.hashing import fingerprint
from lethe.study import MethodSearch, Resources, Study

SIZES = (1, 2, 4, 8)
"""The numbers of concurrent trials that are tried."""

GAIN = 1.1
"""More concurrent trials are worth it only if together they are this much faster."""

FULL = 0.9
"""Share of a device's memory that trials may take together."""

REPEATS = 2
"""How often the epoch is measured after the first time, which warms up; the faster one counts."""

LEAST_S = 0.5
"""How long an epoch is run again and again for one measurement: workers begin some milliseconds apart, and an epoch on
a GPU may take twenty."""

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Sample:
    """One epoch of a trial, beside others.

    Attributes:
        seconds: of the epoch, with putting the original's weights back.
        memory_bytes: what the worker holds: on a GPU all processes together hold it, on the host this one does.
        total_bytes: the memory of the GPU; None on the host.
    """

    seconds: float
    memory_bytes: int
    total_bytes: int | None
    failure: str | None
    out_of_memory: bool
    provenance: Provenance


class _Prober:
    """An actor that runs the first epoch of a trial as often as it is asked to."""

    def __init__(self, make_contexts: Callable[[], TrialContexts]) -> None:
        self._make_contexts = make_contexts

    @cached_property
    def _contexts(self) -> TrialContexts:
        return self._make_contexts()

    @cached_property
    def _worker(self) -> TrialWorker:
        return TrialWorker(self._contexts)

    def epoch(self, task: TrialTask, threads: int) -> Sample:
        """Run the first epoch of a trial with so many torch threads, for `LEAST_S` at least; the mean time counts."""
        worker = self._worker
        torch.set_num_threads(threads)
        report, seconds = repeated(lambda: next(worker.run(task)))
        held, total = memory_held(self._contexts.device)
        return Sample(seconds, held, total, report.error, report.cause == "memory", report.provenance)


class Calibrator:
    """Decides what resources a trial has.

    Args:
        method_searches: of the study.
        make_contexts: makes the trial contexts of a worker that has these resources.
    """

    def __init__(
        self,
        method_searches: Sequence[MethodSearch],
        store: Store,
        make_contexts: Callable[[Resources], TrialContexts],
        watch: Watch,
    ) -> None:
        self._method_searches = method_searches
        self._store = store
        self._make_contexts = make_contexts
        self._on_gpu = packs_gpus(method_searches[0].study)
        self._watch = watch

    def known(self, node_types: Sequence[NodeType]) -> Resources | None:
        """Return the resources that earlier runs of the study found; None where some node type was not measured.

        Raises:
            ClusterError: no machine has such a device.
        """
        rows = {node_type: known(self._store, self._method_searches, node_type) for node_type in self._fit(node_types)}
        return (
            self._resources({node_type: row for node_type, row in rows.items() if row}) if all(rows.values()) else None
        )

    def measure(self, proposal: Proposal, node_types: Sequence[NodeType]) -> Resources:
        """Measure with this trial on every node type that is not known yet; return the resources that suit all.

        Raises:
            ClusterError: a trial fails on a device of its own, or no machine has such a device.
            InterruptedStudyError: the study is to stop.
        """
        rows = {
            node_type: known(self._store, self._method_searches, node_type) or self._measure(proposal, node_type)
            for node_type in self._fit(node_types)
        }
        return self._resources(rows)

    def _fit(self, node_types: Sequence[NodeType]) -> list[NodeType]:
        fit = [node_type for node_type in node_types if node_type.gpus or not self._on_gpu]
        if not fit:
            raise ClusterError(
                "resources.trial: auto packs trials on GPUs, since resources.training asks for one, and there is none "
                f"now; the cluster has {', '.join(each.title for each in node_types)}. Set a fraction: {{gpu: 0.25}}"
            )
        return fit

    def _resources(self, rows: Mapping[NodeType, CalibrationRow]) -> Resources:
        for node_type, row in rows.items():
            self._watch.say(f"{node_type.title}: {row.reason}.")
        return resources_for({node_type: row.workers for node_type, row in rows.items()}, self._on_gpu)

    def _measure(self, proposal: Proposal, node_type: NodeType) -> CalibrationRow:
        self._watch.say(f"Measuring on {node_type.title} how many trials to run at a time (resources.trial: auto).")
        rows: list[CalibrationRow] = []
        with _whole_device(node_type, self._on_gpu, self._watch) as (group, cores):
            probers: list[Any] = []
            try:
                for workers in (size for size in SIZES if size <= max(1, cores)):
                    probers += [self._start_prober(group, cores) for _ in range(workers - len(probers))]
                    rows.append(self._together(probers, proposal, node_type, threads=max(1, int(cores // workers))))
                    if not _is_worth_more(rows):
                        break
                    if self._watch.stop.requested:
                        raise InterruptedStudyError(self._watch.stop.reason)
            finally:
                for prober in probers:
                    ray.kill(prober)
        rows = choose(rows)
        self._store.append(rows)
        return next(row for row in rows if row.chosen)

    def _together(
        self, probers: Sequence[Any], proposal: Proposal, node_type: NodeType, threads: int
    ) -> CalibrationRow:
        """Run an epoch on all probers at once, a few times."""
        started_at, begun = datetime.now(UTC), time.perf_counter()
        task = replace(TrialTask.of(proposal), measured_after=(1,))
        try:
            _, *runs = [ray.get([prober.epoch.remote(task, threads) for prober in probers]) for _ in range(1 + REPEATS)]
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from error
        samples: Sequence[Sample] = min(runs, key=_seconds)
        timing = {"started_at": started_at, "seconds_total": time.perf_counter() - begun}
        return _row(
            name_of(self._method_searches, node_type), proposal.method_search, node_type, samples, threads, timing
        )

    def _start_prober(self, group: PlacementGroup, cores: float) -> Any:
        part = 1 / SIZES[-1]
        resources = Resources(cpu=1.0, gpu=part if self._on_gpu else 0.0)
        strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
        actor = ray.remote(num_cpus=cores * part, num_gpus=resources.gpu, scheduling_strategy=strategy)(_Prober)
        make = self._make_contexts
        return actor.remote(lambda: make(resources))


def repeated(epoch: Callable[[], Report]) -> tuple[Report, float]:
    """Run an epoch again and again, for `LEAST_S` at least or until it fails.

    Returns:
        The last report, and the mean seconds of an epoch.
    """
    started, count = time.perf_counter(), 0
    while True:
        report, count = epoch(), count + 1
        spent = time.perf_counter() - started
        if spent >= LEAST_S or report.error is not None:
            return report, spent / count


def packs_gpus(study: Study) -> bool:
    """Return what ``auto`` shares between trials: GPUs (True), or the cores of a machine."""
    return study.resources.training.gpu > 0


def known(store: Store, method_searches: Sequence[MethodSearch], node_type: NodeType) -> CalibrationRow | None:
    """Look up what an earlier run of a study chose for machines of this node type."""
    name = name_of(method_searches, node_type)
    rows = to_rows(store.read("calibrations", method_searches[0].study.name), CalibrationRow)
    return next((row for row in rows if row.packing_id == name and row.chosen), None)


def choose(rows: Sequence[CalibrationRow]) -> list[CalibrationRow]:
    """Mark of the calibrations measured on one device the best one, and say why; ``reason`` holds what ruled one out.

    Args:
        rows: with growing numbers of workers; ``reason`` is empty where nothing speaks against that number of trials.

    Raises:
        ClusterError: not even one trial at a time can be run.
    """
    fit = [row for row in rows if not row.reason]
    if not fit:
        raise ClusterError(f"a trial with a device of its own cannot be measured: {rows[0].reason}")
    best = fit[0]
    for row in fit[1:]:
        if row.epochs_per_hour >= GAIN * best.epochs_per_hour:
            best = row
    sentences = [f"{best.workers} trial{'s'[: best.workers != 1]} at a time, {best.epochs_per_hour:.0f} epochs an hour"]
    if best is not fit[0]:
        sentences.append(f"one alone makes {fit[0].epochs_per_hour:.0f}")
    for row in rows:
        if row.workers > best.workers:
            sentences.append(f"{row.workers}: " + (row.reason or f"{row.epochs_per_hour:.0f}, not worth it"))
    return [
        replace(row, chosen=True, reason="; ".join(sentences))
        if row is best
        else replace(row, reason=row.reason or "slower, or hardly faster")
        for row in rows
    ]


def _is_worth_more(rows: Sequence[CalibrationRow]) -> bool:
    """Return whether more trials at a time than were measured last may be better."""
    if rows[-1].reason:
        return False
    return len(rows) == 1 or rows[-1].epochs_per_hour >= GAIN * rows[-2].epochs_per_hour


def resources_for(workers: dict[NodeType, int], on_gpu: bool) -> Resources:
    """Return the resources, the same for all trials, with which no device holds more of them than it should."""
    if not on_gpu:
        return Resources(cpu=max(node_type.cpus / count for node_type, count in workers.items()))
    count = min(workers.values())
    return Resources(cpu=min(1.0, *(node_type.cpus / node_type.gpus / count for node_type in workers)), gpu=1 / count)


@contextmanager
def _whole_device(node_type: NodeType, on_gpu: bool, watch: Watch) -> Iterator[tuple[PlacementGroup, float]]:
    """Hold a GPU with its part of the cores, or all cores of a machine; yield the placement group and the cores."""
    cores = node_type.cpus / node_type.gpus if on_gpu else node_type.cpus
    bundle = {"CPU": cores, "GPU": 1.0} if on_gpu else {"CPU": cores}
    if on_gpu and node_type.accelerator:
        bundle[f"accelerator_type:{node_type.accelerator}"] = 0.001
    group = placement_group([bundle], strategy="STRICT_PACK")
    try:
        begun, has_said_so = time.monotonic(), False
        while not group.wait(1):
            if watch.stop.requested:
                raise InterruptedStudyError(watch.stop.reason)
            if not has_said_so and time.monotonic() - begun >= PATIENCE_S:
                watch.say(f"Waiting for a whole device of {node_type.title} to measure on; others work there.")
                has_said_so = True
        yield group, cores
    finally:
        remove_placement_group(group)


def _row(
    name: str,
    method_search: MethodSearch,
    node_type: NodeType,
    samples: Sequence[Sample],
    threads: int,
    timing: dict[str, Any],
) -> CalibrationRow:
    seconds = _seconds(samples)
    total = samples[0].total_bytes
    together = max(sample.memory_bytes for sample in samples) * (1 if total else len(samples))
    images = len(method_search.scenario.partition(method_search.rounds[0][0]).everything)
    steps = math.ceil(images / getattr(method_search.choice.example, "batch_size", images))
    failed = next((sample for sample in samples if sample.failure), None)
    memory = total or node_type.memory_bytes
    against = ""
    if failed is not None:
        against = "out of memory" if failed.out_of_memory else str(failed.failure)
    elif together > FULL * memory:
        against = f"it takes {together / 2**30:.1f} GiB of {memory / 2**30:.1f}"
    parts = len(samples) * (node_type.gpus if total else 1)
    provenance = asdict(samples[0].provenance) | {
        "peak_memory_bytes": together // len(samples),
        "cpus": node_type.cpus / parts,
        "gpus": 1 / len(samples) if total else 0.0,
    }
    return CalibrationRow(
        **provenance,
        **timing,
        ended_at=datetime.now(UTC),
        study=method_search.study.name,
        packing_id=name,
        method_search=method_search.fingerprint,
        machine=node_type.title,
        workers=len(samples),
        threads=threads,
        seconds_epoch=seconds,
        seconds_step=seconds / (steps * len(method_search.rounds[0])),
        epochs_per_hour=3600 * len(samples) / seconds,
        memory_bytes=memory,
        mps=has_mps(),
        chosen=False,
        reason=against,
    )


def _seconds(samples: Sequence[Sample]) -> float:
    return median(sample.seconds for sample in samples)


def name_of(method_searches: Sequence[MethodSearch], node_type: NodeType) -> str:
    """Name a measurement by what it depends on."""
    return fingerprint(
        {
            "method_searches": [method_search.fingerprint for method_search in method_searches],
            "machine": [node_type.accelerator, node_type.cpus, node_type.gpus],
            "torch": torch.__version__,
        }
    )
