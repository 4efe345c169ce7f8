"""Requests that come one after another: what has been asked for once so many of them have come.

An image that several requests ask for counts for the first. The images of a step are those of all requests so far, so
that a step can be compared with a model retrained without them.
"""

from typing import Annotated, Literal, Self

import torch
from annotated_types import Ge
from pydantic import Field, model_validator

from unlearning.data._base import DataError, ImageData
from unlearning.data.forget._base import Asked, ForgetRequest
from unlearning.data.forget._class import WholeClass
from unlearning.data.forget._indices import Indices
from unlearning.data.forget._query import Query
from unlearning.data.forget._random import RandomShare
from unlearning.data.forget._where import Where

SingleRequest = Annotated[RandomShare | WholeClass | Indices | Where | Query, Field(discriminator="kind")]


class Stream(ForgetRequest):
    """Requests that come one after another; a method meets each with the model that it left at the one before.

    Either ``requests`` lists them, or ``of`` is one request whose images are withdrawn in so many ``steps``: by lot, in
    whole groups of byte-identical images, and as evenly as these allow. After request t everything is compared with
    models retrained without the images of requests 1 ... t. Settings are searched on the first request and then kept.
    After the last one each method is also shown as it forgets all these images at once, from the original.
    """

    kind: Literal["stream"] = "stream"
    requests: Annotated[tuple[SingleRequest, ...], Field(strict=False)] = Field(
        (),
        description="the requests in their order, two at least, of the kinds random, class, indices, where and query; "
        "images that an earlier one took count for that one",
    )
    of: SingleRequest | None = Field(
        None, description="a request of these kinds whose images are withdrawn step by step"
    )
    steps: Annotated[int, Ge(2)] | None = Field(None, description="with `of`: the number of steps")

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        divided = self.of is not None and self.steps is not None and not self.requests
        listed = len(self.requests) > 1 and self.of is None and self.steps is None
        if not (divided or listed):
            raise ValueError("wanted a list `requests` of two or more, or `of` (a request) and `steps` (how many)")
        if controlled := [one.label for one in self.parts if one.has_control]:
            raise ValueError(f"a stream keeps no control half: wanted requests without, got {', '.join(controlled)}")
        return self

    @property
    def parts(self) -> tuple[ForgetRequest, ...]:
        """The requests that it is made of: those that are listed, or the one that is divided."""
        return self.requests if self.of is None else (self.of,)

    @property
    def count(self) -> int:
        """How many requests come."""
        return self.steps or len(self.requests)

    @property
    def label(self) -> str:
        """What reports call all of it."""
        return f"{self.name} in {self.count} requests"

    @property
    def name(self) -> str:
        """What it is made of, in words."""
        return " + ".join(part.label for part in self.parts)

    @property
    def takes_classes(self) -> bool:
        """Whether some request may take all train images of a class."""
        return any(part.takes_classes for part in self.parts)

    @property
    def met(self) -> tuple["StreamStep", ...]:
        """What has been asked for after each request."""
        return tuple(StreamStep(stream=self, number=number) for number in range(1, self.count + 1))

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Choose the images of all requests."""
        return self.met[-1].asked(data, random)


class StreamStep(ForgetRequest):
    """The requests of a stream that have come so far."""

    kind: Literal["stream"] = "stream"
    stream: Stream
    number: Annotated[int, Ge(1)] = Field(description="how many requests have come")

    @property
    def is_last(self) -> bool:
        """Whether all requests have come."""
        return self.number == self.stream.count

    @property
    def label(self) -> str:
        """What reports call them."""
        so_far = f"request {self.number}" if self.number == 1 else f"requests 1-{self.number}"
        return f"{self.stream.name}, {so_far} of {self.stream.count}"

    @property
    def takes_classes(self) -> bool:
        """Whether some request may take all train images of a class."""
        return self.stream.takes_classes

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Choose the images of the requests so far; a step repeats the draws of those before it.

        Raises:
            DataError: a request does not fit the data, asks for nothing that those before it left, or there are more
                steps than groups of identical images.
        """
        return self._listed(data, random) if self.stream.of is None else self._divided(self.stream.of, data, random)

    def _listed(self, data: ImageData, random: torch.Generator) -> Asked:
        every = [request.asked(data, random) for request in self.stream.requests[: self.number]]
        groups = [data.duplicate_of_N[one.indices_M] for one in every]
        if self.number > 1 and torch.isin(groups[-1], torch.cat(groups[:-1])).all():
            raise DataError(
                f"forget {self.label}: the last of them, {self.stream.requests[self.number - 1].label}, asks for no "
                "image that those before it left"
            )
        return Asked(torch.cat([one.indices_M for one in every]), every[-1].notes)

    def _divided(self, request: SingleRequest, data: ImageData, random: torch.Generator) -> Asked:
        asked, steps = request.asked(data, random), self.stream.count
        indices_M = asked.indices_M.unique()
        units_U, unit_M = data.duplicate_of_N[indices_M].unique(return_inverse=True)
        if len(units_U) < steps:
            raise DataError(
                f"forget {self.label}: {request.label} has {len(units_U)} groups of byte-identical images; wanted at "
                f"least one for each of the {steps} steps"
            )
        order_U, step_U = torch.randperm(len(units_U), generator=random), torch.empty(len(units_U), dtype=torch.int64)
        step_U[order_U] = torch.arange(len(units_U)) * steps // len(units_U)
        return Asked(indices_M[step_U[unit_M] < self.number], asked.notes if self.number == 1 else ())
