"""Audits that are named together, by what they cost."""

from collections.abc import Mapping
from typing import Final

from unlearning.audits._base import Audit
from unlearning.audits._cka import CKA
from unlearning.audits._clinical import Clinical
from unlearning.audits._confusion import InterclassConfusion
from unlearning.audits._control import ControlTest
from unlearning.audits._durability import Durability
from unlearning.audits._epsilon import EpsilonBound
from unlearning.audits._gaussian import GaussianScore
from unlearning.audits._head_probe import HeadProbe
from unlearning.audits._idi import IDI
from unlearning.audits._output_distance import OutputDistance
from unlearning.audits._perturbed import Perturbed
from unlearning.audits._relative import RelativeTest
from unlearning.audits._relearning import Relearning
from unlearning.audits._rmia import RMIA

_QUICK = (
    ControlTest(),
    InterclassConfusion(),
    GaussianScore(),
    Clinical(),
    OutputDistance(),
    HeadProbe(),
    CKA(),
    Perturbed(),
)
_STANDARD = (*_QUICK, EpsilonBound(), RMIA(), Durability())

BUNDLES: Final[Mapping[str, tuple[Audit, ...]]] = {
    "quick": _QUICK,
    "standard": _STANDARD,
    "full": (*_STANDARD, IDI(), RelativeTest(), Relearning()),
}
"""By name. ``quick`` trains nothing: it reads one other oracle, which every study has. ``standard`` reads
four other oracles and two originals and trains each confirmed model one epoch further; ``full`` reads six other oracles
and originals, and trains on."""
