"""Seconds from `lethe run` to its first trial, and of a run that has nothing left to do.

    python benchmarks/bench_first_trial.py
    python benchmarks/bench_first_trial.py --other ../lethe-before      # by turns with another checkout

The study is that of `bench_search.py` with two trials; its models exist before anything is timed. The start of the
worker, with its imports, lies before its first trial.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench_search import QUICKSTART, overrides
from timing import Row, parser, show, timed

from lethe.results import query

HERE = Path(__file__).parents[1]


def run(checkout: Path, results: Path) -> None:
    """Run the study by the code of a checkout."""
    code = os.pathsep.join(str(checkout / root) for root in ("platform", "trials"))
    words = ["lethe", "run", QUICKSTART, *overrides(2, "float32", 0.0), "--results", results]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": code}
    )
    if done.returncode:
        raise SystemExit(f"{checkout}\n{done.stdout}\n{done.stderr}")


def first_trial(checkout: Path, first: Path, results: Path) -> tuple[float, float]:
    """Search in a place that has the models and no trial, then again; return the seconds of both."""
    results.mkdir()
    (results / "artifacts").symlink_to(first / "artifacts")
    began = datetime.now(UTC)
    run(checkout, results)
    [row] = query("select min(started_at) as started_at from trials", results).to_pylist()
    idle = timed(lambda: run(checkout, results))
    shutil.rmtree(results)
    return (row["started_at"] - began).total_seconds(), idle


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--other", type=Path, help="another checkout, to compare with")
    chosen = options.parse_args()
    checkouts = {"this checkout": HERE} | ({str(chosen.other): chosen.other.resolve()} if chosen.other else {})
    with tempfile.TemporaryDirectory(prefix="lethe-bench-first-trial-") as name:
        folder = Path(name)
        run(HERE, folder / "first")
        rounds = []
        for number in range(chosen.repeats):
            rounds.append(
                {
                    name: first_trial(checkout, folder / "first", folder / f"{number}-{at}")
                    for at, (name, checkout) in enumerate(checkouts.items())
                }
            )
            print(f"round {number}: {rounds[-1]}, load {os.getloadavg()[0]:.1f}, {time.strftime('%H:%M')}", flush=True)
    rows: list[Row] = [
        {
            "": name,
            "to the first trial s": median(one[name][0] for one in rounds),
            "nothing to do s": median(one[name][1] for one in rounds),
        }
        for name in checkouts
    ]
    show(f"medians of {chosen.repeats}", rows, chosen.out)


if __name__ == "__main__":
    main()
