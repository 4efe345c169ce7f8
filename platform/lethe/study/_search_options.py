"""How a study searches: budget, sampler, the race over tuning seeds, what is minimised, how one setting is chosen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from annotated_types import Ge, Gt, MinLen
from pydantic import BeforeValidator, Field, model_validator

from lethe.study._listed import Listed
from unlearning.options import Options


class EarlyStopping(Options):
    """Asynchronous successive halving on the epochs (ASHA, Li et al., 2020); such a search does not repeat exactly."""

    grace_epochs: Annotated[int, Ge(1)] = Field(1, description="epochs before which no trial is stopped")
    reduction: Annotated[int, Ge(2)] = Field(3, description="one of so many trials goes on past each rung")

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs, of so many, after which a trial may be stopped."""
        found: list[int] = []
        rung = self.grace_epochs
        while rung <= epochs:
            found.append(rung)
            rung *= self.reduction
        return tuple(found)


@dataclass(frozen=True)
class NamesFile:
    """Marks a text that names a file where it has one of these suffixes."""

    suffixes: tuple[str, ...] = (".yaml", ".yml")


StudyOrFile = Annotated[str, MinLen(1), NamesFile()]


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Objective = Literal["gap", "ua_gap", "va_drop", "compute"]


class Limits(Options):
    """The most that the chosen setting may have of an objective; none by default."""

    gap: Annotated[float, Gt(0)] | None = Field(None, description="mean gap, a fraction")
    ua_gap: Annotated[float, Gt(0)] | None = Field(None, description="difference of UA to the oracle's, a fraction")
    va_drop: Annotated[float, Ge(0)] | None = Field(None, description="VA below the oracle's, a fraction")
    compute: Annotated[float, Gt(0)] | None = Field(None, description="images trained on, as a share of a retraining's")

    @property
    def given(self) -> dict[Objective, float]:
        """The limits that there are, by objective."""
        return {name: value for name in get_args(Objective) if (value := getattr(self, name)) is not None}


class Racing(Options):
    """Successive halving over the tuning seeds (Jamieson and Talwalkar, 2016): all settings on few, the best on all."""

    first: Annotated[int, Ge(1)] = Field(1, description="tuning seeds that every setting is tried on")
    reduction: Annotated[int, Ge(2)] = Field(
        3, description="on each further tuning seed, the best one of so many settings goes on; two at least"
    )


class Search(Options):
    """How the settings of each method are searched; every searched method of a scenario has the same budget."""

    trials: Annotated[int, Ge(1)] = Field(24, description="trials of each method in each scenario")
    seconds: Annotated[float, Gt(0)] | None = Field(
        None,
        description="seconds of trials that each search may take, if `trials` are not reached before: no new setting "
        "is tried once those before it have used up their share, which leaves the race its own. At least `window` + 1 "
        "are tried",
    )
    sampler: Literal["tpe", "random", "gp"] = Field(
        "tpe", description="how settings are proposed: `tpe` and `gp` (Gaussian process) learn from earlier trials"
    )
    window: Annotated[int, Ge(1)] = Field(
        4, description="trials that may still run while the next one is proposed; the proposal does not depend on them"
    )
    startup: Annotated[int, Ge(1)] = Field(
        4,
        description="finished trials from which the sampler begins to learn; until then settings are spread evenly. "
        "Of `trials` it proposes all but the first `startup` + `window`",
    )
    start_from: Annotated[tuple[StudyOrFile, ...], Listed, BeforeValidator(_one_as_list)] = Field(
        (),
        description="whose chosen settings a search tries first: names of studies in the same results, settings files "
        "(.yaml), or `results` for all studies there; of the same method, within the ranges",
    )
    early_stopping: EarlyStopping | None = Field(
        None,
        description="stop trials that are behind (ASHA); needs Ray, and the search no longer repeats exactly",
    )
    curves: bool = Field(
        False,
        description="measure trials after every epoch, for curves. Else after those alone that something is decided "
        "by: the last one, the rungs of `early_stopping`, and all where the `best` epoch is kept. What is chosen does "
        "not depend on it; trials that have ended are not run again for it",
    )
    racing: Racing | None = Field(
        Racing(),
        description="try every setting on the first tuning seeds, and only the promising ones on the others; `null` "
        "tries each on all of them. One tuning seed leaves nothing to race on",
    )
    fused: bool = Field(
        False,
        description="train the tuning seeds of a trial in one step, which saves time where networks or batches are "
        "small; the weights are those of each seed by itself but for rounding, so such a search is another one. It "
        "needs two tuning seeds or more, and `racing` null or its `first` 2 or more. "
        "Methods that are no gradient descent run by themselves",
    )
    objectives: Annotated[tuple[Objective, ...], MinLen(1), Listed] = Field(
        ("gap",),
        description="what is minimised, each a mean over tuning seeds: the `gap`; `ua_gap`, the difference of UA to "
        "the oracle's; `va_drop`, how far VA is below the oracle's; `compute`, images trained on as a share of a "
        "retraining's. Several give a front of settings that no other dominates, of which `choose` takes one",
    )
    limits: Limits = Field(
        Limits(), description="the most that the chosen setting may have of objectives, such as {compute: 0.1}"
    )
    choose: Literal["mean", "mean_plus_sd", "knee"] = Field(
        "mean",
        description="of the settings that ran on most tuning seeds and keep the `limits` the one of the smallest mean "
        "of the first objective is chosen, or of the smallest mean + standard deviation of the gap over these seeds, "
        "which prefers a steady one, or the `knee`: that of the front that is nearest to the best value of each "
        "objective, on scaled axes",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.seconds is not None and self.early_stopping is not None:
            raise ValueError(
                "seconds counts trials in the order of their numbers, which early_stopping does not keep: leave one out"
            )
        return self

    @property
    def start_files(self) -> dict[int, Path]:
        """The settings files among `start_from`, by their positions there."""
        names = enumerate(self.start_from)
        return {number: Path(name).expanduser() for number, name in names if name.endswith(NamesFile().suffixes)}

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        problems = [
            f"limits: {name} is no objective of the search; objectives are {', '.join(self.objectives)}"
            for name in self.limits.given
            if name not in self.objectives
        ]
        if len(set(self.objectives)) < len(self.objectives):
            problems.append(f"objectives: names one twice: {', '.join(self.objectives)}")
        if self.choose == "knee" and len(self.objectives) == 1:
            problems.append("choose: knee is a point of the front of several objectives, got one")
        if self.choose == "mean_plus_sd" and self.objectives[0] != "gap":
            problems.append(f"choose: mean_plus_sd wants gap as the first of objectives, got {self.objectives[0]}")
        if self.early_stopping and self.objectives != ("gap",):
            problems.append("early_stopping ranks trials by the gap alone; leave it or the other objectives out")
        if problems:
            raise ValueError("\n".join(problems))
        return self
