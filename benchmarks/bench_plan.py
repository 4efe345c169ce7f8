"""How long a plan takes to see which of a study's artifacts exist, on a disk.

    python benchmarks/bench_plan.py
    python benchmarks/bench_plan.py --seeds 1000 --weights-mib 10

The study needs an original and an oracle on each of so many seeds: two artifacts a seed, put into the store with random
weights of a given size. "checked" reads manifests and sizes, as `lethe plan` and `lethe run` do; "verified" reads and
hashes every byte, as planning did before.
"""

import tempfile
from datetime import UTC, datetime

import torch
from timing import Row, parser, show, timed

from lethe.artifacts import ArtifactStore, Facts
from lethe.pipeline.plan import Plan, make_plan
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import Study, parse_study

NOW = datetime.now(UTC)
FACTS = Facts(
    seconds_train=1.0,
    seconds_total=1.0,
    images_trained=1,
    epochs=1,
    device="cpu",
    worker="bench:1",
    node="bench",
    lethe_version="0",
    python_version="3",
    torch_version="2",
    started_at=NOW,
    ended_at=NOW,
)


def study_of(seeds: int) -> Study:
    return parse_study(
        {
            "name": "plan",
            "data": [{"source": "synthetic", "train": 2000, "val": 400, "test": 400}],
            "forget": [{"kind": "random", "fraction": 0.1}],
            "network": {"name": "cnn", "width": 16},
            "training": {"precision": "float32"},
            "methods": [{"name": "fine_tune"}],
            "seeds": {"tuning": [0], "reporting": list(range(1, seeds))},
        },
        "study.yaml",
    )


def fill(artifacts: ArtifactStore, plan: Plan, weights_mib: float) -> None:
    """Save what the plan lacks."""
    weights = {"weight": torch.rand(int(weights_mib * 2**18))}
    files = {"weights": weights, "logits": {"train": torch.zeros(1)}}
    for needed in plan.missing:
        artifacts.save(needed.recipe, files, FACTS)


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--seeds", type=int, default=1000)
    options.add_argument("--weights-mib", type=float, default=0.25)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = StorageRoot.at(folder).prepared()
        artifacts, store, study = ArtifactStore(root), Store(root), study_of(chosen.seeds)
        plan = make_plan(study, artifacts, store)
        fill(artifacts, plan, chosen.weights_mib)
        keys = [needed.recipe.key for needed in plan.needed]
        ways = {
            "checked": lambda: [artifacts.check(key) for key in keys],
            "verified": lambda: [artifacts.verify(key) for key in keys],
            "the whole plan": lambda: make_plan(study, artifacts, store),
        }
        rows: list[Row] = [
            {"what": name, "artifacts": len(keys), "seconds": min(timed(way) for _ in range(chosen.repeats))}
            for name, way in ways.items()
        ]
    show(f"planning over {len(keys)} artifacts of {chosen.weights_mib:g} MiB", rows, chosen.out)


if __name__ == "__main__":
    main()
