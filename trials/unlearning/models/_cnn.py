"""A small convolutional network, for laptops, demos and tests."""

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field
from torch import nn

from unlearning.models._base import Network
from unlearning.models._stages import MeanOverPixels


class CNN(Network):
    """Three 3x3 convolutions with batch norm, ``width``, 2 and 4 times ``width`` wide, the last two of stride 2."""

    name: Literal["cnn"] = "cnn"
    width: Annotated[int, Ge(1), Field(description="channels of the first stage")] = 16

    def body(self, channels: int, classes: int) -> nn.Module:
        """Build the three convolutions, average pool and the linear head."""
        layers: list[nn.Module] = []
        inputs = channels
        for outputs, stride in ((self.width, 1), (2 * self.width, 2), (4 * self.width, 2)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            inputs = outputs
        return nn.Sequential(*layers, MeanOverPixels(), nn.Flatten(), nn.Linear(inputs, classes))
