"""The model that is delivered: what the chosen setting makes of the production original, confirmed as it will leave.

The production original is the user's own classifier, or the original of a reporting seed. The unlearned model is an
artifact, made once; its confirmation runs nothing again, and measures and audits the weights of that artifact. It is
held against the oracles of the reporting seeds as any retraining is. A given model is paired with none of these. Of a
model that was trained here the paired one is left out, or its gap would be smaller than any that the noise floor is of.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from lethe.artifacts import (
    REQUIRED,
    ArtifactRecipe,
    Model,
    Needed,
    UnlearnedModel,
    given,
    in_order,
    original,
)
from lethe.artifacts.context import TrialContext
from lethe.execution.worker_pool import Steps
from lethe.pipeline.audit import audit_tasks
from lethe.pipeline.confirm import Choice, Confirmation, Confirmed, Confirmer, needed_by
from lethe.results.columns import setting_of
from lethe.storage.hashing import fingerprint
from lethe.study import MethodSearch
from unlearning.data import SplitName
from unlearning.methods import Method
from unlearning.metrics import Evaluation
from unlearning.trial import EpochResult, Logits


@dataclass(frozen=True, kw_only=True)
class Production(Confirmation):
    """The confirmation of the model that is delivered.

    Attributes:
        model: that model.
        others: the reporting seeds whose oracles it is compared with.
    """

    model: UnlearnedModel

    @property
    def confirmation_id(self) -> str:
        """The row's name: as of a reporting row, and of the model and what it is compared with."""
        own = fingerprint(
            {"row": super().confirmation_id, "model": self.model.fingerprint, "compared_with": list(self.others)}
        )
        return f"{self.study}-{self.scenario.fingerprint[:8]}-{own[:8]}-production"


def production(method_search: MethodSearch, choice: Choice | None) -> Production:
    """Return the confirmation of the model that a study delivers, by the setting that a search chose.

    Args:
        choice: None where the setting was taken from a file.

    Raises:
        CheckpointError, DataError: the model that is given cannot be read, or does not fit.
        InputError: the method needs what only a model that was trained here has.
    """
    study, scenario = method_search.study, method_search.scenario
    seed, parts = study.production_seed, scenario.partition(study.production_seed)
    start: Model = original(scenario, seed)
    if study.original:
        start, _ = given(scenario, seed, study.original.checkpoint)
    method = method_search.method_at(setting_of(choice.trial, method_search) if choice else {})
    others = tuple(one for one in study.seeds.reporting if study.original or one != seed)
    common: dict[str, Any] = {
        "study": study.name,
        "scenario": scenario,
        "row": method_search.row,
        "seed": seed,
        "method": method,
        "method_search": method_search,
        "choice": choice,
        "others": others,
        "metrics": study.further_metrics,
        "audits": audit_tasks(study, scenario, seed),
    }
    row = Confirmation(**common)
    model = UnlearnedModel(start, scenario, parts, seed, method, row.stop_after, row.rewinds)
    return Production(**common, model=model)


def needed_of(wanted: Production) -> list[Needed]:
    """List the artifacts of the model that is delivered and of its confirmation, each after what it requires."""
    found = {one.recipe: one for one in needed_by([wanted])}
    for recipe in in_order([wanted.model]):
        found.setdefault(recipe, Needed(recipe, recipe.kind, wanted.scenario, wanted.seed))
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class ProductionContext(TrialContext):
    """The trial context of a model that has unlearned already."""

    model: UnlearnedModel

    def unlearn(self, method: Method, splits: tuple[SplitName, ...], **_: Any) -> Iterator[EpochResult]:
        """Put the model's weights into the network, and return what its unlearning was."""
        artifact = self.load(self.model)
        self.context.model.load_state_dict(artifact.files["weights"])
        facts, logits = artifact.manifest.facts, artifact.files["logits"]
        yield EpochResult(
            epoch=facts.epochs,
            loss=facts.loss,
            logits={split: logits[split] for split in splits},
            seconds_unlearn=facts.seconds_train,
            seconds_evaluate=0.0,
            images_unlearn=facts.images_trained,
            kept=facts.epochs,
        )

    def requirement(self, name: str) -> ArtifactRecipe:
        """Return the recipe of what methods find under a name, beside the production original."""
        return REQUIRED[name](self.model.start, self.model.parts)


class ProductionConfirmer(Confirmer):
    """The worker that measures and audits the model that is delivered, and makes its rows."""

    def __call__(self, confirmation: Confirmation) -> Steps[Confirmed]:
        """Confirm the model; a step is an audit. To which epoch it rewound is not kept with it."""
        row, predictions, measures = yield from super().__call__(confirmation)
        kept = None if confirmation.rewinds else row.kept_epoch
        start = _of(confirmation).model.start
        return replace(row, role="production", original=start.fingerprint, kept_epoch=kept), predictions, measures

    def _trial_context(self, confirmation: Confirmation) -> TrialContext:
        base, model = super()._trial_context(confirmation), _of(confirmation).model
        weights: Mapping[str, Tensor] = self._contexts.weights_of(model.start)
        logits: Logits = self._contexts.logits_of(model.start)
        shared = {field.name: getattr(base, field.name) for field in fields(base) if field.init}
        on_device = {name: value.to(self._contexts.device) for name, value in weights.items()}
        return ProductionContext(**shared | {"weights": on_device, "original_logits": logits}, model=model)

    def _evaluation(self, confirmation: Confirmation, trial_context: TrialContext, logits: Logits) -> Evaluation:
        others = [self._contexts.trial_context(confirmation.scenario, seed) for seed in confirmation.others]
        own, oracle = trial_context.evaluator.evaluation(logits), trial_context.oracle_evaluation
        return replace(own, oracle=oracle, references=tuple(other.oracle_evaluation for other in others))


def _of(confirmation: Confirmation) -> Production:
    assert isinstance(confirmation, Production), confirmation
    return confirmation
