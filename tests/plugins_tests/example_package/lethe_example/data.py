"""Generated images of stripes, which run across or down."""

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge

from unlearning.data import RawData, Source, Split


class Stripes(Source):
    """Two classes of noisy stripes."""

    source: Literal["stripes"] = "stripes"
    version: ClassVar[int] = 1
    count: Annotated[int, Ge(8)] = 160

    def read(self) -> RawData:
        """Generate three splits of the same size, each from its own seed."""
        splits = {name: self._split(seed) for seed, name in enumerate(("train", "val", "test"))}
        return RawData("stripes", "binary-class", ("across", "down"), splits, nonmembers="test")

    def _split(self, seed: int) -> Split:
        noise_NCHW = torch.randint(0, 128, (self.count, 1, 12, 12), generator=torch.Generator().manual_seed(seed))
        labels_N, stripes = torch.arange(self.count) % 2, 100 * (torch.arange(12) // 2 % 2)
        pattern_K1HW = torch.stack([stripes[:, None].expand(12, 12), stripes.expand(12, 12)])[:, None]
        return Split((noise_NCHW + pattern_K1HW[labels_N]).to(torch.uint8), labels_N)
