"""The contracts of the families, as checks that a plug-in's own tests call.

Each check takes one member, such as ``MyMethod(epochs=2, lr=0.01)``, and raises AssertionError where it does not keep
the contract. They need no test framework. With pytest, one test a check::

    @pytest.mark.parametrize("check", METHOD_CHECKS, ids=name_of)
    def test_my_method(check):
        check(MyMethod(epochs=2, batch_size=32, lr=0.01))
"""

from collections.abc import Callable
from typing import Any

from unlearning.testing._audits import AUDIT_CHECKS
from unlearning.testing._methods import METHOD_CHECKS
from unlearning.testing._metrics import METRIC_CHECKS
from unlearning.testing._networks import NETWORK_CHECKS
from unlearning.testing._sources import SOURCE_CHECKS

__all__ = ["AUDIT_CHECKS", "METHOD_CHECKS", "METRIC_CHECKS", "NETWORK_CHECKS", "SOURCE_CHECKS", "name_of"]


def name_of(check: Callable[[Any], None]) -> str:
    """Return a check's name, in words."""
    return check.__name__.replace("_", " ")
