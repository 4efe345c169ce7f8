"""Unlearning methods, by name."""

from unlearning.families import OptionsFamily
from unlearning.methods._amun import AMUN
from unlearning.methods._bad_teacher import BadTeacher
from unlearning.methods._base import ForgetTask, HeldOut, Method, UnlearningContext
from unlearning.methods._ct import ConvolutionTranspose
from unlearning.methods._damage import DamageTune
from unlearning.methods._delete import Delete
from unlearning.methods._entropy_forgetting import EntropyForgetting
from unlearning.methods._fcs import FCS
from unlearning.methods._fine_tune import FineTune
from unlearning.methods._fisher_forgetting import FisherForgetting
from unlearning.methods._gradient_ascent import GradientAscent, negative_cross_entropy
from unlearning.methods._head_distillation import HeadDistillation
from unlearning.methods._influence import Influence
from unlearning.methods._l1_sparse import L1Sparse
from unlearning.methods._last_layers import CFk, EUk
from unlearning.methods._msg import MSG
from unlearning.methods._munba import MUNBa
from unlearning.methods._neggrad_plus import NegGradPlus
from unlearning.methods._nothing import Nothing
from unlearning.methods._r2d import RewindDescend
from unlearning.methods._random_label import RandomLabel
from unlearning.methods._regun import ReGUn
from unlearning.methods._rewinding import Rewinding
from unlearning.methods._salun import SalUn
from unlearning.methods._salun_soft import SalUnSoft
from unlearning.methods._scissorhands import Scissorhands
from unlearning.methods._scrub import Scrub
from unlearning.methods._sfron import SFRon
from unlearning.methods._sgd import DescentMethod, Epoch, SGDMethod
from unlearning.methods._ssd import SSD
from unlearning.methods._weight_distortion import WeightDistortion

METHODS: OptionsFamily[Method] = OptionsFamily(
    "method",
    "lethe.methods",
    {
        "salun": SalUn,
        "salun_soft": SalUnSoft,
        "random_label": RandomLabel,
        "fine_tune": FineTune,
        "l1_sparse": L1Sparse,
        "neggrad_plus": NegGradPlus,
        "scrub": Scrub,
        "bad_teacher": BadTeacher,
        "delete": Delete,
        "munba": MUNBa,
        "fcs": FCS,
        "sfron": SFRon,
        "scissorhands": Scissorhands,
        "msg": MSG,
        "ct": ConvolutionTranspose,
        "damage_tune": DamageTune,
        "weight_distortion": WeightDistortion,
        "r2d": RewindDescend,
        "amun": AMUN,
        "regun": ReGUn,
        "entropy_forgetting": EntropyForgetting,
        "cf_k": CFk,
        "eu_k": EUk,
        "ssd": SSD,
        "influence": Influence,
        "fisher_forgetting": FisherForgetting,
        "head_distillation": HeadDistillation,
        "gradient_ascent": GradientAscent,
        "nothing": Nothing,
    },
    base=Method,
)

__all__ = [
    "AMUN",
    "FCS",
    "METHODS",
    "MSG",
    "SSD",
    "BadTeacher",
    "CFk",
    "ConvolutionTranspose",
    "DamageTune",
    "Delete",
    "DescentMethod",
    "EUk",
    "EntropyForgetting",
    "Epoch",
    "FineTune",
    "FisherForgetting",
    "ForgetTask",
    "GradientAscent",
    "HeadDistillation",
    "HeldOut",
    "Influence",
    "L1Sparse",
    "MUNBa",
    "Method",
    "NegGradPlus",
    "Nothing",
    "RandomLabel",
    "ReGUn",
    "RewindDescend",
    "Rewinding",
    "SFRon",
    "SGDMethod",
    "SalUn",
    "SalUnSoft",
    "Scissorhands",
    "Scrub",
    "UnlearningContext",
    "WeightDistortion",
    "negative_cross_entropy",
]
