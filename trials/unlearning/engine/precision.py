"""Whether a network trains faster in bfloat16 on this device: that depends on the processor and on the network."""

from collections.abc import Callable
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import get_args

import torch

from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import DataPass, Engine, Precision
from unlearning.models import Network

GAIN = 1.2
"""How many times faster bfloat16 must be to be worth its lower precision."""

_IMAGES = 32
_ROUNDS = 3
_ROUND_S = 0.1


def training_rates(
    network: Network, *, channels: int, size: int, classes: int, batch_size: int, device: torch.device
) -> dict[Precision, float]:
    """Measure training steps in each precision, by turns.

    Args:
        size: side length of the images in pixels.
        batch_size: images a step; larger batches are cut to 32, which measure the same.

    Returns:
        Images a second: the median of three rounds.
    """
    count = min(batch_size, _IMAGES)
    steps = {one: _step(network, one, (count, channels, size, size), classes, device) for one in get_args(Precision)}
    for step in steps.values():
        step()
    times = max(1, min(10, round(_ROUND_S / _timed(steps["float32"], 1))))
    rounds = [{one: _timed(step, times) for one, step in steps.items()} for _ in range(_ROUNDS)]
    return {one: count * times / median(each[one] for each in rounds) for one in steps}


def faster(rates: dict[Precision, float]) -> Precision:
    """Choose bfloat16 where it is at least `GAIN` times as fast."""
    return "bfloat16" if rates["bfloat16"] >= GAIN * rates["float32"] else "float32"


def _step(
    network: Network, precision: Precision, shape: tuple[int, int, int, int], classes: int, device: torch.device
) -> Callable[[], float]:
    random = torch.Generator().manual_seed(0)
    images_NCHW = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random).to(device)
    data_pass = DataPass(torch.arange(shape[0]), torch.randint(classes, shape[:1], generator=random))
    model = network.build(shape[1], classes, seed=0).to(device)
    engine = Engine(model, images_NCHW, augmentation=AUGMENTATIONS["none"], precision=precision)
    engine.begin(momentum=0.9, weight_decay=0.0)
    return lambda: engine.train_epoch([data_pass], batch_size=shape[0], learning_rates=repeat(1e-3), random=random)


def _timed(step: Callable[[], float], times: int) -> float:
    started = perf_counter()
    for _ in range(times):
        step()
    return perf_counter() - started
