"""How the gap depends on learning rate and density: the trials of each method search on a coarse grid."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import LABELS_OF_SCENARIO, SCENARIO, ScenarioOf, View


@dataclass(frozen=True, kw_only=True)
class _Square:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    method: Annotated[str, Column("", "unlearning method")]
    lr_low: Annotated[float | None, Column("", "lowest learning rate of the square, a quarter of a decade wide")]
    lr_high: Annotated[float | None, Column("", "first learning rate above the square")]
    density_low: Annotated[float | None, Column("fraction", "lowest density of the square, a tenth wide")]
    density_high: Annotated[float | None, Column("fraction", "first density above the square; 1 belongs to the last")]
    trials: Annotated[int, Column("trials", "trials in the square, repeated settings and runs of the race left out")]
    diverged: Annotated[int, Column("trials", "those of them whose loss was not finite")]
    gap_best: Annotated[float | None, Column("fraction", "smallest gap of those that finished")]
    gap_median: Annotated[float | None, Column("fraction", "median gap of those that finished")]
    best_trial: Annotated[str | None, Column("", "trial of the smallest gap")]


@dataclass(frozen=True, kw_only=True)
class SensitivityRow(_Square, ScenarioOf):
    """One square of the grid over learning rate and density."""


SENSITIVITY: Final = View(
    "How the gap depends on learning rate and density: the trials of each method search on a grid of the two.",
    SensitivityRow,
    f"""
with placed as (
    select * replace ({LABELS_OF_SCENARIO}),
        floor(log10(nullif(lr, 0)) * 4) as step,
        if(density < 1, floor(density * 10), 9 * density) as tenth,
        if(status = 'done', gap, null) as done_gap
    from trials where copied_from is null and coalesce(round, 0) = 0
)
select {SCENARIO}, method_search, method,
    pow(10, step / 4) as lr_low, pow(10, (step + 1) / 4) as lr_high,
    tenth / 10 as density_low, (tenth + 1) / 10 as density_high,
    count(*) as trials,
    count(*) filter (status = 'diverged') as diverged,
    min(done_gap) as gap_best,
    median(done_gap) as gap_median,
    arg_min(trial_id, done_gap) as best_trial
from placed
group by {SCENARIO}, method_search, method, step, tenth
order by {SCENARIO}, method, method_search, step, tenth
""",
)
