"""One SalUn trial of one training seed, phase by phase: cold in a process of its own, warm in one that has had some.

    python benchmarks/bench_trial.py
    python benchmarks/bench_trial.py --network resnet18:64 --like bloodmnist --epochs 10 --batch 256
    python benchmarks/bench_trial.py --network resnet18:64 --like bloodmnist --share 0.01 --epochs 1      # few images
    python benchmarks/bench_trial.py --results results      # with the rows of a trial, after `make demo`

Needs torch alone but for the last form. The original trains for one epoch, for its weights do not matter here. A warm
worker does what is under "trial" again for each setting; what is above it is done once, and by a process a setting each
time. "reset" puts the weights back, "mask" cuts the mask of a new density from the sorted scores, "optimiser at
rest" zeroes velocities and copies the mask to where it stays.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from network import network_named
from timing import Row, parser, show

from unlearning.data import SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import RandomShare, select
from unlearning.engine import Engine
from unlearning.engine.allocator import keep_freed_memory
from unlearning.evaluation import Evaluator
from unlearning.images import Images
from unlearning.methods import ForgetTask, SalUn, UnlearningContext
from unlearning.saliency import Saliency, saliency_scores
from unlearning.training import Recipe, Training
from unlearning.trial import unlearn

ONCE = ("start and imports", "data", "network and weights", "saliency and sort")
TRIAL = ("reset", "mask", "optimiser at rest", "epochs", "evaluation", "attack", "other metrics", "rows")


class Phases(dict[str, float]):
    """Seconds by phase."""

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Add the time of what runs inside to a phase."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        started = time.perf_counter()
        yield
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self[name] = self.get(name, 0.0) + time.perf_counter() - started


def trial(
    context: UnlearningContext, weights: dict[str, torch.Tensor], evaluator: Evaluator, method: SalUn, curves: bool
) -> Phases:
    """Run one trial as a search does: measured on train and val after the last epoch, or with curves after each."""
    phases = Phases()
    with phases.timing("reset"):
        context.model.load_state_dict(weights)
    with phases.timing("mask"):
        masks = method.masks(context, seed=0)
    with phases.timing("optimiser at rest"):
        context.engine.begin(momentum=method.momentum, weight_decay=method.weight_decay, masks=masks)
    val_NCHW = evaluator.data.val.images_NCHW.to(context.engine.device)
    images: dict[SplitName, Images] = {"train": context.engine.images_NCHW, "val": val_NCHW}
    for result in unlearn(context, weights, method, seed=0, images=images, every_epoch=curves):
        phases["epochs"] = phases.get("epochs", 0.0) + result.seconds_unlearn
        phases["evaluation"] = phases.get("evaluation", 0.0) + result.seconds_evaluate
        if not result.evaluated:
            continue
        started = time.perf_counter()
        _, attack = evaluator.measure(result.logits)
        phases["attack"] = phases.get("attack", 0.0) + attack
        phases["other metrics"] = phases.get("other metrics", 0.0) + time.perf_counter() - started - attack
    return phases


def worker(options: argparse.Namespace) -> list[Phases]:
    """Do what a process does from its start on, and then trials; the first dict has both."""
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    phases = Phases({ONCE[0]: time.time() - options.since})
    with phases.timing("data"):
        data = load(Synthetic(like=options.like, share=options.share))
        forget = select(RandomShare(fraction=options.forget), data, seed=0)
        images_NCHW = data.train.images_NCHW.to(device)
    with phases.timing("network and weights"):
        model = network_named(options.network).build(images_NCHW.shape[1], data.classes, seed=0).to(device)
        if not options.original.exists():
            recipe = Recipe(epochs=1, batch_size=options.batch, lr=0.01, precision=options.precision)
            everything = torch.arange(len(data.train))
            labels_N = data.train.labels_N
            Training(
                model, images_NCHW, labels_N, everything, recipe=recipe, augmentation=AUGMENTATIONS["none"], seed=0
            ).advance()
            torch.save(model.state_dict(), options.original)
        weights = torch.load(options.original, weights_only=True, map_location=device)
        model.load_state_dict(weights)
        engine = Engine(model, images_NCHW, augmentation=AUGMENTATIONS["none"], precision=options.precision)
    with phases.timing("saliency and sort"):
        forget_F = forget.indices_F.to(device)
        scores = saliency_scores(model, images_NCHW[forget_F], data.train.labels_N[forget.indices_F].to(device))
        saliency = Saliency({name: score.to(device) for name, score in scores.items()})
    forget_N = torch.zeros(len(data.train), dtype=torch.bool).index_fill_(0, forget.indices_F, True)
    context = UnlearningContext(engine, ForgetTask(data.train.labels_N, forget_N, data.classes), {"saliency": saliency})
    evaluator = Evaluator(data, forget, seed=0)
    settings = [0.1 + 0.8 * number / (1 + options.repeats) for number in range(1 + options.repeats)]
    methods = [SalUn(epochs=options.epochs, batch_size=options.batch, lr=0.005, density=one) for one in settings]
    first, *later = [trial(context, weights, evaluator, method, options.curves) for method in methods]
    return [Phases(phases | first), *later]


def seconds_of_rows(results: str, repeats: int) -> float:
    """Return the median seconds of appending a finished trial with its epochs to a store."""
    from lethe.results import EpochRow, Store, TrialRow, to_rows
    from lethe.storage.root import StorageRoot

    kept = Store(StorageRoot.at(results))
    row = to_rows(kept.read("trials"), TrialRow)[0]
    epochs = [one for one in to_rows(kept.read("epochs"), EpochRow) if one.trial_id == row.trial_id]
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1 + repeats):
            store = Store(StorageRoot.at(f"{folder}/{number}").prepared())
            started = time.perf_counter()
            store.append_trial(row, epochs)
            spent.append(time.perf_counter() - started)
    return median(spent[1:])


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--network", default="cnn:16")
    options.add_argument("--like", help="a MedMNIST set whose shape is taken; by default the quickstart's")
    options.add_argument("--share", type=float, help="share of its images; by default all")
    options.add_argument("--forget", type=float, default=0.1, help="share of the training images")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    options.add_argument("--threads", type=int, default=1, help="of torch, on a CPU")
    options.add_argument("--curves", action="store_true", help="measure after every epoch, as `search.curves` does")
    options.add_argument("--results", help="a results place with a trial, whose rows are written again")
    options.add_argument("--since", type=float, help=argparse.SUPPRESS)
    options.add_argument("--original", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.since is not None:
        print(json.dumps(worker(chosen)))
        return
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, *sys.argv[1:], "--original", f"{folder}/original.pt"]
        runs = []
        for _ in range(4):
            done = subprocess.run([*words, "--since", str(time.time())], capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    del runs[0]  # it trained the original
    cold = {phase: median(run[0][phase] for run in runs) for phase in runs[0][0]}
    warm = {phase: median(one[phase] for run in runs for one in run[1:]) for phase in runs[0][1]}
    if chosen.results:
        cold["rows"] = warm["rows"] = seconds_of_rows(chosen.results, chosen.repeats)
    total = {"cold": sum(cold.values()), "warm": sum(warm.values())}
    rows: list[Row] = [
        {
            "phase": phase,
            "cold ms": 1e3 * cold[phase],
            "warm ms": 1e3 * warm.get(phase, 0.0),
            "warm %": 100 * warm.get(phase, 0.0) / total["warm"],
        }
        for phase in (*ONCE, *TRIAL)
        if phase in cold
    ]
    rows.append({"phase": "all", "cold ms": 1e3 * total["cold"], "warm ms": 1e3 * total["warm"], "warm %": 100.0})
    shape = chosen.like or "quickstart"
    title = f"SalUn on {shape}, {chosen.network}, {chosen.epochs} epochs, {chosen.precision}, {chosen.threads} threads"
    show(title, rows, chosen.out)


if __name__ == "__main__":
    main()
