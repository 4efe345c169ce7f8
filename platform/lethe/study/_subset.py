"""Some of a data set's train images, identified by their indices and not by how they were chosen."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lethe.storage.hashing import digest_of_tensor


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the train images of a data set.

    Attributes:
        indices_M: int64, sorted, each index once.
        count: how many train images there are, N.

    Raises:
        ValueError: the indices are not sorted, repeat, or lie outside 0 ... N-1.
    """

    indices_M: Tensor
    count: int

    def __post_init__(self) -> None:
        indices_M = self.indices_M
        sound = indices_M.dtype == torch.int64 and indices_M.ndim == 1 and bool((indices_M.diff() > 0).all())
        if not sound or (len(indices_M) and not (indices_M[0] >= 0 and indices_M[-1] < self.count)):
            raise ValueError(
                f"subset: wanted sorted int64 indices within 0 ... {self.count - 1}, each once, got {indices_M}"
            )

    def __len__(self) -> int:
        return len(self.indices_M)

    @cached_property
    def mask(self) -> Tensor:
        """Bool, (N,), True where a train image belongs to it."""
        return torch.zeros(self.count, dtype=torch.bool).index_fill_(0, self.indices_M, True)

    @cached_property
    def rest(self) -> "Subset":
        """All the other train images."""
        return Subset((~self.mask).nonzero().flatten(), self.count)

    @cached_property
    def hash(self) -> str:
        """The hash of the indices: SHA-256 in hex."""
        return digest_of_tensor(self.indices_M)
