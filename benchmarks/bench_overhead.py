"""What the platform adds to a trial: wall time minus compute, on a cold worker and on a warm one.

    make demo
    python benchmarks/bench_overhead.py configs/quickstart.yaml results

Compute is unlearning, evaluation and attack. The first table runs the first method search's first trial again and
again on one
worker: cold is its first time, from asking Ray for the process to the result in hand, with imports and loading; warm
are the others. The second table reads what stands in the results about the trials that Ray Tune dealt out: the overhead
inside a trial, and the wait of a worker between two of them.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from statistics import median

from lethe.artifacts import ArtifactStore
from lethe.artifacts.context import TrialContexts
from lethe.execution.connect import connect
from lethe.execution.ray_worker_pool import RayWorkerPool
from lethe.execution.shared_data import SharedData
from lethe.execution.stop import Stop
from lethe.execution.supervision import Watch
from lethe.execution.worker_pool import Steps
from lethe.pipeline.plan import make_plan
from lethe.results import Store, query
from lethe.results.render import render
from lethe.search import TrialTask, TrialWorker
from lethe.storage.root import StorageRoot
from lethe.study import Resources, read_study

SQL = """
with timed as (
    select *, seconds_total - seconds_unlearn - seconds_evaluate - seconds_attack as overhead,
           lag(ended_at) over (partition by worker order by started_at) as free_at,
           row_number() over (partition by worker order by started_at) = 1 as first
    from trials where status = 'done' and copied_from is null)
select study, case when first then 'first' else 'later' end as of_a_worker, count(*) as trials,
       median(seconds_total - overhead) as compute_s, median(overhead) as overhead_s,
       median(epoch(started_at) - epoch(free_at)) as wait_between_trials_s
from timed group by all order by all
"""


class ComputeSeconds:
    """A worker that runs a trial and tells how long its compute took."""

    def __init__(self, artifacts: ArtifactStore, shared_data: SharedData, resources: Resources) -> None:
        self._worker = TrialWorker(TrialContexts(artifacts, shared_data, resources))

    def __call__(self, task: TrialTask) -> Steps[float]:
        """Run the trial; a step is an epoch."""
        reports = []
        for report in self._worker.run(task):
            reports.append(report)
            yield
        return sum(one.seconds_unlearn + one.seconds_evaluate + one.seconds_attack for one in reports)


def overheads(study_file: Path, results: str, repeats: int) -> list[float]:
    """Return the overhead of each run of one trial on one worker."""
    study, root = read_study(study_file), StorageRoot.at(results)
    plan = make_plan(study, ArtifactStore(root), Store(root))
    method_search, first = (
        plan.method_searches[0],
        min(plan.trials, key=lambda row: (row.method_search != plan.method_searches[0].fingerprint, row.number)),
    )
    options = json.loads(first.setting)
    method = method_search.method_at({name: options[name] for name in method_search.choice.search})
    task = TrialTask(method_search.scenario, method, study.seeds.tuning)
    found = []
    with connect():
        if isinstance(resources := study.resources.trial, str):
            raise SystemExit(f"resources.trial: wanted the resources of a worker, got {resources}")
        make, watch = (
            partial(ComputeSeconds, ArtifactStore(root), SharedData(plan.datasets), resources),
            Watch(Stop(), 3600, print),
        )
        worker_pool = RayWorkerPool(make, resources, lambda resources: 1, watch)
        started = time.perf_counter()
        for done in worker_pool.do([task] * repeats):
            if done.result is None:
                raise SystemExit(f"the trial failed: {done.error}")
            ended = time.perf_counter()
            found.append(ended - started - done.result)
            started = ended
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("results")
    parser.add_argument("--repeats", type=int, default=6)
    arguments = parser.parse_args()
    cold, *warm = overheads(arguments.study, arguments.results, arguments.repeats)
    print(f"overhead of a trial: cold {cold:.2f} s, warm {median(warm):.3f} s (median of {len(warm)})\n")
    print(render(query(SQL, arguments.results), "table"))
