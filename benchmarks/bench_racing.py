"""How to spend a search's runs over tuning seeds: what the chosen setting is worth on seeds that it was not chosen on.

    python benchmarks/bench_racing.py --results RESULTS
    python benchmarks/bench_racing.py --settings 24 --seeds 6 --draws 500 --results RESULTS

First a table is made: random settings of SalUn and of fine-tuning on the default generated images with a network of
width 8, each on every seed (Lethe itself runs them, and continues a table that is in RESULTS). Then rules are replayed
on it: each draw takes some of the seeds for tuning and some of the settings in a random order, chooses by the rule, and
reads the gap of the chosen setting on the other seeds. All rules have about the same number of runs. "regret" is the
difference to the setting that is best on those other seeds, in points; "p90" its 90th percentile over the draws;
"optimism" what the gap on the tuning seeds was too small by.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from timing import Row, parser, show

from lethe.results import query

Gaps = NDArray[np.float64]
"""Gap of each setting (row) on each seed (column), in points."""

TUNING = 3
"""Tuning seeds of a draw."""

SHARED = {
    "schedule": ["constant", "cosine"],
    "epochs": [3, 5, 8],
}
METHODS = [
    {
        "name": "salun",
        "batch_size": 64,
        "search": {
            "lr": {"low": 5.0e-3, "high": 2.0e-1, "log": True},
            "density": {"low": 0.1, "high": 1.0},
            "forget_weight": [0.25, 0.5, 1.0],
            **SHARED,
        },
    },
    {"name": "fine_tune", "batch_size": 64, "search": {"lr": {"low": 5.0e-3, "high": 4.0e-1, "log": True}, **SHARED}},
]


def make_table(results: Path, settings: int, seeds: int) -> None:
    """Run every setting on every seed, or what is missing of it."""
    study = {
        "name": "racing-table",
        "data": [{"source": "synthetic"}],
        "forget": [{"kind": "random", "fraction": 0.1}],
        "network": {"name": "cnn", "width": 8},
        "training": {
            "epochs": 20,
            "batch_size": 64,
            "lr": 0.1,
            "schedule": {"kind": "one-cycle"},
            "precision": "float32",
        },
        "methods": METHODS,
        "search": {"trials": settings, "sampler": "random", "racing": None},
        "seeds": {"tuning": list(range(seeds)), "reporting": [seeds, seeds + 1]},
    }
    results.mkdir(parents=True, exist_ok=True)
    file = results / "racing-table.yaml"
    file.write_text(json.dumps(study))
    subprocess.run([sys.executable, "-m", "lethe", "run", str(file), "--results", str(results)], check=True)


def read_table(results: Path, method: str) -> Gaps:
    """Read the gaps of a method's finished settings."""
    sql = f"select gap_per_seed from trials where method = '{method}' and status = 'done' and study = 'racing-table'"
    return 100 * np.array(query(sql, results)["gap_per_seed"].to_pylist())


def all_seeds(settings: int) -> Callable[[Gaps], tuple[int, float]]:
    """Try so many settings on all tuning seeds; choose the smallest mean."""

    def rule(gaps: Gaps) -> tuple[int, float]:
        means = gaps[:settings].mean(1)
        return int(means.argmin()), float(means.min())

    return rule


def one_seed(settings: int) -> Callable[[Gaps], tuple[int, float]]:
    """Try so many settings on the first tuning seed; choose the smallest."""

    def rule(gaps: Gaps) -> tuple[int, float]:
        first = gaps[:settings, 0]
        return int(first.argmin()), float(first.min())

    return rule


def racing(settings: int, reduction: int, deviations: float = 0.0) -> Callable[[Gaps], tuple[int, float]]:
    """Try so many on the first seed, and one in ``reduction`` of those left, at least two, on each further one."""

    def rule(gaps: Gaps) -> tuple[int, float]:
        left = np.arange(min(settings, len(gaps)))
        for seeds in range(1, gaps.shape[1]):
            keep = max(2, -(-len(left) // reduction))
            left = left[gaps[left, :seeds].mean(1).argsort(kind="stable")[:keep]]
        means, spread = gaps[left].mean(1), gaps[left].std(1, ddof=1)
        chosen = int((means + deviations * spread).argmin())
        return int(left[chosen]), float(means[chosen])

    return rule


def runs_of_racing(settings: int, reduction: int) -> int:
    """Count the runs of a race over the tuning seeds."""
    runs = left = settings
    for _ in range(TUNING - 1):
        left = max(2, -(-left // reduction))
        runs += left
    return runs


def rules(runs: int) -> dict[str, Callable[[Gaps], tuple[int, float]]]:
    """Return rules that cost about so many runs."""
    found = {
        f"{runs} settings, one seed": one_seed(runs),
        f"{runs // TUNING} settings, {TUNING} seeds each": all_seeds(runs // TUNING),
    }
    for reduction in (2, 3, 4):
        settings = max(n for n in range(2, runs + 1) if runs_of_racing(n, reduction) <= runs)
        title = f"race of {settings}, one in {reduction} goes on"
        found[title] = racing(settings, reduction)
        found[f"{title}, mean + sd"] = racing(settings, reduction, 1.0)
    return found


def replay(table: Gaps, rule: Callable[[Gaps], tuple[int, float]], draws: int) -> dict[str, float]:
    """Choose by a rule again and again; the draws are the same for every rule."""
    random = np.random.default_rng(0)
    regrets, optimism, gaps = [], [], []
    for _ in range(draws):
        seeds = random.permutation(table.shape[1])
        order = random.permutation(len(table))
        chosen, seen = rule(table[order][:, seeds[:TUNING]])
        others = table[order][:, seeds[TUNING:]].mean(1)
        gaps.append(others[chosen])
        regrets.append(others[chosen] - others.min())
        optimism.append(others[chosen] - seen)
    return {
        "gap": float(np.mean(gaps)),
        "regret": float(np.mean(regrets)),
        "regret p90": float(np.quantile(regrets, 0.9)),
        "optimism": float(np.mean(optimism)),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--settings", type=int, default=64, help="of each method")
    options.add_argument("--seeds", type=int, default=8)
    options.add_argument("--runs", type=int, nargs="+", default=[12, 24, 48], help="runs that a rule may spend")
    options.add_argument("--draws", type=int, default=2000)
    options.add_argument("--results", type=Path, required=True, help="results place of the table")
    chosen = options.parse_args()
    make_table(chosen.results, chosen.settings, chosen.seeds)
    rows: list[Row] = []
    for method in ("salun", "fine_tune"):
        table = read_table(chosen.results, method)
        for runs in chosen.runs:
            for title, rule in rules(runs).items():
                rows.append({"method": method, "runs": runs, "rule": title, **replay(table, rule, chosen.draws)})
    show(f"{chosen.settings} settings on {chosen.seeds} seeds, {TUNING} of them for tuning", rows, chosen.out)


if __name__ == "__main__":
    main()
