"""The classifier that the hospital has in use."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """Two convolutions with group norm and a linear layer, for images of 24 x 24 pixels."""

    def __init__(self, channels: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2, padding=1),
            nn.GroupNorm(4, width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.head = nn.Linear(2 * width * 6 * 6, classes)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Compute logits of normalised images."""
        logits_NK: Tensor = self.head(self.features(images_NCHW))
        return logits_NK


def build(channels: int, classes: int, width: int = 16) -> nn.Module:
    """Build the classifier with weights drawn at random."""
    return Classifier(channels, classes, width)
