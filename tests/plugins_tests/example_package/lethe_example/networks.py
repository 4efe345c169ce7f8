"""A perceptron with one hidden layer."""

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from pydantic import Field
from torch import nn

from unlearning.models import Network


class Perceptron(Network):
    """Averages patches of the image, then two linear layers with ReLU between."""

    name: Literal["perceptron"] = "perceptron"
    version: ClassVar[int] = 1
    width: Annotated[int, Ge(1), Field(description="units of the hidden layer")] = 32

    def body(self, channels: int, classes: int) -> nn.Module:
        """Build what follows the normalisation, for images of any size."""
        patches = nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten())
        return nn.Sequential(patches, nn.Linear(36 * channels, self.width), nn.ReLU(), nn.Linear(self.width, classes))
