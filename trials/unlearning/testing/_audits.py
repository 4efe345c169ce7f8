"""What every audit must do, on the predictions of a model, its oracle and the models that it requires."""

import json
import math
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import torch

from unlearning.audits import Audit, AuditError, Evidence, audit_measures, fault_of
from unlearning.metrics import BUILT_IN, Evaluation, Measure, measures_of
from unlearning.testing._evaluations import CLASS_NAMES, FIRST_OF_POOLS, compared, evaluation, original

AuditCheck = Callable[[Audit], None]


def says_what_it_is(audit: Audit) -> None:
    """Check what reports, studies and stored values call it by."""
    assert (fault := fault_of(audit)) is None, fault
    kind = type(audit)
    assert audit.name == kind.model_fields["name"].default, "an audit's name is the default of its option `name`"
    version: object = kind.version
    assert isinstance(version, int) and version >= 1, f"a version is a whole number from 1, got {version!r}"
    for name, statistic in audit.statistics.items():
        assert statistic.meaning, f"the statistic {name} has no meaning, which is a phrase for people"


def survives_being_written_down_and_sent(audit: Audit) -> None:
    """Check that rows and other processes get the same audit."""
    assert type(audit).model_validate(json.loads(audit.model_dump_json())) == audit, "its JSON reads as another one"
    assert pickle.loads(pickle.dumps(audit)) == audit, "its pickle reads as another one"


def gives_finite_values_of_what_it_announces(audit: Audit) -> None:
    """Check the values of a model, whichever held-out split the non-members come from."""
    for nonmembers in ("test", "val"):
        measures = _measures(audit, compared(nonmembers))
        assert measures, "it gives no value"
        for measure in measures:
            value = measure.value
            assert math.isfinite(value.value), f"it gives {measure}"
            assert value.n is None or value.n > 0, f"wanted a number of images from 1, or None, got {value}"
            assert value.low is None or value.low <= value.value, f"wanted an interval around the value, got {value}"
            assert value.high is None or value.high >= value.value, f"wanted an interval around the value, got {value}"


def accepts_the_oracle_itself(audit: Audit) -> None:
    """Check that it gives values of a model that is its own oracle, which every audit is compared with."""
    oracle = evaluation(1)
    assert _measures(audit, replace(oracle, oracle=oracle)), "it gives no value of an oracle"


def reads_the_pools_that_it_declares_and_no_others(audit: Audit) -> None:
    """Check that each pool is used, as large as it is declared, and that nothing else is asked for."""
    pools = _Pools(audit)
    list(audit.run(Evidence(compared(), original(), CLASS_NAMES, pools, seed=0)))
    assert not (unread := audit.pools.keys() - pools.read), f"it declares pools that it does not read: {unread}"


def computes_the_same_twice_and_changes_nothing(audit: Audit) -> None:
    """Check that all that it draws comes from the evidence's seed, and that others find what they had."""
    before = torch.random.get_rng_state()
    used, pools, started_from = compared(), _Pools(audit), original()
    first = _measures(audit, used, pools, started_from)
    assert repr(_measures(audit, used, pools, started_from)) == repr(first), "a second run on the same evidence differs"
    assert repr(_measures(audit, compared())) == repr(first), "a run on equal evidence differs"
    fresh = _Pools(audit)
    models = [(used, compared()), (started_from, original()), *((pools[name][0], fresh[name][0]) for name in pools)]
    for model, untouched in models:
        same = repr(measures_of(model, BUILT_IN)) == repr(measures_of(untouched, BUILT_IN))
        assert same, "it changed what metrics measure"
    assert torch.equal(torch.random.get_rng_state(), before), "it moves torch's global generator"


AUDIT_CHECKS: Final[Sequence[AuditCheck]] = (
    says_what_it_is,
    survives_being_written_down_and_sent,
    gives_finite_values_of_what_it_announces,
    accepts_the_oracle_itself,
    reads_the_pools_that_it_declares_and_no_others,
    computes_the_same_twice_and_changes_nothing,
)
"""The contract of an audit, a check each, asked of one choice of options."""


class _Pools(Mapping[str, tuple[Evaluation, ...]]):
    """The pools that an audit declares; remembers which were read."""

    def __init__(self, audit: Audit) -> None:
        seeds = iter(range(FIRST_OF_POOLS, 1 << 20))
        self.read: set[str] = set()
        self._pools = {
            name: tuple(evaluation(next(seeds)) for _ in range(pool.models)) for name, pool in audit.pools.items()
        }

    def __getitem__(self, name: str) -> tuple[Evaluation, ...]:
        if name not in self._pools:
            raise AssertionError(f"it reads the pool {name!r}, which it does not declare: {list(self._pools)}")
        self.read.add(name)
        return self._pools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pools)

    def __len__(self) -> int:
        return len(self._pools)


def _measures(
    audit: Audit, audited: Evaluation, pools: _Pools | None = None, started_from: Evaluation | None = None
) -> list[Measure]:
    try:
        return audit_measures(
            audit,
            audited,
            _Pools(audit) if pools is None else pools,
            original=original(audited.nonmembers) if started_from is None else started_from,
            class_names=CLASS_NAMES,
        )
    except (AuditError, ValueError) as error:
        raise AssertionError(str(error)) from error
