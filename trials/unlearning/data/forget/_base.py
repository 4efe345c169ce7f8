"""What every forget request is, and how those that draw a share draw it."""

import hashlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from unlearning.data._base import ImageData, Planted, Planting, Split
from unlearning.options import Options

Halves = Literal["shared", "per_seed"]
"""Whether the models of all training seeds are to forget the same half of the candidates, or each a half of its own."""


@dataclass(frozen=True)
class Asked:
    """The train images that a request names, before duplicates are added.

    Attributes:
        indices_M: int64, (M,), in any order; an index may come more than once.
        notes: what a person should know of the request, a sentence each.
        control_M: int64, (M,): images that no model may be trained on, with which those to be forgotten are compared.
    """

    indices_M: Tensor
    notes: tuple[str, ...] = ()
    control_M: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))


class ForgetRequest(Options, ABC):
    """One way to say which train images are to be forgotten."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What reports call the request."""

    @property
    def takes_classes(self) -> bool:
        """Whether it may take all train images of a class, since a class is what it asks for."""
        return False

    @property
    def has_control(self) -> bool:
        """Whether it keeps images out of every model, to compare those to be forgotten with."""
        return False

    @property
    def deals(self) -> Halves:
        """How a lot decides which of the candidates are forgotten, where there are such."""
        return "shared"

    @property
    def plants(self) -> Planting | None:
        """What it changes in the images that are to be forgotten, before any model is trained on them; mostly None."""
        return None

    def planted(self, data: ImageData, forget_F: Tensor, random: torch.Generator) -> ImageData:
        """Return the data that models are trained on: that of the source, or with what the request plants in D_f.

        Args:
            forget_F: int64, (F,), sorted: D_f, duplicates too.
        """
        return data

    @abstractmethod
    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Choose the train images that are asked for, before duplicates are added.

        Raises:
            DataError: the request does not fit the data.
        """


def with_planted(data: ImageData, train: Split, forget_F: Tensor, planted: Planted) -> ImageData:
    """Return data whose train split differs in D_f, under a content hash of its own."""
    digest = hashlib.sha256(data.content_hash.encode())
    for changed in (forget_F, train.labels_N[forget_F], train.images_NCHW[forget_F]):
        digest.update(changed.contiguous().numpy().tobytes())
    return replace(data, train=train, planted=planted, content_hash=digest.hexdigest())


def draw(candidates_M: Tensor, fraction: float, duplicate_of_N: Tensor, random: torch.Generator) -> Tensor:
    """Draw whole groups of duplicates in random order while they fit into the share of the candidates.

    Args:
        candidates_M: int64, (M,): the train images to draw from.
        duplicate_of_N: for each train image the index of the first identical one.

    Returns:
        int64, at most round(fraction M) of the candidates, in the order of the draw.
    """
    drawn = _drawn_groups(candidates_M, fraction, duplicate_of_N, random)
    return _indices(index for group in drawn for index in group)


def draw_halves(
    candidates_M: Tensor, fraction: float, duplicate_of_N: Tensor, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw the share of the candidates and, of as many groups of duplicates, a second share like it.

    Of the groups drawn for both, each half is as likely as any other to be the first. So the two are exchangeable, and
    that is what an exact test between them leans on.

    Returns:
        int64, the two halves; each has as many groups as the other, and about round(fraction M) images.
    """
    groups = _drawn_groups(candidates_M, 2 * fraction, duplicate_of_N, random)
    half = len(groups) // 2
    order = torch.randperm(2 * half, generator=random).tolist()
    first, second = (
        _indices(index for position in part for index in groups[position]) for part in (order[:half], order[half:])
    )
    return first, second


def _drawn_groups(
    candidates_M: Tensor, fraction: float, duplicate_of_N: Tensor, random: torch.Generator
) -> list[list[int]]:
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, first in zip(candidates_M.tolist(), duplicate_of_N[candidates_M].tolist(), strict=True):
        groups[first].append(index)
    in_order = list(groups.values())
    wanted, count, drawn = round(fraction * len(candidates_M)), 0, list[list[int]]()
    for position in torch.randperm(len(in_order), generator=random).tolist():
        if count + len(in_order[position]) <= wanted:
            drawn.append(in_order[position])
            count += len(in_order[position])
    return drawn


def _indices(indices: Iterable[int]) -> Tensor:
    return torch.tensor(list(indices), dtype=torch.int64)


def percent(fraction: float) -> str:
    """Write a share in percent."""
    return f"{100 * fraction:g} %"
