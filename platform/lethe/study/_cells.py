"""A study spread out: its questions, its cells, and what identifies each of them.

A *question* is data x arm x forget request (x network and recipe); all methods share its originals and oracles.
A *cell* is a question put to one method under one search. Both are identified by what determines their numbers, never
by names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from lethe.fingerprint import digest_of_tensor, fingerprint
from lethe.study._model import MethodChoice, Study
from unlearning.data import AnySource, DataError, ImageData, Source
from unlearning.data.augment import ArmName
from unlearning.data.forget import AnyForgetRequest, ForgetSet, select
from unlearning.methods import Method
from unlearning.models import Network
from unlearning.saliency import SALIENCY_VERSION
from unlearning.seeds import derive
from unlearning.training import RECIPE_VERSION, Recipe

ArtefactKind = Literal["original", "oracle", "saliency"]

SEARCH_VERSION: Final = 2
"""Raised by hand when the same options would propose other settings, or Optuna would learn otherwise of the results."""


@dataclass(frozen=True, eq=False)
class ArtefactKey:
    """What determines an artefact: its kind and every input, by name; keys of one fingerprint are equal.

    Attributes:
        inputs: JSON values: hashes, options, derived seeds, versions.
    """

    kind: ArtefactKind
    inputs: Mapping[str, object]

    @cached_property
    def fingerprint(self) -> str:
        """The artefact's name in the pool."""
        return fingerprint({"kind": self.kind, **self.inputs})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtefactKey) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


@dataclass(frozen=True)
class Question:
    """What every method is asked, on every training seed.

    Attributes:
        source: where the data comes from, for reports; ``data_hash`` is what counts.
        train_count: images in the training split.
        train_twins: how many of them repeat another byte for byte.
        dropped: how many val and test images were left out because they also stand in train.
        nonmembers: the split that the attack takes non-members from in a confirmation; it changes no search and no
            artefact, and so no fingerprint.
        forget: which train images are to be forgotten.
    """

    study_seed: int
    source: Source
    dataset: str
    data_hash: str
    classes: int
    channels: int
    train_count: int
    train_twins: int
    dropped: Mapping[Literal["val", "test"], int]
    nonmembers: Literal["val", "test"]
    arm: ArmName
    request: AnyForgetRequest
    forget: ForgetSet
    network: Network
    recipe: Recipe

    @cached_property
    def forget_hash(self) -> str:
        """The hash of the forget indices."""
        return digest_of_tensor(self.forget.indices_F)

    @cached_property
    def recipe_id(self) -> str:
        """The fingerprint of how models are trained, whatever the data, the augmentation and the forget request.

        Models of one training seed and one such recipe share initial weights and draws; no others can be paired.
        """
        shared = {name: value for name, value in self._trained_on.items() if name not in ("data", "arm")}
        return fingerprint({**shared, "study_seed": self.study_seed})

    @cached_property
    def fingerprint(self) -> str:
        """What identifies the question, whatever it is called; the training seeds follow from the study's seed."""
        return fingerprint({**self._trained_on, "forget": self.forget_hash, "study_seed": self.study_seed})

    @property
    def title(self) -> str:
        """How reports name the question."""
        return f"{self.dataset}, augmentation {self.arm}, forget {self.request.label}"

    def training_seed(self, seed: int) -> int:
        """Derive the seed of initial weights, data order and augmentation from a training seed of the study."""
        return derive(self.study_seed, "training", seed)

    def unlearning_seed(self, seed: int) -> int:
        """Derive the seed of unlearning from the original of a training seed; all settings and methods share it."""
        return derive(self.study_seed, "unlearning", seed)

    def original(self, seed: int) -> ArtefactKey:
        """Name the original of a training seed; every forget request shares it."""
        return ArtefactKey("original", {**self._trained_on, "training_seed": self.training_seed(seed)})

    def oracle(self, seed: int) -> ArtefactKey:
        """Name the oracle of a training seed, paired with its original."""
        inputs = {**self._trained_on, "forget": self.forget_hash, "training_seed": self.training_seed(seed)}
        return ArtefactKey("oracle", inputs)

    def saliency(self, seed: int) -> ArtefactKey:
        """Name the saliency scores of an original on the forget set."""
        return ArtefactKey(
            "saliency",
            {"original": self.original(seed).fingerprint, "forget": self.forget_hash, "version": SALIENCY_VERSION},
        )

    @cached_property
    def _trained_on(self) -> dict[str, object]:
        return {
            "data": self.data_hash,
            "network": self.network.model_dump(mode="json"),
            "recipe": self.recipe.model_dump(mode="json"),
            "arm": self.arm,
            "version": RECIPE_VERSION,
        }


@dataclass(frozen=True)
class Cell:
    """A question put to a method: what one Optuna study searches."""

    question: Question
    choice: MethodChoice
    study: Study

    @cached_property
    def fingerprint(self) -> str:
        """What identifies the cell: whatever determines the n-th setting and its numbers; not how many there are."""
        search = self.study.search.model_dump(mode="json", exclude={"trials"})
        return fingerprint(
            {
                "question": self.question.fingerprint,
                "method": self.choice.model_dump(mode="json"),
                "search": search,
                "search_version": SEARCH_VERSION,
                "tuning": list(self.study.seeds.tuning),
            }
        )

    @property
    def trials(self) -> int:
        """How many trials are planned: one where nothing is searched."""
        return self.study.search.trials if self.choice.search else 1

    @property
    def title(self) -> str:
        """How messages name the cell."""
        return f"{self.question.title}: {self.choice.method.title}"

    def method_at(self, setting: Mapping[str, object]) -> Method:
        """Make the method at a setting."""
        return self.choice.at(dict(setting))


def expand(study: Study, datasets: Mapping[AnySource, ImageData]) -> list[Cell]:
    """Spread a study over its data, arms, forget requests and methods, in the order of its file.

    Raises:
        DataError: a forget request does not fit its data, or two questions are the same by other names.
        ValueError: the study's precision is still ``auto``.
    """
    questions = list(_questions(study, datasets))
    _refuse_twice(questions)
    return [Cell(question, choice, study) for question in questions for choice in study.methods]


def questions_of(cells: Iterable[Cell]) -> list[Question]:
    """Give the cells' questions, each once, in order."""
    return list({cell.question.fingerprint: cell.question for cell in cells}.values())


def _refuse_twice(questions: Iterable[Question]) -> None:
    first: dict[str, Question] = {}
    for question in questions:
        same = first.setdefault(question.fingerprint, question)
        if same is not question:
            raise DataError(
                f"one question by two names: {same.title}; {question.title}: the same images are to be forgotten from "
                "the same data; keep one"
            )


def _questions(study: Study, datasets: Mapping[AnySource, ImageData]) -> Iterable[Question]:
    for source in study.data:
        data = datasets[source]
        selected = [(request, select(request, data, derive(study.seed, "forget"))) for request in study.forget]
        for arm in study.arms:
            for request, forget in selected:
                yield Question(
                    study_seed=study.seed,
                    source=source,
                    dataset=data.name,
                    data_hash=data.content_hash,
                    classes=data.classes,
                    channels=data.train.images_NCHW.shape[1],
                    train_count=len(data.train),
                    train_twins=data.twins,
                    dropped=data.dropped,
                    nonmembers=data.nonmembers,
                    arm=arm,
                    request=request,
                    forget=forget,
                    network=study.network,
                    recipe=study.training.recipe,
                )
