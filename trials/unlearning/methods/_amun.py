"""AMUN: fine-tune on the retain set and on adversarial images beside those of the forget set, with wrong labels.

Source: Ebrahimpour-Boroojeny et al., "AMUN: Adversarial Machine UNlearning", ICML 2025 (arXiv 2503.00917), and the
public code (Ali-E/AMUN, ``adversarial_unlearn.py``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.adversarial import STANDARD, Adversarial, Attack, Walk, adversarial_images
from unlearning.engine import StepPass, Stream
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import descend
from unlearning.methods._sgd import DescentMethod, Epoch, Pass
from unlearning.ranges import Ranges, choices, logarithmic


class AMUN(DescentMethod):
    """Cross-entropy on D_r and on the nearest adversarial image of each forget image, shuffled together."""

    name: Literal["amun"] = "amun"
    title: ClassVar[str] = "AMUN"
    requires: ClassVar[tuple[str, ...]] = ("adversarial",)
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-4, 0.2),
        "decay_every": choices(1, 5, 10),
    }
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 128
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    decay_every: Annotated[
        int, Ge(1), Field(description="epochs after which the rate is divided by ten, again and again")
    ] = 5
    images: Annotated[
        Literal["adversarial", "adversarial and forget"],
        Field(description="beside the retain set; the second shows the forget images with their true labels, too"),
    ] = "adversarial"
    radius: Annotated[float, Gt(0), Field(description="L2 radius in which the attack begins, for pixels in [0, 1]")] = (
        STANDARD.radius
    )
    attack_steps: Annotated[int, Ge(1), Field(description="steps of the attack in each ball, at most")] = STANDARD.steps
    attack_rounds: Annotated[int, Ge(1), Field(description="balls, each of twice the radius of the one before")] = (
        STANDARD.rounds
    )
    walk: Annotated[
        Walk,
        Field(
            description="in a new ball restart from the image, or as the authors' code continue where the walk ended; "
            "whole, as ReGUn's code: restart, and look at an image after all steps of a ball alone"
        ),
    ] = STANDARD.walk

    @property
    def needs(self) -> tuple[str, ...]:
        """The adversarial images, where they are those of the standard attack."""
        return self.requires if self.chosen_attack == STANDARD else ()

    @property
    def chosen_attack(self) -> Attack:
        """The attack."""
        return Attack(self.radius, self.attack_steps, self.attack_rounds, self.walk)

    def prepare(self, context: UnlearningContext, seed: int) -> Tensor:
        """Add the adversarial images that were found to those of the training split, and return their labels."""
        adversarial = self.adversarial(context)
        found_M = adversarial.found
        context.engine.add(adversarial.images_MCHW[found_M] * 255)
        return adversarial.labels_M[found_M].cpu()

    def adversarial(self, context: UnlearningContext) -> Adversarial:
        """Return the adversarial images of D_f, in the order of the training split; another attack is made here.

        Raises:
            ValueError: the setting needs the images of the standard attack and the context has none.
        """
        if self.needs:
            if "adversarial" not in context.required:
                raise ValueError("AMUN needs the adversarial images of the forget set, got none")
            images: Adversarial = context.required["adversarial"]
            return images
        engine, forget_F = context.engine, context.task.forget_N.nonzero().flatten()
        images_FCHW, labels_F = engine.images_NCHW[forget_F.to(engine.device)], context.task.labels_N[forget_F]
        made = adversarial_images(engine.model, images_FCHW, labels_F.to(engine.device), self.chosen_attack)
        engine.images_trained += made.passes
        return made

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_r and the adversarial images, and over D_f where it is shown."""
        task = context.task
        labels_M = torch.cat([task.labels_N, epoch.prepared])
        shown_M = torch.ones(len(labels_M), dtype=torch.bool)
        shown_M[: len(task.forget_N)] = task.in_retain if self.images == "adversarial" else task.in_train
        indices_M = self.shuffle(shown_M.nonzero().flatten(), epoch)
        stream = replace(Stream.cut(indices_M, labels_M[indices_M], self.batch_size), added=len(epoch.prepared) > 0)
        return [StepPass((stream,), descend)]

    def shuffle(self, indices_M: Tensor, epoch: Epoch) -> Tensor:
        """Put the images of an epoch into an order."""
        return indices_M[torch.randperm(len(indices_M), generator=epoch.random)]

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Divide the scheduled rates by ten again and again."""
        factor = 0.1 ** ((epoch.number - 1) // self.decay_every)
        return (rate * factor for rate in super().rates(epoch, passes))
