"""What each step towards speed on a CPU is worth: all of them, then all but one.

    python benchmarks/bench_ablation.py
    python benchmarks/bench_ablation.py --network resnet18:16 --precision bfloat16

Each variant computes in a process of its own, the variants by turns; the table gives medians over the processes. "first
epoch s" has what is done once in it, such as compiling. An evaluation is of all 2,000 images.
"""

import argparse
import json
import subprocess
import sys
from statistics import median

import torch
from network import network_named
from timing import Row, parser, seconds, show, timed
from torch import nn

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine.allocator import keep_freed_memory
from unlearning.models._stages import MeanOverPixels
from unlearning.training import Recipe, Training

VARIANTS = (
    "all of it",
    "freed memory given back",
    "torch's average pooling",
    "weights with channels first",
    "evaluation in batches of 1,024",
    "with torch.compile besides",
)
EPOCHS = 5


def with_torchs_pooling(model: nn.Sequential) -> nn.Sequential:
    """Put ``nn.AdaptiveAvgPool2d`` in the place of the mean over the pixels."""
    body = model[1]
    assert isinstance(body, nn.Sequential)
    for root, module in enumerate(body):
        if isinstance(module, MeanOverPixels):
            body[root] = nn.AdaptiveAvgPool2d(1)
    return model


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Time one variant."""
    torch.set_num_threads(options.threads)
    variant = VARIANTS[options.variant]
    if variant != "freed memory given back":
        keep_freed_memory()
    data = load(Synthetic())
    model = network_named(options.network).build(1, data.classes, seed=0)
    if variant == "torch's average pooling":
        model = with_torchs_pooling(model)
    if variant == "weights with channels first":
        model = with_torchs_pooling(model).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if variant == "with torch.compile besides":
        model[1].compile(dynamic=False)
    recipe = Recipe(epochs=1000, batch_size=64, precision=options.precision)
    images_NCHW, everything = data.train.images_NCHW, torch.arange(len(data.train))
    training = Training(
        model, images_NCHW, data.train.labels_N, everything, recipe=recipe, augmentation=AUGMENTATIONS["none"], seed=0
    )
    batch_size = 1024 if variant == "evaluation in batches of 1,024" else None
    first = timed(training.advance)
    epoch = seconds(training.advance, EPOCHS)
    evaluation = seconds(lambda: training.engine.predict(images_NCHW, batch_size), EPOCHS)
    return {"first": first, "training": len(data.train) / epoch, "evaluation": len(data.train) / evaluation}


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--network", default="cnn:16")
    options.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--variant", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.variant is not None:
        print(json.dumps(measure(chosen)))
        return
    found: list[list[dict[str, float]]] = [[] for _ in VARIANTS]
    for _ in range(chosen.repeats):
        for number in range(len(VARIANTS)):
            words = [sys.executable, __file__, *sys.argv[1:], "--variant", str(number)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            found[number].append(json.loads(done.stdout.splitlines()[-1]))
    whole = {key: median(one[key] for one in found[0]) for key in ("training", "evaluation")}
    rows: list[Row] = []
    for variant, runs in zip(VARIANTS, found, strict=True):
        row: dict[str, str | float] = {"": variant}
        for key in ("training", "evaluation"):
            rate = median(one[key] for one in runs)
            row |= {f"{key} images/s": rate, f"{key} %": 100 * rate / whole[key]}
        rows.append(row | {"first epoch s": median(one["first"] for one in runs)})
    title = f"{chosen.network} on the quickstart's images, batches of 64, {chosen.precision}, {chosen.threads} threads"
    show(title, rows, chosen.out)


if __name__ == "__main__":
    main()
