"""Images that lie in a file and are mapped into memory: the system reads what is touched, and may drop it again.

Such a data set takes no memory of its own, may be larger than the memory, and is shared by the processes of a machine.
"""

import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class MappedImages:
    """Where uint8 images lie in a file, one after another.

    Attributes:
        start_bytes: where the first one begins.
        shape: (N, C, H, W).
    """

    path: Path
    start_bytes: int
    shape: tuple[int, int, int, int]

    def opened(self) -> Array:
        """Map the images, read-only: the kernel counts a mapping that may be written to as memory in use.

        Raises:
            OSError: there is no such file, or it cannot be read.
            ValueError: it is too short.
        """
        return np.memmap(self.path, np.uint8, "r", self.start_bytes, self.shape)

    def part(self, first: int, end: int) -> "MappedImages":
        """Return where the images from ``first`` up to and without ``end`` lie."""
        start_bytes = self.start_bytes + first * math.prod(self.shape[1:])
        return replace(self, start_bytes=start_bytes, shape=(end - first, *self.shape[1:]))


def shared_tensor(array: Array) -> Tensor:
    """Return a tensor on the memory of an array, which may be read-only: nobody writes to images."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable", category=UserWarning)
        return torch.from_numpy(array)
