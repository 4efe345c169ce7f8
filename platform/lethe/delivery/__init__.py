"""What leaves the platform: an unlearned model in a folder of its own, with its setting and its certificate."""

from typing import TYPE_CHECKING

from lethe.lazy import loading

if TYPE_CHECKING:
    from lethe.delivery._delivered import Delivered
    from lethe.delivery._lineage import Trace
    from lethe.delivery._purge import PurgePlan, plan_purge, purge, why_kept
    from lethe.delivery._withdrawal import Withdrawal, find_withdrawal
else:
    # A delivery is verified where there is neither torch nor the results.
    __getattr__, __dir__ = loading(
        __name__,
        globals(),
        {
            "lethe.delivery._delivered": ("Delivered",),
            "lethe.delivery._lineage": ("Trace",),
            "lethe.delivery._purge": ("PurgePlan", "plan_purge", "purge", "why_kept"),
            "lethe.delivery._withdrawal": ("Withdrawal", "find_withdrawal"),
        },
    )

__all__ = [
    "Delivered",
    "PurgePlan",
    "Trace",
    "Withdrawal",
    "find_withdrawal",
    "plan_purge",
    "purge",
    "why_kept",
]
