"""A bundle of audits in a study's file: its name stands for a list."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationInfo

from unlearning.audits import BUNDLES, Audit


def unbundled(value: Any, info: ValidationInfo) -> Any:
    """Return the audits that a bundle's name stands for; whatever else it is, unchanged.

    Audits that need a control half are left out where no forget request of the study keeps one.

    Raises:
        ValueError: there is no such bundle.
    """
    if not isinstance(value, str):
        return value
    if value not in BUNDLES:
        raise ValueError(f"wanted a list of audits, or one of {', '.join(BUNDLES)}, got {value!r}")
    has_control = any(request.has_control for request in info.data.get("forget", ()))
    return tuple(audit for audit in BUNDLES[value] if has_control or not audit.needs_control)


def left_out(audits: Sequence[Audit]) -> tuple[Audit, ...]:
    """Return what audits lack of the bundle whose others they are, since it needs a control half; mostly nothing."""
    for bundle in BUNDLES.values():
        needing = tuple(audit for audit in bundle if audit.needs_control)
        if needing and tuple(audits) == tuple(audit for audit in bundle if audit not in needing):
            return needing
    return ()
