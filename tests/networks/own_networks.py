"""Networks as users have them: attention, dropout, weights that are shared, frozen, turned or of float64, one logit."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x_NTD: Tensor) -> Tensor:
        y_NTD = self.norm1(x_NTD)
        x_NTD = x_NTD + self.attention(y_NTD, y_NTD, y_NTD, need_weights=False)[0]
        return x_NTD + self.mlp(self.norm2(x_NTD))


class ViT(nn.Module):
    """A transformer, whose head is made first: the order of modules is not that of computing."""

    def __init__(self, channels: int, classes: int, width: int = 4, size: int = 12) -> None:
        super().__init__()
        self.head = nn.Linear(width, classes)
        self.patches = nn.Conv2d(channels, width, size // 3, size // 3)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 10, width))
        self.block = Block(width)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x_NTD = self.patches(x_NCHW).flatten(2).transpose(1, 2)
        x_NTD = torch.cat([self.token.expand(len(x_NTD), -1, -1), x_NTD], 1) + self.positions
        return self.head(self.block(x_NTD)[:, 0])


class Odd(nn.Module):
    """Weights of float64, a transposed one, one that two layers share, buffers, and one that is frozen."""

    def __init__(self, channels: int, classes: int, width: int = 8) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.first, self.second = nn.Linear(16 * channels, width), nn.Linear(width, width)
        self.third = nn.Linear(width, width)
        self.third.weight = self.second.weight
        self.turned = nn.Parameter(torch.randn(width, classes).t())
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.norm = nn.BatchNorm1d(width)
        self.register_buffer("scale", torch.ones(()))
        self.double()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x_ND = self.first(self.pool(x_NCHW).flatten(1)).relu()
        x_ND = self.norm(self.third(self.second(x_ND).relu()))
        return self.scale * linear(self.frozen(x_ND).relu(), self.turned)


def one_logit(channels: int, size: int = 12) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, 4), nn.ReLU(), nn.Linear(4, 1))
