"""Trials per hour of one search: by Lethe, by a plain Ray Tune function trainable, and by one fresh process a setting.

    python benchmarks/bench_search.py
    python benchmarks/bench_search.py --trials 12 --repeats 1 --precision bfloat16
    python benchmarks/bench_search.py --curves      # Lethe measures after every epoch, too
    python benchmarks/bench_search.py --gpu 0.125 --precision bfloat16      # 8 at a time on a GPU

The study is the quickstart's with SalUn alone. Originals, oracles and saliency scores exist before anything is timed;
for the plain ones the same original, the same images and the oracle's measurements lie in files. All three try the
settings that Lethe proposed, as many at a time as there are cores or shares of the GPU, one torch thread each, for the
same epochs. The plain ones measure after every epoch, as the usual loop does, Lethe after the last. Time is from the
start of the command to its last trial. The plain loop is `plain_salun.py`; its random numbers are others than Lethe's,
so the gaps agree as those of two seeds do, and the table tells how well.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from timing import Row, parser, show

from lethe.artifacts import ArtifactStore, original
from lethe.pipeline.plan import make_plan
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import read_study

BENCHMARKS = Path(__file__).parent
QUICKSTART = BENCHMARKS.parent / "configs" / "quickstart.yaml"
CORES = os.cpu_count() or 1
EPOCHS, BATCH = 3, 64

Found = tuple[float, dict[int, float]]
"""Seconds, and the gap of each setting by its number."""


def run(*command: object) -> str:
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:5])}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def overrides(trials: int, precision: str, gpu: float, *, curves: bool = False) -> list[str]:
    """Make the quickstart a search of SalUn alone, of the size that README's figures are of."""
    space = {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}, "density": {"low": 0.1, "high": 0.9}}
    method = {"name": "salun", "epochs": EPOCHS, "batch_size": BATCH, "search": space}
    shares = [f"resources.{work}.gpu={gpu}" for work in ("trial", "training")]
    size = ["data=[{source: synthetic}]", "network.width=16", "seeds.tuning=[0]"]
    changes = [f"methods={json.dumps([method])}", f"search.trials={trials}", f"training.precision={precision}"]
    changes += ["search.curves=true"] * curves
    return [*size, *changes, *shares]


def at_a_time(gpu: float) -> int:
    return min(CORES, int(1 / gpu)) if gpu else CORES


def lethe(trials: int, precision: str, gpu: float, results: Path, *, curves: bool = False) -> None:
    changes = overrides(trials, precision, gpu, curves=curves)
    run(sys.executable, "-m", "lethe", "run", QUICKSTART, *changes, "--results", results)


def prepare(folder: Path, trials: int, precision: str, gpu: float) -> Path:
    """Run the study once, so that its models exist, and write the plain loop's files."""
    results = folder / "first"
    lethe(trials, precision, gpu, results)
    write_files(folder, results, QUICKSTART, overrides(trials, precision, gpu))
    return results


def write_files(folder: Path, results: Path, file: Path, changes: list[str]) -> None:
    """Write what the plain loop reads: images, the network, and the original and oracle of the first tuning seed."""
    study, root = read_study(file, changes), StorageRoot.at(results)
    plan = make_plan(study, ArtifactStore(root), Store(root))
    scenario, [data] = plan.method_searches[0].scenario, plan.datasets
    trained = ArtifactStore(root).load(original(scenario, study.seeds.tuning[0]).key)
    assert trained is not None
    torch.save(trained.files["weights"], folder / "original.pt")
    np.savez(
        folder / "data.npz",
        train_images=data.train.images_NCHW.numpy(),
        train_labels=data.train.labels_N.numpy(),
        val_images=data.val.images_NCHW.numpy(),
        val_labels=data.val.labels_N.numpy(),
        forget=scenario.partition(0).forget.indices_F.numpy(),
    )
    model = {"network": scenario.network.model_dump(), "channels": scenario.channels, "classes": scenario.classes}
    (folder / "model.json").write_text(json.dumps(model))
    sql = "select ua, ra, va, mia from confirmations where row = 'oracle' and training_seed = "
    [oracle] = query(f"{sql} {study.seeds.tuning[0]}", root).to_pylist()
    (folder / "oracle.json").write_text(json.dumps(oracle))


def by_lethe(folder: Path, first: Path, trials: int, precision: str, gpu: float, *, curves: bool) -> Found:
    """Search in a place that has the models and no trial."""
    results = Path(tempfile.mkdtemp(dir=folder))
    (results / "artifacts").symlink_to(first / "artifacts")
    began = datetime.now(UTC)
    lethe(trials, precision, gpu, results, curves=curves)
    rows = query("select number, gap, ended_at from trials", results).to_pylist()
    return (max(row["ended_at"] for row in rows) - began).total_seconds(), {row["number"]: row["gap"] for row in rows}


def by_tune(folder: Path, settings: list[dict[str, Any]], precision: str, gpu: float) -> Found:
    """Try the settings by a function trainable."""
    common = {"folder": str(folder), "epochs": EPOCHS, "batch_size": BATCH, "precision": precision}
    common["device"] = "cuda" if gpu else "cpu"
    arguments = {
        "settings": [setting | common for setting in settings],
        "cores": CORES,
        "gpu": gpu,
        "storage": tempfile.mkdtemp(dir=folder),
    }
    began = time.perf_counter()
    said = run(sys.executable, BENCHMARKS / "plain_tune.py", json.dumps(arguments))
    spent = time.perf_counter() - began
    return spent, {int(number): gap for number, gap in json.loads(said.rpartition("FOUND ")[2]).items()}


def by_processes(folder: Path, settings: list[dict[str, Any]], precision: str, gpu: float) -> Found:
    """Try each setting by a process of its own, as many at a time as the others."""

    def one(setting: dict[str, Any]) -> tuple[int, float]:
        options = {"lr": setting["lr"], "density": setting["density"], "epochs": EPOCHS, "batch-size": BATCH}
        options |= {"precision": precision, "device": "cuda" if gpu else "cpu"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        said = run(sys.executable, BENCHMARKS / "plain_salun.py", folder, *words)
        return setting["number"], json.loads(said)[-1]

    began = time.perf_counter()
    with ThreadPoolExecutor(at_a_time(gpu)) as artifacts:
        found = dict(artifacts.map(one, settings))
    return time.perf_counter() - began, found


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--trials", type=int, default=50)
    options.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    options.add_argument("--gpu", type=float, default=0.0, help="share of a GPU that a trial has; by default none")
    options.add_argument("--curves", action="store_true", help="Lethe measures after every epoch, as the others do")
    chosen = options.parse_args()
    trials, precision, gpu = chosen.trials, chosen.precision, chosen.gpu
    with tempfile.TemporaryDirectory(prefix="lethe-bench-search-") as name:
        folder = Path(name)
        first = prepare(folder, trials, precision, gpu)
        settings = query("select number, lr, density from trials order by number", first).to_pylist()
        contestants = {
            "Lethe": partial(by_lethe, folder, first, trials, precision, gpu, curves=chosen.curves),
            "plain Ray Tune trainable": partial(by_tune, folder, settings, precision, gpu),
            "a process a setting": partial(by_processes, folder, settings, precision, gpu),
        }
        rounds = [{name: search() for name, search in contestants.items()} for _ in range(chosen.repeats)]
    seconds = {name: median(one[name][0] for one in rounds) for name in contestants}
    gaps = {name: rounds[-1][name][1] for name in contestants}
    rows: list[Row] = []
    for name, spent in seconds.items():
        pairs = np.array([(gaps["Lethe"][number], gap) for number, gap in sorted(gaps[name].items())])
        rows.append(
            {
                "": name,
                "seconds": spent,
                "trials/h": 3600 * trials / spent,
                "ratio": spent / seconds["Lethe"],
                "best gap": float(pairs[:, 1].min()),
                "|difference|": fmean(abs(pairs[:, 0] - pairs[:, 1])),
                "rank correlation": float(np.asarray(np.corrcoef(pairs.argsort(0).argsort(0).T))[0, 1]),
            }
        )
    show(
        f"{trials} trials of SalUn, {precision}, {at_a_time(gpu)} at a time, median of {chosen.repeats}",
        rows,
        chosen.out,
    )


if __name__ == "__main__":
    main()
