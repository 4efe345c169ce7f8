"""How long scenarios take over many trials, before compaction and after it.

    python benchmarks/bench_query.py --studies 100 --trials 100
    python benchmarks/bench_query.py --studies 1000 --trials 100
    python benchmarks/bench_query.py --studies 1000 --trials 100 --merged

Every trial leaves a part and another for its epochs, and every study eighteen confirmations with their measures, as a
run writes them. Each time after it is the median over the repeats of a scenario asked anew from the files, in a process
that has its imports; before it two of them are asked once. With ``--merged`` the rows are written as a compaction
leaves them, and only what follows it is measured: 100,000 trials in parts are 218,000 files.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from timing import seconds

from lethe.results import ConfirmationRow, EpochRow, MeasureRow, Row, Store, TrialRow, compact, copy_tables, query
from lethe.results.part import encode
from lethe.results.rows import TABLES, UNITS
from lethe.results.schema import to_table
from lethe.storage.layout import MERGED, SUFFIX
from lethe.storage.root import StorageRoot
from unlearning.metrics import METRICS

EPOCHS = 3
SEEDS = (1, 2, 3)
ROWS = ("original", "oracle", "fine_tune", "salun", "salun density 1.0", "salun random mask")

SCENARIOS = {
    "leaderboard": "from leaderboard",
    "best setting": "from chosen",
    "cost": "from cost",
    "sensitivity": "from sensitivity",
    "metric summary": "from metric_summary",
    "best by method": "select method, count(*) n, min(gap) best from trials group by method",
}


BEFORE = ("leaderboard", "best setting")
"""Scenarios that are asked before compaction too: one reads the confirmations, the other all trials."""


def rows_of(study: int, trials: int, random: np.random.Generator) -> Iterator[list[Row]]:
    """Make the rows of a study, unit by unit."""
    now = datetime.now(UTC)
    name = f"study{study:04d}"
    common: dict[str, Any] = {
        "study": name,
        "dataset": "bloodmnist",
        "augmentation": "none",
        "network": "resnet18 width 64",
        "train_duplicates": 0,
        "val_dropped": 0,
        "test_dropped": 0,
        "scenario": f"{study:020x}",
        "forget": "random 10 %",
        "forget_kind": "random",
        "forget_fraction": 0.1,
        "forget_images": 1196,
        "forget_duplicates": 0,
        "device": "cpu: a processor",
        "worker": "node:1234",
        "node": "node",
        "lethe_version": "0.1.0",
        "python_version": "3.11.7",
        "torch_version": "2.13.0",
        "started_at": now,
        "ended_at": now,
        "cpus": 1.0,
        "gpus": 0.0,
    }
    for number in range(trials):
        lr, density = float(10 ** random.uniform(-3, -1)), float(random.uniform(0.1, 0.9))
        ua, ra, va, mia, gap, spent = map(float, random.uniform(0, 1, 6))
        measured: dict[str, Any] = {"ua": ua, "ra": ra, "va": va, "mia": mia, "gap": gap}
        unit: dict[str, Any] = {
            "study": name,
            "trial_id": f"{name}-0123abcd-{number:04d}",
            "method_search": f"{study:020x}",
        }
        took: dict[str, Any] = {"seconds_unlearn": spent, "seconds_evaluate": spent, "seconds_attack": spent}
        yield [EpochRow(**unit, **measured, **took, epoch=epoch, gap_per_seed=[gap]) for epoch in range(1, EPOCHS + 1)]
        yield [
            TrialRow(
                **common | unit | measured | took,
                method=("salun", "fine_tune")[number % 2],
                lr=lr,
                density=density,
                setting=json.dumps({"name": "salun", "epochs": EPOCHS, "lr": lr, "density": density}),
                number=number,
                study_seed=0,
                training_seeds=[0],
                unlearning_seeds=[7758305905571116809],
                status="done",
                epochs_done=EPOCHS,
                gap_per_seed=[gap],
                originals=["3761fcedc155fccba3e0"],
                oracles=["d3764e18de59c2bcb5c9"],
                seconds_load=0.01,
                seconds_total=spent,
            )
        ]
    for row in ROWS:
        for seed in SEEDS:
            named = f"{name}-{ROWS.index(row)}-{seed}"
            yield [
                MeasureRow(
                    study=name,
                    unit_kind="confirmation",
                    unit_id=named,
                    training_seed=seed,
                    metric=metric.name,
                    version=metric.version,
                    split=metric.groups[0] if metric.groups else None,
                    class_index=index,
                    value=float(random.uniform(0, 1)),
                    n=1196,
                )
                for metric in METRICS.values()
                for index in (None, *(range(8) if metric.per_class else ()))
            ]
            yield [
                ConfirmationRow(
                    **common,
                    method=row.split()[0],
                    setting=json.dumps({"name": row}),
                    status="done",
                    gap=float(random.uniform(0, 1)),
                    confirmation_id=named,
                    row=row,
                    training_seed=seed,
                    mia_nonmembers="val",
                    recall_per_class=[0.5] * 8,
                    original="3761fcedc155fccba3e0",
                    oracle="d3764e18de59c2bcb5c9",
                    seconds_total=1.0,
                )
            ]


def write_merged(folder: Path, studies: int, trials: int) -> None:
    """Write the rows of each study and table as one merged file, as a compaction leaves them."""
    random = np.random.default_rng(0)
    tables = {row_type: table for table, row_type in TABLES.items()}
    for study in range(studies):
        rows: defaultdict[type[Row], list[Row]] = defaultdict(list)
        for unit in rows_of(study, trials, random):
            rows[type(unit[0])] += unit
        for row_type, of_table in rows.items():
            part = folder / "tables" / tables[row_type] / of_table[0].study / MERGED / f"00000001-{study:08x}{SUFFIX}"
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(encode(to_table(of_table, row_type)))


def write(folder: Path, studies: int, trials: int) -> int:
    """Write all parts, without the store's waits for the disk; give their number."""
    random, count = np.random.default_rng(0), 0
    tables = {row_type: table for table, row_type in TABLES.items()}
    for study in range(studies):
        for unit in rows_of(study, trials, random):
            table = tables[type(unit[0])]
            part = folder / "tables" / table / unit[0].study / f"{getattr(unit[0], UNITS[table])}.parquet"
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(encode(to_table(unit, type(unit[0]))))
            count += 1
    return count


def once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ask(root: StorageRoot, repeats: int) -> dict[str, float]:
    return {name: seconds(partial(query, sql, root), repeats) for name, sql in SCENARIOS.items()}


def bench_merged(studies: int, trials: int, repeats: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="lethe-bench-query-"))
    try:
        root = StorageRoot.at(folder)
        write_merged(folder, studies, trials)
        copy_tables(Store(root))
        copied = sum(path.stat().st_size for path in (folder / "copies").iterdir()) / 1e6
        print(f"{studies} studies x {trials} trials, merged; a copy of all tables takes {copied:.0f} MB")
        for name, took in ask(root, repeats).items():
            print(f"{name:<16}{took:>12.3f} s")
    finally:
        shutil.rmtree(folder)


def bench_parts(studies: int, trials: int, repeats: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="lethe-bench-query-"))
    try:
        root = StorageRoot.at(folder)
        parts = write(folder, studies, trials)
        loose = {name: once(partial(query, SCENARIOS[name], root)) for name in BEFORE}
        started = time.perf_counter()
        for study in Store(root).studies():
            compact(Store(root), study)
        copy_tables(Store(root))
        spent = time.perf_counter() - started
        compacted = ask(root, repeats)
        files = sum(path.is_file() for path in folder.rglob("*"))
        print(f"{studies} studies x {trials} trials: {parts} parts; compacted to {files} files in {spent:.1f} s")
        print(f"{'scenario':<16}{'parts [s]':>12}{'compacted [s]':>16}{'ratio':>8}")
        for name, after in compacted.items():
            before = f"{loose[name]:>12.2f}{after:>16.3f}{loose[name] / after:>8.0f}" if name in loose else ""
            print(f"{name:<16}{before or f'{after:>28.3f}'}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--merged", action="store_true")
    chosen = vars(parser.parse_args())
    (bench_merged if chosen.pop("merged") else bench_parts)(**chosen)
