"""What leaves the platform: an unlearned model in a folder of its own, with its setting and its certificate."""

from lethe.delivery._choose import DeliveryError
from lethe.delivery._deliver import Delivery, deliver_study, last_study
from lethe.delivery._delivered import Delivered
from lethe.delivery._words import in_words

__all__ = ["Delivered", "Delivery", "DeliveryError", "deliver_study", "in_words", "last_study"]
