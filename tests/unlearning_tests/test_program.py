"""A network as a program that needs no code of ours."""

from io import BytesIO
from zipfile import ZipFile

import pytest
import torch
from torch import Tensor, nn

from unlearning.models import CNN
from unlearning.program import ExportError, exported


def test_the_program_computes_the_logits_of_one_image_and_of_many() -> None:
    network = CNN(width=2).build(1, 3, 0)
    images_NCHW = torch.randint(0, 256, (150, 1, 12, 12), dtype=torch.uint8)
    network[0].fit(images_NCHW)
    content, difference = exported(network, images_NCHW)
    program = torch.export.load(BytesIO(content)).module()
    network.eval()
    with torch.no_grad():
        expected_NK = network(images_NCHW.float() / 255)
    assert difference < 1e-5
    torch.testing.assert_close(program(images_NCHW), expected_NK, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(program(images_NCHW[:1]), expected_NK[:1], atol=1e-5, rtol=1e-5)
    assert not program(images_NCHW[:1]).requires_grad


class Deciding(nn.Module):
    """A network whose path depends on what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        if images_NCHW.sum() > 0:
            return images_NCHW.mean((1, 2, 3))[:, None] * self.weight
        return -images_NCHW.mean((1, 2, 3))[:, None]


def test_a_network_that_cannot_be_followed_is_an_error() -> None:
    with pytest.raises(ExportError, match=r"torch\.export cannot follow the network"):
        exported(Deciding(), torch.ones(3, 1, 4, 4, dtype=torch.uint8))


def test_the_program_says_nothing_of_the_files_that_it_was_made_from() -> None:
    """Paths hold the names of people and machines, and the lines of a network may be nobody else's business."""
    network = CNN(width=2).build(1, 3, 0)
    content, _ = exported(network, torch.zeros(2, 1, 12, 12, dtype=torch.uint8))
    with ZipFile(BytesIO(content)) as archive:
        files = [archive.read(name) for name in archive.namelist()]
    assert files
    assert not any(b"program.py" in file or b"self.network(" in file for file in files)
