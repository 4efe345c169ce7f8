"""Audits: attacks and tests of a confirmed model that may require many other trained models, by name."""

from typing import Annotated

from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, PoolSubset, Statistic
from unlearning.audits._clinical import Clinical
from unlearning.audits._rmia import RMIA
from unlearning.audits._run import AuditError, audit_measures, fault_of
from unlearning.families import OptionsFamily

AUDITS: OptionsFamily[Audit] = OptionsFamily("audit", "lethe.audits", {"rmia": RMIA, "clinical": Clinical}, base=Audit)

AnyAudit = Annotated[Audit, AUDITS]
"""An audit that options name."""

__all__ = [
    "AUDITS",
    "RMIA",
    "AnyAudit",
    "Audit",
    "AuditError",
    "Clinical",
    "Evidence",
    "Finding",
    "ModelPool",
    "PoolSubset",
    "Statistic",
    "audit_measures",
    "fault_of",
]
