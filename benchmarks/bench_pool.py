"""Originals and oracles per hour: the pool of a study, filled by as many workers as there are cores.

    python benchmarks/bench_pool.py
    python benchmarks/bench_pool.py configs/laptop/pneumoniamnist.yaml seeds.reporting=[1,2]

By default the quickstart's six models, in each precision, by turns, each time into an empty place. Time is from the
first job dealt to the last model kept, so the start of the workers is in it and that of Ray is not; "training s" is the
median of what a model took alone.
"""

import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import get_args

from timing import Row, parser, show, timed

from lethe.artifacts import ArtifactStore, ArtifactWorker, TrainedModel, build_jobs
from lethe.execution.claims import RayClaims
from lethe.execution.connect import connect
from lethe.execution.ray_worker_pool import RayWorkerPool
from lethe.execution.shared_data import SharedData
from lethe.execution.stop import Stop
from lethe.execution.supervision import Watch
from lethe.pipeline.plan import Plan, make_plan
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import read_study
from unlearning.engine import Precision

QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"


def fill(plan: Plan, root: StorageRoot) -> list[float]:
    """Make all that is missing; give the seconds of each training."""
    resources = plan.study.resources.training
    make = partial(ArtifactWorker, ArtifactStore(root), SharedData(plan.datasets), RayClaims(), resources)
    jobs = build_jobs(plan.missing)
    worker_pool = RayWorkerPool(make, resources, lambda resources: len(jobs), Watch(Stop(), 3600, print))
    built = []
    for done in worker_pool.do(jobs):
        if done.result is None:
            raise SystemExit(f"a training failed: {done.error}")
        built += done.result
    return [one.manifest.facts.seconds_train for one in built if isinstance(one.recipe, TrainedModel)]


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("study", nargs="?", type=Path, default=QUICKSTART)
    options.add_argument("overrides", nargs="*")
    chosen = options.parse_args()
    study = read_study(chosen.study, chosen.overrides)
    precisions: tuple[Precision, ...] = get_args(Precision)
    spent: dict[Precision, list[float]] = {one: [] for one in precisions}
    alone: dict[Precision, list[float]] = {one: [] for one in precisions}
    with connect():
        for _ in range(chosen.repeats):
            for one in precisions:
                with tempfile.TemporaryDirectory() as folder:
                    root = StorageRoot.at(folder).prepared()
                    plan = make_plan(study.in_precision(one), ArtifactStore(root), Store(root))
                    spent[one].append(timed(lambda: alone[one].extend(fill(plan, root))))  # noqa: B023
    rows: list[Row] = [
        {
            "precision": one,
            "models": len(plan.missing),
            "seconds": median(spent[one]),
            "models/h": 3600 * len(plan.missing) / median(spent[one]),
            "training s": median(alone[one]),
        }
        for one in precisions
    ]
    show(f"the pool of {study.name}, median of {chosen.repeats}", rows, chosen.out)


if __name__ == "__main__":
    main()
