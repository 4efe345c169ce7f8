"""An expanded study: its scenarios, its method searches, and what identifies each of them.

A *scenario* is data x augmentation x forget request (x network and recipe); all methods share its originals and
oracles.
A *method search* is the search for one method's best setting on a scenario. Both are identified by what determines
their numbers, never by names: options with their defaults, hashes of content, seeds, and the versions of every part
that has one. The draws of a search follow from the options alone (`MethodSearch.stream`), so that a part of a new
version is tried at the same start-up settings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import torch

from lethe.storage.hashing import fingerprint
from lethe.study._method_choice import MethodChoice
from lethe.study._model import Study
from lethe.study._settings import ChosenSetting, TunedOn
from lethe.study._subset import Subset
from lethe.study._taken import take_settings
from unlearning import metrics
from unlearning.data import AnySource, DataError, ImageData, Source
from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.data.forget import AnyForgetRequest, ForgetSet, select
from unlearning.methods import Method
from unlearning.metrics import AttackClasses
from unlearning.models import Network
from unlearning.requirements import REQUIREMENTS
from unlearning.seeds import derive, generator
from unlearning.training import RECIPE_VERSION, Recipe

SEARCH_VERSION: Final = 2
"""Raised by hand when the same options would propose other settings, or Optuna would learn otherwise from results."""

NO_PART: Final = ("trials", "seconds", "racing", "objectives", "limits", "choose", "start_from")
"""Options of a search without which its draws are named; of these the objectives, and the settings that `start_from`
leads to, are part of its fingerprint.

The others change neither the n-th setting nor its numbers on the seeds that all are tried on.
"""


@dataclass(frozen=True)
class Scenario:
    """What every method has to forget, from which models, on every training seed.

    Attributes:
        source: where the data comes from, for reports; ``data_hash`` is what counts.
        train_count: images in the training split.
        train_duplicates: how many of them repeat another byte for byte.
        dropped: how many val and test images were left out because they are in train too.
        nonmembers: the split that the attack takes non-members from in a confirmation; it changes no search and no
            artifact, and so no fingerprint.
        attack_classes: of which classes the attack's members and non-members are, in searches and confirmations.
        forget: which train images are to be forgotten.
    """

    study_seed: int
    source: Source
    dataset: str
    data_hash: str
    classes: int
    channels: int
    train_count: int
    train_duplicates: int
    dropped: Mapping[Literal["val", "test"], int]
    nonmembers: Literal["val", "test"]
    attack_classes: AttackClasses
    augmentation: AugmentationName
    request: AnyForgetRequest
    forget: ForgetSet
    network: Network
    recipe: Recipe

    @cached_property
    def forget_hash(self) -> str:
        """The hash of the forget indices."""
        return self.forgotten.hash

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
        attack = {} if self.attack_classes == "all" else {"attack_classes": self.attack_classes}
        return fingerprint({**self.trained_on, **self._asked, **attack, "study_seed": self.study_seed})

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
        recipe = self.recipe
        return TunedOn(
            dataset=self.dataset,
            data_hash=self.data_hash,
            augmentation=self.augmentation,
            forget=self.request.label,
            network=self.network_title,
            precision=recipe.precision,
            training=f"{recipe.epochs} epochs, batch {recipe.batch_size}, lr {recipe.lr:g}, {recipe.schedule.kind}",
        )

    @property
    def network_title(self) -> str:
        """How rows name the network: with its options."""
        options = self.network.model_dump()
        name = options.pop("name")
        return " ".join([name, *(f"{option} {value}" for option, value in options.items())])

    def training_seed(self, seed: int) -> int:
        """Derive the seed of initial weights, data order and augmentation from a training seed of the study."""
        return derive(self.study_seed, "training", seed)

    def unlearning_seed(self, seed: int) -> int:
        """Derive the seed of unlearning from the original of a training seed; all settings and methods share it."""
        return derive(self.study_seed, "unlearning", seed)

    @cached_property
    def everything(self) -> Subset:
        """D, which the original is trained on: all train images but those of the control half."""
        return self.control.rest

    @cached_property
    def control(self) -> Subset:
        """The control half, which no model is trained on; mostly empty."""
        return Subset(self.forget.control_C, self.train_count)

    @cached_property
    def forgotten(self) -> Subset:
        """D_f, the images that are to be forgotten."""
        return Subset(self.forget.indices_F, self.train_count)

    @cached_property
    def retained(self) -> Subset:
        """D_r, the images that are to be kept, which the oracle is trained on."""
        return Subset(self.forget.retain_R, self.train_count)

    def dosed(self, share: float) -> Subset:
        """Return D_r with a share of D_f, rounded to whole groups of duplicates; a larger share holds a smaller one."""
        units_U, unit_F = self.forget.unit_F.unique(return_inverse=True)
        order_U = torch.randperm(len(units_U), generator=generator(self.study_seed, "dose"))
        kept_U = torch.zeros(len(units_U), dtype=torch.bool)
        kept_U[order_U[: round(share * len(units_U))]] = True
        both_M = torch.cat([self.forget.retain_R, self.forget.indices_F[kept_U[unit_F]]])
        return Subset(both_M.sort().values, self.train_count)

    @cached_property
    def trained_on(self) -> dict[str, object]:
        """What determines the scenario's models but for their images and their seed, as JSON values."""
        return self._options | {
            "network_version": self.network.version,
            "source_version": self.source.version,
            "augmentation_version": AUGMENTATIONS[self.augmentation].version,
        }

    @property
    def _asked(self) -> dict[str, object]:
        control = {"control": self.control.hash} if len(self.control) else {}
        return {"forget": self.forget_hash, **control}

    @property
    def _options(self) -> dict[str, object]:
        return {
            "data": self.data_hash,
            "network": self.network.model_dump(mode="json"),
            "recipe": self.recipe.model_dump(mode="json"),
            "augmentation": self.augmentation,
            "version": RECIPE_VERSION,
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
    """

    scenario: Scenario
    choice: MethodChoice
    study: Study
    taken: ChosenSetting | None = None
    control: str | None = None
    priors: tuple[Prior, ...] = ()

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
    def rounds(self) -> tuple[tuple[int, ...], ...]:
        """The training seeds of each round: those that every setting is tried on, then one more for those that race."""
        tuning, racing = self.study.seeds.tuning, self.study.search.racing
        if racing is None:
            return (tuning,)
        return (tuning[: racing.first], *((seed,) for seed in tuning[racing.first :]))

    @property
    def trials(self) -> int:
        """How many settings are tried at most: one where nothing is searched, and none where the setting is taken."""
        if self.taken:
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


def expand(study: Study, datasets: Mapping[AnySource, ImageData]) -> list[MethodSearch]:
    """Expand a study over its data, augmentations, forget requests and methods, in the order of its file.

    Raises:
        DataError: a forget request does not fit its data, two scenarios are the same under different names, an audit
            needs a control half and no request has one, a dose is none or all of a forget set, a method can do nothing
            for a request (all methods and requests at once), or is to rewind where val lacks the classes that are to be
            forgotten from, or the attack is to have non-members of a class that val or the split of a report lacks.
        StudyError: the settings file cannot be read, or lacks a setting that is to be taken from it.
        ValueError: the study's precision is still ``auto``.
    """
    scenarios = list(_scenarios(study, datasets))
    _refuse_twice(scenarios)
    _refuse_audits_without_control(scenarios, study)
    _refuse_doses_of_nothing(scenarios, study)
    _refuse_rewinding(scenarios, study, datasets)
    _refuse_classes_without_nonmembers(scenarios, datasets)
    settings = take_settings(study, {scenario.fingerprint: scenario.named for scenario in scenarios})
    found: list[MethodSearch] = []
    for scenario in scenarios:
        for choice in study.methods:
            setting = settings.get((scenario.fingerprint, choice.name))
            if setting:
                found.append(MethodSearch(scenario, setting.choice, study, taken=setting))
                continue
            found.append(MethodSearch(scenario, choice, study))
            for control, of_control in study.searched_controls(choice).items():
                found.append(MethodSearch(scenario, of_control, study, control=control))
    _refuse_what_can_do_nothing(found)
    return found


def scenarios_of(method_searches: Iterable[MethodSearch]) -> list[Scenario]:
    """Return the scenarios of method searches, each once, in order."""
    return list(
        {method_search.scenario.fingerprint: method_search.scenario for method_search in method_searches}.values()
    )


def _refuse_twice(scenarios: Iterable[Scenario]) -> None:
    first: dict[str, Scenario] = {}
    for scenario in scenarios:
        same = first.setdefault(scenario.fingerprint, scenario)
        if same is not scenario:
            raise DataError(
                f"one scenario by two names: {same.title}; {scenario.title}: the same images are to be forgotten from "
                "the same data; keep one"
            )


def _refuse_audits_without_control(scenarios: Iterable[Scenario], study: Study) -> None:
    """Refuse audits of the control half where no request has one."""
    audits = [audit.name for audit in study.audits if audit.needs_control]
    if audits and not any(scenario.request.has_control for scenario in scenarios):
        raise DataError(
            f"audits: {', '.join(audits)}: compares the images to be forgotten with a control half, and no forget "
            f"request keeps one; wanted a request such as {{kind: random, fraction: 0.1, control: true}}, got "
            f"{', '.join(request.label for request in study.forget)}"
        )


def _refuse_doses_of_nothing(scenarios: Iterable[Scenario], study: Study) -> None:
    """Refuse shares of a forget set that are none of it, all of it, or the same images as another share."""
    faults = []
    for scenario in scenarios:
        sizes = {dose: len(scenario.dosed(dose)) - len(scenario.retained) for dose in sorted(study.doses)}
        alike = [dose for dose, size in sizes.items() if list(sizes.values()).count(size) > 1]
        whole = [dose for dose, size in sizes.items() if size in (0, len(scenario.forgotten))]
        if alike or whole:
            counts = ", ".join(f"{dose:g} is {size} images" for dose, size in sizes.items())
            faults.append(
                f"doses: {scenario.title}, {len(scenario.forgotten)} images in whole groups of duplicates: {counts}; "
                "wanted different numbers of images, neither none nor all"
            )
    if faults:
        raise DataError("\n".join(faults))


def _refuse_what_can_do_nothing(method_searches: Iterable[MethodSearch]) -> None:
    faults = [
        f"{one.row}, {one.scenario.dataset}, forget {one.scenario.request.label}: {fault}"
        for one in method_searches
        for fault in one.choice.faults(len(one.scenario.forgotten), len(one.scenario.everything))
    ]
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))


def _refuse_rewinding(scenarios: Iterable[Scenario], study: Study, datasets: Mapping[AnySource, ImageData]) -> None:
    """Refuse to rewind where no image of val has a class that is to be forgotten from."""
    rewinding = [choice.name for choice in study.methods if choice.keep == "rewind"]
    by_hash = {data.content_hash: data for data in datasets.values()}
    for scenario in scenarios if rewinding else ():
        data = by_hash[scenario.data_hash]
        forgotten = data.train.labels_N[scenario.forget.indices_F]
        if not torch.isin(data.val.labels_N, forgotten).any():
            raise DataError(
                f"{scenario.title}: {', '.join(rewinding)} with keep: rewind looks at validation images of the classes "
                "that are to be forgotten from, and there are none; wanted last or best"
            )


def _refuse_classes_without_nonmembers(scenarios: Iterable[Scenario], datasets: Mapping[AnySource, ImageData]) -> None:
    """Refuse attacks by class where val, which searches use, or a report's split lacks a class of the forget set."""
    by_hash, faults = {data.content_hash: data for data in datasets.values()}, []
    for scenario in scenarios:
        data = by_hash[scenario.data_hash]
        classes = data.train.labels_N[scenario.forget.indices_F].unique()
        for split in dict.fromkeys(("val", scenario.nonmembers)) if scenario.attack_classes == "forgotten" else ():
            lacking = classes[~torch.isin(classes, getattr(data, split).labels_N)].tolist()
            if lacking:
                names = ", ".join(data.class_names[index] for index in lacking)
                faults.append(
                    f"attack_classes: forgotten: {scenario.title}: wanted non-members of each class of the forget set, "
                    f"got none of {names} in {split}; wanted all, or a request without that class"
                )
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))


def _scenarios(study: Study, datasets: Mapping[AnySource, ImageData]) -> Iterable[Scenario]:
    for source in study.data:
        data = datasets[source]
        selected = [(request, select(request, data, derive(study.seed, "forget"))) for request in study.forget]
        for augmentation in study.augmentations:
            for request, forget in selected:
                yield Scenario(
                    study_seed=study.seed,
                    source=source,
                    dataset=data.name,
                    data_hash=data.content_hash,
                    classes=data.classes,
                    channels=data.train.images_NCHW.shape[1],
                    train_count=len(data.train),
                    train_duplicates=data.duplicates,
                    dropped=data.dropped,
                    nonmembers=data.nonmembers,
                    attack_classes=study.attack_classes,
                    augmentation=augmentation,
                    request=request,
                    forget=forget,
                    network=study.network,
                    recipe=study.training.recipe,
                )
