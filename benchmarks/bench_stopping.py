"""What early stopping saves: searches with asynchronous halving and without, over several seeds.

    python benchmarks/bench_stopping.py
    python benchmarks/bench_stopping.py --seeds 0 1 2 --trials 27 --epochs 9

The study is the quickstart's with SalUn alone and longer trials, its settings drawn at random, so that both searches of
a seed try the same ones. "epochs" are those that were run, their seconds those of unlearning, evaluation and attack.
"best gap" is what the search would confirm: of the trials that ran to the end, the smallest.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean

from timing import Row, parser, show

from lethe.results import query

QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"

SQL = """
select sum(epochs_done)::bigint as epochs, sum(seconds_unlearn + seconds_evaluate + seconds_attack) as seconds,
       count(*) filter (status = 'done') as finished, min(gap) filter (status = 'done') as best
from trials
"""


def search(folder: Path, seed: int, trials: int, epochs: int, halving: dict[str, int] | None) -> dict[str, float]:
    """Search, with the models of the seed's other search if there was one."""
    results = Path(tempfile.mkdtemp(dir=folder))
    artifacts = folder / f"pool-{seed}"
    artifacts.mkdir(exist_ok=True)
    (results / "artifacts").symlink_to(artifacts)
    space = {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}, "density": {"low": 0.1, "high": 0.9}}
    method = {"name": "salun", "epochs": epochs, "batch_size": 64, "search": space}
    options = {"trials": trials, "sampler": "random"} | ({"early_stopping": halving} if halving else {})
    command = [sys.executable, "-m", "lethe", "run", str(QUICKSTART), "--results", str(results)]
    changes = [f"seed={seed}", f"methods={json.dumps([method])}", f"search={json.dumps(options)}"]
    done = subprocess.run([*command, *changes], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, float] = query(SQL, results).to_pylist()[0]
    return found


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    options.add_argument("--trials", type=int, default=27)
    options.add_argument("--epochs", type=int, default=9)
    options.add_argument("--grace", type=int, default=1, help="epochs before a trial may be stopped")
    options.add_argument("--reduction", type=int, default=3, help="one in so many goes on")
    chosen = options.parse_args()
    halving = {"grace_epochs": chosen.grace, "reduction": chosen.reduction}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lethe-bench-stopping-") as name:
        for seed in chosen.seeds:
            whole, halved = (search(Path(name), seed, chosen.trials, chosen.epochs, one) for one in (None, halving))
            rows.append(
                {
                    "seed": str(seed),
                    "epochs": whole["epochs"],
                    "halving": halved["epochs"],
                    "finished": halved["finished"],
                    "saved x": whole["epochs"] / halved["epochs"],
                    "saved s x": whole["seconds"] / halved["seconds"],
                    "best gap": whole["best"],
                    "best gap, halving": halved["best"],
                }
            )
    means = {key: fmean(float(row[key] or 0) for row in rows) for key in rows[0] if key != "seed"}
    rows.append({"seed": "mean", **means})
    title = (
        f"{chosen.trials} trials of {chosen.epochs} epochs, ASHA of grace {chosen.grace}, reduction {chosen.reduction}"
    )
    show(title, rows, chosen.out)


if __name__ == "__main__":
    main()
