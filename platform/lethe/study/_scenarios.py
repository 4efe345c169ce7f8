"""An expanded study: its scenarios, its method searches, and what identifies each of them.

A *scenario* is data x augmentation x forget request (x network and recipe); all methods share its originals and
oracles.
A *method search* is the search for one method's best setting on a scenario. Both are identified by what determines
their numbers, never by names: options with their defaults, hashes of content, seeds, and the versions of every part
that has one. The draws of a search follow from the options alone (`MethodSearch.stream`), so that a part of a new
version is tried at the same start-up settings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from lethe.storage.hashing import fingerprint
from lethe.study._given import Given
from lethe.study._method_choice import MethodChoice
from lethe.study._model import Study
from lethe.study._partition import Partition
from lethe.study._settings import ChosenSetting, TunedOn
from lethe.study._subset import Subset
from unlearning import metrics
from unlearning.data import Source, Task
from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.data.forget import AnyForgetRequest, ForgetSet, StreamStep
from unlearning.methods import Method
from unlearning.metrics import AttackClasses
from unlearning.models import Network
from unlearning.own_recipe import OWN_RECIPE_VERSION, AnyRecipe, OwnRecipe
from unlearning.requirements import REQUIREMENTS
from unlearning.seeds import derive
from unlearning.training import RECIPE_VERSION

SEARCH_VERSION: Final = 2
"""Raised by hand when the same options would propose other settings, or Optuna would learn otherwise from results."""

NO_PART: Final = ("trials", "seconds", "curves", "racing", "fused", "objectives", "limits", "choose", "start_from")
"""Options of a search without which its draws are named; of these the objectives, `fused`, and the settings that
`start_from` leads to, are part of its fingerprint.

The others change neither the n-th setting nor its numbers on the seeds that all are tried on.
"""

AT_ONCE: Final = "at once"
"""What is added to the name of a row whose method forgets the images of several requests at once."""


@dataclass(frozen=True)
class Scenario:
    """What every method has to forget, from which models, on every training seed.

    Attributes:
        source: where the data comes from, for reports; ``data_hash`` is what counts, and that of images or labels that
            the request changes is another.
        class_names: one per class, or per label where an image may have several, for reports; a renamed class changes
            no model, and so no fingerprint.
        train_count: images in the training split.
        train_duplicates: how many of them repeat another byte for byte.
        dropped: how many val and test images were left out because they are in train too.
        nonmembers: the split that the attack takes non-members from in a confirmation; it changes no search and no
            artifact, and so no fingerprint.
        attack_classes: of which classes the attack's members and non-members are, in searches and confirmations.
        selected: which train images are to be forgotten, before the lots of training seeds (see `partition`).
        column_hashes: of the columns of the data, by name; they change no model, and so no fingerprint but that of a
            confirmation whose audits read them.
        earlier: the scenario of the request before the last one, where requests come one after another; what is to be
            forgotten here are the images of all of them.
        task: what the labels mean, for reports; the hash of the data tells one class an image from several labels.
        given: the only model that there is, where nothing is trained since its recipe is not known.
    """

    study_seed: int
    source: Source
    dataset: str
    data_hash: str
    class_names: tuple[str, ...]
    channels: int
    train_count: int
    train_duplicates: int
    dropped: Mapping[Literal["val", "test"], int]
    nonmembers: Literal["val", "test"]
    attack_classes: AttackClasses
    augmentation: AugmentationName
    request: AnyForgetRequest | StreamStep
    selected: ForgetSet
    network: Network
    recipe: AnyRecipe
    column_hashes: Mapping[str, str] = field(default_factory=dict)
    earlier: "Scenario | None" = None
    task: Task = "multi-class"
    given: Given | None = None

    @property
    def classes(self) -> int:
        """The number of classes, or of labels: that of a network's outputs."""
        return len(self.class_names)

    @property
    def has_oracles(self) -> bool:
        """Whether models are trained here, with which unlearned ones are compared."""
        return self.given is None

    @cached_property
    def forget_hash(self) -> str:
        """The hash of the forget indices; where each training seed has a lot of its own, of the candidates and this."""
        if self.selected.lots is not None:
            return fingerprint({"candidates": self._as_selected.candidates.hash, "halves": self.request.deals})
        return self._as_selected.forgotten.hash

    @cached_property
    def recipe_id(self) -> str:
        """The fingerprint of how models are trained, whatever the data, the augmentation and the forget request.

        Models of one training seed and one such recipe share initial weights and draws; no others can be paired.
        """
        unlike = ("data", "source_version", "augmentation", "augmentation_version")
        shared = {name: value for name, value in self.trained_on.items() if name not in unlike}
        return fingerprint({**shared, "study_seed": self.study_seed})

    @cached_property
    def fingerprint(self) -> str:
        """What identifies the scenario, regardless of names; the training seeds follow from the study's seed."""
        return fingerprint(self._inputs)

    @cached_property
    def but_augmentation(self) -> str:
        """The fingerprint of all that makes the scenario but its augmentation, whose effect such scenarios show."""
        augmentation = ("augmentation", "augmentation_version")
        return fingerprint({name: value for name, value in self._inputs.items() if name not in augmentation})

    @cached_property
    def stream(self) -> str:
        """Return the name of the scenario's random draws: the inputs of its fingerprint, without versions of parts.

        It never changes for the same options, or searches would draw other settings: `arm` is what the augmentation
        was called first.
        """
        options = {("arm" if name == "augmentation" else name): value for name, value in self._options.items()}
        return fingerprint({**options, **self._asked, "study_seed": self.study_seed})

    @property
    def title(self) -> str:
        """How reports name the scenario."""
        return f"{self.dataset}, augmentation {self.augmentation}, forget {self.request.label}"

    @property
    def named(self) -> TunedOn:
        """The scenario as settings files name it."""
        return TunedOn(
            dataset=self.dataset,
            data_hash=self.data_hash,
            augmentation=self.augmentation,
            forget=self.request.label,
            network=self.network_title,
            precision=self.recipe.precision,
            training=self.recipe.title,
            attack_classes=None if self.attack_classes == "all" else self.attack_classes,
        )

    @property
    def names(self) -> tuple[TunedOn, ...]:
        """Under which names it takes a setting from a file; a stream also takes that of the request it begins with."""
        if not isinstance(self.request, StreamStep):
            return (self.named,)
        return self.named, self.named.model_copy(update={"forget": self.request.stream.parts[0].label})

    @property
    def network_title(self) -> str:
        """How rows name the network: with its options."""
        return self.network.title

    def training_seed(self, seed: int) -> int:
        """Derive the seed of initial weights, data order and augmentation from a training seed of the study."""
        return derive(self.study_seed, "training", seed)

    def unlearning_seed(self, seed: int) -> int:
        """Derive the seed of unlearning from the original of a training seed; all settings and methods share it."""
        return derive(self.study_seed, "unlearning", seed)

    def partition(self, seed: int) -> Partition:
        """Return the parts of train for the models of a training seed; all seeds share D_r, and mostly the others."""
        lot = seed if self.selected.lots is not None else None
        if lot not in self._partitions:
            self._partitions[lot] = Partition(self.selected.of_seed(seed), self.train_count)
        return self._partitions[lot]

    def step(self, seed: int) -> Partition:
        """Return the parts of train for the last request alone: images of earlier ones are neither in D_f nor in D_r.

        They are its control half. Without earlier requests it is `partition`.
        """
        return self.partition(seed) if self.earlier is None else self._step

    @property
    def first(self) -> "Scenario":
        """The scenario of the first request, where requests come one after another; else this one."""
        return self if self.earlier is None else self.earlier.first

    @property
    def retained(self) -> Subset:
        """D_r, the images that are to be kept, which the oracles of all training seeds are trained on."""
        return self._as_selected.retained

    def dosed(self, seed: int, share: float) -> Subset:
        """Return D_r with a share of a training seed's D_f, see `Partition.dosed`."""
        return self.partition(seed).dosed(share, self.study_seed)

    @cached_property
    def trained_on(self) -> dict[str, object]:
        """What determines the scenario's models but for their images and their seed, as JSON values."""
        network, recipe = self.network.code, self.recipe
        return {
            **self._options,
            **({"network_code": network} if network else {}),
            **({"recipe_code": recipe.code} if isinstance(recipe, OwnRecipe) else {}),
            **({"given": self.given.hash} if self.given else {}),
            "network_version": self.network.version,
            "source_version": self.source.version,
            "augmentation_version": AUGMENTATIONS[self.augmentation].version,
        }

    @cached_property
    def _as_selected(self) -> Partition:
        return Partition(self.selected, self.train_count)

    @cached_property
    def _step(self) -> Partition:
        """The images of the last request; every training seed has the same, since streams have no lots."""
        earlier = self.earlier
        if earlier is None:
            raise ValueError(f"{self.title}: there is no earlier request")
        return Partition(self.selected.after(earlier.selected), self.train_count)

    @cached_property
    def _partitions(self) -> dict[int | None, Partition]:
        return {}

    @property
    def _inputs(self) -> dict[str, object]:
        attack = {} if self.attack_classes == "all" else {"attack_classes": self.attack_classes}
        return {**self.trained_on, **self._asked, **attack, "study_seed": self.study_seed}

    @property
    def _asked(self) -> dict[str, object]:
        control = self._as_selected.control
        if self.selected.lots is not None or not len(control):
            return {"forget": self.forget_hash}
        return {"forget": self.forget_hash, "control": control.hash}

    @property
    def _options(self) -> dict[str, object]:
        return {
            "data": self.data_hash,
            "network": self.network.identity,
            "recipe": self.recipe.model_dump(mode="json", exclude={"folder"}),  # where its code lies changes nothing
            "augmentation": self.augmentation,
            "version": OWN_RECIPE_VERSION if isinstance(self.recipe, OwnRecipe) else RECIPE_VERSION,
        }


@dataclass(frozen=True)
class Prior:
    """A setting that another search chose.

    Attributes:
        setting: the searched options by name, each within its range.
        source: where it is from, for reports.
    """

    setting: Mapping[str, Any]
    source: str


@dataclass(frozen=True)
class MethodSearch:
    """One method on a scenario: what one Optuna study searches.

    Attributes:
        taken: the setting, where a settings file gave it and nothing is searched.
        control: the control of the method that this is, where it is searched itself.
        priors: the settings that the search tries first.
        later: the scenarios after each further request, where requests come one after another: their rows have the
            setting that the search chooses on the first one.
    """

    scenario: Scenario
    choice: MethodChoice
    study: Study
    taken: ChosenSetting | None = None
    control: str | None = None
    priors: tuple[Prior, ...] = ()
    later: tuple[Scenario, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """What identifies the search: all that determines the n-th setting and its numbers, but not their count.

        Of the tuning seeds it holds those that every setting is tried on: a search is continued with more of them.
        """
        priors = {"priors": [prior.setting for prior in self.priors]} if self.priors else {}
        return fingerprint(
            {
                **self._search,
                **priors,
                **self._objectives,
                **({"fused": True} if self.study.search.fused else {}),
                "scenario": self.scenario.fingerprint,
                "method": {
                    "name": self.choice.name,
                    "fixed": self.choice.options,
                    "search": self._ranges,
                    **({"keep": self.choice.keep} if self.choice.keep != "last" else {}),
                },
                "method_versions": method_versions(self.choice.method),
                "metric_versions": search_metric_versions(),
            }
        )

    @cached_property
    def stream(self) -> str:
        """Return the name of the search's random draws: they follow from the options and from no version of a part.

        Searches of one fingerprint have one stream; an option at its default is left out. So are `keep` and the
        objectives, which are then compared from the same start-up settings. `question` is what the scenario was called
        first.
        """
        method = {"name": self.choice.name, "fixed": self.choice.changed, "search": self._ranges}
        return fingerprint({**self._search, "question": self.scenario.stream, "method": method})

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios whose tables have its rows."""
        return (self.scenario, *self.later)

    def rows_in(self, scenario: Scenario) -> tuple[str, ...]:
        """Return the rows of a scenario's table that have its setting.

        Of a stream of requests controls stand beside the first one alone, and what forgets all at once beside the last.
        """
        request = scenario.request
        if not isinstance(request, StreamStep) or request.number == 1:
            return self.rows
        return (self.row, f"{self.row} {AT_ONCE}") if request.is_last else (self.row,)

    @property
    def rounds(self) -> tuple[tuple[int, ...], ...]:
        """The training seeds of each round: those that every setting is tried on, then one more for those that race."""
        tuning, racing = self.study.seeds.tuning, self.study.search.racing
        if racing is None:
            return (tuning,)
        return (tuning[: racing.first], *((seed,) for seed in tuning[racing.first :]))

    def measured_after(self, epochs: int, round: int = 0) -> tuple[int, ...]:
        """Return the epochs of a trial of so many after which it is measured, beside the last.

        Args:
            round: of the race; no run of a later one is stopped early.
        """
        search = self.study.search
        if search.curves or self.choice.keep == "best":
            return tuple(range(1, epochs))
        early = search.early_stopping
        return early.rungs(epochs - 1) if early and not round else ()

    @property
    def trials(self) -> int:
        """How many settings are tried at most: one where nothing is searched, and none where the setting is taken.

        Nor is any tried where there is no oracle to hold it against.
        """
        if self.taken or not self.scenario.has_oracles:
            return 0
        return self.study.search.trials if self.choice.search else 1

    @property
    def title(self) -> str:
        """How messages name the method search."""
        control = f", {self.control}" if self.control else ""
        return f"{self.scenario.title}: {self.choice.method.title}{control}"

    @property
    def row(self) -> str:
        """The row of the table that the search chooses the setting of."""
        return f"{self.choice.name} {self.control}" if self.control else self.choice.name

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows of the table that have its setting: its own, and the controls that are not searched themselves."""
        if self.control:
            return (self.row,)
        return (self.row, *(f"{self.choice.name} {control}" for control in self.shown_controls))

    @property
    def shown_controls(self) -> tuple[str, ...]:
        """The controls of the method that a table shows at the method's setting."""
        if self.control:
            return ()
        searched = self.study.searched_controls(self.choice)
        return tuple(control for control in self.choice.example.controls() if control not in searched)

    def method_at(self, setting: Mapping[str, object]) -> Method:
        """Build the method at a setting."""
        return self.choice.at(dict(setting))

    @property
    def _ranges(self) -> dict[str, object]:
        return {name: dimension.model_dump(mode="json") for name, dimension in self.choice.search.items()}

    @property
    def _objectives(self) -> dict[str, object]:
        objectives = self.study.search.objectives
        return {} if objectives == ("gap",) else {"objectives": list(objectives)}

    @property
    def _search(self) -> dict[str, object]:
        return {
            "search": self.study.search.model_dump(mode="json", exclude=set(NO_PART)),
            "search_version": SEARCH_VERSION,
            "tuning": list(self.rounds[0]),
        }


def method_versions(method: type[Method]) -> dict[str, int]:
    """Return the versions of a method, and of what it requires, by name."""
    return {"method": method.version, **{name: REQUIREMENTS[name].version for name in method.requires}}


def search_metric_versions() -> dict[str, int]:
    """Return the versions of the metrics in the objective of a search, by name."""
    versions = metrics.versions()
    return {name: versions[name] for name in (*metrics.SEARCH_METRICS, "gap")}


def scenarios_of(method_searches: Iterable[MethodSearch]) -> list[Scenario]:
    """Return the scenarios of method searches, with those after later requests, each once, in order."""
    every = (scenario for method_search in method_searches for scenario in method_search.scenarios)
    return list({scenario.fingerprint: scenario for scenario in every}.values())
