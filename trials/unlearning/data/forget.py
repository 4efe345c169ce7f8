"""Forget requests: how the forget set D_f is chosen from train, and the retain set D_r that is left.

Byte-identical images always end on one side: an image that is to be forgotten but stays in D_r under another index is
not forgotten. An index is a position in the train split as its source orders it.
"""

import csv
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from pydantic import Field
from torch import Tensor

from unlearning.data._base import DataError, ImageData, PathOption
from unlearning.options import Options
from unlearning.seeds import generator


@dataclass(frozen=True)
class ForgetSet:
    """Which train images are to be forgotten and which are kept.

    Attributes:
        indices_F: int64, (F,), sorted: D_f.
        retain_R: int64, (R,), sorted: D_r, all other train images.
        twins_added: how many images of D_f were not asked for but repeat one that was, byte for byte.
        repeated: how many lines of an index file name an image that an earlier line names.
    """

    indices_F: Tensor
    retain_R: Tensor
    twins_added: int
    repeated: int


class ForgetRequest(Options, ABC):
    """One way to say which train images are to be forgotten."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What reports call the request."""

    @abstractmethod
    def asked(self, data: ImageData, random: torch.Generator) -> Tensor:
        """Choose the train images that are asked for, twins not yet added.

        Returns:
            int64, (M,), in any order; an index may come more than once.

        Raises:
            DataError: the request does not fit the data.
        """


class RandomShare(ForgetRequest):
    """A random share of the train images."""

    kind: Literal["random"] = "random"
    fraction: Annotated[float, Interval(gt=0, lt=1)] = Field(description="share of the train images")

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"random {_percent(self.fraction)}"

    def asked(self, data: ImageData, random: torch.Generator) -> Tensor:
        """Draw the share; twins are drawn together, so it can end short by less than a group of twins."""
        return _draw(torch.arange(len(data.train)), self.fraction, data.twins_N, random)


class WholeClass(ForgetRequest):
    """The train images of a class, or a random share of them."""

    kind: Literal["class"] = "class"
    class_index: Annotated[int, Interval(ge=0)] = Field(description="the class, counted from 0")
    fraction: Annotated[float, Interval(gt=0, le=1)] = Field(1.0, description="share of the class's train images")

    @property
    def label(self) -> str:
        """What reports call the request."""
        share = "" if self.fraction == 1 else f"{_percent(self.fraction)} of "
        return f"{share}class {self.class_index}"

    def asked(self, data: ImageData, random: torch.Generator) -> Tensor:
        """Take the class's images, or draw the share of them.

        Raises:
            DataError: there is no such class.
        """
        if self.class_index >= data.classes:
            names = ", ".join(f"{index} ({name})" for index, name in enumerate(data.class_names))
            raise DataError(f"{self.label}: {data.name} has no class {self.class_index}; its classes are {names}")
        members_M = (data.train.labels_N == self.class_index).nonzero().flatten()
        return _draw(members_M, self.fraction, data.twins_N, random)


class Indices(ForgetRequest):
    """The train images that a file lists: text with one index a line, or a .csv file with a column ``index``.

    In text, blank lines and everything after a # are left out. An index that comes twice counts once.
    """

    kind: Literal["indices"] = "indices"
    file: PathOption = Field(description="text file, or a .csv file with a column `index`")

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"indices {self.file.name}"

    def asked(self, data: ImageData, random: torch.Generator) -> Tensor:
        """Read the file's indices.

        Raises:
            DataError: the file cannot be read, or a line holds no index of a train image.
        """
        count = len(data.train)
        indices = []
        for line, text in _entries(self.file):
            if not (text.isascii() and text.isdecimal() and int(text) < count):
                raise DataError(
                    f"{self.file}:{line}: wanted an index of a train image of {data.name}, 0 ... {count - 1}, "
                    f"got {text!r}"
                )
            indices.append(int(text))
        return torch.tensor(indices, dtype=torch.int64)


AnyForgetRequest = Annotated[RandomShare | WholeClass | Indices, Field(discriminator="kind")]


def select(request: ForgetRequest, data: ImageData, seed: int) -> ForgetSet:
    """Split train into the images to be forgotten, with all their twins, and the rest.

    A draw depends on the seed, the images and the request alone.

    Raises:
        DataError: the request does not fit the data, or leaves nothing to forget or nothing to retain.
    """
    asked_M = request.asked(data, generator(seed, "forget"))
    asked_U = asked_M.unique()
    forgotten_N = torch.isin(data.twins_N, data.twins_N[asked_U])
    indices_F, retain_R = forgotten_N.nonzero().flatten(), (~forgotten_N).nonzero().flatten()
    if not len(indices_F):
        raise DataError(f"forget {request.label}: it names none of the {len(data.train)} train images of {data.name}")
    if not len(retain_R):
        raise DataError(f"forget {request.label}: it leaves no train image of {data.name} to retain")
    return ForgetSet(indices_F, retain_R, len(indices_F) - len(asked_U), len(asked_M) - len(asked_U))


def _draw(candidates_M: Tensor, fraction: float, twins_N: Tensor, random: torch.Generator) -> Tensor:
    """Draw whole groups of twins in random order while they fit into the share of the candidates."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, first in zip(candidates_M.tolist(), twins_N[candidates_M].tolist(), strict=True):
        groups[first].append(index)
    in_order = list(groups.values())
    wanted, drawn = round(fraction * len(candidates_M)), list[int]()
    for position in torch.randperm(len(in_order), generator=random).tolist():
        if len(drawn) + len(in_order[position]) <= wanted:
            drawn += in_order[position]
    return torch.tensor(drawn, dtype=torch.int64)


def _entries(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the entries of an index file, each with its line number (from 1)."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from _csv_entries(file, lines) if file.suffix.lower() == ".csv" else _text_entries(lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: the list of images to forget cannot be read ({error})") from error


def _text_entries(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        if entry := line.partition("#")[0].strip():
            yield number, entry


def _csv_entries(file: Path, lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    rows = csv.DictReader(lines)
    if "index" not in (rows.fieldnames or ()):
        raise DataError(f"{file}: wanted a column named index, got the columns {', '.join(rows.fieldnames or ())}")
    for row in rows:
        yield rows.line_num, (row["index"] or "").strip()


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"
