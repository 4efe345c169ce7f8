"""How long image files take before a study can begin, what memory and disk they take, and what streaming them costs.

    python benchmarks/bench_images.py
    python benchmarks/bench_images.py --count 50000 --size 224 --repeats 5

JPEG files are generated in class folders (--folder, else a temporary one; removed at the end) and read twice through a
`cache`, each time in a process of its own. "peak" is the most that the process held, mapped pages that the system may
drop included; "own" the most without these. Then one epoch of a small CNN, on images that are streamed from the file
and on the same ones resident in memory, by turns.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import Row, by_turns, parser, show

from unlearning.data import Folder, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import DataPass, Engine, Streamed
from unlearning.images import Images
from unlearning.models import CNN

SPLITS = ("train",) * 7 + ("val", "test", "test")
CLASSES = 3


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--count", type=int, default=58_000)
    options.add_argument("--size", type=int, default=64)
    options.add_argument("--trained-on", type=int, default=2048, help="images of an epoch")
    options.add_argument("--folder", type=Path, help="where the files are made; it must not exist")
    options.add_argument("--load", action="store_true", help="read the files of --folder, as is done for each load")
    chosen = options.parse_args()
    if chosen.load:
        print(json.dumps(loaded(chosen.folder)))
        return
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="bench_images."), "files")
    try:
        measure(folder, chosen.count, chosen.size, chosen.trained_on, chosen.repeats, chosen.out)
    finally:
        shutil.rmtree(folder.parent if chosen.folder is None else folder, ignore_errors=True)


def measure(folder: Path, count: int, size: int, trained_on: int, repeats: int, out: Path | None) -> None:
    generate(folder, count, size)
    command = [sys.executable, __file__, "--load", "--folder", str(folder)]
    rows: list[Row] = [
        {"load": name, **json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))}
        for name in ("first", "second")
    ]
    files_bytes = sum(file.stat().st_size for file in (folder / "images").rglob("*.jpg"))
    kept_bytes = sum(file.stat().st_size for file in (folder / "kept").iterdir())
    disk = f"{files_bytes / 2**30:.2f} GiB, {kept_bytes / 2**30:.2f} GiB decoded"
    show(f"{count:,} JPEG files of {size} x {size}, {disk}", rows, out)
    train = load(source(folder)).train
    chosen_N = torch.arange(min(trained_on, len(train)))
    places: dict[str, Images] = {
        "resident": train.images_NCHW[chosen_N],
        "streamed": Streamed(train.images_NCHW, torch.device("cpu"), chosen_N),
    }
    works = {name: partial(epoch, images, train.labels_N[chosen_N]) for name, images in places.items()}
    seconds = by_turns(works, repeats)
    print(
        f"an epoch of {len(chosen_N):,} images, CNN of width 16, batch 128: "
        + ", ".join(f"{name} {taken:.2f} s" for name, taken in seconds.items())
        + f", ratio {seconds['streamed'] / seconds['resident']:.3f}"
    )


def generate(folder: Path, count: int, size: int) -> None:
    """Write the files: smooth noise with grain, drawn from each file's number."""
    for split in set(SPLITS):
        for label in range(CLASSES):
            (folder / "images" / split / str(label)).mkdir(parents=True)
    with ProcessPoolExecutor() as processes:
        list(processes.map(picture, repeat(folder), range(count), repeat(size), chunksize=500))


def picture(folder: Path, number: int, size: int) -> None:
    random = np.random.default_rng([0, number])
    coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.int16)
    grained = (smooth + random.integers(-8, 9, (size, size, 1))).clip(0, 255).astype(np.uint8)
    place = folder / "images" / SPLITS[number % len(SPLITS)] / str(number % CLASSES)
    Image.fromarray(grained).save(place / f"{number:06d}.jpg", quality=90)


def source(folder: Path) -> Folder:
    return Folder(path=folder / "images", cache=folder / "kept", limit_gib=1024)


def loaded(folder: Path) -> Row:
    """Load the files; return seconds and memory."""
    own, done = [memory_gib("RssAnon")], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            own.append(memory_gib("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    data = load(source(folder))
    taken = time.perf_counter() - started
    done.set()
    watcher.join()
    return {
        "seconds": taken,
        "peak GiB": memory_gib("VmHWM"),
        "own GiB": max(own),
        "images": len(data.train) + len(data.val) + len(data.test),
        "hash": data.content_hash[:8],
        "load of the machine": round(os.getloadavg()[0], 1),
    }


def memory_gib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def epoch(images: Images, labels_N: torch.Tensor) -> None:
    model = CNN(width=16).build(images.shape[1], CLASSES, seed=0)
    engine = Engine(model, images, augmentation=AUGMENTATIONS["none"], precision="float32")
    engine.begin(momentum=0.9, weight_decay=0.0)
    order_N = torch.randperm(len(labels_N), generator=torch.Generator().manual_seed(0))
    data_pass = DataPass(order_N, labels_N[order_N])
    engine.train_epoch([data_pass], batch_size=128, learning_rates=repeat(1e-3), random=torch.Generator())


if __name__ == "__main__":
    main()
