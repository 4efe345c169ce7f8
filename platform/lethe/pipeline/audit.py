"""Audits within a confirmation: which trained models each requires, and of which training seeds.

A pool of models never holds one of the audited model's own training seed, so that the oracle's row can be audited as
well. It takes the study's other seeds first, whose models exist anyway.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import Final

from lethe.artifacts import ArtifactKey, Needed, TrainedModel, trained_models
from lethe.artifacts.context import TrialContext
from lethe.study import Scenario, Seeds, Study, left_out
from unlearning.audits import Audit, AuditNetwork, ModelPool, Networks, PoolSubset, audit_measures
from unlearning.metrics import Evaluation, Measure

_NAMES: Final[Mapping[PoolSubset, str]] = {"train": "original", "retain": "oracle"}
"""What people and rows call a model that was trained on a subset."""


@dataclass(frozen=True)
class AuditTask:
    """An audit of the models of one training seed, as a worker gets it.

    Attributes:
        seeds: the training seeds that each pool takes its models from, in order.
        columns: the hashes of the columns of the data that it reads, by name.
    """

    audit: Audit
    seeds: tuple[int, ...]
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, object]:
        """What determines the values, as JSON values."""
        pools = {name: {"subset": pool.subset, "seeds": self._seeds(pool)} for name, pool in self.audit.pools.items()}
        columns = {"columns": dict(self.columns)} if self.columns else {}
        return {"options": self.audit.model_dump(mode="json"), "version": self.audit.version, "pools": pools, **columns}

    @property
    def reads(self) -> Iterator[tuple[str, int]]:
        """Name the models that the audit reads: 'original' or 'oracle', and of which training seed."""
        for pool in self.audit.pools.values():
            for seed in self._seeds(pool):
                yield _NAMES[pool.subset], seed

    def measures(
        self,
        audited: Evaluation,
        trial_context: TrialContext,
        networks: Networks,
        evaluation_of: Callable[[TrainedModel], Evaluation],
        network_of: Callable[[TrainedModel], AuditNetwork],
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
            name: _models(trial_context.scenario, pool.subset, self._seeds(pool))
            for name, pool in self.audit.pools.items()
        }
        return audit_measures(
            self.audit,
            audited,
            {name: tuple(map(evaluation_of, members)) for name, members in models.items()},
            original=trial_context.original_evaluation,
            class_names=trial_context.data.class_names,
            networks=replace(networks, pools={name: tuple(map(network_of, one)) for name, one in models.items()}),
        )

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
    known = (*seeds.tuning, *seeds.reporting)
    others = (seed for seed in known if seed != audited)
    return tuple(islice(chain(others, count(max(known) + 1)), models))


def additions(study: Study, needed: Iterable[Needed], missing: Iterable[Needed]) -> tuple[str, ...]:
    """Describe what each audit adds to the models that a study trains, and what a bundle lacks, a sentence each.

    Args:
        needed: the artifacts of the study, with those of its audits.
        missing: those of them that are still to be made.
    """
    known, absent = {*study.seeds.tuning, *study.seeds.reporting}, {one.recipe.key for one in missing}
    further = [one for one in needed if one.seed not in known]
    lines = [_addition(study, audit, further, absent) for audit in study.audits]
    if lacking := left_out(study.audits):
        names = ", ".join(audit.name for audit in lacking)
        lines.append(f"audits left out: {names}; no forget request keeps a control half (kind random, control: true)")
    return tuple(lines)


def _addition(study: Study, audit: Audit, further: Iterable[Needed], absent: Set[ArtifactKey]) -> str:
    tasks = [_task(study, audit, seed) for seed in (*study.seeds.tuning, *study.seeds.reporting)]
    read = {read for task in tasks for read in task.reads}
    own = [one for one in further if (one.label, one.seed) in read]
    left = sum(one.recipe.key in absent for one in own)
    pools = [_counted(pool.models, _NAMES[pool.subset]) for pool in audit.pools.values()]
    reading = f"reads {' and '.join(pools)} of other training seeds" if pools else "reads no other model"
    adds = f"{_counted(len(own), 'trained model')} of further seeds ({left} to make)" if own else "no training"
    trains = f"; trains each model {_counted(audit.training_epochs, 'epoch')} further" if audit.training_epochs else ""
    return f"audit {audit.name}: {reading}; adds {adds}{trains}{_where(study, audit)}"


def _where(study: Study, audit: Audit) -> str:
    """Name the requests that an audit finds nothing for; empty where there are none."""
    without = [request.label for request in study.forget if not request.has_control]
    if not (audit.needs_control and without):
        return ""
    return f"; finds nothing for forget {', '.join(without)}, which keeps no control half"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _task(study: Study, audit: Audit, audited: int) -> AuditTask:
    most = max((pool.models for pool in audit.pools.values()), default=0)
    return AuditTask(audit, pool_seeds(study.seeds, audited, most))


def _models(scenario: Scenario, subset: PoolSubset, seeds: list[int]) -> list[TrainedModel]:
    return trained_models(scenario, scenario.everything if subset == "train" else scenario.retained, seeds)
