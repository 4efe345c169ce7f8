"""The tiny network on which the authors' public code was run; figures and weights in this folder are its."""

from torch import Tensor, nn


class Mean(nn.Module):
    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW.mean((2, 3))


def network() -> nn.Sequential:
    layers = {
        "conv1": nn.Conv2d(3, 8, 3, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(8),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(16),
        "relu2": nn.ReLU(),
        "mean": Mean(),
        "fc": nn.Linear(16, 8),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model
