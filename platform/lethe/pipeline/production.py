"""The model that is delivered: what the chosen setting makes of the production original, confirmed as it will leave.

The production original is the user's own classifier, or the original of a reporting seed. The unlearned model is an
artifact, made once; its confirmation runs nothing again, and measures and audits the weights of that artifact. It is
held against the oracles of the reporting seeds as any retraining is. A given model is paired with none of these. Of a
model that was trained here the paired one is left out, or its gap would be smaller than any that the noise floor is of.
Where the recipe of the given model is not known there are no oracles, and it is held against nothing.

Of a stream of requests the last one is met: by a given model, which is in use and has met those before, or by the chain
that the stream's rows are of.
"""

from dataclasses import dataclass, replace
from typing import Any

from lethe.artifacts import Model, UnlearnedModel, after_requests, given, original
from lethe.artifacts.context import TrialContext
from lethe.execution.worker_pool import Steps
from lethe.pipeline.audit import audit_tasks
from lethe.pipeline.confirm import Choice, Confirmation, Confirmed, Confirmer
from lethe.results.columns import setting_of
from lethe.storage.hashing import fingerprint
from lethe.study import MethodSearch, Scenario
from unlearning.methods import Method
from unlearning.metrics import Evaluation
from unlearning.trial import Logits


@dataclass(frozen=True, kw_only=True)
class Production(Confirmation):
    """The confirmation of the model that is delivered; `others` are the seeds whose oracles it is compared with."""

    @property
    def model(self) -> UnlearnedModel:
        """The model."""
        assert self.made is not None
        return self.made

    @property
    def confirmation_id(self) -> str:
        """The row's name: as of a reporting row, and of the model and what it is compared with."""
        own = fingerprint(
            {"row": super().confirmation_id, "model": self.model.fingerprint, "compared_with": list(self.others)}
        )
        return f"{self.study}-{self.scenario.fingerprint[:8]}-{own[:8]}-production"


def production(method_search: MethodSearch, choice: Choice | None, scenario: Scenario) -> Production:
    """Return the confirmation of the model that a study delivers, by the setting that a search chose.

    Args:
        choice: None where the setting was taken from a file.
        scenario: one of the method search; of a stream of requests, that after the last one to be met.

    Raises:
        CheckpointError, DataError: the model that is given cannot be read, or does not fit.
        InputError: the method needs what only a model that was trained here has.
    """
    study, seed = method_search.study, method_search.study.production_seed
    method = method_search.method_at(setting_of(choice.trial, method_search) if choice else {})
    compared = study.seeds.reporting if study.has_oracles else ()
    others = tuple(one for one in compared if study.original or one != seed)
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
    start = _start(row, method)
    model = UnlearnedModel(start, scenario, scenario.step(seed), seed, method, row.stop_after, row.rewinds)
    return Production(**common, made=model)


def _start(row: Confirmation, method: Method) -> Model:
    """Return the model in use: what is given, which has met all requests but the last, or what was trained here."""
    assert row.method_search is not None
    scenario, seed, study = row.scenario, row.seed, row.method_search.study
    if study.original:
        return given(scenario, seed, study.original.checkpoint)[0]
    if scenario.earlier is None:
        return original(scenario, seed)
    return after_requests(scenario.earlier, seed, method, stop_after=row.stop_after, rewinds=row.rewinds)


class ProductionConfirmer(Confirmer):
    """The worker that measures and audits the model that is delivered, and makes its rows."""

    def __call__(self, confirmation: Confirmation) -> Steps[Confirmed]:
        """Confirm the model; a step is an audit."""
        confirmed = yield from super().__call__(confirmation)
        start = _of(confirmation).model.start
        return replace(confirmed, row=replace(confirmed.row, role="production", original=start.fingerprint))

    def _trial_context(self, confirmation: Confirmation) -> TrialContext:
        start = _of(confirmation).model.start
        weights = {name: value.to(self._contexts.device) for name, value in self._contexts.weights_of(start).items()}
        return replace(
            super()._trial_context(confirmation), weights=weights, original_logits=self._contexts.logits_of(start)
        )

    def _evaluation(self, confirmation: Confirmation, trial_context: TrialContext, logits: Logits) -> Evaluation:
        own = trial_context.evaluator.evaluation(logits)
        return replace(own, oracle=trial_context.oracle_evaluation, references=self._other_oracles(confirmation))


def _of(confirmation: Confirmation) -> Production:
    assert isinstance(confirmation, Production), confirmation
    return confirmation
