"""What leaves the platform: an unlearned model in a folder of its own, with its setting and its certificate."""

from typing import TYPE_CHECKING

from lethe.lazy import loading

if TYPE_CHECKING:
    from lethe.delivery._choose import DeliveryError
    from lethe.delivery._deliver import Delivery, deliver_study, last_study
    from lethe.delivery._delivered import Delivered
    from lethe.delivery._lineage import Trace
    from lethe.delivery._purge import PurgePlan, plan_purge, purge, why_kept
    from lethe.delivery._withdrawal import Withdrawal, find_withdrawal
    from lethe.delivery._words import in_words
else:
    # A delivery is verified where there is neither torch nor the results.
    __getattr__, __dir__ = loading(
        __name__,
        globals(),
        {
            "lethe.delivery._choose": ("DeliveryError",),
            "lethe.delivery._deliver": ("Delivery", "deliver_study", "last_study"),
            "lethe.delivery._delivered": ("Delivered",),
            "lethe.delivery._lineage": ("Trace",),
            "lethe.delivery._purge": ("PurgePlan", "plan_purge", "purge", "why_kept"),
            "lethe.delivery._withdrawal": ("Withdrawal", "find_withdrawal"),
            "lethe.delivery._words": ("in_words",),
        },
    )

__all__ = [
    "Delivered",
    "Delivery",
    "DeliveryError",
    "PurgePlan",
    "Trace",
    "Withdrawal",
    "deliver_study",
    "find_withdrawal",
    "in_words",
    "last_study",
    "plan_purge",
    "purge",
    "why_kept",
]
