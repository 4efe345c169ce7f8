"""The train images as the models of one training seed see them: what each is trained on, and what is forgotten."""

from dataclasses import dataclass
from functools import cached_property

import torch

from lethe.study._subset import Subset
from unlearning.data.forget import ForgetSet
from unlearning.seeds import generator


@dataclass(frozen=True, eq=False)
class Partition:
    """A split of train into D_f, D_r and the control half.

    Attributes:
        forget: which images are in which part.
        train_count: images in the training split.
    """

    forget: ForgetSet
    train_count: int

    @cached_property
    def everything(self) -> Subset:
        """D, which the original is trained on: all train images but those of the control half."""
        return self.control.rest

    @cached_property
    def control(self) -> Subset:
        """The control half, which neither original nor oracle is trained on; mostly empty."""
        return Subset(self.forget.control_C, self.train_count)

    @cached_property
    def forgotten(self) -> Subset:
        """D_f, the images that are to be forgotten."""
        return Subset(self.forget.indices_F, self.train_count)

    @cached_property
    def retained(self) -> Subset:
        """D_r, the images that are to be kept, which the oracle is trained on."""
        return Subset(self.forget.retain_R, self.train_count)

    @cached_property
    def candidates(self) -> Subset:
        """D_f and the control half, of which a lot decided which is which."""
        return Subset(self.forget.candidates, self.train_count)

    def dosed(self, share: float, seed: int) -> Subset:
        """Return D_r with a share of D_f, rounded to whole groups of duplicates; a larger share holds a smaller one.

        Args:
            seed: of the draw.
        """
        units_U, unit_F = self.forget.unit_F.unique(return_inverse=True)
        order_U = torch.randperm(len(units_U), generator=generator(seed, "dose"))
        kept_U = torch.zeros(len(units_U), dtype=torch.bool)
        kept_U[order_U[: round(share * len(units_U))]] = True
        both_M = torch.cat([self.forget.retain_R, self.forget.indices_F[kept_U[unit_F]]])
        return Subset(both_M.sort().values, self.train_count)
