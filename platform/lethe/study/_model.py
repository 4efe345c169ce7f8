"""What a study file may say: types, bounds, defaults, and beside each key the meaning that its documents quote."""

from itertools import count, islice
from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from lethe.study._bundles import unbundled
from lethe.study._listed import Listed
from lethe.study._method_choice import MethodChoice
from lethe.study._search_options import Search
from lethe.study._without_oracle import faults_without_oracle
from unlearning.audits import AnyAudit, fault_of
from unlearning.data import AnySource
from unlearning.data._base import PathOption
from unlearning.data.augment import AugmentationName
from unlearning.data.forget import AnyForgetRequest
from unlearning.engine import Precision
from unlearning.metrics import BUILT_IN, METRICS, AttackClasses, Metric
from unlearning.models import AnyNetwork, ResNet18
from unlearning.no_recipe import NoRecipe
from unlearning.options import Options
from unlearning.own_recipe import OwnRecipe
from unlearning.training import Recipe


class TrainingChoice(Recipe):
    __doc__ = Recipe.__doc__

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


TrainingSeed = Annotated[int, Gt(-(2**53)), Lt(2**53)]
"""A seed that rows and JSON hold exactly, with room for those above it that audits train further models on."""


class Seeds(Options):
    """Training seeds: settings are chosen on ``tuning``, results are reported on ``reporting``."""

    tuning: Annotated[tuple[TrainingSeed, ...], MinLen(1), Listed] = Field(
        (0, 4, 5),
        description="seeds on which settings are chosen: all are tried on the first, the promising ones on the others "
        "(`search.racing`). By default the first three from 0 on that are not reported on",
    )
    reporting: Annotated[tuple[TrainingSeed, ...], MinLen(2), Listed] = Field(
        (1, 2, 3), description="seeds on which the chosen settings are confirmed; none of the tuning seeds"
    )

    @property
    def known(self) -> tuple[int, ...]:
        """The tuning seeds, then the reporting seeds."""
        return (*self.tuning, *self.reporting)

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


class GivenOriginal(Options):
    """The classifier in use, trained elsewhere: what is delivered is made from it; searches and tables never see it.

    Of a stream of requests it has met all but the last.
    """

    checkpoint: PathOption = Field(
        description="state dict of the network: safetensors, or a file of `torch.save` that holds tensors alone"
    )


class DeliveryOptions(Options):
    """The unlearned model that leaves (`lethe deliver`)."""

    seed: int | None = Field(
        None,
        description="reporting seed whose original is unlearned, where none is given under `original`, and which the "
        "draws of the method follow from; by default the first",
    )


MetricName = Annotated[str, AfterValidator(_known_metric)]


def _training_form(value: object) -> str:
    if isinstance(value, NoRecipe | str):
        return "none"
    own = isinstance(value, OwnRecipe) or (isinstance(value, dict) and "import" in value)
    return "import" if own else "recipe"


AnyTraining = Annotated[
    Annotated[TrainingChoice, Tag("recipe")] | Annotated[OwnRecipe, Tag("import")] | Annotated[NoRecipe, Tag("none")],
    Discriminator(_training_form),
]

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
    training: AnyTraining = Field(
        TrainingChoice(),
        description="how originals and oracles are trained: by a recipe, or a function of your own. `none`: how the "
        "model under `original` was trained is not known. Then nothing is trained: methods run on it at fixed "
        "settings, and nothing says how close to retraining they come",
    )
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
    attack_classes: AttackClasses = Field(
        "all",
        description="classes of the images that the attack behind MIA learns from: `all` as they come, or `forgotten`: "
        "members and non-members are drawn in the forget set's mix of classes, for requests that do not ask for all "
        "classes alike. A change searches and confirms again, and trains nothing",
    )
    audits: Annotated[tuple[AnyAudit, ...], Listed, BeforeValidator(unbundled)] = Field(
        (),
        description="attacks and tests that each confirmation runs on its model: a list of them with their options, or "
        "a bundle, `quick` (trains nothing), `standard` or `full`; one that is added later confirms again, trains only "
        "the models that it requires, and searches nothing",
    )
    doses: Annotated[tuple[Annotated[float, Gt(0), Lt(1)], ...], Listed] = Field(
        (),
        description="shares of the forget set, such as [0.1, 0.25, 0.5]: models that are trained on the retain set and "
        "such a share are measured and audited as rows of their own, one for each reporting seed. They are in no "
        "ranking; they show what a value of an audit means",
    )
    search: Search = Field(Search(), description="how the settings of the methods are searched")
    seeds: Seeds = Field(Seeds(), description="training seeds to choose settings on, and others to report on")
    original: GivenOriginal | None = Field(
        None,
        description="the classifier that is delivered from; by default the original of `deliver.seed`, trained here",
    )
    deliver: DeliveryOptions = Field(DeliveryOptions(), description="the unlearned model that leaves")
    margin: Annotated[float, Gt(0), Lt(1)] = Field(
        0.01,
        description="excess over the noise floor, as a fraction, below which a row counts as equivalent to retraining",
    )
    resources: ResourceOptions = Field(ResourceOptions(), description="what trials and trainings ask of the machines")
    keep_models: Literal["none", "confirmed"] = Field(
        "none",
        description="which unlearned models stay beside the results: `none`, or `confirmed`: those of methods and "
        "controls on the reporting seeds, as artifacts. It changes no number, and models that were confirmed before "
        "are not made again for it; `lethe models` lists and exports both",
    )
    models_gib: Annotated[float, Gt(0)] = Field(
        10.0,
        description="GiB that the kept models of this study may take; where another does not fit, the one of the "
        "largest gap goes, and the run says how many went",
    )
    results: str = Field(
        "results",
        description="where results are kept: a URI such as s3://bucket/results, or a folder, which counts from the "
        "working directory; --results and LETHE_RESULTS come before it",
    )

    @property
    def has_oracles(self) -> bool:
        """Whether models are trained here, with which unlearned ones are compared."""
        return not isinstance(self.training, NoRecipe)

    @property
    def further_metrics(self) -> tuple[Metric, ...]:
        """The metrics that confirmations measure beside the built-in ones."""
        return tuple(METRICS[name] for name in self.metrics if name not in BUILT_IN)

    @property
    def production_seed(self) -> int:
        """The reporting seed of the model that is delivered."""
        return self.seeds.reporting[0] if self.deliver.seed is None else self.deliver.seed

    def takes(self, choice: MethodChoice) -> bool:
        """Return whether a method takes its settings from the settings file."""
        return self.settings is not None and not (choice.fixed or choice.search)

    def searched_controls(self, choice: MethodChoice) -> dict[str, MethodChoice]:
        """Return the controls of a method that are searched themselves."""
        return choice.controls if self.controls == "tuned" else {}

    def in_precision(self, precision: Precision) -> "Study":
        """Return the study with its models trained in this precision."""
        if self.training.precision == precision:
            return self
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
    def _tuning_seeds_suffice(self) -> Self:
        search, one_seed = self.search, len(self.seeds.tuning) < 2
        problems = []
        if search.choose == "mean_plus_sd" and one_seed:
            problems.append(
                "search.choose: mean_plus_sd takes a standard deviation over tuning seeds, and seeds.tuning names one"
            )
        if search.fused and one_seed:
            problems.append(
                "search.fused: wanted several tuning seeds to train in one step, and seeds.tuning names one: name two "
                "or more, or set search.fused to false"
            )
        elif search.fused and search.racing and search.racing.first == 1:
            problems.append(
                "search.fused: wanted trials on several tuning seeds, and racing tries each setting on one at a time: "
                "set search.racing to null, or search.racing.first to 2 or more"
            )
        if problems:
            raise ValueError("\n".join(problems))
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
    def _delivers_what_is_reported(self) -> Self:
        if self.production_seed not in self.seeds.reporting:
            raise ValueError(
                f"deliver: seed: wanted one of the reporting seeds {list(self.seeds.reporting)}, "
                f"got {self.production_seed}"
            )
        return self

    @model_validator(mode="after")
    def _doses_differ(self) -> Self:
        if len(set(self.doses)) < len(self.doses):
            raise ValueError(f"doses: wanted each share once, got {', '.join(f'{dose:g}' for dose in self.doses)}")
        return self

    @model_validator(mode="after")
    def _asks_for_no_oracle_where_there_is_none(self) -> Self:
        problems = (
            ()
            if self.has_oracles
            else faults_without_oracle(
                given=self.original is not None,
                methods=self.methods,
                forget=self.forget,
                audits=self.audits,
                doses=self.doses,
            )
        )
        if told := "\n".join(problems):
            raise ValueError(told)
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
