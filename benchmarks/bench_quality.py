"""What a search finds in equal time: Lethe against Ray Tune with OptunaSearch and ASHA around a plain loop.

    python benchmarks/bench_quality.py
    python benchmarks/bench_quality.py --seeds 0 1 --seconds 40
    python benchmarks/bench_quality.py --seconds 30 60 --plain-seconds 240     # how soon is Lethe as good?

The data is the default generated images, with a network of width 8. Both search the same options of SalUn over the same
ranges, with as many trials at a time as there are cores, and both get models, images and the oracle's measurements made
before. `plain_search.py` is what a competent user writes: one tuning seed, the smallest gap wins. Lethe runs as its
users run it: three tuning seeds, over which settings race. Time is from the start of the command to the end of the
search.

What either chose is confirmed by Lethe on five reporting seeds, on which nothing was chosen. A search seed is a study
seed: other models, other draws. "tuning gap" is what the search itself reported of its choice; gaps are in points.
The last line: in what share of the plain search's longest time Lethe's median is as good as the plain one's is then.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench_search import CORES, run, write_files
from timing import Row, parser, show

from lethe.results import query

BENCHMARKS = Path(__file__).parent
EPOCHS, BATCH = 5, 64
START_S = 8.0
"""Seconds of a run of Lethe that are not trials: starting Python, Ray and its workers."""

SPACE: dict[str, Any] = {
    "lr": {"low": 2.0e-3, "high": 2.0e-1, "log": True},
    "density": {"low": 0.1, "high": 1.0},
    "schedule": ["constant", "cosine"],
    "forget_weight": [0.25, 0.5, 1.0],
}

CHOSEN = """
select gap, tuning_gap, l.tuning_trials as trials
from leaderboard l join chosen c using (study, method_search) where l.row = 'salun'
"""


def study_file(folder: Path, name: str, seed: int, method: dict[str, Any], search: dict[str, Any]) -> Path:
    """Write a study of SalUn with this search, or this setting."""
    study = {
        "name": name,
        "seed": seed,
        "data": [{"source": "synthetic"}],
        "forget": [{"kind": "random", "fraction": 0.1}],
        "network": {"name": "cnn", "width": 8},
        "training": {
            "epochs": 20,
            "batch_size": BATCH,
            "lr": 0.1,
            "schedule": {"kind": "one-cycle"},
            "precision": "float32",
        },
        "methods": [{"name": "salun", "epochs": EPOCHS, "batch_size": BATCH, **method}],
        "search": search,
        "seeds": {"tuning": [0, 1, 2], "reporting": [3, 4, 5, 6, 7]},
    }
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(study))
    return file


def confirmed(folder: Path, place: Path, seed: int, setting: dict[str, Any], name: str) -> float:
    """Confirm a setting by Lethe; return its gap."""
    run(sys.executable, "-m", "lethe", "run", study_file(folder, name, seed, setting, {}), "--results", place)
    [gap] = query(f"select gap from leaderboard where row = 'salun' and study = '{name}'", place)["gap"].to_pylist()
    return float(gap)


def by_lethe(folder: Path, place: Path, seed: int, seconds: float) -> Row:
    """Search by Lethe in a place that has the models and no trial."""
    results = Path(tempfile.mkdtemp(dir=folder))
    (results / "artifacts").symlink_to(place / "artifacts")
    search = {"trials": 10_000, "seconds": CORES * (seconds - START_S)}
    file = study_file(folder, "search", seed, {"search": SPACE}, search)
    began = datetime.now(UTC)
    run(sys.executable, "-m", "lethe", "run", file, "--results", results)
    [ended] = query("select max(ended_at) as at from trials", results).to_pylist()
    [row] = query(CHOSEN, results).to_pylist()
    return {"by": "Lethe", "took s": (ended["at"] - began).total_seconds(), **row}


def by_plain_search(folder: Path, place: Path, seed: int, seconds: float) -> Row:
    """Search by Ray Tune, and have Lethe confirm what it chose."""
    arguments = {
        "folder": str(folder),
        "space": SPACE,
        "fixed": {"epochs": EPOCHS, "batch_size": BATCH, "precision": "float32", "device": "cpu"},
        "seconds": seconds - START_S,
        "seed": seed,
        "cores": CORES,
        "storage": tempfile.mkdtemp(dir=folder),
    }
    began = time.perf_counter()
    said = run(sys.executable, BENCHMARKS / "plain_search.py", json.dumps(arguments))
    took = time.perf_counter() - began
    found = json.loads(said.rpartition("FOUND ")[2])
    gap = confirmed(folder, place, seed, found["setting"], f"plain-{seconds:g}")
    return {"by": "plain", "took s": took, "gap": gap, "tuning_gap": found["gap"], "trials": found["trials"]}


def search_all(seeds: Sequence[int], budgets: Sequence[float], plain_budgets: Sequence[float]) -> list[Row]:
    """Search with every seed and budget; where both have a budget, by turns."""
    turns = sorted([(seconds, "Lethe") for seconds in budgets] + [(seconds, "plain") for seconds in plain_budgets])
    found: list[Row] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="lethe-bench-quality-") as name:
            folder = Path(name)
            place = folder / "models"
            first = study_file(folder, "models", seed, {"lr": 1.0e-2}, {})
            run(sys.executable, "-m", "lethe", "run", first, "--results", place)
            write_files(folder, place, first, [])
            for seconds, by in turns:
                search = by_lethe if by == "Lethe" else by_plain_search
                found.append({"seed": seed, "seconds": seconds, **search(folder, place, seed, seconds)})
                print(json.dumps(found[-1]), flush=True)
    return found


def summary(found: Sequence[Row]) -> list[Row]:
    """Return the medians over the seeds, the shortest budget first."""
    rows: list[Row] = []
    for seconds, by in sorted({(row["seconds"], row["by"]) for row in found}):
        own = [row for row in found if (row["seconds"], row["by"]) == (seconds, by)]
        gaps = [100 * float(row["gap"] or 0) for row in own]
        rows.append(
            {
                "by": by,
                "seconds": seconds,
                "took s": median(float(row["took s"] or 0) for row in own),
                "trials": median(float(row["trials"] or 0) for row in own),
                "tuning gap": median(100 * float(row["tuning_gap"] or 0) for row in own),
                "confirmed gap": median(gaps),
                "worst": max(gaps),
            }
        )
    return rows


def time_to_match(rows: Sequence[Row]) -> str:
    """Compare the seconds in which Lethe is as good as the plain search in its longest time."""
    plain = [row for row in rows if row["by"] == "plain"][-1]
    goal = float(plain["confirmed gap"] or 0)
    for row in rows:
        if row["by"] == "Lethe" and float(row["confirmed gap"] or 0) <= goal:
            share = float(row["took s"] or 0) / float(plain["took s"] or 1)
            return f"Lethe reaches the plain search's {goal:.2f} points in {share:.2f} of its time"
    return f"Lethe does not reach the plain search's {goal:.2f} points in these times"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options.add_argument("--seconds", nargs="+", type=float, default=[40, 80, 160])
    options.add_argument("--plain-seconds", nargs="+", type=float, help="other times for the plain search")
    chosen = options.parse_args()
    try:
        found = search_all(chosen.seeds, chosen.seconds, chosen.plain_seconds or chosen.seconds)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.stderr) from error
    rows = summary(found)
    show(f"searches of SalUn, {CORES} trials at a time, medians over seeds {chosen.seeds}", rows, chosen.out)
    print(time_to_match(rows))


if __name__ == "__main__":
    main()
