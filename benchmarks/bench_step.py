"""Images per second of training, unlearning and evaluation, and how near that is to what the hardware can give.

    python benchmarks/bench_step.py
    python benchmarks/bench_step.py --networks resnet18:64 --batches 256 1024 --like bloodmnist

The roofline is counted kernel by kernel: each takes at least its floating-point operations over the peak of a large
matrix product, and at least the bytes of its inputs and outputs over the speed of a large copy, both measured in the
same run; the step cannot be faster than the sum, unless kernels are fused or their data stays in a cache. "compute" is
the share of the peak alone. An evaluation is of as many images as the steps. On a GPU 50 steps are timed together, as
one epoch, so that what an epoch costs once is spread as it is in a study.
"""

from collections.abc import Callable
from itertools import repeat
from typing import Any, get_args

import torch
from network import network_named
from timing import Row, by_turns, parser, seconds, show
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from unlearning.data import ImageData, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import DataPass, Engine, Precision
from unlearning.engine.allocator import keep_freed_memory

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
STEPS = {"cpu": 1, "cuda": 50}


class Kernels(TorchDispatchMode):
    """Counts each kernel's floating-point operations, and the bytes of its inputs and outputs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted: list[tuple[float, float]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not func.is_view:
            count = flop_registry.get(func._overloadpacket)
            flops = count(*args, **kwargs, out_val=out) if count else 0
            tensors = [one for one in tree_leaves((args, kwargs, out)) if isinstance(one, Tensor)]
            self.counted.append((flops, sum(one.numel() * one.element_size() for one in tensors)))
        return out


def ceilings(device: torch.device, repeats: int) -> tuple[dict[Precision, float], float]:
    """Measure the peak of a matrix product in each precision, and the bytes that a copy reads and writes, a second."""
    side, count = (8192, 1 << 28) if device.type == "cuda" else (1024, 1 << 25)
    peaks: dict[Precision, float] = {}
    for precision in PRECISIONS:
        matrix = torch.randn(side, side, device=device).to(getattr(torch, precision))
        peaks[precision] = 2 * side**3 / seconds(lambda: matrix @ matrix, repeats)  # noqa: B023
    source = torch.zeros(count, device=device)
    target = torch.empty_like(source)
    return peaks, 8 * count / seconds(lambda: target.copy_(source), repeats)


def works_of(
    network: str, precision: Precision, data: ImageData, device: torch.device, batch_size: int
) -> dict[str, Callable[[], object]]:
    """Make what is timed, the steps of each kind, for a network named as ``resnet18:64``."""
    steps = STEPS[device.type]
    images_NCHW = data.train.images_NCHW[:batch_size].to(device)
    model = network_named(network).build(images_NCHW.shape[1], data.classes, seed=0).to(device)
    engine = Engine(model, images_NCHW, augmentation=AUGMENTATIONS["standard"], precision=precision)
    labels_M = data.train.labels_N[:batch_size].repeat(steps)
    data_pass, random = DataPass(torch.arange(batch_size).repeat(steps), labels_M), torch.Generator()
    evaluated_NCHW = images_NCHW.repeat(steps, 1, 1, 1)
    masks = [torch.rand_like(parameter) < 0.5 for parameter in model.parameters()]

    def step(masks: list[Tensor] | None) -> None:
        engine.begin(momentum=0.9, weight_decay=5e-4, masks=masks)
        model.train()
        engine.train_epoch([data_pass], batch_size=batch_size, learning_rates=repeat(1e-4), random=random)

    return {
        "training": lambda: step(None),
        "unlearning": lambda: step(masks),
        "evaluation": lambda: engine.predict(evaluated_NCHW),
    }


def main() -> None:
    options = parser(__doc__, repeats=7)
    options.add_argument("--networks", nargs="+", default=["cnn:16", "resnet18:16"])
    options.add_argument("--batches", nargs="+", type=int, default=[64, 256])
    options.add_argument("--like", help="a MedMNIST set whose image shape is taken; by default the quickstart's")
    options.add_argument("--threads", type=int, default=1, help="of torch, on a CPU")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = load(Synthetic(like=chosen.like, share=0.2) if chosen.like else Synthetic(train=max(chosen.batches)))
    peaks, bandwidth = ceilings(device, chosen.repeats)
    rows: list[Row] = []
    for network in chosen.networks:
        for batch_size in chosen.batches:
            works, counted = {}, {}
            for one in PRECISIONS:
                for kind, work in works_of(network, one, data, device, batch_size).items():
                    works[one, kind] = work
                for kind, work in works_of(network, one, data, torch.device("cpu"), batch_size).items():
                    with Kernels() as kernels:
                        work()
                    counted[one, kind] = kernels.counted
            for (precision, kind), spent in by_turns(works, chosen.repeats).items():
                took = spent / STEPS[device.type]
                kernel = counted[precision, kind]
                least = sum(max(flops / peaks[precision], moved / bandwidth) for flops, moved in kernel)
                flops, moved = (sum(values) for values in zip(*kernel, strict=True))
                rows.append(
                    {
                        "network": network,
                        "batch": batch_size,
                        "precision": precision,
                        "what": kind,
                        "images/s": batch_size / took,
                        "GFLOP": flops / 1e9,
                        "GB": moved / 1e9,
                        "GFLOP/s": flops / took / 1e9,
                        "compute %": 100 * flops / peaks[precision] / took,
                        "roofline %": 100 * least / took,
                    }
                )
    told = ", ".join(f"{precision} {peak / 1e9:,.0f} GFLOP/s" for precision, peak in peaks.items())
    show(f"{device}, {chosen.threads} threads; ceilings: {told}, copy {bandwidth / 1e9:.1f} GB/s", rows, chosen.out)


if __name__ == "__main__":
    main()
