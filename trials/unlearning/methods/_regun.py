"""ReGUn: on the forget set, predict as the original predicts for images that it has never seen.

Source: the authors' public code (jmirlach/ReGUn, ``mul/regun.py``, 2026).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize, softmax

from unlearning.engine import Batch, Engine, Step, StepPass, Stream, layers
from unlearning.images import Images
from unlearning.methods._base import HeldOut, UnlearningContext
from unlearning.methods._losses import true_loss
from unlearning.methods._sgd import DescentMethod, Epoch
from unlearning.ranges import Ranges, choices, logarithmic
from unlearning.tasks import MULTI_CLASS


def _as_unseen(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    forget, retain = batches
    target_BK = step.kept["targets"][0][forget.labels_B]
    loss = step.numbers[0] * MULTI_CLASS.divergence(target_BK, forget.logits_BK) + step.numbers[1] * true_loss(retain)
    return loss, step.gradients(loss)


@dataclass(frozen=True)
class Unseen:
    """The held-out images as the original sees them.

    Attributes:
        probabilities_HK: of the original.
        labels_H: true labels.
        nearest_N: the held-out image nearest to each training image in the original's features; None: not asked for.
    """

    probabilities_HK: Tensor
    labels_H: Tensor
    nearest_N: Tensor | None


class ReGUn(DescentMethod):
    """Distil the original's predictions for held-out images on D_f, beside a retain batch; an epoch passes D_f."""

    name: Literal["regun"] = "regun"
    title: ClassVar[str] = "ReGUn"
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-4, 0.1),
        "forget_weight": logarithmic(0.02, 1.0),
        "picks": choices("uniform", "class", "nearest"),
        "target": choices("batch", "class", "image"),
    }
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 128
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 0.0
    picks: Annotated[
        Literal["uniform", "class", "nearest"],
        Field(description="held-out image for each forget image: any, one of its class, the nearest by features"),
    ] = "uniform"
    target: Annotated[
        Literal["batch", "class", "image"],
        Field(
            description="distil the mean over a batch's picks, over those of an image's class, or the image's own pick"
        ),
    ] = "batch"
    forget_weight: Annotated[float, Gt(0), Field(description="weight of the divergence on the forget set")] = 0.5
    retain_weight: Annotated[float, Ge(0), Field(description="weight of the cross-entropy on the retain set")] = 0.5

    def prepare(self, context: UnlearningContext, seed: int) -> Unseen:
        """Compute the original's predictions for the held-out images.

        Raises:
            ValueError: there are no held-out images.
        """
        held_out, engine = context.held_out, context.engine
        if held_out is None or not len(held_out.labels_N):
            raise ValueError("ReGUn needs held-out images, got none")
        probabilities_HK = softmax(engine.predict(held_out.images_NCHW), 1)
        nearest_N = _nearest(engine, held_out) if self.picks == "nearest" else None
        return Unseen(probabilities_HK, held_out.labels_N, nearest_N)

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pair each batch of D_f with the next one of D_r, which go on where the epoch before stopped."""
        forget, retain = self.streams(context.task, epoch.order_N)
        steps = len(forget.sizes)
        start = (epoch.number - 1) * steps % len(retain.sizes)
        retain = retain.cycled(start + steps).part(start)
        targets_TK, rows_M = self._targets(context, forget, epoch)
        context.engine.keep("targets", [targets_TK])
        numbers = (self.forget_weight, self.retain_weight)
        return [StepPass((replace(forget, labels_M=rows_M), retain), _as_unseen, numbers)]

    def pick(self, forget: Stream, epoch: Epoch) -> Tensor:
        """Choose a held-out image for each forget image.

        Returns:
            Indices into the held-out images, in the order of the stream.
        """
        unseen: Unseen = epoch.prepared
        if unseen.nearest_N is not None:
            return unseen.nearest_N[forget.indices_M]
        drawn_M = torch.rand(len(forget.labels_M), generator=epoch.random)
        everything = torch.arange(len(unseen.labels_H))
        picks_M = (drawn_M * len(everything)).long()
        if self.picks == "class":
            for label in forget.labels_M.unique().tolist():
                of_class = everything[unseen.labels_H == label]
                if len(of_class):  # a class that is not held out keeps its picks from any class
                    mine = forget.labels_M == label
                    picks_M[mine] = of_class[(drawn_M[mine] * len(of_class)).long()]
        return picks_M

    def _targets(self, context: UnlearningContext, forget: Stream, epoch: Epoch) -> tuple[Tensor, Tensor]:
        """Return targets and, for each forget image, the row of its own."""
        picked_MK = epoch.prepared.probabilities_HK[self.pick(forget, epoch)]
        if self.target == "image":
            return picked_MK, torch.arange(len(picked_MK))
        if self.target == "class":
            labels_M = forget.labels_M
            sums_KK = torch.zeros(context.task.classes, picked_MK.shape[1]).index_add_(0, labels_M, picked_MK)
            counts_K1 = labels_M.bincount(minlength=len(sums_KK)).clamp(min=1)[:, None]
            return sums_KK / counts_K1, labels_M
        means = torch.stack([part.mean(0) for part in picked_MK.split(forget.sizes)])
        return means, torch.arange(len(means)).repeat_interleave(torch.tensor(forget.sizes))


def _nearest(engine: Engine, held_out: HeldOut) -> Tensor:
    images = (held_out.images_NCHW, engine.images_NCHW)
    held_HC, train_NC = (normalize(_features(engine, one), dim=1) for one in images)
    return torch.cat([(part @ held_HC.T).argmax(1) for part in train_NC.split(1024)])


def _features(engine: Engine, images_NCHW: Images) -> Tensor:
    """Return what the last layer gets of each image, on the CPU."""
    found: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0].detach().flatten(1).float().cpu())

    hook = layers(engine)[-1].register_forward_pre_hook(note)
    try:
        engine.forward(images_NCHW)
    finally:
        hook.remove()
    return torch.cat(found)
