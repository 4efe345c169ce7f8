"""The contract of an unlearning method: it changes a model in place, epoch by epoch, so that it forgets."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn

from unlearning.engine import DataPass, Engine, any_parameter
from unlearning.images import Images
from unlearning.options import LaterOptions
from unlearning.ranges import Ranges
from unlearning.tasks import LabelTask, task_of


@dataclass(frozen=True)
class ForgetTask:
    """What is to be forgotten, as a method sees it.

    Attributes:
        labels_N: int64, true labels of the training split, (N,) or (N, K) as `unlearning.tasks` has them, on the CPU.
        forget_N: bool, True where a training image belongs to D_f.
        classes: K.
        control_N: bool, True where a training image belongs to neither D_f nor D_r, and no model was trained on it;
            None: there are none.
    """

    labels_N: Tensor
    forget_N: Tensor
    classes: int
    control_N: Tensor | None = None

    @property
    def labelling(self) -> LabelTask:
        """What the labels mean."""
        return task_of(self.labels_N)

    @cached_property
    def in_train(self) -> Tensor:
        """Bool, True where a training image belongs to D, which the original was trained on."""
        return torch.ones_like(self.forget_N) if self.control_N is None else ~self.control_N

    @cached_property
    def in_retain(self) -> Tensor:
        """Bool, True where a training image belongs to D_r."""
        return self.in_train & ~self.forget_N

    def forget_pass(self, order_N: Tensor) -> DataPass:
        """Return one pass over D_f with its true labels, in this order."""
        return self._pass(order_N[self.forget_N[order_N]])

    def retain_pass(self, order_N: Tensor) -> DataPass:
        """Return one pass over D_r with its true labels, in this order."""
        return self._pass(order_N[self.in_retain[order_N]])

    def retain_sample(self, count: int, random: torch.Generator) -> Tensor:
        """Draw so many images of D_r, or all where there are fewer: indices, int64."""
        retain_R = self.in_retain.nonzero().flatten()
        return retain_R[torch.randperm(len(retain_R), generator=random)[:count]]

    def _pass(self, indices_M: Tensor) -> DataPass:
        return DataPass(indices_M, self.labels_N[indices_M])


@dataclass(frozen=True)
class HeldOut:
    """Images that no model of the study was trained on: val.

    Attributes:
        images_NCHW: uint8, on the model's device, or streamed to it.
        labels_N: int64, as those of `ForgetTask`, on the CPU.
    """

    images_NCHW: Images
    labels_N: Tensor


@dataclass(frozen=True)
class UnlearningContext:
    """The model that is to forget, and all that a method may use.

    Attributes:
        engine: its network is at the original's weights, and a method changes it in place; its images are the training
            split, its augmentation and precision those that the original was trained with.
        task: what is to be forgotten.
        required: what the setting needs (`Method.needs`), by name, as `unlearning.requirements` describes it.
        held_out: images that methods may look at beside the training split; None: there are none.
    """

    engine: Engine
    task: ForgetTask
    required: Mapping[str, Any] = field(default_factory=dict)
    held_out: HeldOut | None = None

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.engine.model


class Method(LaterOptions, ABC):
    """An unlearning method with its setting.

    Attributes:
        version: raised by hand when the same setting comes to mean other numbers; whatever the method made before is
            then made again. A method that derives from another one has that one's version unless it says its own.
        requires: what settings of the method may need beside the original: names of `unlearning.requirements`.
        works_on: the modules that the method looks for in a network; empty where any network will do.
        multi_label: whether it works where an image has several labels or none; a study of such data that names
            another method is refused.
        ranges: which options a search tries unless a study says otherwise (`search: default`), and over which values.
    """

    title: ClassVar[str]
    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()
    works_on: ClassVar[tuple[type[nn.Module], ...]] = ()
    multi_label: ClassVar[bool] = False
    ranges: ClassVar[Ranges] = {}

    name: str
    epochs: Annotated[int, Ge(0), Field(description="epochs of unlearning")]

    @abstractmethod
    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Unlearn for one epoch after another; yield each epoch's mean loss once it is over."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What this setting needs of what the method requires."""
        return self.requires

    def fault(self, forgotten: int, images: int) -> str | None:
        """Return why this setting can do nothing for a request of so many of so many train images; None where it can.

        It is asked of every end of what a study searches, before anything is trained.
        """
        return None

    @classmethod
    def misfit(cls, model: nn.Module) -> str | None:
        """Return why the method can do nothing with a network; None where it can.

        It is asked before anything is trained.
        """
        if not cls.works_on or any(isinstance(one, cls.works_on) and any_parameter(one) for one in model.modules()):
            return None
        wanted = " or ".join(kind.__name__ for kind in cls.works_on)
        return f"wanted a network with a {wanted} to train, got one without"

    @property
    def rewinds(self) -> bool:
        """Whether this setting returns to an earlier epoch by a rule of its own."""
        return False

    def controls(self) -> dict[str, "Method"]:
        """Return the controls that a table shows beside this setting, by what distinguishes them; none by default."""
        return {}

    def threshold(self, required: Mapping[str, Any]) -> float | None:
        """Return the score below which this setting freezes a weight; None where no score decides."""
        return None
