"""What a study file may say: types, bounds, defaults, and beside each key the meaning that its documents quote."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, islice, product
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    model_validator,
)

from lethe.study._wording import explain, shown, unknown
from unlearning.audits import AnyAudit, fault_of
from unlearning.data import AnySource
from unlearning.data._base import PathOption
from unlearning.data.augment import AugmentationName
from unlearning.data.forget import AnyForgetRequest
from unlearning.engine import Precision
from unlearning.methods import METHODS, Method
from unlearning.metrics import BUILT_IN, METRICS, Metric
from unlearning.models import AnyNetwork, ResNet18
from unlearning.options import Options
from unlearning.ranges import Choices, Range
from unlearning.training import Recipe

Listed = Field(strict=False)
"""A YAML list may stand for a tuple; what is in it stays strict."""


def _shape(value: object) -> str:
    return "choices" if isinstance(value, list | tuple | Choices) else "range"


DEFAULT: Final = "default"
"""What a study writes for the ranges that a method itself declares."""

Dimension = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_shape)]


Keep = Literal["last", "best", "rewind"]


class MethodChoice(Options):
    """A method of the study: its fixed options stand beside ``name``, the searched ones under ``search``.

    ``search: default`` searches the options that the method declares ranges for and that are not fixed, and
    ``default`` in place of a range takes the declared one. Both are replaced when a study is read.
    """

    name: str = Field(description="name of the method")
    fixed: dict[str, Any] = Field(default_factory=dict, description="options that are the same in every trial")
    search: dict[str, Dimension] = Field(default_factory=dict, description="options to search, each with its values")
    keep: Keep = Field(
        "last",
        description="epoch that counts: the `last`; the `best`, of the smallest mean gap on the tuning seeds, after "
        "which confirmations stop; or `rewind`: that to which each run returns by itself, whose error on the forget "
        "set is nearest to the last epoch's error on validation images of its classes",
    )
    _method: type[Method] = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: object) -> object:
        if not isinstance(value, dict) or "fixed" in value:
            return value
        own = {key: value[key] for key in ("name", "keep") if key in value}
        fixed = {key: option for key, option in value.items() if key not in (*own, "search")}
        return {**own, "fixed": fixed, "search": _searched(value.get("name"), fixed, value.get("search") or {})}

    @model_validator(mode="after")
    def _known(self) -> Self:
        self._method = METHODS[self.name]
        problems = [*self._unknown(), *self._both(), *self._out_of_bounds()]
        if problems:
            raise ValueError("\n".join(problems))
        if problem := self._unkept():
            raise ValueError(f"keep: {problem}")
        return self

    @property
    def method(self) -> type[Method]:
        """The class of the method; it travels with the choice, and a process that gets it looks no name up."""
        return self._method

    @property
    def example(self) -> Method:
        """The method at the first value of each searched option."""
        return self.at({name: self._ends(name)[0] for name in self.search})

    @property
    def options(self) -> dict[str, Any]:
        """Every option that is not searched, as JSON values: those of the file, and the defaults of the others."""
        return self.example.model_dump(mode="json", exclude={"name", *self.search})

    @property
    def changed(self) -> dict[str, Any]:
        """The fixed options that are not at their defaults, as JSON values."""
        fields = self.method.model_fields
        return {
            name: value
            for name, value in self.options.items()
            if name in self.fixed and getattr(self.example, name) != fields[name].default
        }

    @property
    def controls(self) -> dict[str, "MethodChoice"]:
        """The method's controls as methods to search: what a control fixes is not searched, all else as here.

        A control is left out that fixes nothing here, leaves nothing to search, or depends on the setting.
        """
        corners = self._corners()
        found: dict[str, MethodChoice] = {}
        for control in self.example.controls():
            fixes = _changes([(corner, corner.controls()[control]) for corner in corners])
            search = {name: dimension for name, dimension in self.search.items() if name not in (fixes or {})}
            if fixes and search:
                found[control] = MethodChoice(name=self.name, fixed=self.fixed | fixes, search=search)
        return found

    @property
    def longest(self) -> int:
        """The most epochs that a trial of the method can have."""
        return max(self._ends("epochs")) if "epochs" in self.search else self.example.epochs

    def faults(self, forgotten: int, images: int) -> list[str]:
        """Return what `Method.fault` says of the ends of what is searched, each once."""
        if self.method.fault is Method.fault:
            return []
        corners = product(*(self._ends(name) for name in self.search))
        found = (self.at(dict(zip(self.search, corner, strict=True))).fault(forgotten, images) for corner in corners)
        return list(dict.fromkeys(fault for fault in found if fault))

    def at(self, setting: dict[str, Any]) -> Method:
        """Make the method at a setting of its searched options."""
        return self.method(**self.fixed, **setting)

    def _corners(self) -> list[Method]:
        """Return the method at the first, second, ... value of all searched options at once."""
        ends = {name: self._ends(name) for name in self.search}
        count = max(map(len, ends.values()), default=1)
        return [self.at({name: values[n % len(values)] for name, values in ends.items()}) for n in range(count)]

    def _unknown(self) -> list[str]:
        valid = [name for name in self.method.model_fields if name != "name"]
        return [
            f"{name}: {unknown(name, valid, f'of {self.name}')}"
            for name in (*self.fixed, *self.search)
            if name not in valid
        ]

    def _unkept(self) -> str:
        """Return why there is no epoch to choose; empty where there is, or the last one counts."""
        if self.keep == "last":
            return ""
        if self.example.rewinds:
            return f"wanted last, since this setting of {self.name} returns to an epoch by itself, got {self.keep}"
        epochs, fewest = self.longest, 2 if self.keep == "best" else 1
        if epochs < fewest:
            return f"{self.keep} takes a trial of {fewest} or more epochs, got {epochs} of {self.name}; wanted last"
        return ""

    def _both(self) -> list[str]:
        return [f"{name}: given as fixed and under search; keep one" for name in self.fixed if name in self.search]

    def _out_of_bounds(self) -> list[str]:
        """Try the fixed options, and each end of each searched one, on the method itself."""
        fields = self.method.model_fields
        corners = {name: [value] for name, value in self.fixed.items()}
        corners |= {name: self._ends(name) for name in self.search}
        return [
            f"{name}: {_wrong(error)}"
            for name, values in corners.items()
            if name in fields
            for value in values
            if (error := _try(self.method, name, value))
        ]

    def _ends(self, name: str) -> list[Any]:
        """Return the choices, or the ends of the range, of a searched option."""
        dimension = self.search[name]
        if isinstance(dimension, Choices):
            return list(dimension.choices)
        whole = self.is_whole(name) and dimension.low.is_integer() and dimension.high.is_integer()
        return [int(end) if whole else end for end in (dimension.low, dimension.high)]

    def is_whole(self, name: str) -> bool:
        """Return whether an option of the method is a whole number."""
        field = self.method.model_fields.get(name)
        return field is not None and field.annotation is int


def _searched(name: object, fixed: Mapping[str, Any], search: object) -> object:
    """Replace the word `default`, for all options or for one, by the ranges that the method itself declares."""
    known = isinstance(name, str) and name in METHODS
    ranges = METHODS[str(name)].ranges if known else {}
    if search == DEFAULT:
        left = {option: values for option, values in ranges.items() if option not in fixed}
        if known and not left:
            raise ValueError(f"search: {name} has {_declared(ranges)}, none left to search; name options and ranges")
        return left
    if isinstance(search, str):
        raise ValueError(f"search: wanted a mapping of options, or {DEFAULT}, got {shown(search)}")
    if not isinstance(search, dict):
        return search
    asked = [option for option, values in search.items() if values == DEFAULT]
    lacking = [option for option in asked if known and option not in ranges]
    if lacking:
        raise ValueError("\n".join(f"search.{option}: {name} has {_declared(ranges)}" for option in lacking))
    kept = {option: values for option, values in search.items() if option not in asked}
    return {**search, **{option: ranges[option] for option in asked}} if known else kept


def _declared(ranges: Mapping[str, object]) -> str:
    return f"default ranges for {', '.join(ranges)} alone" if ranges else "no default ranges"


def _changes(pairs: list[tuple[Method, Method]]) -> dict[str, Any] | None:
    """Return the options that methods and their controls differ in, at the controls' values; None if these vary."""
    names = [
        name for name in type(pairs[0][0]).model_fields if any(getattr(a, name) != getattr(b, name) for a, b in pairs)
    ]
    values = {name: [getattr(control, name) for _, control in pairs] for name in names}
    if any(value != of[0] for of in values.values() for value in of):
        return None
    return {name: of[0] for name, of in values.items()}


def _try(method: type[Method], name: str, value: Any) -> ValidationError | None:
    try:
        method(**{name: value})
    except ValidationError as error:
        return error
    return None


def _wrong(error: ValidationError) -> str:
    return "; ".join(explain(item) for item in error.errors())


class TrainingChoice(Recipe):
    """How originals and oracles are trained: SGD with momentum and a schedule."""

    precision: Literal[Precision, "auto"] = Field(
        "auto",
        description="floating-point format; `auto` takes bfloat16 on a GPU and wherever it is measured to be 1.2 times "
        "as fast, and the first run's choice holds for all later ones",
    )  # type: ignore[assignment]

    @property
    def recipe(self) -> Recipe:
        """The recipe that models are trained by.

        Raises:
            ValueError: the precision is still ``auto``.
        """
        if self.precision == "auto":
            raise ValueError("training.precision: wanted float32 or bfloat16, got auto; `choose_precision` chooses")
        return Recipe.model_validate(self.model_dump())


class EarlyStopping(Options):
    """Asynchronous successive halving on the epochs (ASHA, Li et al., 2020); such a search does not repeat exactly."""

    grace_epochs: Annotated[int, Ge(1)] = Field(1, description="epochs before which no trial is stopped")
    reduction: Annotated[int, Ge(2)] = Field(3, description="one of so many trials goes on past each rung")


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
    racing: Racing | None = Field(
        Racing(),
        description="try every setting on the first tuning seeds, and only the promising ones on the others; `null` "
        "tries each on all of them. One tuning seed leaves nothing to race on",
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
    def _objectives_agree(self) -> Self:
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


class Seeds(Options):
    """Training seeds: settings are chosen on ``tuning``, results are reported on ``reporting``."""

    tuning: Annotated[tuple[int, ...], MinLen(1), Listed] = Field(
        (0, 4, 5),
        description="seeds on which settings are chosen: all are tried on the first, the promising ones on the others "
        "(`search.racing`). By default the first three from 0 on that are not reported on",
    )
    reporting: Annotated[tuple[int, ...], MinLen(2), Listed] = Field(
        (1, 2, 3), description="seeds on which the chosen settings are confirmed; none of the tuning seeds"
    )

    @model_validator(mode="before")
    @classmethod
    def _free_seeds(cls, value: object) -> object:
        """Fill in the tuning seeds where a study names the reporting seeds alone."""
        if not isinstance(value, dict) or "tuning" in value or not isinstance(value.get("reporting"), list | tuple):
            return value
        return {**value, "tuning": tuple(islice((seed for seed in count() if seed not in value["reporting"]), 3))}

    @model_validator(mode="after")
    def _apart(self) -> Self:
        shared = sorted(set(self.tuning) & set(self.reporting))
        if shared:
            raise ValueError(
                f"tuning and reporting share the seeds {shared}; a setting is never reported on seeds it was chosen on"
            )
        for name, seeds in (("tuning", self.tuning), ("reporting", self.reporting)):
            if len(set(seeds)) < len(seeds):
                raise ValueError(f"{name} names a seed twice: {list(seeds)}")
        return self


class Resources(Options):
    """What one worker asks of the cluster: CPU cores, and GPUs or a fraction of one."""

    cpu: Annotated[float, Gt(0)] = Field(1.0, description="CPU cores")
    gpu: Annotated[float, Ge(0)] = Field(0.0, description="GPUs: a fraction of one, or a whole number")

    @model_validator(mode="after")
    def _whole_above_one(self) -> Self:
        if self.gpu > 1 and not self.gpu.is_integer():
            raise ValueError(f"gpu is a fraction of one GPU or a whole number of them, got {self.gpu:g}")
        return self

    def __str__(self) -> str:
        return f"{self.cpu:g} CPU and {self.gpu:g} GPU"


def _form(value: object) -> str:
    return "auto" if isinstance(value, str) else "share"


TrialResources = Annotated[
    Annotated[Resources, Tag("share")] | Annotated[Literal["auto"], Tag("auto")], Discriminator(_form)
]


class ResourceOptions(Options):
    """What a trial and what a training (of an original or oracle) asks of the cluster, and how many run at a time."""

    trial: TrialResources = Field(
        Resources(),
        description="for each trial; `auto` measures before the search how many trials share a device: a GPU where "
        "`training` asks for one, else the CPU cores",
    )
    training: Resources = Field(Resources(), description="for each training of an original or oracle")
    workers: Annotated[int, Ge(1)] | None = Field(
        None,
        description="most workers of each kind; by default as many as the cluster holds. On a cluster that grows, the "
        "number that it may grow to",
    )
    hung_after_s: Annotated[float, Gt(0)] = Field(
        3600.0, description="seconds after which a worker that has not finished an epoch is stopped and its work redone"
    )


def _known_metric(name: str) -> str:
    return METRICS[name].name


MetricName = Annotated[str, AfterValidator(_known_metric)]

LONGEST_NAME = 160
"""Characters of a study's name; those of its files are up to 85 longer, and a file system takes 255."""


class Study(Options):
    """One study: every scenario is data x augmentation x forget request, and every method runs in every scenario."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_NAME)] = Field(
        description="what the results are filed under: letters, digits and . _ -"
    )
    seed: int = Field(0, description="seed from which all random draws follow, with the training seeds of `seeds`")
    data: Annotated[tuple[AnySource, ...], MinLen(1), Listed] = Field(description="where the images come from")
    augmentations: Annotated[tuple[AugmentationName, ...], MinLen(1), Listed] = Field(
        ("none",), description="augmentations in training: none, or standard (random crop and flip)"
    )
    forget: Annotated[tuple[AnyForgetRequest, ...], MinLen(1), Listed] = Field(
        description="which train images are to be forgotten"
    )
    network: AnyNetwork = Field(ResNet18(), description="the classifier")
    training: TrainingChoice = Field(TrainingChoice(), description="how originals and oracles are trained")
    methods: Annotated[tuple[MethodChoice, ...], MinLen(1), Listed] = Field(description="unlearning methods to compare")
    controls: Literal["shown", "tuned"] = Field(
        "shown",
        description="controls of a method, such as SalUn's random mask: `shown` at the method's setting, or `tuned` "
        "themselves, each with the method's budget and ranges",
    )
    settings: Annotated[PathOption, Field(strict=False)] | None = Field(
        None,
        description="a settings file (`lethe export settings`); methods that have neither options nor a `search` here "
        "take their setting from it for each scenario, and are not searched",
    )
    metrics: Annotated[tuple[MetricName, ...], Listed] = Field(
        (),
        description="names of metrics from plug-ins that each confirmation measures beside the built-in ones; a metric "
        "that is named later confirms again, and trains and searches nothing",
    )
    audits: Annotated[tuple[AnyAudit, ...], Listed] = Field(
        (),
        description="attacks and tests that each confirmation runs on its model, with their options; one that is added "
        "later confirms again, trains only the models that it requires, and searches nothing",
    )
    search: Search = Field(Search(), description="how the settings of the methods are searched")
    seeds: Seeds = Field(Seeds(), description="training seeds to choose settings on, and others to report on")
    margin: Annotated[float, Gt(0), Lt(1)] = Field(
        0.01,
        description="excess over the noise floor, as a fraction, below which a row counts as equivalent to retraining",
    )
    resources: ResourceOptions = Field(ResourceOptions(), description="what trials and trainings ask of the machines")
    results: str = Field(
        "results",
        description="where results are kept: a URI such as s3://bucket/results, or a folder, which counts from the "
        "working directory; --results and LETHE_RESULTS come before it",
    )

    @property
    def further_metrics(self) -> tuple[Metric, ...]:
        """The metrics that confirmations measure beside the built-in ones."""
        return tuple(METRICS[name] for name in self.metrics if name not in BUILT_IN)

    def takes(self, choice: MethodChoice) -> bool:
        """Return whether a method takes its settings from the settings file."""
        return self.settings is not None and not (choice.fixed or choice.search)

    def searched_controls(self, choice: MethodChoice) -> dict[str, MethodChoice]:
        """Return the controls of a method that are searched themselves."""
        return choice.controls if self.controls == "tuned" else {}

    def in_precision(self, precision: Precision) -> "Study":
        """Return the study with its models trained in this precision."""
        return self.model_copy(update={"training": self.training.model_copy(update={"precision": precision})})

    def trains_as(self, other: "Study") -> bool:
        """Return whether the two train the same network by the same recipe on the same data."""
        return (self.data, self.network, self.training) == (other.data, other.network, other.training)

    @model_validator(mode="after")
    def _settings_are_taken(self) -> Self:
        if self.settings is not None and not any(map(self.takes, self.methods)):
            raise ValueError(
                "settings: no method takes its setting from the file: each has options or a `search`; name one without"
            )
        return self

    @model_validator(mode="after")
    def _best_epoch_has_one_meaning(self) -> Self:
        best = [choice.name for choice in self.methods if choice.keep == "best"]
        if best and self.search.objectives != ("gap",):
            raise ValueError(
                f"methods: {', '.join(best)}: keep: best is the epoch of the smallest gap, and search.objectives are "
                f"{', '.join(self.search.objectives)}; wanted last or rewind, with epochs under search"
            )
        return self

    @model_validator(mode="after")
    def _spread_is_known(self) -> Self:
        if self.search.choose == "mean_plus_sd" and len(self.seeds.tuning) < 2:
            raise ValueError(
                "search.choose: mean_plus_sd takes a standard deviation over tuning seeds, and seeds.tuning names one"
            )
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        lists: dict[str, list[str]] = {
            "data": [source.model_dump_json(exclude_none=True) for source in self.data],
            "augmentations": list(self.augmentations),
            "forget": [request.model_dump_json() for request in self.forget],
            "methods": [choice.name for choice in self.methods],
            "metrics": list(self.metrics),
            "audits": [audit.name for audit in self.audits],
        }
        problems = [
            f"{name}: named twice: {', '.join(twice)}"
            for name, entries in lists.items()
            if (twice := sorted({entry for entry in entries if entries.count(entry) > 1}))
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @model_validator(mode="after")
    def _audits_are_sound(self) -> Self:
        """Check what audits say of themselves, and that rows can call each measure by a name of its own."""
        problems = [f"audits: {one.name}: {fault}" for one in self.audits if (fault := fault_of(one))]
        taken = {**dict.fromkeys(BUILT_IN, "built-in metric"), **dict.fromkeys(self.metrics, "metric")}
        for audit in () if problems else self.audits:
            for name in audit.metrics:
                if name in taken:
                    problems.append(f"audits: {audit.name}: its measure {name} has the name of a {taken[name]}")
                taken[name] = f"measure of the audit {audit.name}"
        if problems:
            raise ValueError("\n".join(problems))
        return self
