"""What every audit must do, on a small original, its oracle and the models that the audit requires."""

import json
import math
import pickle
from collections.abc import Callable, Sequence
from typing import Final

import torch

from unlearning.audits import Audit, AuditError, audit_measures, fault_of
from unlearning.metrics import BUILT_IN, Measure, measures_of
from unlearning.testing._cases import CLASS_NAMES, Case, oracle_case, unlearned_case

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
        measures = _measures(unlearned_case(audit, nonmembers))
        assert measures, "it gives no value"
        for measure in measures:
            value = measure.value
            assert math.isfinite(value.value), f"it gives {measure}"
            assert value.n is None or value.n > 0, f"wanted a number of images from 1, or None, got {value}"
            assert value.low is None or value.low <= value.value, f"wanted an interval around the value, got {value}"
            assert value.high is None or value.high >= value.value, f"wanted an interval around the value, got {value}"


def accepts_the_oracle_itself(audit: Audit) -> None:
    """Check that it gives values of a model that is its own oracle, which every audit is compared with."""
    assert _measures(oracle_case(audit)), "it gives no value of an oracle"


def finds_something_without_an_oracle_if_it_says_that_it_needs_none(audit: Audit) -> None:
    """Check that it gives values of a model that nothing can be compared with, where it says that it can."""
    if not audit.needs_oracle:
        assert _measures(unlearned_case(audit).without_oracle), "it gives no value without an oracle"


def reads_the_pools_that_it_declares_and_no_others(audit: Audit) -> None:
    """Check that each pool is used, as large as it is declared, and that nothing else is asked for."""
    case = unlearned_case(audit)
    list(audit.run(case.evidence))
    assert not (unread := audit.pools.keys() - case.read), f"it declares pools that it does not read: {unread}"


def computes_the_same_twice_and_changes_nothing(audit: Audit) -> None:
    """Check that all that it draws comes from the evidence's seed, and that others find what they had."""
    before = torch.random.get_rng_state()
    used, fresh = unlearned_case(audit), unlearned_case(audit)
    first = _measures(used)
    assert repr(_measures(used)) == repr(first), "a second run on the same evidence differs"
    assert repr(_measures(unlearned_case(audit))) == repr(first), "a run on equal evidence differs"
    for model, untouched in zip(used.models, fresh.models, strict=True):
        ours, theirs = measures_of(model.evaluation, BUILT_IN), measures_of(untouched.evaluation, BUILT_IN)
        assert repr(ours) == repr(theirs), "it changed what metrics measure"
        kept, other = model.network.weights, untouched.network.weights
        assert all(torch.equal(kept[name], other[name]) for name in other), "it changed weights that others audit"
    assert torch.equal(torch.random.get_rng_state(), before), "it moves torch's global generator"


def does_not_depend_on_where_the_images_lie(audit: Audit) -> None:
    """Check that images which are streamed to the device, batch by batch, give the values that resident ones do."""
    if audit.needs_network:
        case = unlearned_case(audit)
        assert repr(_measures(case.streamed)) == repr(_measures(case)), "streamed images give other values"


def looks_at_several_labels_where_it_says_so(audit: Audit) -> None:
    """Check an audit that sets `multi_label`: finite values, the same ones twice."""
    if not type(audit).multi_label:
        return
    measures = _measures(unlearned_case(audit, several=True))
    assert measures, "it gives no value"
    assert all(math.isfinite(measure.value.value) for measure in measures), f"it gives {measures}"
    assert repr(_measures(unlearned_case(audit, several=True))) == repr(measures), "a second run differs"


AUDIT_CHECKS: Final[Sequence[AuditCheck]] = (
    says_what_it_is,
    survives_being_written_down_and_sent,
    gives_finite_values_of_what_it_announces,
    accepts_the_oracle_itself,
    finds_something_without_an_oracle_if_it_says_that_it_needs_none,
    reads_the_pools_that_it_declares_and_no_others,
    computes_the_same_twice_and_changes_nothing,
    does_not_depend_on_where_the_images_lie,
    looks_at_several_labels_where_it_says_so,
)
"""The contract of an audit, a check each, asked of one choice of options."""


def _measures(case: Case) -> list[Measure]:
    try:
        return audit_measures(
            case.audit,
            case.audited.evaluation,
            case.evaluations,
            original=case.original.evaluation,
            class_names=CLASS_NAMES,
            networks=case.networks,
            planted=case.planted,
        )
    except (AuditError, ValueError) as error:
        raise AssertionError(str(error)) from error
