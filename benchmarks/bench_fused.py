"""K networks trained in one step (`FusedEngine`) against K steps one after another, on images of 28 x 28.

    python benchmarks/bench_fused.py
    python benchmarks/bench_fused.py --networks resnet18:16 --batches 128 --counts 2 4 --precisions bfloat16
    python benchmarks/bench_fused.py --device cuda --networks cnn:16 resnet18:16 resnet18:64 --counts 2 4 8

"one step" is the gain of grouped kernels: images a second against those of the same steps one after another. "vmap" is
that of stacked weights and ``torch.func.vmap``, forward and backward alone, on a CPU. "streams" is that of K recorded
graphs on K streams, on a GPU. By turns, medians. With one thread on a CPU the time is the process's own, which other
work on the machine disturbs least; else it is what passes.
"""

import time
from collections.abc import Callable, Sequence
from itertools import repeat
from statistics import median
from typing import get_args

import torch
from network import network_named
from timing import Row, parser, show
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import DataPass, Engine, FusedEngine, PlannedEpoch, Precision, autocast, unit_interval
from unlearning.engine.allocator import keep_freed_memory
from unlearning.models import Network

CLASSES, CHANNELS, SIZE = 2, 1, 28
STEPS = {"cpu": 1, "cuda": 50}
ARMS = {"cpu": ("one step", "vmap"), "cuda": ("one step", "streams")}


def engines(network: Network, count: int, batch_size: int, precision: Precision, device: torch.device) -> list[Engine]:
    """Make engines of networks with other weights each, on the same images."""
    random = torch.Generator().manual_seed(0)
    images_NCHW = torch.randint(0, 256, (batch_size, CHANNELS, SIZE, SIZE), dtype=torch.uint8, generator=random)
    made = []
    for seed in range(count):
        model = network.build(CHANNELS, CLASSES, seed=seed).to(device).train()
        engine = Engine(model, images_NCHW.to(device), augmentation=AUGMENTATIONS["standard"], precision=precision)
        engine.begin(momentum=0.9, weight_decay=5e-4)
        made.append(engine)
    return made


def epoch(batch_size: int, device: torch.device) -> PlannedEpoch:
    """Plan an epoch of as many batches as are timed together on the device."""
    steps = STEPS[device.type]
    labels_M = torch.arange(batch_size).remainder(CLASSES).repeat(steps)
    data_pass = DataPass(torch.arange(batch_size).repeat(steps), labels_M)
    return PlannedEpoch([data_pass], batch_size, repeat(1e-4), torch.Generator())


def alone(made: Sequence[Engine], batch_size: int) -> None:
    """Take the steps of each engine, one engine after another."""
    for engine in made:
        for step in engine.steps(epoch(batch_size, engine.device)):
            engine.take(step)


def together(fused: FusedEngine, batch_size: int) -> None:
    """Take the steps of all engines at once."""
    device = fused.engines[0].device
    fused.train_epochs({number: epoch(batch_size, device) for number in range(len(fused.engines))})


def mapped(made: Sequence[Engine], batch_size: int) -> Callable[[], None]:
    """Make a step of stacked weights: forward and backward, no optimiser."""
    models: list[nn.Module] = [engine.model for engine in made]
    stacked = {
        name: torch.stack([dict(model.named_parameters())[name].detach() for model in models]).requires_grad_()
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: torch.stack([dict(model.named_buffers())[name] for model in models])
        for name, _ in models[0].named_buffers()
    }
    images_KBCHW = torch.stack([unit_interval(engine.images_NCHW[torch.arange(batch_size)]) for engine in made])
    labels_B = torch.arange(batch_size).remainder(CLASSES)

    def call(parameters: dict[str, Tensor], own: dict[str, Tensor], images_BCHW: Tensor) -> Tensor:
        logits: Tensor = functional_call(models[0], (parameters, own), (images_BCHW,))
        return logits

    def step() -> None:
        with autocast(made[0].precision, made[0].device):
            logits_KBC = vmap(call)(stacked, buffers, images_KBCHW)
        loss = torch.stack([cross_entropy(logits_BC.float(), labels_B) for logits_BC in logits_KBC]).sum()
        torch.autograd.grad(loss, list(stacked.values()))

    return step


def on_streams(made: Sequence[Engine], batch_size: int) -> Callable[[], None]:
    """Record a step of each engine, in memory of its own, and make what replays them on as many streams."""
    graphs, streams = [], [torch.cuda.Stream() for _ in made]
    for engine in made:
        [step, *_] = engine.steps(epoch(batch_size, engine.device))
        engine.take(step)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            engine.take(step)
        graphs.append(graph)

    def replay() -> None:
        for _ in range(STEPS["cuda"]):
            for graph, stream in zip(graphs, streams, strict=True):
                with torch.cuda.stream(stream):
                    graph.replay()

    return replay


def median_seconds(
    works: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Return the median seconds of each work by a clock: all once to warm up, then by turns."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for number in range(1 + repeats):
        for name, work in works.items():
            begun = clock()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number:
                spent[name].append(clock() - begun)
    return {name: median(each) for name, each in spent.items()}


def main() -> None:
    options = parser(__doc__, repeats=7)
    options.add_argument("--device", default="cpu", choices=STEPS)
    options.add_argument("--networks", nargs="+", default=["cnn:4", "cnn:8", "cnn:16", "cnn:32", "resnet18:4"])
    options.add_argument("--batches", nargs="+", type=int, default=[16, 64, 256])
    options.add_argument("--counts", nargs="+", type=int, default=[2, 4, 8])
    options.add_argument("--precisions", nargs="+", default=get_args(Precision), choices=get_args(Precision))
    options.add_argument("--threads", type=int, default=1, help="of torch, on a CPU")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed_memory()
    device = torch.device(chosen.device)
    clock = time.process_time if chosen.device == "cpu" and chosen.threads == 1 else time.perf_counter
    rows: list[Row] = []
    for name in chosen.networks:
        for batch_size in chosen.batches:
            for precision in chosen.precisions:
                for count in chosen.counts:
                    spent = _measured(name, count, batch_size, precision, device, chosen.repeats, clock)
                    images = STEPS[device.type] * count * batch_size
                    gains = {arm: spent["alone"] / spent[arm] for arm in ARMS[device.type]}
                    cell = {"network": name, "batch": batch_size, "precision": precision, "networks": count}
                    rows.append({**cell, "alone images/s": images / spent["alone"], **gains})
    show(f"{device}, {chosen.threads} threads; gain of each over steps one after another", rows, chosen.out)


def _measured(
    name: str,
    count: int,
    batch_size: int,
    precision: Precision,
    device: torch.device,
    repeats: int,
    clock: Callable[[], float],
) -> dict[str, float]:
    network = network_named(name)
    one_by_one, fused = (engines(network, count, batch_size, precision, device) for _ in range(2))
    whole = FusedEngine(fused)
    works: dict[str, Callable[[], object]] = {
        "alone": lambda: alone(one_by_one, batch_size),
        "one step": lambda: together(whole, batch_size),
    }
    others = engines(network, count, batch_size, precision, device)
    works |= (
        {"vmap": mapped(others, batch_size)} if device.type == "cpu" else {"streams": on_streams(others, batch_size)}
    )
    return median_seconds(works, repeats, clock)


if __name__ == "__main__":
    main()
