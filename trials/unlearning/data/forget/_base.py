"""What every forget request is, and how those that draw a share draw it."""

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearning.data._base import ImageData
from unlearning.options import Options


@dataclass(frozen=True)
class Asked:
    """The train images that a request names, before duplicates are added.

    Attributes:
        indices_M: int64, (M,), in any order; an index may come more than once.
        notes: what a person should know of the request, a sentence each.
    """

    indices_M: Tensor
    notes: tuple[str, ...] = ()


class ForgetRequest(Options, ABC):
    """One way to say which train images are to be forgotten."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What reports call the request."""

    @abstractmethod
    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Choose the train images that are asked for, before duplicates are added.

        Raises:
            DataError: the request does not fit the data.
        """


def draw(candidates_M: Tensor, fraction: float, duplicate_of_N: Tensor, random: torch.Generator) -> Tensor:
    """Draw whole groups of duplicates in random order while they fit into the share of the candidates.

    Args:
        candidates_M: int64, (M,): the train images to draw from.
        duplicate_of_N: for each train image the index of the first identical one.

    Returns:
        int64, at most round(fraction M) of the candidates, in the order of the draw.
    """
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, first in zip(candidates_M.tolist(), duplicate_of_N[candidates_M].tolist(), strict=True):
        groups[first].append(index)
    in_order = list(groups.values())
    wanted, drawn = round(fraction * len(candidates_M)), list[int]()
    for position in torch.randperm(len(in_order), generator=random).tolist():
        if len(drawn) + len(in_order[position]) <= wanted:
            drawn += in_order[position]
    return torch.tensor(drawn, dtype=torch.int64)


def percent(fraction: float) -> str:
    """Write a share in percent."""
    return f"{100 * fraction:g} %"
