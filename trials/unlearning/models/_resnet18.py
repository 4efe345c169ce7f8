"""ResNet-18 for small images."""

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu

from unlearning.models._base import Network
from unlearning.models._stages import MeanOverPixels


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


class _Block(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al., 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = _conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out = relu(self.bn1(self.conv1(x_NCHW)), inplace=True)
        return relu(self.bn2(self.conv2(out)) + self.shortcut(x_NCHW), inplace=True)


class ResNet18(Network):
    """ResNet-18 with a 3x3 stride-1 stem and no max-pool, the small-image form of the unlearning literature.

    Stages are ``width``, 2, 4 and 8 times ``width`` channels wide; 64 is the usual network.
    """

    name: Literal["resnet18"] = "resnet18"
    width: Annotated[int, Ge(1), Field(description="channels of the first stage")] = 64

    def body(self, channels: int, classes: int) -> nn.Module:
        """Build stem, four stages of two blocks, average pool and the linear head."""
        widths = [self.width * factor for factor in (1, 2, 4, 8)]
        layers: list[nn.Module] = [_conv(channels, self.width, 3), nn.BatchNorm2d(self.width), nn.ReLU(inplace=True)]
        inputs = self.width
        for stage, outputs in enumerate(widths):
            layers += [_Block(inputs, outputs, 1 if stage == 0 else 2), _Block(outputs, outputs, 1)]
            inputs = outputs
        return nn.Sequential(*layers, MeanOverPixels(), nn.Flatten(), nn.Linear(inputs, classes))
