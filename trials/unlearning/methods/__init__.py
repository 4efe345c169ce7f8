"""Unlearning methods, by name."""

from unlearning.families import OptionsFamily
from unlearning.methods._base import ForgetTask, Method, UnlearningContext
from unlearning.methods._fine_tune import FineTune
from unlearning.methods._gradient_ascent import GradientAscent, negative_cross_entropy
from unlearning.methods._nothing import Nothing
from unlearning.methods._random_label import RandomLabel
from unlearning.methods._salun import SalUn
from unlearning.methods._sgd import SGDMethod

METHODS: OptionsFamily[Method] = OptionsFamily(
    "method",
    "lethe.methods",
    {
        "salun": SalUn,
        "random_label": RandomLabel,
        "fine_tune": FineTune,
        "gradient_ascent": GradientAscent,
        "nothing": Nothing,
    },
    base=Method,
)

__all__ = [
    "METHODS",
    "FineTune",
    "ForgetTask",
    "GradientAscent",
    "Method",
    "Nothing",
    "RandomLabel",
    "SGDMethod",
    "SalUn",
    "UnlearningContext",
    "negative_cross_entropy",
]
