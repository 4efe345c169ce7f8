"""Relearning: how fast a model that is trained a little further recognises the forgotten images again."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt
from pydantic import Field
from torch import Tensor

from unlearning.audits._accuracy import share_right
from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, Statistic
from unlearning.data.duplicates import duplicates, image_digests
from unlearning.images import Images
from unlearning.metrics import Value
from unlearning.seeds import derive, generator


class Relearning(Audit):
    """Fine-tune the audited model on D_r, and on D_r with a share of D_f; read the accuracy on the rest of D_f.

    What was only hidden returns within an epoch or two, also without any forgotten image; an oracle recognises the rest
    of D_f no better than it did. The curves of original and oracle, in the rows of that name, are the two ends.

    Source: Siddiqui et al., "From dormant to deleted" (arXiv 2505.22310): fine-tuning on D_r with a share of D_f, or
    without any of it.
    """

    name: Literal["relearning"] = "relearning"
    title: ClassVar[str] = "relearning"
    version: ClassVar[int] = 2
    source: ClassVar[str] = "Siddiqui et al., From dormant to deleted: tamper-resistant unlearning, arXiv 2505.22310"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "start": Statistic("accuracy on the rest of the forget set before any further training", test=None),
        "retain_area": Statistic("its mean over epochs of further training on the retain set", test="mean"),
        "retain_end": Statistic("the same after the last of these epochs", test=None),
        "share_area": Statistic("its mean over epochs on the retain set with a share of the forget set", test="mean"),
        "share_end": Statistic("the same after the last of these epochs", test=None),
    }
    looks_at: ClassVar[LooksAt] = "recovery"
    needs_network: ClassVar[bool] = True
    needs_oracle: ClassVar[bool] = False
    share: Annotated[float, Gt(0), Lt(1), Field(description="share of the forget set that is trained on again")] = 0.1
    epochs: Annotated[int, Ge(1), Field(description="epochs of further training, on each of the two sets")] = 3
    lr: Annotated[float, Gt(0), Field(description="learning rate of the further training, which falls to zero")] = 0.01

    @property
    def training_epochs(self) -> int:
        """Those of both sets."""
        return 2 * self.epochs

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Train twice from the audited weights, and read both curves on the same images."""
        audited = evidence.audited
        again_F = drawn_again(evidence.images("forget"), self.share, generator(evidence.seed, "share"))
        again_M, rest_M = audited.forget_F[again_F], audited.forget_F[~again_F]
        sets = {"retain": audited.retain_R, "share": torch.cat([audited.retain_R, again_M])}
        for name, indices_M in sets.items():
            curve = self._curve(evidence, indices_M, rest_M)
            if name == "retain":
                yield "start", Value("forget", curve[0], len(rest_M))
            yield f"{name}_area", Value("forget", mean_over_epochs(curve), len(rest_M))
            yield f"{name}_end", Value("forget", curve[-1], len(rest_M))

    def _curve(self, evidence: Evidence, indices_M: Tensor, rest_M: Tensor) -> list[float]:
        network, labels_N = evidence.networks.audited, evidence.audited.of("train").labels_N
        images_MCHW, labels_M = network.images["train"][rest_M.to(network.engine.device)], labels_N[rest_M]
        curve = [share_right(network.restored(), images_MCHW, labels_M)]
        seed = derive(evidence.seed, "training")
        for engine in network.trained_further(indices_M, labels_N, epochs=self.epochs, lr=self.lr, seed=seed):
            curve.append(share_right(engine, images_MCHW, labels_M))
        return curve


def drawn_again(images_FCHW: Images, share: float, random: torch.Generator) -> Tensor:
    """Draw a share of images, identical ones together, at least one and never all: bool, (F,).

    Of images that are all identical none is drawn.
    """
    digests_F = [digest for images_BCHW in images_FCHW.split(1024) for digest in image_digests(images_BCHW.cpu())]
    first_F = duplicates(digests_F)
    groups_G = first_F.unique()
    count = min(max(1, round(share * len(groups_G))), len(groups_G) - 1)
    return torch.isin(first_F, groups_G[torch.randperm(len(groups_G), generator=random)[:count]])


def mean_over_epochs(curve: Sequence[float]) -> float:
    """Return the area under a curve that is read before the first epoch and after each, divided by its length."""
    return sum((before + after) / 2 for before, after in pairwise(curve)) / (len(curve) - 1)
