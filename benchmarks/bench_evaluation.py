"""What measuring a trial costs: after each epoch, after the last alone, and there on a tenth of the retain set.

    python benchmarks/bench_evaluation.py
    python benchmarks/bench_evaluation.py --epochs 10 --methods gradient_ascent fine_tune

Trials of one training seed on the default generated images (2,000 train, 400 val), one torch thread, the three by
turns. Seconds are processor time of this process, medians, so other work on the machine hardly matters. The original
trains for one epoch, for its weights do not matter here. "trained" counts passes of an image forward and backward,
"evaluated" forward alone. A study measures after the last epoch, unless it asks for `search.curves` or decides on the
way.
"""

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
from timing import Row, parser, show

from unlearning.data import ImageData, SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import ForgetSet, RandomShare, select
from unlearning.engine import Engine
from unlearning.engine.allocator import keep_freed_memory
from unlearning.images import Images
from unlearning.methods import METHODS, ForgetTask, HeldOut, Method, UnlearningContext
from unlearning.models import CNN
from unlearning.saliency import Saliency, saliency_scores
from unlearning.training import Recipe, Training
from unlearning.trial import unlearn

USUAL = ("salun", "fine_tune", "random_label", "neggrad_plus", "scrub", "gradient_ascent")
BATCH = 64


def prepared(data: ImageData, forget: ForgetSet) -> tuple[UnlearningContext, dict[str, torch.Tensor]]:
    """Return a context with saliency scores, and the weights of the original."""
    train = data.train
    model = CNN(width=16).build(train.images_NCHW.shape[1], data.classes, seed=0)
    recipe = Recipe(epochs=1, batch_size=BATCH, lr=0.01, precision="float32")
    everything, augmentation = torch.arange(len(train)), AUGMENTATIONS["none"]
    Training(
        model, train.images_NCHW, train.labels_N, everything, recipe=recipe, augmentation=augmentation, seed=0
    ).advance()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    scores = saliency_scores(model, train.images_NCHW[forget.indices_F], train.labels_N[forget.indices_F])
    forget_N = torch.zeros(len(train), dtype=torch.bool).index_fill_(0, forget.indices_F, True)
    context = UnlearningContext(
        Engine(model, train.images_NCHW, augmentation=augmentation, precision="float32"),
        ForgetTask(train.labels_N, forget_N, data.classes),
        {"saliency": Saliency(scores)},
        held_out=HeldOut(data.val.images_NCHW, data.val.labels_N),
    )
    return context, weights


def trial(
    context: UnlearningContext,
    weights: Mapping[str, torch.Tensor],
    method: Method,
    images: Mapping[SplitName, Images],
    every_epoch: bool,
) -> tuple[float, int, int]:
    """Run a trial; return the processor seconds, the images trained on, and those evaluated."""
    began, trained, evaluated = time.process_time(), 0, 0
    for result in unlearn(context, weights, method, 0, images, every_epoch=every_epoch):
        trained += result.images_unlearn
        evaluated += sum(map(len, result.logits.values()))
    return time.process_time() - began, trained, evaluated


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--methods", nargs="+", default=list(USUAL))
    chosen = options.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    data = load(Synthetic())
    forget = select(RandomShare(fraction=0.1), data, seed=0)
    context, weights = prepared(data, forget)
    whole: dict[SplitName, Images] = {"train": data.train.images_NCHW, "val": data.val.images_NCHW}
    some_S = torch.cat([forget.indices_F, forget.retain_R[::10]])
    sampled = {**whole, "train": data.train.images_NCHW[some_S]}
    ways: dict[str, dict[str, Any]] = {
        "every": {"images": whole, "every_epoch": True},
        "last": {"images": whole, "every_epoch": False},
        "sampled": {"images": sampled, "every_epoch": False},
    }
    setting: dict[str, Any] = {"epochs": chosen.epochs, "batch_size": BATCH, "lr": 0.001}
    rows: list[Row] = []
    for name in chosen.methods:
        method = METHODS[name](**setting)
        rounds = [
            {way: trial(context, weights, method, **how) for way, how in ways.items()}
            for _ in range(1 + chosen.repeats)
        ][1:]
        seconds = {way: median(one[way][0] for one in rounds) for way in ways}
        rows.append(
            {
                "method": name,
                "trained": rounds[0]["every"][1],
                "evaluated": rounds[0]["every"][2],
                "last": rounds[0]["last"][2],
                "every s": seconds["every"],
                "last s": seconds["last"],
                "sampled s": seconds["sampled"],
                "every / last": seconds["every"] / seconds["last"],
                "last / sampled": seconds["last"] / seconds["sampled"],
            }
        )
    show(f"trials of {chosen.epochs} epochs, medians of {chosen.repeats}", rows, chosen.out)


if __name__ == "__main__":
    main()
