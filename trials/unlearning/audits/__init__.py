"""Audits: attacks and tests of a confirmed model that may require many other trained models, by name."""

from typing import Annotated

from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, ModelPool, PoolSubset, Statistic, Test
from unlearning.audits._bundles import BUNDLES
from unlearning.audits._cka import CKA
from unlearning.audits._clinical import Clinical
from unlearning.audits._confusion import InterclassConfusion
from unlearning.audits._control import ControlTest
from unlearning.audits._durability import Durability
from unlearning.audits._epsilon import EpsilonBound
from unlearning.audits._gaussian import GaussianScore
from unlearning.audits._head_probe import HeadProbe
from unlearning.audits._idi import IDI
from unlearning.audits._network import AuditNetwork, Networks
from unlearning.audits._output_distance import OutputDistance
from unlearning.audits._perturbed import Perturbed
from unlearning.audits._relative import RelativeTest
from unlearning.audits._relearning import Relearning
from unlearning.audits._rmia import RMIA
from unlearning.audits._run import AuditError, audit_measures, fault_of
from unlearning.families import OptionsFamily

AUDITS: OptionsFamily[Audit] = OptionsFamily(
    "audit",
    "lethe.audits",
    {
        "control": ControlTest,
        "epsilon": EpsilonBound,
        "confusion": InterclassConfusion,
        "gaussian": GaussianScore,
        "rmia": RMIA,
        "clinical": Clinical,
        "output_distance": OutputDistance,
        "relative": RelativeTest,
        "relearning": Relearning,
        "head_probe": HeadProbe,
        "cka": CKA,
        "idi": IDI,
        "durability": Durability,
        "perturbed": Perturbed,
    },
    base=Audit,
)

AnyAudit = Annotated[Audit, AUDITS]
"""An audit that options name."""

__all__ = [
    "AUDITS",
    "BUNDLES",
    "CKA",
    "IDI",
    "RMIA",
    "AnyAudit",
    "Audit",
    "AuditError",
    "AuditNetwork",
    "Clinical",
    "ControlTest",
    "Durability",
    "EpsilonBound",
    "Evidence",
    "Finding",
    "GaussianScore",
    "HeadProbe",
    "InterclassConfusion",
    "LooksAt",
    "ModelPool",
    "Networks",
    "OutputDistance",
    "Perturbed",
    "PoolSubset",
    "RelativeTest",
    "Relearning",
    "Statistic",
    "Test",
    "audit_measures",
    "fault_of",
]
