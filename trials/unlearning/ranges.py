"""Values of an option to search: an interval of numbers, or alternatives."""

from collections.abc import Mapping
from typing import Annotated, Self

from annotated_types import MinLen
from pydantic import Field, model_validator

from unlearning.options import Options

_SHOWN = 200
"""Characters of a wrong value that a message shows."""


class Range(Options):
    """An interval of a number to search, on a plain or a logarithmic scale."""

    low: float = Field(description="lower end, included")
    high: float = Field(description="upper end, included; above `low`")
    log: bool = Field(False, description="whether to search on a logarithmic scale; `low` is then above 0")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"a range runs from low to high, got low {self.low:g} and high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range lies above 0, got low {self.low:g}")
        return self

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


class Choices(Options):
    """Named alternatives to search, written as a plain list."""

    choices: Annotated[tuple[int | float | str, ...], MinLen(2), Field(strict=False)] = Field(
        description="values to choose from"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        for entry in value:
            if isinstance(entry, bool) or not isinstance(entry, int | float | str):
                raise ValueError(f"wanted numbers or texts to choose from, got {repr(entry)[:_SHOWN]}")
        return {"choices": value}

    def __str__(self) -> str:
        return " or ".join(", ".join(map(str, part)) for part in (self.choices[:-1], self.choices[-1:]))


Ranges = Mapping[str, Range | Choices]
"""The values of several options, by the option's name."""


def logarithmic(low: float, high: float) -> Range:
    """Return the range from low to high on a logarithmic scale."""
    return Range(low=low, high=high, log=True)


def plain(low: float, high: float) -> Range:
    """Return the range from low to high on a plain scale."""
    return Range(low=low, high=high)


def choices(*values: int | float | str) -> Choices:
    """Return these alternatives."""
    return Choices(choices=values)
