"""A request for images whose labels are swapped between two classes before anything is trained."""

from dataclasses import replace
from typing import Annotated, Literal, Self

import torch
from annotated_types import Ge, Interval
from pydantic import Field, model_validator
from torch import Tensor

from unlearning.data._base import DataError, ImageData, Planted, Planting
from unlearning.data.forget._base import Asked, ForgetRequest, draw, percent, with_planted
from unlearning.data.forget._classes import class_position


class Confusion(ForgetRequest):
    """A share of two classes, whose images carry the other one's label wherever a model is trained on them.

    Mislabelled canaries: an original learns to confuse the two classes, retraining without these images does not. So
    what is left of the confusion after unlearning, on images that nobody forgot as well, is what was not forgotten. A
    test of a method, and no request that somebody could make of a model that is in use.

    Source: Goel et al., "Towards adversarial evaluations for inexact machine unlearning" (arXiv 2201.06640), the
    interclass confusion test.
    """

    kind: Literal["confusion"] = "confusion"
    classes: Annotated[
        tuple[Annotated[int, Ge(0)] | str, Annotated[int, Ge(0)] | str],
        Field(strict=False, description="the two classes, by name or by position, counted from 0"),
    ]
    fraction: Annotated[float, Interval(gt=0, lt=1)] = Field(description="share of the train images of each of the two")

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.classes[0] == self.classes[1]:
            raise ValueError(f"classes: wanted two different ones, got {self.classes[0]!r} twice")
        return self

    @property
    def label(self) -> str:
        """What reports call the request."""
        first, second = (f'"{one}"' if isinstance(one, str) else str(one) for one in self.classes)
        return f"confusion of {first} and {second}, {percent(self.fraction)}"

    @property
    def plants(self) -> Planting:
        """Labels."""
        return "labels"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Draw the share of each class.

        Raises:
            DataError: there is no such class, several have the name, both are the same, or an image may have
                several labels.
        """
        if data.labelling.several:
            raise DataError(
                f"{self.label}: swaps the one class of an image, and images of {data.name} have any number of labels; "
                "requests that work there: random, class, indices, where, query, gaussian"
            )
        pair = self._positions(data)
        members = [(data.train.labels_N == index).nonzero().flatten() for index in pair]
        drawn = [draw(members_M, self.fraction, data.duplicate_of_N, random) for members_M in members]
        first, second = (data.class_names[index] for index in pair)
        note = (
            f"{self.label}: wherever a model is trained on them, {len(drawn[0]):,} images of {first} are labelled "
            f"{second}, and {len(drawn[1]):,} of {second} {first}"
        )
        return Asked(torch.cat(drawn), (note,))

    def planted(self, data: ImageData, forget_F: Tensor, random: torch.Generator) -> ImageData:
        """Swap the labels; images of other classes among the duplicates keep theirs."""
        first, second = self._positions(data)
        labels_F = data.train.labels_N[forget_F]
        swapped_F = torch.where(labels_F == first, second, torch.where(labels_F == second, first, labels_F))
        train = replace(data.train, labels_N=data.train.labels_N.index_copy(0, forget_F, swapped_F))
        return with_planted(data, train, forget_F, Planted(labels_F))

    def _positions(self, data: ImageData) -> tuple[int, int]:
        first, second = (class_position(one, data, self.label, repr(one)) for one in self.classes)
        if first == second:
            raise DataError(f"{self.label}: both are class {first} ({data.class_names[first]}) of {data.name}")
        return first, second
