"""An audit of one model: its values as they are recorded, checked against what the audit announces."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic, metric_name
from unlearning.audits._network import Networks
from unlearning.data import Planted
from unlearning.errors import UnlearningError
from unlearning.metrics import Evaluation, Measure
from unlearning.seeds import derive


class AuditError(UnlearningError):
    """An audit that raised; the message names it and what it raised."""


def audit_measures(
    audit: Audit,
    audited: Evaluation,
    pools: Mapping[str, tuple[Evaluation, ...]],
    *,
    original: Evaluation,
    class_names: tuple[str, ...],
    networks: Networks | None = None,
    planted: Planted | None = None,
) -> list[Measure]:
    """Run an audit on a model; a model and its oracle, which have one seed, meet the same draws.

    Args:
        pools: the models that the audit requires, by the names of `Audit.pools`; all empty where there is no oracle.
        original: the audited model's, of the same training seed.
        class_names: one per class.
        networks: those of all these models; an audit that does not say that it needs them does not see them.
        planted: what the forget request changed in D_f before anything was trained.

    Raises:
        AuditError: the audit raised.
        ValueError: the audit does not say what it is, its options do not fit the data, a pool is not as large as it
            requires, it needs networks and there are none, or it gives a value that it does not announce.
    """
    if fault := fault_of(audit):
        raise ValueError(f"audit '{audit.name}': {fault}")
    if misfit := audit.misfit(class_names, audited.columns.get("test", {})):
        raise ValueError(f"audit '{audit.name}': {misfit}")
    has_none = audited.oracle is None and not audit.needs_oracle and not any(pools.values())
    wanted = {name: 0 if has_none else pool.models for name, pool in audit.pools.items()}
    got = {name: len(pools[name]) for name in pools}
    if wanted != got:
        raise ValueError(f"audit '{audit.name}': wanted pools of {wanted} models, got {got}")
    if audit.needs_network and networks is None:
        raise ValueError(f"audit '{audit.name}': wanted networks, which it needs, got none")
    seed, inside = derive(audited.seed, "audit", audit.name), networks if audit.needs_network else None
    evidence = Evidence(audited, original, class_names, pools, seed, inside, planted)
    return [
        Measure(metric_name(audit, statistic), audit.version, value) for statistic, value in _checked(audit, evidence)
    ]


def fault_of(audit: Audit) -> str | None:
    """Return what is wrong with what an audit says about itself; None where nothing is."""
    kind = type(audit)
    if not audit.name.isidentifier():
        return f"wanted a name of letters, digits and _, got {audit.name!r}"
    for attribute in ("title", "source"):
        if not (isinstance(text := getattr(kind, attribute, None), str) and text):
            return f"wanted a {attribute}, a text, got {text!r}"
    statistics: Any = getattr(kind, "statistics", None)
    if not (isinstance(statistics, Mapping) and statistics):
        return f"wanted statistics: a name and a Statistic for each value that it may find, got {statistics!r}"
    for name, statistic in statistics.items():
        if not (isinstance(name, str) and name.isidentifier() and isinstance(statistic, Statistic)):
            return f"wanted names of letters, digits and _, and a Statistic for each, got {name!r}: {statistic!r}"
    pools: Any = audit.pools
    if not (isinstance(pools, Mapping) and all(isinstance(pool, ModelPool) for pool in pools.values())):
        return f"wanted a ModelPool for each name in pools, got {pools!r}"
    return None


def _checked(audit: Audit, evidence: Evidence) -> Iterator[Finding]:
    title, seen = f"audit '{audit.name}'", set[tuple[object, ...]]()
    for statistic, value in _found(audit, evidence):
        if statistic not in audit.statistics:
            raise ValueError(f"{title}: wanted values of {', '.join(audit.statistics)}, got one of {statistic!r}")
        if math.isinf(value.value):
            raise ValueError(f"{title}: {statistic}: wanted finite values, or nan for none, got {value.value}")
        place = statistic, value.group, value.class_index
        if place in seen:
            raise ValueError(
                f"{title}: {statistic}: wanted one value for a group of images and a class, got a second one of "
                f"{value.group}, class {value.class_index}"
            )
        seen.add(place)
        yield statistic, value


def _found(audit: Audit, evidence: Evidence) -> Iterator[Finding]:
    try:
        yield from audit.run(evidence)
    except Exception as error:
        raise AuditError(f"audit '{audit.name}': {type(error).__name__}: {error}") from error
