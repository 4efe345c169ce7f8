"""A request for a class, named by its name or by its position."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import torch
from annotated_types import Interval
from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from unlearning.data._base import ImageData
from unlearning.data.forget._base import Asked, ForgetRequest, draw, percent
from unlearning.data.forget._classes import class_position


class WholeClass(ForgetRequest):
    """The train images of a class, or a random share of them; the class is named by ``class`` or by ``class_index``."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["class"] = "class"
    class_index: Annotated[int, Interval(ge=0)] | None = Field(
        None, description="the class's position among the classes, counted from 0"
    )
    class_name: str | None = Field(None, alias="class", description="the class's name, in quotes where it is a number")
    fraction: Annotated[float, Interval(gt=0, le=1)] = Field(1.0, description="share of the class's train images")

    @field_validator("class_name", mode="before")
    @classmethod
    def _is_a_name(cls, value: object) -> object:
        if not isinstance(value, str | None):
            raise ValueError(
                f'wanted the class\'s name in quotes, such as "10", got {value!r}; for a position, counted from 0, '
                "use class_index"
            )
        return value

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.class_index is None) == (self.class_name is None):
            got = "neither" if self.class_index is None else "both"
            raise ValueError(f"wanted either class (a name) or class_index (a position, counted from 0), got {got}")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the option that does not name the class."""
        options = serialize(self).items()
        return {"class" if name == "class_name" else name: value for name, value in options if value is not None}

    @property
    def takes_classes(self) -> bool:
        """Whether it may take all train images of a class: it asks for one."""
        return True

    @property
    def label(self) -> str:
        """What reports call the request."""
        share = "" if self.fraction == 1 else f"{percent(self.fraction)} of "
        return f"{share}class {self._wanted}"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Take the class's images, or draw the share of them.

        Raises:
            DataError: there is no such class, or several have the name.
        """
        position = class_position(self._named, data, self.label, self._wanted)
        members_M = data.labelling.indicators(data.train.labels_N, data.classes)[:, position].nonzero().flatten()
        notes = self._notes(position, data.class_names)
        return Asked(draw(members_M, self.fraction, data.duplicate_of_N, random), tuple(notes))

    @property
    def _wanted(self) -> str:
        return str(self._named) if isinstance(self._named, int) else f'"{self._named}"'

    @property
    def _named(self) -> str | int:
        if self.class_name is not None:
            return self.class_name
        assert self.class_index is not None
        return self.class_index

    def _notes(self, position: int, names: tuple[str, ...]) -> Iterator[str]:
        """Note where the position is another class's name, as where folders are numbered from 1."""
        number = str(self.class_index)
        if number in names and names[position] != number:
            yield (
                f"{self.label}: class_index {number} is the class named {names[position]}; for the one named {number} "
                f'write class: "{number}"'
            )
