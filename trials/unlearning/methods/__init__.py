"""Unlearning methods, by name."""

from unlearning.families import OptionsFamily
from unlearning.methods._bad_teacher import BadTeacher
from unlearning.methods._base import ForgetTask, HeldOut, Method, UnlearningContext
from unlearning.methods._ct import ConvolutionTranspose
from unlearning.methods._delete import Delete
from unlearning.methods._fcs import FCS
from unlearning.methods._fine_tune import FineTune
from unlearning.methods._gradient_ascent import GradientAscent, negative_cross_entropy
from unlearning.methods._l1_sparse import L1Sparse
from unlearning.methods._munba import MUNBa
from unlearning.methods._neggrad_plus import NegGradPlus
from unlearning.methods._nothing import Nothing
from unlearning.methods._random_label import RandomLabel
from unlearning.methods._salun import SalUn
from unlearning.methods._scrub import Scrub
from unlearning.methods._sgd import DescentMethod, Epoch, SGDMethod

METHODS: OptionsFamily[Method] = OptionsFamily(
    "method",
    "lethe.methods",
    {
        "salun": SalUn,
        "random_label": RandomLabel,
        "fine_tune": FineTune,
        "l1_sparse": L1Sparse,
        "neggrad_plus": NegGradPlus,
        "scrub": Scrub,
        "bad_teacher": BadTeacher,
        "delete": Delete,
        "munba": MUNBa,
        "fcs": FCS,
        "ct": ConvolutionTranspose,
        "gradient_ascent": GradientAscent,
        "nothing": Nothing,
    },
    base=Method,
)

__all__ = [
    "FCS",
    "METHODS",
    "BadTeacher",
    "ConvolutionTranspose",
    "Delete",
    "DescentMethod",
    "Epoch",
    "FineTune",
    "ForgetTask",
    "GradientAscent",
    "HeldOut",
    "L1Sparse",
    "MUNBa",
    "Method",
    "NegGradPlus",
    "Nothing",
    "RandomLabel",
    "SGDMethod",
    "SalUn",
    "Scrub",
    "UnlearningContext",
    "negative_cross_entropy",
]
