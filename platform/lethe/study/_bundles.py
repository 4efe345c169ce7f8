"""A bundle of audits in a study's file: its name stands for a list."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationInfo

from lethe.study._without_oracle import runs_without_oracle
from unlearning.audits import BUNDLES, Audit
from unlearning.data.forget import ForgetRequest
from unlearning.no_recipe import NoRecipe


def unbundled(value: Any, info: ValidationInfo) -> Any:
    """Return the audits that a bundle's name stands for; whatever else it is, unchanged.

    Audits that need a control half, or something planted, are left out where no forget request of the study has it, and
    those that cannot do without an oracle where nothing can be trained.

    Raises:
        ValueError: there is no such bundle.
    """
    if not isinstance(value, str):
        return value
    if value not in BUNDLES:
        raise ValueError(f"wanted a list of audits, or one of {', '.join(BUNDLES)}, got {value!r}")
    requests, alone = info.data.get("forget", ()), isinstance(info.data.get("training"), NoRecipe)
    return tuple(
        audit
        for audit in BUNDLES[value]
        if any(applies(audit, request) for request in requests) and (runs_without_oracle(audit) or not alone)
    )


def applies(audit: Audit, request: ForgetRequest) -> bool:
    """Return whether a request has what an audit needs of it."""
    lacks_control = audit.needs_control and not request.has_control
    lacks_planted = audit.needs_planted is not None and audit.needs_planted != request.plants
    return not (lacks_control or lacks_planted)


def left_out(audits: Sequence[Audit]) -> tuple[Audit, ...]:
    """Return what audits lack of the bundle whose others they are, since it needs a control half; mostly nothing."""
    for bundle in BUNDLES.values():
        needing = tuple(audit for audit in bundle if audit.needs_control)
        others = [audit for audit in bundle if audit.needs_planted is None and audit not in needing]
        if needing and [audit for audit in audits if audit.needs_planted is None] == others:
            return needing
    return ()
