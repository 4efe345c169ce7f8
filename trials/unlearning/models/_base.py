"""The contract of a network, and what all have: normalisation, resizing, and weights that the loop can train."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import torch
from annotated_types import Ge, Gt, MinLen
from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer, model_validator
from torch import nn

from unlearning.errors import InputError
from unlearning.models._stages import Logits, Normalise
from unlearning.options import Options

_LATER: Final = ("normalise", "resize")
"""Options that came later than results: at their defaults the JSON of a network leaves them out, so that its models
keep their names."""


class Statistics(Options):
    """Mean and standard deviation of each channel, of images in [0, 1]."""

    mean: Annotated[tuple[float, ...], MinLen(1), Field(strict=False, description="mean of each channel")]
    std: Annotated[
        tuple[Annotated[float, Gt(0)], ...],
        MinLen(1),
        Field(strict=False, description="standard deviation of each channel"),
    ]

    @model_validator(mode="after")
    def _of_the_same_channels(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"std: wanted {len(self.mean)} numbers, as in mean, got {len(self.std)}")
        return self

    def __str__(self) -> str:
        return f"{_numbers(self.mean)}/{_numbers(self.std)}"


def _form(value: object) -> str:
    return "named" if isinstance(value, str) else "given"


Normalisation = Annotated[
    Annotated[Statistics, Tag("given")] | Annotated[Literal["data", "none"], Tag("named")], Discriminator(_form)
]


class Network(Options, ABC):
    """A network that a study can choose by name.

    Attributes:
        version: raised by hand when the same options come to mean another network; its models are then trained anew.
    """

    version: ClassVar[int] = 1

    normalise: Normalisation = Field(
        "data",
        description="`data`: by mean and standard deviation of the images that a model is trained on, per channel; "
        "`none`: the network gets images in [0, 1]; or the numbers, as in `{mean: [0.5], std: [0.25]}`",
    )
    resize: Annotated[int, Ge(1)] | None = Field(
        None,
        description="side length in pixels that the network gets its images in, resized on the device by bilinear "
        "interpolation without smoothing; by default as they are",
    )

    @property
    def title(self) -> str:
        """How rows name the network: with its options."""
        options = self.model_dump()
        return " ".join([str(options.pop("name")), *self._written(options)])

    @property
    def identity(self) -> dict[str, object]:
        """What determines the network but for the version of its code, as JSON values."""
        return self.model_dump(mode="json")

    @property
    def code(self) -> str | None:
        """What identifies the code that builds the network; None: the class, by its name and version."""
        return None

    def build(self, channels: int, classes: int, seed: int) -> nn.Sequential:
        """Build the network with weights drawn from ``seed``: ``Normalise``, not yet fitted, the body, and ``Logits``.

        Weights are float32, whatever type the body has them in, and laid out with channels last, as the loop lays out
        images. What requires no gradient becomes a buffer: it stays as it is, and no method sees it among the weights.

        Raises:
            InputError: the options do not fit the images, or nothing of the network can be trained.
        """
        given = self._given(channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            body = self.body(channels, classes)
        model = nn.Sequential(Normalise(channels, size=self.resize, given=given), body, Logits(classes)).float()
        _freeze(model)
        if not list(model.parameters()):
            raise InputError(f"{self.title}: wanted weights to train, got none that requires a gradient")
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.dim() == 4:
                tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
        return model

    @abstractmethod
    def body(self, channels: int, classes: int) -> nn.Module:
        """Build what follows the normalisation: normalised (N, C, H, W) images to logits.

        The logits are (N, K), or of two classes one for both, (N, 1) or (N,): that of the second class, as in binary
        cross-entropy.
        """

    def notes(self, channels: int, classes: int) -> tuple[str, ...]:
        """Return what a reader should know of the network for such images, a sentence each; none by default."""
        return ()

    def _given(self, channels: int) -> tuple[Sequence[float], Sequence[float]] | None:
        if self.normalise == "data":
            return None
        if not isinstance(self.normalise, Statistics):
            return [0.0] * channels, [1.0] * channels
        found = len(self.normalise.mean)
        if found != channels:
            raise InputError(f"normalise: wanted mean and std of {channels} channels, as the images have, got {found}")
        return self.normalise.mean, self.normalise.std

    def _written(self, options: dict[str, Any]) -> list[str]:
        """Write options for a title, those of the class itself first."""
        values = options | ({"normalise": self.normalise} if "normalise" in options else {})
        own = {name: value for name, value in values.items() if name not in _LATER}
        return [f"{name} {value}" for name, value in (own | values).items()]

    @model_serializer(mode="wrap")
    def _as_written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        usual = {name for name in _LATER if getattr(self, name) == Network.model_fields[name].default}
        written = {name: value for name, value in write(self).items() if name not in usual}
        return {type(self).model_fields[name].alias or name: value for name, value in written.items()}


def _freeze(model: nn.Module) -> None:
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            if not parameter.requires_grad:
                delattr(module, name)
                module.register_buffer(name, parameter.detach())


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
