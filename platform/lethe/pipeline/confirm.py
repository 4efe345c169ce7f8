"""Confirmation: the chosen settings, and the rows that every honest table needs, on seeds that no search has seen.

The rows are the original as it is (do nothing), the oracles, the chosen setting of each method, and for SalUn its
controls, density 1.0 and a random mask: at SalUn's setting or, where the study tunes them, at their own. The oracles of
the tuning seeds are measured too: they stand in no row, but the noise floor is taken over every oracle there is.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

from torch import Tensor

from lethe.artifacts import (
    REQUIRED,
    ArtifactRecipe,
    Manifest,
    Model,
    Needed,
    UnlearnedModel,
    after_requests,
    at_once,
    dosed,
    in_order,
    oracle,
    original,
    requirement,
)
from lethe.artifacts.context import TrialContext, TrialContexts
from lethe.execution.worker_pool import Steps
from lethe.pipeline.audit import AuditTask, Read, audit_tasks
from lethe.pipeline.confirmed_columns import compared_with_retraining, costs, of_oracle, oracle_of
from lethe.pipeline.prediction_rows import prediction_rows
from lethe.results import ConfirmationRow, MeasureRow, PredictionRow, TrialRow
from lethe.results.columns import kept_options, scenario_columns, setting_columns, setting_of
from lethe.results.measures import measure_columns, measure_rows
from lethe.results.objectives import point_of
from lethe.results.provenance import Stopwatch, reset_peak_memory
from lethe.results.race import standing_of
from lethe.storage.hashing import fingerprint
from lethe.study import MethodSearch, Scenario, method_versions
from unlearning import metrics
from unlearning.audits import AuditNetwork, Networks
from unlearning.data import SplitName
from unlearning.methods import Method, Nothing
from unlearning.metrics import BUILT_IN, Evaluation, Measure, Metric, measures_of
from unlearning.trial import EpochResult, Logits

Role = Literal["reporting", "tuning", "dose"]

ALL_SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Choice:
    """The setting that a search chose, and what finding it cost.

    Attributes:
        trial: of round 0, on the first tuning seeds.
        trials: that ended, those of the race among them.
        raced: how many these are.
        settings: how many trials of round 0 the search has.
        seconds: of all of them.
        stop_after: the epoch that counts, where it is the best one and not the last.
    """

    trial: TrialRow
    trials: int
    raced: int
    settings: int
    seconds: float
    stop_after: int | None = None


@dataclass(frozen=True)
class Confirmation:
    """One row of the table on one reporting seed, as a worker gets it.

    Attributes:
        method: None for the oracle's own row, and for that of a dose.
        method_search: whose search chose the setting; None for rows that belong to no search.
        others: the other reporting seeds, for the oracle's row.
        role: what the model is for.
        dose: the share of D_f that the model was trained on with D_r, where nothing is unlearned; None for others.
        metrics: those that are measured beside the built-in ones.
        audits: those that the model undergoes, with the training seeds of the models that they require.
        keep: whether an unlearned model is kept as an artifact; that changes nothing else.
        made: the row's unlearned model where it is an artifact, such as one that the next request of a stream begins
            with; None where the method unlearns in the confirmation.
    """

    study: str
    scenario: Scenario
    row: str
    seed: int
    method: Method | None
    method_search: MethodSearch | None
    choice: Choice | None
    others: tuple[int, ...]
    role: Role = "reporting"
    dose: float | None = None
    metrics: tuple[Metric, ...] = ()
    audits: tuple[AuditTask, ...] = ()
    keep: bool = False
    made: UnlearnedModel | None = None

    @property
    def confirmation_id(self) -> str:
        """The row's name: a setting on a seed, attacked with the same non-members, is confirmed once.

        A model that began with another than the original, after earlier requests, is named by that too.
        It is confirmed again when its method, a metric or an audit has a new version, and when the study asks for other
        metrics or audits.
        """
        audits = {"audits": {task.audit.name: task.identity for task in self.audits}} if self.audits else {}
        setting = fingerprint(
            {
                "row": self.row,
                "setting": self.setting["setting"],
                "nonmembers": self.scenario.nonmembers,
                "method_versions": method_versions(type(self.method)) if self.method else {},
                "metric_versions": metrics.versions() | {one.name: one.version for one in self.metrics},
                **audits,
                **self._start,
            }
        )
        return f"{self.study}-{self.scenario.fingerprint[:8]}-{setting[:8]}-{self.seed}"

    @property
    def reads(self) -> Iterator[Read]:
        """Name what confirming the row reads: 'original', 'oracle' or a requirement, and of which training seed."""
        for seed in (self.seed, *self.others):
            yield Read("original", seed, seed)
            if self.scenario.has_oracles:
                yield Read("oracle", seed, seed)
        if self.dose is not None:
            yield Read(self.row, self.seed, self.seed)
        for name in self.method.needs if self.method and self.made is None else ():
            yield Read(name, self.seed, self.seed)
        for task in self.audits:
            yield from task.reads

    @property
    def stored(self) -> Model | None:
        """The row's model where it is an artifact: an oracle, a dose or a model of a stream; None: yet to be made."""
        if self.method is not None:
            return self.made
        if self.dose is None:
            return oracle(self.scenario, self.seed)
        return dosed(self.scenario, self.seed, self.dose)

    @property
    def unlearned(self) -> UnlearnedModel | None:
        """The model that the row's method makes here; None where nothing is unlearned, or a stream has made it."""
        if self.method is None or self.row == "original" or self.made is not None:
            return None
        scenario, seed = self.scenario, self.seed
        start, parts = original(scenario, seed), scenario.partition(seed)
        return UnlearnedModel(start, scenario, parts, seed, self.method, self.stop_after, self.rewinds)

    @property
    def model(self) -> Model:
        """The model that is measured."""
        return self.stored or self.unlearned or original(self.scenario, self.seed)

    @property
    def setting(self) -> dict[str, Any]:
        """The setting's columns; the oracle's row tells which seeds' oracles it was compared with."""
        if self.dose is not None:
            return {"method": "dose", "setting": json.dumps({"share": self.dose})}
        if self.method is None:
            return {"method": "oracle", "setting": json.dumps({"compared_with": list(self.others)})}
        return setting_columns(self.method, self._kept) | ({"method": "original"} if self.row == "original" else {})

    @property
    def rewinds(self) -> bool:
        """Whether the run returns to an epoch by itself."""
        return self.method_search is not None and self.method_search.choice.keep == "rewind"

    @property
    def stop_after(self) -> int | None:
        """The epoch that the run ends with; None for the last one."""
        if self.method_search and (taken := self.method_search.taken):
            return taken.kept_epoch
        return self.choice.stop_after if self.choice else None

    @property
    def _start(self) -> dict[str, str]:
        if self.made is None or self.made.start == original(self.scenario, self.seed):
            return {}
        return {"start": self.made.start.fingerprint}

    @property
    def _kept(self) -> dict[str, Any]:
        if self.rewinds:
            return kept_options("rewind")
        return kept_options("last" if self.stop_after is None else "best", self.stop_after)

    @property
    def tuning(self) -> dict[str, Any]:
        """What finding the setting cost, here or where it is taken from, as columns."""
        if self.method_search and (taken := self.method_search.taken):
            return {
                "tuning_trials": taken.search.trials,
                "tuning_raced": None,
                "tuning_seconds": taken.search.seconds,
                "trial_id": taken.search.trial,
            }
        if self.choice is None:
            return {"tuning_trials": None, "tuning_raced": None, "tuning_seconds": None, "trial_id": None}
        return {
            "tuning_trials": self.choice.trials,
            "tuning_raced": self.choice.raced,
            "tuning_seconds": self.choice.seconds,
            "trial_id": self.choice.trial.trial_id,
        }


def choose(method_search: MethodSearch, trials: Sequence[TrialRow]) -> Choice | None:
    """Return what a search chose, by the rule of `lethe.results.race`; None if none finished, or none keeps the limits.

    Of a method search that an earlier specification searched longer, only as many trials as the study asks for are
    seen.
    """
    standing = standing_of(method_search, trials)
    chosen = standing.chosen
    if chosen is None:
        return None
    epochs, best = chosen.trial.epochs_done, chosen.best_epoch
    return Choice(
        chosen.trial,
        len(standing.rows),
        len(standing.raced),
        standing.settings,
        sum(row.seconds_total for row in standing.rows),
        best if best != epochs else None,
    )


def beyond_limits(method_search: MethodSearch, trials: Sequence[TrialRow]) -> str:
    """Return why a search whose trials finished chose none of them, a sentence; empty where it did, or none did."""
    search = method_search.study.search
    if not search.limits.given:
        return ""
    own = [row for row in trials if row.method_search == method_search.fingerprint and row.status == "done"]
    points = [point for row in own if (point := point_of(row, search.objectives))]
    if not points or choose(method_search, trials):
        return ""
    smallest = dict(zip(search.objectives, map(min, zip(*points, strict=True)), strict=True))
    limits = ", ".join(
        f"{name} {limit:g} (smallest {smallest[name]:.3g})" for name, limit in search.limits.given.items()
    )
    return f"{method_search.title}: no setting keeps all limits, so there is none to confirm: {limits}"


def confirmations(method_searches: Sequence[MethodSearch], trials: Sequence[TrialRow]) -> list[Confirmation]:
    """List every row of the tables of these method searches' scenarios, on every reporting seed."""
    wanted: dict[str, Confirmation] = {}
    for method_search in method_searches:
        seeds, choice = method_search.study.seeds, choose(method_search, trials)
        rows = [
            confirmation
            for scenario in method_search.scenarios
            for seed in seeds.reporting
            for confirmation in _rows_on(method_search, scenario, seed, choice)
        ]
        tuning = seeds.tuning if method_search.trials else ()
        for confirmation in [*rows, *(_tuning_oracle(method_search, seed) for seed in tuning)]:
            wanted.setdefault(confirmation.confirmation_id, confirmation)
    return list(wanted.values())


def needed_by(wanted: Sequence[Confirmation]) -> list[Needed]:
    """List the artifacts that confirmations read, and what these require, each once and after what it requires."""
    asked = {(one.scenario.fingerprint, read): one.scenario for one in wanted for read in one.reads}
    own: dict[str, Callable[[Scenario, int], ArtifactRecipe]] = {name: partial(requirement, name) for name in REQUIRED}
    own |= {one.row: partial(dosed, share=one.dose) for one in wanted if one.dose is not None}
    found: dict[ArtifactRecipe, Needed] = {}
    for (_, read), scenario in asked.items():
        asked_for = own[read.name](scenario, read.seed) if read.name in own else read.model(scenario)
        for recipe in in_order([asked_for]):
            label = recipe.kind if read.name in REQUIRED or recipe != asked_for else read.name
            found.setdefault(recipe, Needed(recipe, label, scenario, read.seed))
    for one in wanted:
        for recipe in in_order([one.made] if one.made else []):
            scenario = recipe.scenario if isinstance(recipe, UnlearnedModel) else one.scenario
            found.setdefault(recipe, Needed(recipe, recipe.kind, scenario, one.seed))
    return list(found.values())


def _tuning_oracle(method_search: MethodSearch, seed: int) -> Confirmation:
    study = method_search.study
    return Confirmation(
        study.name,
        method_search.scenario,
        "oracle",
        seed,
        None,
        None,
        None,
        study.seeds.reporting,
        role="tuning",
        metrics=study.further_metrics,
        audits=audit_tasks(study, method_search.scenario, seed),
    )


def _rows_on(method_search: MethodSearch, scenario: Scenario, seed: int, choice: Choice | None) -> list[Confirmation]:
    study = method_search.study
    others = tuple(one for one in study.seeds.reporting if one != seed)
    audits, keep = audit_tasks(study, scenario, seed), study.keep_models == "confirmed"
    row_of = partial(Confirmation, study.name, scenario, metrics=study.further_metrics, audits=audits, keep=keep)
    rows = [
        row_of("original", seed, Nothing(), None, None, ()),
        *([row_of("oracle", seed, None, None, None, others)] if scenario.has_oracles else []),
        *(row_of(f"dose {100 * dose:g} %", seed, None, None, None, (), role="dose", dose=dose) for dose in study.doses),
    ]
    if choice is None and method_search.trials:
        return rows
    method = method_search.method_at(setting_of(choice.trial, method_search) if choice else {})
    controls = {f"{method.name} {name}": control for name, control in method.controls().items()}
    for row in method_search.rows_in(scenario):
        of_row = controls.get(row, method) if row != method_search.row else method
        confirmation = row_of(row, seed, of_row, method_search, choice, ())
        rows.append(_in_stream(confirmation) if method_search.later and of_row is method else confirmation)
    return rows


def _in_stream(confirmation: Confirmation) -> Confirmation:
    """Return a row of a stream of requests with its model."""
    method, method_search = confirmation.method, confirmation.method_search
    assert method is not None and method_search is not None
    make = after_requests if confirmation.row == method_search.row else at_once
    model = make(
        confirmation.scenario,
        confirmation.seed,
        method,
        stop_after=confirmation.stop_after,
        rewinds=confirmation.rewinds,
    )
    return replace(confirmation, made=model)


def missing_from(wanted: Sequence[Confirmation], confirmed: Iterable[str]) -> list[Confirmation]:
    """Return the wanted rows that are not among those confirmed, which are named by their ids."""
    known = set(confirmed)
    return [confirmation for confirmation in wanted if confirmation.confirmation_id not in known]


@dataclass(frozen=True)
class Confirmed:
    """A confirmed row with all that belongs to it.

    Attributes:
        kept: the manifest of its model, where it was kept as an artifact.
    """

    row: ConfirmationRow
    predictions: list[PredictionRow]
    measures: list[MeasureRow]
    kept: Manifest | None


class Confirmer:
    """The worker of the confirmation: unlearns once, or reads a model, measures and audits it, and makes its rows."""

    def __init__(self, contexts: TrialContexts) -> None:
        self._contexts = contexts

    def __call__(self, confirmation: Confirmation) -> Steps[Confirmed]:
        """Confirm one row on one seed; a step is an epoch, or an audit."""
        stopwatch = Stopwatch()
        reset_peak_memory(self._contexts.device)
        method, stored = confirmation.method, confirmation.stored
        trial_context = self._trial_context(confirmation)
        epochs: list[EpochResult] = []
        if method is not None and stored is None:
            for result in trial_context.unlearn(
                method,
                ALL_SPLITS,
                stop_after=confirmation.stop_after,
                rewind=confirmation.rewinds,
            ):
                epochs.append(result)
                yield
        logits = self._logits(stored, trial_context) if stored else epochs[-1].logits
        weights = _weights_on(trial_context) if logits and not stored else {}
        measures: list[Measure] = []
        evaluation = self._evaluation(confirmation, trial_context, logits) if logits else None
        if evaluation:
            further = {metric.name: metric for metric in confirmation.metrics}
            measures += measures_of(evaluation, {**BUILT_IN, **further})
            networks = self._networks(stored, trial_context, weights)
            evaluation_of = partial(self._contexts.evaluation_of, audited=confirmation.seed)
            network_of = partial(self._network_of, trial_context)
            for task in confirmation.audits:
                yield
                measures += task.measures(evaluation, trial_context, networks, evaluation_of, network_of)
        row = ConfirmationRow(
            **scenario_columns(confirmation.study, confirmation.scenario, confirmation.seed),
            **confirmation.setting,
            **confirmation.tuning,
            **asdict(self._contexts.provenance),
            **of_oracle(trial_context),
            **measure_columns(measures),
            **(self._costs(stored, trial_context) if stored else costs(method, trial_context, epochs)),
            confirmation_id=confirmation.confirmation_id,
            method_search=confirmation.method_search.fingerprint if confirmation.method_search else None,
            row=confirmation.row,
            threshold=trial_context.threshold(method, confirmation.made) if method else None,
            status="done" if logits else "diverged",
            training_seed=confirmation.seed,
            unlearning_seed=confirmation.scenario.unlearning_seed(confirmation.seed) if method else None,
            kept_epoch=epochs[-1].kept if epochs else self._kept_epoch(confirmation),
            mia_nonmembers=trial_context.data.nonmembers,
            attack_classes=confirmation.scenario.attack_classes,
            model=confirmation.model.fingerprint,
            original=original(confirmation.scenario, confirmation.seed).fingerprint,
            oracle=oracle_of(trial_context),
            seconds_total=stopwatch.seconds,
            started_at=stopwatch.started_at,
            ended_at=stopwatch.ended_at,
        )
        predictions = prediction_rows(row, trial_context, evaluation) if evaluation else []
        audits = [task.audit for task in confirmation.audits]
        kept = None
        if confirmation.keep and confirmation.unlearned and logits:
            product = confirmation.unlearned.product(trial_context.data, weights, epochs)
            kept = self._contexts.keep(confirmation.unlearned, product, stopwatch)
        return Confirmed(row, predictions, measure_rows(row, measures, confirmation.metrics, audits), kept)

    def _trial_context(self, confirmation: Confirmation) -> TrialContext:
        return self._contexts.trial_context(confirmation.scenario, confirmation.seed)

    def _logits(self, stored: Model, trial_context: TrialContext) -> Logits:
        """Return those of a model that is an artifact; the oracle's are at hand."""
        known = trial_context.oracle_logits
        if known is not None and stored == oracle(trial_context.scenario, trial_context.seed):
            return known
        return self._contexts.logits_of(stored)

    def _kept_epoch(self, confirmation: Confirmation) -> int | None:
        """Return the epoch that counts of a model of a stream; of a run that rewinds its artifact does not say."""
        if confirmation.made is None or confirmation.rewinds:
            return None
        return self._contexts.facts_of(confirmation.made).epochs

    def _evaluation(self, confirmation: Confirmation, trial_context: TrialContext, logits: Logits) -> Evaluation:
        """Make ready what is measured: against the paired oracle, if any; an oracle's gap is to the other ones."""
        oracle = trial_context.oracle_evaluation
        if oracle is None:
            return trial_context.evaluator.evaluation(logits)
        if confirmation.row != "oracle":
            own = trial_context.evaluator.evaluation(logits)
            return replace(own, oracle=oracle, references=(oracle,))
        return replace(oracle, oracle=oracle, references=self._other_oracles(confirmation))

    def _other_oracles(self, confirmation: Confirmation) -> tuple[Evaluation, ...]:
        """Return the oracles of the other seeds that a model is compared with."""
        contexts = (self._contexts.trial_context(confirmation.scenario, seed) for seed in confirmation.others)
        return tuple(found for one in contexts if (found := one.oracle_evaluation) is not None)

    def _networks(self, stored: Model | None, trial_context: TrialContext, weights: Mapping[str, Tensor]) -> Networks:
        """Return the networks of the model and of its oracle.

        Args:
            stored: the model, where it is an artifact.
            weights: of the model, where an unlearning run has just made it.
        """
        scenario, seed = trial_context.scenario, trial_context.seed
        retrained = self._network_of(trial_context, oracle(scenario, seed)) if scenario.has_oracles else None
        if stored is not None:
            return Networks(self._network_of(trial_context, stored), retrained)
        return Networks(trial_context.network(lambda: weights), retrained)

    def _costs(self, stored: Model, trial_context: TrialContext) -> dict[str, Any]:
        """Return what making a model took, with what its method required beside the model that it began with."""
        made, facts_of = self._contexts.facts_of(stored), self._contexts.facts_of
        if not isinstance(stored, UnlearnedModel):
            return compared_with_retraining(trial_context, made.seconds_train, made.images_trained)
        beside = {name: facts_of(recipe) for name, recipe in stored.beside.items()}
        seconds = {name: facts.seconds_train for name, facts in beside.items()}
        counts = [made.images_trained, *(facts.images_trained for facts in beside.values())]
        images = None if None in counts else sum(count or 0 for count in counts)
        return {
            "seconds_saliency": seconds.get("saliency", 0.0),
            **compared_with_retraining(trial_context, made.seconds_train + sum(seconds.values()), images),
        }

    def _network_of(self, trial_context: TrialContext, model: Model) -> AuditNetwork:
        return trial_context.network(partial(self._contexts.weights_of, model))


def _weights_on(trial_context: TrialContext) -> Mapping[str, Tensor]:
    """Copy the weights that an unlearning run has just left on the engine."""
    return {name: value.clone() for name, value in trial_context.context.model.state_dict().items()}
