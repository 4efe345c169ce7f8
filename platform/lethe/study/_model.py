"""What a study's file may say: checked types, bounds and defaults, each told with its dotted place when wrong."""

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationError, model_validator

from unlearning.data import AnySource
from unlearning.data.augment import AugmentationName
from unlearning.data.forget import AnyForgetRequest
from unlearning.engine import Precision
from unlearning.methods import METHODS, Method
from unlearning.models import AnyNetwork, ResNet18
from unlearning.options import Options
from unlearning.training import Recipe

Listed = Field(strict=False)
"""A YAML list may stand for a tuple; what is in it stays strict."""


class Range(Options):
    """An interval of a number to search, on a plain or a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"a range runs from low to high, got low {self.low:g} and high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range lies above 0, got low {self.low:g}")
        return self


class Choices(Options):
    """Named alternatives to search, written as a plain list."""

    choices: Annotated[tuple[int | float | str, ...], MinLen(2), Listed]

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: object) -> object:
        return {"choices": value} if isinstance(value, list | tuple) else value


def _shape(value: object) -> str:
    return "choices" if isinstance(value, list | tuple | Choices) else "range"


Dimension = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_shape)]


class MethodChoice(Options):
    """A method of the study: its fixed options stand beside ``name``, the searched ones under ``search``."""

    name: str
    fixed: dict[str, Any] = Field(default_factory=dict)
    search: dict[str, Dimension] = Field(default_factory=dict)
    _method: type[Method] = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: object) -> object:
        if not isinstance(value, dict) or "fixed" in value:
            return value
        fixed = {key: option for key, option in value.items() if key not in ("name", "search")}
        return {"name": value.get("name"), "fixed": fixed, "search": value.get("search") or {}}

    @model_validator(mode="after")
    def _known(self) -> Self:
        self._method = METHODS[self.name]
        problems = [*self._unknown(), *self._both(), *self._out_of_bounds()]
        if problems:
            raise ValueError("\n".join(problems))
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
    def longest(self) -> int:
        """The most epochs that a trial of the method can have."""
        return max(self._ends("epochs")) if "epochs" in self.search else self.example.epochs

    def at(self, setting: dict[str, Any]) -> Method:
        """Make the method at a setting of its searched options."""
        return self.method(**self.fixed, **setting)

    def _unknown(self) -> list[str]:
        valid = [name for name in self.method.model_fields if name != "name"]
        return [
            f"{name}: {self.name} has no such option; its options are {', '.join(valid)}"
            for name in (*self.fixed, *self.search)
            if name not in valid
        ]

    def _both(self) -> list[str]:
        return [f"{name}: given as fixed and under search; keep one" for name in self.fixed if name in self.search]

    def _out_of_bounds(self) -> list[str]:
        """Try the fixed options, and each end of each searched one, on the method itself."""
        fields = self.method.model_fields
        corners = {name: [value] for name, value in self.fixed.items()}
        corners |= {name: self._ends(name) for name in self.search}
        return [
            f"{name}: {_wrong(error)}, got {value!r}{number_hint(value)}"
            for name, values in corners.items()
            if name in fields
            for value in values
            if (error := _try(self.method, name, value))
        ]

    def _ends(self, name: str) -> list[Any]:
        """Give the choices, or the ends of the range, of a searched option."""
        dimension = self.search[name]
        if isinstance(dimension, Choices):
            return list(dimension.choices)
        whole = self.is_whole(name) and dimension.low.is_integer() and dimension.high.is_integer()
        return [int(end) if whole else end for end in (dimension.low, dimension.high)]

    def is_whole(self, name: str) -> bool:
        """Tell whether an option of the method is a whole number."""
        field = self.method.model_fields.get(name)
        return field is not None and field.annotation is int


def _try(method: type[Method], name: str, value: Any) -> ValidationError | None:
    try:
        method(**{name: value})
    except ValidationError as error:
        return error
    return None


def number_hint(value: object) -> str:
    """Say how YAML wants a number that came as text; nothing for anything else."""
    if not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    written = f"{number:.0f}" if number.is_integer() else f"{number:.1e}"
    return f" (YAML reads a number only without quotes, and with a point where it has an exponent: {written})"


def _wrong(error: ValidationError) -> str:
    return "; ".join(str(item["msg"]).lower() for item in error.errors())


class TrainingChoice(Recipe):
    """The recipe of a study; ``auto`` leaves its precision to the hardware, and is replaced before anything else."""

    precision: Precision | Literal["auto"] = "auto"  # type: ignore[assignment]

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

    grace_epochs: Annotated[int, Ge(1)] = 1
    reduction: Annotated[int, Ge(2)] = 3


class Search(Options):
    """How the settings of each method are searched; every searched method of a scenario has the same budget.

    Attributes:
        window: trials that may run, or wait to be learnt of, while the next one is proposed.
        startup: trials that the sampler must have learnt of before its model proposes; until then settings are spread
            evenly over the ranges. Of ``trials`` the model proposes all but the first ``startup + window``.
    """

    trials: Annotated[int, Ge(1)] = 24
    sampler: Literal["tpe", "random", "gp"] = "tpe"
    window: Annotated[int, Ge(1)] = 4
    startup: Annotated[int, Ge(1)] = 4
    early_stopping: EarlyStopping | None = None


class Seeds(Options):
    """Training seeds: settings are chosen on ``tuning``, results are reported on ``reporting``."""

    tuning: Annotated[tuple[int, ...], MinLen(1), Listed] = (0,)
    reporting: Annotated[tuple[int, ...], MinLen(2), Listed] = (1, 2, 3)

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


class Share(Options):
    """What one worker asks of the cluster: CPU cores, and GPUs or a fraction of one."""

    cpu: Annotated[float, Gt(0)] = 1.0
    gpu: Annotated[float, Ge(0)] = 0.0

    @model_validator(mode="after")
    def _whole_above_one(self) -> Self:
        if self.gpu > 1 and not self.gpu.is_integer():
            raise ValueError(f"gpu is a fraction of one GPU or a whole number of them, got {self.gpu:g}")
        return self


def _form(value: object) -> str:
    return "auto" if isinstance(value, str) else "share"


TrialShare = Annotated[Annotated[Share, Tag("share")] | Annotated[Literal["auto"], Tag("auto")], Discriminator(_form)]


class Resources(Options):
    """What a trial and what a training (of an original or oracle) asks of the cluster, and how many run at a time.

    Attributes:
        trial: a share, or ``auto``: measured on the cluster's machines before the search, on GPUs where ``training``
            asks for one, else on cores.
        workers: the most workers of each kind; by default as many as the cluster holds when they are asked for. Less
            leaves room for others; on a cluster that grows, say how many it may grow to.
        hung_after_s: a worker that is longer on one epoch is killed, and its work begun again.
    """

    trial: TrialShare = Share()
    training: Share = Share()
    workers: Annotated[int, Ge(1)] | None = None
    hung_after_s: Annotated[float, Gt(0)] = 3600.0


LONGEST_NAME = 160
"""Characters of a study's name; those of its files are up to 85 longer, and a file system takes 255."""


class Study(Options):
    """One study: every scenario is data x augmentation x forget request; every method is asked every scenario."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_NAME)]
    seed: int = 0
    data: Annotated[tuple[AnySource, ...], MinLen(1), Listed]
    augmentations: Annotated[tuple[AugmentationName, ...], MinLen(1), Listed] = ("none",)
    forget: Annotated[tuple[AnyForgetRequest, ...], MinLen(1), Listed]
    network: AnyNetwork = ResNet18()
    training: TrainingChoice = TrainingChoice()
    methods: Annotated[tuple[MethodChoice, ...], MinLen(1), Listed]
    search: Search = Search()
    seeds: Seeds = Seeds()
    margin: Annotated[float, Gt(0), Lt(1)] = Field(
        0.01,
        description="excess over the noise floor, as a fraction, below which a row counts as equivalent to retraining",
    )
    resources: Resources = Resources()
    results: str = "results"

    def in_precision(self, precision: Precision) -> "Study":
        """Give the study with its models trained in this precision."""
        return self.model_copy(update={"training": self.training.model_copy(update={"precision": precision})})

    def trains_as(self, other: "Study") -> bool:
        """Tell whether the two train the same network by the same recipe on the same data."""
        return (self.data, self.network, self.training) == (other.data, other.network, other.training)

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        lists: dict[str, list[str]] = {
            "data": [source.model_dump_json(exclude_none=True) for source in self.data],
            "augmentations": list(self.augmentations),
            "forget": [request.model_dump_json() for request in self.forget],
            "methods": [choice.name for choice in self.methods],
        }
        problems = [
            f"{name}: named twice: {', '.join(twice)}"
            for name, entries in lists.items()
            if (twice := sorted({entry for entry in entries if entries.count(entry) > 1}))
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self
