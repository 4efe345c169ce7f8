"""How many trials share a device: measured on a real cluster, decided by rules, and found again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from forked_lethe import ForkedLethe

from lethe.artifacts import ArtifactStore
from lethe.artifacts.context import TrialContexts
from lethe.execution.failures import ClusterError
from lethe.execution.node_types import NodeType, node_types_of
from lethe.execution.resources import fitting, larger
from lethe.execution.stop import Stop
from lethe.execution.supervision import Watch
from lethe.pipeline.plan import make_plan
from lethe.results import CalibrationRow, Store, query
from lethe.results.provenance import Provenance
from lethe.search import Report
from lethe.search.calibration import LEAST_S, Calibrator, choose, name_of, repeated, resources_for
from lethe.storage.root import StorageRoot
from lethe.study import MethodSearch, Resources, read_study

Make = Callable[..., Any]
HERE = Provenance()


def node_type(cpus: float = 16, gpus: float = 2, accelerator: str = "H100") -> NodeType:
    return NodeType(accelerator, cpus, gpus, memory_bytes=1 << 36, count=1)


def measured(make: Make, rates: list[float], reasons: dict[int, str] | None = None) -> list[CalibrationRow]:
    return [
        make(
            CalibrationRow,
            workers=2**power,
            epochs_per_hour=rate,
            chosen=False,
            reason=(reasons or {}).get(2**power, ""),
        )
        for power, rate in enumerate(rates)
    ]


@pytest.mark.parametrize(
    ("rates", "reasons", "workers"),
    [
        ([100], {}, 1),
        ([100, 190, 350, 400], {}, 8),
        ([100, 190, 200], {}, 2),
        ([100, 105, 90], {}, 1),
        ([100, 190, 380], {4: "out of memory"}, 2),
        ([100, 80], {2: "it takes 70.0 GiB of 64.0"}, 1),
    ],
)
def test_more_trials_at_a_time_must_be_worth_it_and_fit(
    make: Make, rates: list[float], reasons: dict[int, str], workers: int
) -> None:
    rows = choose(measured(make, rates, reasons))
    assert [row.workers for row in rows if row.chosen] == [workers]
    assert all(row.reason for row in rows)
    chosen = next(row for row in rows if row.chosen)
    assert all(reason in chosen.reason for size, reason in reasons.items() if size > workers)


def test_a_trial_that_does_not_fit_a_device_of_its_own_is_told(make: Make) -> None:
    with pytest.raises(ClusterError, match="a device of its own cannot be measured: out of memory"):
        choose(measured(make, [100], {1: "out of memory"}))


@pytest.mark.parametrize("error", [None, "out of memory"])
def test_a_short_epoch_is_measured_for_as_long_as_others_need_to_begin(error: str | None) -> None:
    times_s, now = [], datetime(2026, 11, 26, tzinfo=UTC)

    def epoch() -> Report:
        time.sleep(0.02)
        times_s.append(time.perf_counter())
        seconds = dict.fromkeys(("seconds_load", "seconds_unlearn", "seconds_evaluate", "seconds_attack"), 0.0)
        times = {"started_at": now, "ended_at": now}
        return Report(
            1, "running", 0.5, (), None, 0.5, **seconds, **times, reference=None, provenance=HERE, error=error
        )

    before_s = time.perf_counter()
    report, mean_s = repeated(epoch)
    after_s = time.perf_counter()
    assert report.error == error
    assert 0.02 * len(times_s) <= mean_s * len(times_s) <= after_s - before_s
    assert times_s[-1] - times_s[0] <= mean_s * len(times_s)
    assert (len(times_s) == 1) == (error is not None)
    assert error or mean_s * len(times_s) >= LEAST_S


@pytest.mark.parametrize(
    ("workers", "on_gpu", "resources"),
    [
        ({node_type(): 4}, True, Resources(cpu=1, gpu=0.25)),
        ({node_type(cpus=4): 8}, True, Resources(cpu=0.25, gpu=0.125)),
        ({node_type(): 8, node_type(accelerator="T4"): 2}, True, Resources(cpu=1, gpu=0.5)),
        ({node_type(gpus=0): 4}, False, Resources(cpu=4)),
        ({node_type(gpus=0): 4, node_type(cpus=2, gpus=0): 2}, False, Resources(cpu=4)),
    ],
)
def test_one_amount_suits_all_machines(workers: dict[NodeType, int], on_gpu: bool, resources: Resources) -> None:
    assert resources_for(workers, on_gpu) == resources
    for each, most in workers.items():
        devices = each.gpus if on_gpu else 1
        assert fitting(each.resources, resources) <= most * devices


def test_nodes_are_sorted_by_what_they_hold() -> None:
    small = {"CPU": 4.0, "memory": 8e9, "node:10.0.0.1": 1.0}
    large = {"CPU": 16.0, "GPU": 2.0, "memory": 64e9, "accelerator_type:H100": 1.0}
    head = {"CPU": 0.0, "memory": 8e9}
    assert node_types_of([small, large, head, small | {"memory": 7e9}, {"memory": 1e9}]) == [
        NodeType("", 4.0, 0.0, int(7e9), 2),
        NodeType("H100", 16.0, 2.0, int(64e9), 1),
    ]


@pytest.mark.parametrize(
    ("resources", "more"),
    [
        (Resources(cpu=1, gpu=0.25), Resources(cpu=1, gpu=0.5)),
        (Resources(cpu=1, gpu=0.75), Resources(cpu=1, gpu=1)),
        (Resources(cpu=1, gpu=1), None),
        (Resources(cpu=1, gpu=0), Resources(cpu=2, gpu=0)),
        (Resources(cpu=6, gpu=0), Resources(cpu=8, gpu=0)),
        (Resources(cpu=8, gpu=0), None),
    ],
)
def test_more_resources_go_up_to_a_device_of_ones_own(resources: Resources, more: Resources | None) -> None:
    assert larger(resources, [{"CPU": 8.0, "GPU": 1.0}, {"CPU": 2.0}]) == more


def test_a_study_that_asks_for_auto_measures_once_and_tells(
    lethe: Callable[..., ForkedLethe],
    lethe_here: Callable[..., tuple[int, str]],
    write_study: Callable[..., Path],
    tmp_path: Path,
) -> None:
    study, results = write_study(resources={"trial": "auto"}), tmp_path / "results"
    process = lethe("run", study, "--results", results)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    assert "Measuring on" in output
    rows = query("from calibrations order by workers", results).to_pylist()
    assert [row["workers"] for row in rows][:1] == [1]
    assert [row["chosen"] for row in rows].count(True) == 1
    assert all(row["seconds_step"] > 0 and row["peak_memory_bytes"] > 0 and row["reason"] for row in rows)
    chosen = next(row for row in rows if row["chosen"])
    [trials] = query("select count(*) n, count(distinct worker) workers from trials", results).to_pylist()
    assert (trials["n"], trials["workers"] > 0) == (5, True)
    for changes in ([], ["search.trials=7"]):
        code, plan = lethe_here("plan", study, *changes, "--results", results)
        assert code == 0, plan
        assert f"auto: {chosen['machine']}: {chosen['reason']}" in " ".join(plan.split())
        assert "at a time" in plan


def test_what_was_measured_is_known_to_longer_searches_of_the_study_on_such_machines_alone(
    make: Make, write_study: Callable[..., Path], tmp_path: Path
) -> None:
    root, said = StorageRoot.at(tmp_path / "results"), list[str]()
    artifacts, store = ArtifactStore(root), Store(root)

    def searches_of(trials: int) -> Sequence[MethodSearch]:
        study = write_study(resources={"trial": "auto"}, search={"trials": trials, "window": 2})
        return make_plan(read_study(study), artifacts, store).method_searches

    def unused(resources: Resources) -> TrialContexts:
        raise AssertionError(f"nothing is to be measured, with {resources}")

    machine, smaller = node_type(gpus=0), node_type(cpus=4, gpus=0)
    rows = choose(measured(make, [100, 190, 350, 400]))
    store.append([replace(row, study="tiny", packing_id=name_of(searches_of(5), machine)) for row in rows])
    calibrator = Calibrator(searches_of(7), store, unused, Watch(Stop(), 60, said.append))
    assert calibrator.known([machine]) == Resources(cpu=2)
    assert said == [f"{machine.title}: {next(row.reason for row in rows if row.chosen)}."]
    assert calibrator.known([machine, smaller]) is None


def test_auto_on_gpus_where_there_are_none_is_told(
    lethe_here: Callable[..., tuple[int, str]], write_study: Callable[..., Path], tmp_path: Path
) -> None:
    study = write_study(resources={"trial": "auto", "training": {"gpu": 0.5}})
    code, output = lethe_here("plan", study, "--results", tmp_path / "results")
    assert code == 0, output
    assert "until then counted as one a GPU" in output
    assert "no machine holds what a training (1 CPU, 0.5 GPU) and a trial (auto) ask for" in " ".join(output.split())
