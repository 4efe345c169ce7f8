"""Forget requests: how the forget set D_f is chosen from train, and the retain set D_r that is left.

Byte-identical images always end on one side: an image that is to be forgotten but stays in D_r under another index is
not forgotten. An index is a position in the train split as its source orders it, counted from 0.
"""

from typing import Annotated

from pydantic import Field

from unlearning.data.forget._base import Asked, ForgetRequest
from unlearning.data.forget._class import WholeClass
from unlearning.data.forget._confusion import Confusion
from unlearning.data.forget._gaussian import Gaussian
from unlearning.data.forget._indices import Indices
from unlearning.data.forget._query import Query
from unlearning.data.forget._random import RandomShare
from unlearning.data.forget._select import ForgetSet, describe, plant, select
from unlearning.data.forget._stream import SingleRequest, Stream, StreamStep
from unlearning.data.forget._where import Where

AnyForgetRequest = Annotated[
    RandomShare | WholeClass | Indices | Where | Query | Confusion | Gaussian | Stream, Field(discriminator="kind")
]

__all__ = [
    "AnyForgetRequest",
    "Asked",
    "Confusion",
    "ForgetRequest",
    "ForgetSet",
    "Gaussian",
    "Indices",
    "Query",
    "RandomShare",
    "SingleRequest",
    "Stream",
    "StreamStep",
    "Where",
    "WholeClass",
    "describe",
    "plant",
    "select",
]
