"""Audits within a confirmation: which trained models each requires, and of which training seeds.

A pool of models never holds one of the audited model's own training seed, so that the oracle's row can be audited as
well. It takes the study's other seeds first, whose models exist anyway.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import Final

from lethe.artifacts import ArtifactKey, Model, Needed, oracle, original
from lethe.artifacts.context import TrialContext
from lethe.study import Scenario, Seeds, Study, applies, left_out
from unlearning.audits import Audit, AuditNetwork, ModelPool, Networks, PoolSubset, audit_measures
from unlearning.metrics import Evaluation, Measure

_NAMES: Final[Mapping[PoolSubset, str]] = {"train": "original", "retain": "oracle"}
"""What people and rows call a model that was trained on a subset."""


@dataclass(frozen=True)
class Read:
    """An artifact that a confirmation reads.

    Attributes:
        name: 'original', 'oracle', the row of a dose, or the name of a requirement.
        seed: its training seed.
        lot: the training seed whose forget set an original was trained on; other than its own in pools of audits.
    """

    name: str
    seed: int
    lot: int

    def model(self, scenario: Scenario) -> Model:
        """Return the recipe of an original or an oracle."""
        return oracle(scenario, self.seed) if self.name == "oracle" else original(scenario, self.seed, self.lot)


@dataclass(frozen=True)
class AuditTask:
    """An audit of the models of one training seed, as a worker gets it.

    Attributes:
        audited: that seed.
        seeds: the training seeds that each pool takes its models from, in order; none where nothing is trained.
        columns: the hashes of the columns of the data that it reads, by name.
    """

    audit: Audit
    audited: int
    seeds: tuple[int, ...]
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, object]:
        """What determines the values, as JSON values."""
        pools = {name: {"subset": pool.subset, "seeds": self._seeds(pool)} for name, pool in self.audit.pools.items()}
        columns = {"columns": dict(self.columns)} if self.columns else {}
        return {"options": self.audit.model_dump(mode="json"), "version": self.audit.version, "pools": pools, **columns}

    @property
    def reads(self) -> Iterator[Read]:
        """Name the models that the audit reads: oracles, and originals that have seen the audited model's D_f."""
        for pool in self.audit.pools.values():
            yield from self._reads(pool)

    def measures(
        self,
        audited: Evaluation,
        trial_context: TrialContext,
        networks: Networks,
        evaluation_of: Callable[[Model], Evaluation],
        network_of: Callable[[Model], AuditNetwork],
    ) -> list[Measure]:
        """Run the audit.

        Args:
            trial_context: of the audited model.
            networks: of the audited model and its paired oracle.
            evaluation_of: evaluates a trained model on the images of its scenario.
            network_of: returns the network of a trained model, whose weights it reads when they are needed.

        Raises:
            AuditError, ValueError: as `audit_measures`.
        """
        models = {
            name: [read.model(trial_context.scenario) for read in self._reads(pool)]
            for name, pool in self.audit.pools.items()
        }
        return audit_measures(
            self.audit,
            audited,
            {name: tuple(map(evaluation_of, members)) for name, members in models.items()},
            original=trial_context.original_evaluation,
            class_names=trial_context.data.class_names,
            planted=trial_context.data.planted,
            networks=replace(networks, pools={name: tuple(map(network_of, one)) for name, one in models.items()}),
        )

    def _reads(self, pool: ModelPool) -> Iterator[Read]:
        return (Read(_NAMES[pool.subset], seed, self.audited) for seed in self._seeds(pool))

    def _seeds(self, pool: ModelPool) -> list[int]:
        return list(self.seeds[: pool.models])


def audit_tasks(study: Study, scenario: Scenario, audited: int) -> tuple[AuditTask, ...]:
    """Return the audits of the models of a scenario and a training seed."""
    known = scenario.column_hashes
    return tuple(
        replace(_task(study, audit, audited), columns={name: known[name] for name in audit.columns if name in known})
        for audit in study.audits
    )


def pool_seeds(seeds: Seeds, audited: int, models: int) -> tuple[int, ...]:
    """Return the training seeds of a pool: the study's other ones in their order, then the integers above all of them.

    Args:
        audited: the training seed of the audited model.
        models: how many are wanted.
    """
    others = (seed for seed in seeds.known if seed != audited)
    return tuple(islice(chain(others, count(max(seeds.known) + 1)), models))


def additions(study: Study, needed: Iterable[Needed], missing: Iterable[Needed]) -> tuple[str, ...]:
    """Describe what each audit adds to the models that a study trains, and what a bundle lacks, a sentence each.

    Args:
        needed: the artifacts of the study, with those of its audits.
        missing: those of them that are still to be made.
    """
    needed, absent = list(needed), {one.recipe.key for one in missing}
    scenarios = {one.scenario.fingerprint: one.scenario for one in needed}.values()
    own = {
        make(scenario, seed).key
        for scenario in scenarios
        for seed in study.seeds.known
        for make in ((original, oracle) if scenario.has_oracles else (original,))
    }
    further = {one.recipe.key: one for one in needed if one.recipe.key not in own}
    lines = [_addition(study, audit, scenarios, further, absent) for audit in study.audits]
    if lacking := left_out(study.audits):
        names = ", ".join(audit.name for audit in lacking)
        lines.append(f"audits left out: {names}; no forget request keeps a control half (kind random, control: true)")
    return tuple(lines)


def _addition(
    study: Study,
    audit: Audit,
    scenarios: Collection[Scenario],
    further: Mapping[ArtifactKey, Needed],
    absent: Set[ArtifactKey],
) -> str:
    reads = {read for seed in study.seeds.known for read in _task(study, audit, seed).reads}
    read = {one.model(scenario).key for scenario in scenarios for one in reads}
    own = read & further.keys()
    of = "further seeds" if all(further[key].seed not in study.seeds.known for key in own) else "further seeds and lots"
    left = len(own & absent)
    pools = [_counted(pool.models, _NAMES[pool.subset]) for pool in audit.pools.values() if study.has_oracles]
    reading = f"reads {' and '.join(pools)} of other training seeds" if pools else "reads no other model"
    adds = f"{_counted(len(own), 'trained model')} of {of} ({left} to make)" if own else "no training"
    trains = f"; trains each model {_counted(audit.training_epochs, 'epoch')} further" if audit.training_epochs else ""
    return f"audit {audit.name}: {reading}; adds {adds}{trains}{_where(study, audit)}"


def _where(study: Study, audit: Audit) -> str:
    """Name the requests that an audit finds nothing for; empty where there are none."""
    without = [request.label for request in study.forget if not applies(audit, request)]
    if not without:
        return ""
    lacks = "keeps no control half" if audit.needs_control else f"plants no {audit.needs_planted}"
    return f"; finds nothing for forget {', '.join(without)}, which {lacks}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _task(study: Study, audit: Audit, audited: int) -> AuditTask:
    most = max((pool.models for pool in audit.pools.values()), default=0) if study.has_oracles else 0
    return AuditTask(audit, audited, pool_seeds(study.seeds, audited, most))
