"""What a search finds by how it starts: many searches of SalUn on gaps that were measured once, without training.

    lethe run configs/quickstart.yaml search.sampler=random search.trials=90 --results surface
    python benchmarks/bench_startup.py surface
    python benchmarks/bench_startup.py surface --trials 24 --diverge-above 0.01

The gap of a setting is interpolated from the trials in the results place. "random" is a search without a model, which
12 trials of a window of 4 were under Optuna's own start-up of 10; "by model" counts the proposals of the model.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from scipy.interpolate import RBFInterpolator
from timing import Row, parser, show

from lethe.results import query
from lethe.search._optuna import OptunaSearch, Outcome, Proposal
from lethe.search._space import Setting
from lethe.study import expand, read_study
from unlearning.data import load

QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"

Objective = Callable[[Setting], Outcome]


def surface(results: str, diverge_above: float) -> Objective:
    """Read measured gaps; return the objective between them, which diverges above a learning rate."""
    found = query("select lr, density, gap from trials where method = 'salun' and gap is not null", results)
    points = np.column_stack([np.log10(found["lr"].to_numpy()), found["density"].to_numpy()])
    between = RBFInterpolator(points, found["gap"].to_numpy(), kernel="linear")

    def outcome(setting: Setting) -> Outcome:
        if setting["lr"] > diverge_above:
            return Outcome("diverged", ())
        return Outcome("done", (float(between([[math.log10(setting["lr"]), setting["density"]]])[0]),))

    return outcome


def search(seed: int, options: dict[str, object], outcome: Objective) -> tuple[list[Proposal], list[Outcome]]:
    """Run one search with as many trials at a time as its window allows."""
    changes = [f"seed={seed}", *(f"search.{name}={value}" for name, value in options.items())]
    study = read_study(QUICKSTART, changes)
    method_search = next(
        one for one in expand(study, {source: load(source) for source in study.data}) if one.choice.search
    )
    cell_search, running, ended, outcomes = (
        OptunaSearch(method_search, {}),
        list[Proposal](),
        list[Proposal](),
        list[Outcome](),
    )
    while running or not cell_search.finished:
        running += iter(cell_search.propose, None)
        ended.append(running.pop(0))
        outcomes.append(outcome(ended[-1].setting))
        cell_search.settle(ended[-1].number, outcomes[-1])
    return ended, outcomes


def summary(name: str, chosen: argparse.Namespace, options: dict[str, object], outcome: Objective) -> Row:
    """Run the search with every seed."""
    found = [search(seed, {"trials": chosen.trials, **options}, outcome) for seed in range(chosen.searches)]
    best = [min(one.point[0] for one in outcomes if one.point) for _, outcomes in found]
    return {
        "start-up": name,
        "by model": fmean(sum(one.proposed_by == "model" for one in proposals) for proposals, _ in found),
        "diverged": fmean(sum(not one.gaps for one in outcomes) for _, outcomes in found),
        "best gap, points": 100 * fmean(best),
        "standard error": 100 * stdev(best) / math.sqrt(len(best)),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("results", help="where the measured trials lie")
    options.add_argument("--trials", type=int, default=12)
    options.add_argument("--searches", type=int, default=60)
    options.add_argument("--startup", nargs="+", type=int, default=[2, 3, 4, 6, 8])
    options.add_argument("--diverge-above", type=float, default=math.inf, help="learning rate")
    chosen = options.parse_args()
    outcome = surface(chosen.results, chosen.diverge_above)
    rows = [summary("random", chosen, {"sampler": "random"}, outcome)]
    rows += [summary(str(number), chosen, {"startup": number}, outcome) for number in chosen.startup]
    show(f"{chosen.searches} searches of {chosen.trials} trials", rows, chosen.out)


if __name__ == "__main__":
    main()
