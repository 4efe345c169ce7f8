"""What the platform itself costs in a study of thousands of trials: a real search whose workers answer at once.

    python benchmarks/bench_scale.py
    python benchmarks/bench_scale.py --trials 1000 5000 --samplers random tpe --method searches 1 --out scale.json

Everything is what `lethe run` uses (Tune, our searcher, Optuna, journal, store, progress), over a new folder on the
disk; only the workers do no unlearning. The first table has milliseconds a trial, on average over the first window of
trials, the last one, and all: by the clock (ms), of the driver's own computing (cpu), and by the clock in each of our
parts; "tune" is the rest: Tune's controller, and its wait for workers on the same cores. The second table is about a
new process that comes back to the study when all trials are done: what each step of `lethe run` takes, the first time
after a kill, when no part is compacted, and again after that.
"""

import argparse
import functools
import itertools
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import torch
from ray import cloudpickle
from rich.console import Console

import lethe.pipeline.run
from lethe.artifacts import ArtifactStore, oracle, original
from lethe.execution.connect import connect
from lethe.execution.connection import OnRay
from lethe.execution.stop import Stop
from lethe.execution.supervision import Watch
from lethe.pipeline.plan import make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store, compact, query
from lethe.results.provenance import Provenance
from lethe.results.render import render
from lethe.search import Journal, StudySearch, TrialTask, TrialWorker
from lethe.search._epoch_report import Reference, Report
from lethe.search.tune import run_on_tune
from lethe.storage.root import StorageRoot
from lethe.study import Study, parse_study
from unlearning.evaluation import Measures

WINDOW = 500
LEADERS = "select method, forget, count(*) as trials, min(gap) as gap from trials group by all order by gap limit 10"
PARTS: dict[str, tuple[Any, str]] = {
    "ask": (optuna.Study, "ask"),
    "tell": (optuna.Study, "tell"),
    "journal": (optuna.Study, "add_trial"),
    "store": (Store, "append_trial"),
    "compact": (lethe.pipeline.run, "compact"),
    "deal": (StudySearch, "next_proposal"),
    "report": (StudySearch, "report"),
    "show": (StudyRun, "_show_search"),
}
"""Our parts of the driver's loop; each is charged without the parts that it calls."""


def study_of(trials: int, method_searches: int, sampler: str, epochs: int) -> Study:
    """Return a study of this many trials, shared out evenly to the method searches."""
    search = {"lr": {"low": 1e-3, "high": 1e-1, "log": True}, "density": {"low": 0.1, "high": 0.9}}
    return parse_study(
        {
            "name": "scale",
            "data": [{"source": "synthetic", "train": 1000, "val": 50, "test": 50, "size": 8, "classes": 2}],
            "forget": [
                {"kind": "random", "fraction": (method_search + 1) / (method_searches + 1)}
                for method_search in range(method_searches)
            ],
            "network": {"name": "cnn", "width": 4},
            "methods": [{"name": "salun", "epochs": epochs, "search": search}],
            "search": {"trials": trials // method_searches, "sampler": sampler},
            "seeds": {"tuning": [0], "reporting": [1, 2]},
        },
        "bench_scale.py",
    )


class Noop(TrialWorker):
    """A worker that tells at once what a trial of its setting might come to."""

    def __init__(self) -> None:
        """Need no trial context."""

    def run(self, task: TrialTask) -> Iterator[Report]:
        """Report each epoch."""
        seed, lr = task.seeds[0], task.method.lr  # type: ignore[attr-defined]
        measured = Measures(ua=0.2, ra=0.99, va=0.8, mia=0.3)
        names = (original(task.scenario, seed).fingerprint,), (oracle(task.scenario, seed).fingerprint,)
        for epoch in range(1, task.method.epochs + 1):
            now = datetime.now(UTC)
            gap = 0.02 + 0.1 * abs(math.log10(lr) + 2) / epoch
            yield Report(
                epoch=epoch,
                status="done" if epoch == task.method.epochs else "running",
                gap=gap,
                gap_per_seed=(gap,),
                measures=Measures(ua=0.2 + gap, ra=0.98, va=0.79, mia=0.3 - gap),
                loss=0.5,
                seconds_load=0.0,
                seconds_unlearn=0.0,
                seconds_evaluate=0.0,
                seconds_attack=0.0,
                started_at=now,
                ended_at=now,
                reference=Reference(measured, 0.15, 0.001, *names),
                provenance=Provenance.here(torch.device("cpu"), 1.0, 0.0),
            )


@dataclass
class Stopwatch:
    """Charges wall time to the parts of a program, each without those that it calls."""

    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _open: list[float] = field(default_factory=list)

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Charge a method's time to a part from now on."""
        setattr(owner, method, self.timed(getattr(owner, method), part))

    def timed(self, work: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Return work that is charged to a part."""

        @functools.wraps(work)
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            self._open.append(0.0)
            try:
                return work(*arguments, **options)
            finally:
                whole = time.perf_counter() - started
                self.spent[part] += whole - self._open.pop()
                if self._open:
                    self._open[-1] += whole

        return timed


def measure_search(study: Study, folder: str, window: int) -> list[dict[str, Any]]:
    """Run the whole search; give what its first trials, its last ones, and all of them cost on average."""
    root = StorageRoot.at(folder)
    method_searches = make_plan(study, ArtifactStore(root), Store(root)).method_searches
    search = StudySearch(method_searches, Store(root), Journal(root, study.name))
    for method_search in method_searches:
        search.open_search(method_search)
    run = StudyRun(study, root, Progress(Console(file=StringIO())))
    run._store = Store(root)
    resources, watch = study.resources.training, Watch(Stop(), study.resources.hung_after_s, print)
    stopwatch = Stopwatch()
    marks: list[tuple[float, float, defaultdict[str, float]]] = []
    keep = Store.append_trial

    def keep_and_mark(*arguments: Any) -> None:
        keep(*arguments)
        marks.append((time.perf_counter(), time.process_time(), stopwatch.spent.copy()))

    setattr(Store, "append_trial", keep_and_mark)  # noqa: B010
    for part, (owner, method) in PARTS.items():
        stopwatch.watch(owner, method, part)
    with connect() as connection:
        assert isinstance(connection, OnRay)
        resident_before = _memory("VmRSS")
        started = time.perf_counter()
        run_on_tune(study, search, Noop, connection, resources, watch, run._follow(search))
        ended = time.perf_counter()
    assert search.finished
    assert len(marks) == search.planned
    common = {
        "sampler": study.search.sampler,
        "method_searches": len(method_searches),
        "planned": search.planned,
        "fixed_s": ended - started - (marks[-1][0] - marks[0][0]),
        "driver_before_mb": resident_before,
        "driver_peak_mb": _memory("VmHWM"),
        "files": sum(path.is_file() for path in Path(folder).rglob("*")),
        "load": os.getloadavg()[0],
    }
    window = min(window, len(marks) // 2)
    spans = {"first": marks[: window + 1], "last": marks[-window - 1 :], "all": marks}
    return [common | {"trials": name} | _per_trial(span) for name, span in spans.items()]


def _per_trial(span: list[tuple[float, float, defaultdict[str, float]]]) -> dict[str, float]:
    """Return the milliseconds of a trial between two marks, whole and by part."""
    (began, cpu_before, before), (ended, cpu_after, after), count = span[0], span[-1], len(span) - 1
    whole = 1000 * (ended - began) / count
    parts = {part: 1000 * (after[part] - before[part]) / count for part in PARTS}
    return {"ms": whole, "cpu": 1000 * (cpu_after - cpu_before) / count, "tune": whole - sum(parts.values()), **parts}


def measure_return(study: Study, folder: str, which: str) -> dict[str, Any]:
    """Come back to a study whose trials are all done: what each step of `lethe run` takes, and a query."""
    root = StorageRoot.at(folder)
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        done = work()
        seconds[name] = time.perf_counter() - started
        return done

    step("compact_s", lambda: compact(Store(root), study.name))
    plan = step("plan_s", lambda: make_plan(study, ArtifactStore(root), Store(root)))
    journal = step("journal_s", lambda: Journal(root, study.name))
    search = step("rows_s", lambda: StudySearch(plan.method_searches, Store(root), journal))
    for method_search in plan.method_searches:
        search.open_search(method_search)
    step("replay_s", search.next_proposal)
    assert search.finished
    seconds["whole_s"] = sum(seconds.values())
    step("query_s", lambda: query(LEADERS, root))
    return {
        "sampler": study.search.sampler,
        "method_searches": len(plan.method_searches),
        "trials": len(plan.trials),
        "return": which,
        **seconds,
        "peak_mb": _memory("VmHWM"),
    }


def _memory(name: str) -> int:
    """Return this process's resident memory, now (VmRSS) or at its peak (VmHWM), in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) // 1024


def _alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do work in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as artifacts:
        return artifacts.submit(work, *arguments).result()


def _table(rows: list[dict[str, Any]]) -> str:
    return render(
        pa.Table.from_pylist([{name: _rounded(value) for name, value in row.items()} for row in rows]), "table"
    )


def _rounded(value: Any) -> Any:
    return round(value, 2 if value < 100 else 0) if isinstance(value, float) else value


cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers of Ray cannot import this script

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe"])
    parser.add_argument("--method_searches", type=int, default=1, help="method_searches that share the trials")
    parser.add_argument("--epochs", type=int, default=1, help="reports of a trial")
    parser.add_argument("--window", type=int, default=WINDOW, help="trials of the first and of the last window")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    figures: dict[str, list[dict[str, Any]]] = {"searches": [], "returns": []}
    for sampler, trials in itertools.product(options.samplers, options.trials):
        study = study_of(trials, options.method_searches, sampler, options.epochs)
        with tempfile.TemporaryDirectory(prefix="lethe-scale-") as folder:
            figures["searches"] += _alone(measure_search, study, folder, options.window)
            figures["returns"] += [_alone(measure_return, study, folder, which) for which in ("first", "second")]
        if options.out:
            options.out.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(*map(_table, figures.values()), sep="\n\n")
