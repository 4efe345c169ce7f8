"""How a plan looks in a terminal."""

from collections import Counter
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lethe.pipeline.estimate import Estimate
from lethe.pipeline.plan import Plan
from lethe.results import durations
from lethe.storage.root import StorageRoot
from lethe.study import Resources, scenarios_of
from unlearning.data import facts


def print_plan(plan: Plan, root: StorageRoot, estimate: Estimate, console: Console) -> None:
    """Print what exists, what is to do, what is broken, what runs at once where, and about how long it takes."""
    table = Table("", "planned", "there already", "to do", box=SIMPLE_HEAD)
    table.add_row("scenarios", str(len(scenarios_of(plan.method_searches))), "", "")
    table.add_row("method searches (scenario x method)", str(len(plan.method_searches)), "", "")
    units = {
        **_artifacts(plan),
        "trials": (plan.trials_planned, plan.trials_left),
        "confirmations": (plan.confirmations_planned, plan.confirmations_planned - plan.confirmed),
    }
    for name, (planned, left) in units.items():
        table.add_row(name, str(planned), str(planned - left), str(left))
    console.print(Text(f"{plan.study.name} in {root}"), table, _where(estimate))
    _print_data(plan, console)
    for told in (
        *plan.requests,
        *plan.settings,
        *plan.original,
        *plan.audits,
        *plan.network,
        plan.precision.told,
        *plan.broken,
    ):
        if told:
            console.print(Text(told), soft_wrap=True)
    console.print(Text(f"Resources of a trial: {estimate.reason}."), soft_wrap=True)
    console.print(Text(_time(plan, estimate)))


def _artifacts(plan: Plan) -> dict[str, tuple[int, int]]:
    """Return for each kind of artifact how many are planned and how many of them are missing."""
    planned = Counter(needed.recipe.kind for needed in plan.needed)
    missing = Counter(needed.recipe.kind for needed in plan.missing)
    titles = {"trained_model": "trainings"}
    return {titles.get(kind, kind.replace("_", " ")): (count, missing[kind]) for kind, count in planned.items()}


def _print_data(plan: Plan, console: Console) -> None:
    for data in plan.datasets:
        for fact in facts(data):
            console.print(Text(fact), soft_wrap=True)


def _where(estimate: Estimate) -> Table:
    table = Table("machines", "there", "trainings at once", "trials at once", box=SIMPLE_HEAD)
    for spot in estimate.spots:
        table.add_row(spot.node_type.title, str(spot.node_type.count), str(spot.trainings), str(spot.trials))
    return table


def _time(plan: Plan, estimate: Estimate) -> str:
    if estimate.seconds is None:
        asked = plan.study.resources
        return (
            f"No estimate of the time: no machine holds what a training ({_shown(asked.training)}) and a "
            f"trial ({_shown(asked.trial)}) ask for."
        )
    return (
        f"About {durations.estimated(estimate.seconds)} with {estimate.training_workers} training and "
        f"{estimate.trial_workers} trial workers."
    )


def _shown(resources: Resources | Literal["auto"]) -> str:
    return resources if resources == "auto" else f"{resources.cpu:g} CPU, {resources.gpu:g} GPU"
