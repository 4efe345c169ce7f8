"""SCRUB: away from the original on the forget set, then back to it on the retain set; SCRUB+R rewinds afterwards.

Source: Kurmanji et al., "Towards Unbounded Machine Unlearning", NeurIPS 2023 (arXiv 2302.09880), equation 3 and section
4.2, and the public code (meghdadk/SCRUB, ``loops.py``, ``MIA_experiments.ipynb``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass, Stream
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import distillation, true_loss
from unlearning.methods._rewinding import Rewinding
from unlearning.methods._sgd import DescentMethod, Epoch, Pass
from unlearning.ranges import Ranges, choices, logarithmic, plain
from unlearning.tasks import task_of

_TEACHERS = ("original",)


def _away(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    [forget] = batches
    loss = -distillation(task_of(forget.labels_B), forget.taught["original"], forget.logits_BK, step.numbers[0])
    return loss, step.gradients(loss)


def _back(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    [retain] = batches
    kept = distillation(task_of(retain.labels_B), retain.taught["original"], retain.logits_BK, step.numbers[0])
    loss = step.numbers[1] * true_loss(retain) + step.numbers[2] * kept
    return loss, step.gradients(loss)


class Scrub(DescentMethod):
    """Climb the divergence from the original on D_f for some epochs, and descend on that and the loss of D_r in all."""

    name: Literal["scrub"] = "scrub"
    title: ClassVar[str] = "SCRUB"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(5e-5, 5e-2),
        "alpha": logarithmic(1e-3, 1.0),
        "ascent_epochs": plain(1, 5),
        "forget_batch_size": choices(16, 64, 256),
    }
    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 5
    batch_size: Annotated[int, Ge(1), Field(description="images a step on the retain set")] = 32
    forget_batch_size: Annotated[int, Ge(1), Field(description="images a step on the forget set")] = 16
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 5e-4
    ascent_epochs: Annotated[int, Ge(0), Field(description="epochs that begin with a pass over the forget set")] = 3
    gamma: Annotated[float, Ge(0), Field(description="weight of the cross-entropy on the retain set")] = 1.0
    alpha: Annotated[
        float, Ge(0), Field(description="weight of the divergence from the original on the retain set")
    ] = 0.5
    temperature: Annotated[float, Gt(0), Field(description="temperature of the softmax that is distilled")] = 4.0
    decay_after: Annotated[
        tuple[Annotated[int, Ge(1)], ...],
        Field(strict=False, description="epochs after each of which the learning rate is divided by ten"),
    ] = (3, 5, 9)
    rewind: Annotated[
        bool, Field(description="SCRUB+R: return to the epoch whose forget error is nearest to that of unseen images")
    ] = False

    @property
    def rewinds(self) -> bool:
        """Whether this is SCRUB+R."""
        return self.rewind

    def prepare(self, context: UnlearningContext, seed: int) -> Rewinding | None:
        """Make the original the teacher, and keep it where the run is to rewind.

        Raises:
            ValueError: rewinding needs held-out images of the classes of D_f, and there are none.
        """
        rewinding = Rewinding(context) if self.rewind else None
        context.engine.teach("original")
        return rewinding

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_f, uphill, while there are ascents left; then over D_r."""
        forget, retain = self.streams(context.task, epoch.order_N)
        forget = Stream.cut(forget.indices_M, forget.labels_M, self.forget_batch_size, _TEACHERS)
        away = [StepPass((forget,), _away, (self.temperature,))] if epoch.number <= self.ascent_epochs else []
        numbers = (self.temperature, self.gamma, self.alpha)
        return [*away, StepPass((replace(retain, teachers=_TEACHERS),), _back, numbers)]

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Divide the scheduled rates by ten for each epoch of ``decay_after`` that is over."""
        factor = 0.1 ** sum(epoch.number > after for after in self.decay_after)
        return (rate * factor for rate in super().rates(epoch, passes))

    def end_epoch(self, context: UnlearningContext, seed: int, number: int, prepared: Rewinding | None) -> None:
        """Keep the weights where the run is to rewind, and rewind after the last epoch."""
        if prepared is not None:
            prepared.note()
            if number == self.epochs:
                prepared.rewind()
