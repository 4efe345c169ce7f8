"""The most memory that a worker holds on a set of a paper's full shape, stage by stage, in a process of its own.

    python benchmarks/bench_memory.py
    python benchmarks/bench_memory.py --like bloodmnist --network resnet18:16

Each stage adds to those before it. Training and unlearning are of a few steps, which need as much as an epoch; the
evaluation is of the whole training split. "host" is the most that the process has held so far (on a CPU with all that
torch keeps for the next step), "device" the most that torch allocated on a GPU in the stage.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from network import network_named
from timing import Row, parser, show

from unlearning.data import Split, SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import RandomShare, select
from unlearning.engine import DataPass, Engine
from unlearning.engine.allocator import keep_freed_memory
from unlearning.evaluation import Evaluator
from unlearning.metrics import METRICS, measures_of
from unlearning.saliency import Saliency, saliency_scores

STEPS = 3


def host_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--like", default="pathmnist")
    options.add_argument("--network", default="resnet18:64")
    options.add_argument("--batch", type=int, default=256)
    options.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
    chosen = options.parse_args()
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows: list[Row] = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        yield
        held = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None
        spent = time.perf_counter() - started
        rows.append({"stage": name, "host GiB": host_bytes() / 2**30, "device GiB": held, "seconds": spent})

    def train(masks: list[torch.Tensor] | None) -> None:
        engine.begin(momentum=0.9, weight_decay=5e-4, masks=masks)
        model.train()
        rates = iter([1e-3] * STEPS)
        engine.train_epoch([data_pass], batch_size=chosen.batch, learning_rates=rates, random=torch.Generator())

    with stage("data, generated"):
        data = load(Synthetic(like=chosen.like))
        forget = select(RandomShare(fraction=0.1), data, seed=0)
    with stage("images and network in place"):
        images_NCHW = data.train.images_NCHW.to(device)
        model = network_named(chosen.network).build(images_NCHW.shape[1], data.classes, seed=0).to(device)
        engine = Engine(model, images_NCHW, augmentation=AUGMENTATIONS["standard"], precision=chosen.precision)
    few = torch.arange(STEPS * chosen.batch)
    data_pass = DataPass(few, data.train.labels_N[few])
    with stage(f"training, {STEPS} steps of {chosen.batch}"):
        train(None)
    with stage("saliency of as many, and sort"):
        forget_F = forget.indices_F[: len(few)]
        labels_F = data.train.labels_N[forget_F].to(device)
        scores = saliency_scores(model, images_NCHW[forget_F.to(device)], labels_F)
        saliency = Saliency({name: score.to(device) for name, score in scores.items()})
    with stage(f"unlearning, {STEPS} steps"):
        train(saliency.masks(0.5))
    parts: dict[SplitName, Split] = {"train": data.train, "val": data.val, "test": data.test}
    with stage(f"evaluation of {sum(map(len, parts.values())):,} images"):
        logits = {name: engine.predict(part.images_NCHW.to(device)) for name, part in parts.items()}
    with stage("attack, every feature"):
        measures_of(Evaluator(data, forget, seed=0).evaluation(logits), METRICS)
    show(f"{chosen.like}'s shape, {chosen.network}, {chosen.precision}, {device}", rows, chosen.out)


if __name__ == "__main__":
    main()
