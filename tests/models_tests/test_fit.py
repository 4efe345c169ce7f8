"""What is found out of a network before anything is trained."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unlearning.errors import InputError
from unlearning.models import CNN, NETWORKS, check_fit

IMAGES_NCHW = torch.randint(0, 256, (2, 1, 12, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)

BROKEN = {
    "raises": (
        "def build(classes):\n    raise KeyError('width of the stem')",
        r"cannot be built for 1 channels and 2 classes: own_networks_\d+:build raised KeyError: 'width of the stem'",
    ),
    "no module": (
        "def build(classes):\n    return lambda images: images",
        r"wanted own_networks_\d+:build to return a torch.nn.Module, got function",
    ),
    "chance": (
        "import random\ndef build(classes):\n    net = nn.Sequential(nn.Flatten(), nn.Linear(144, classes))\n"
        "    nn.init.constant_(net[1].bias, random.random())\n    return net",
        "does not repeat: two built from one seed differ in 1.1.bias",
    ),
    "not a number": (
        "class build(nn.Linear):\n    def __init__(self, classes):\n        super().__init__(144, classes)\n"
        "    def forward(self, x):\n        return super().forward(x.flatten(1)) / 0 * 0",
        "gives logits that are not finite for images of 1 x 12 x 12, untrained",
    ),
    "shape": (
        "def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(144, 5))",
        r"cannot evaluate images of 1 x 12 x 12: wanted an output of \(N, 2\), a logit for each class, "
        r"or \(N, 1\), one for both classes, got \(2, 5\)",
    ),
    "size": (
        "def build(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(100, classes))",
        "cannot evaluate images of 1 x 12 x 12: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    ),
    "frozen": (
        "def build(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(144, classes)).requires_grad_(False)",
        "wanted weights to train, got none that requires a gradient",
    ),
    "cut off": (
        "class build(nn.Linear):\n    def __init__(self, classes):\n        super().__init__(144, classes)\n"
        "    def forward(self, x):\n        return super().forward(x.flatten(1)).detach()",
        "cannot be trained on images of 1 x 12 x 12: no gradient reaches its weights",
    ),
    "hidden state": (
        "class build(nn.Linear):\n    def __init__(self, classes):\n        super().__init__(144, classes)\n"
        "        self.shift = torch.randn(classes)\n"
        "    def forward(self, x):\n        return super().forward(x.flatten(1)) + self.shift",
        "has a state that its state_dict lacks",
    ),
    "only in evaluation": (
        "class build(nn.Linear):\n    def __init__(self, classes):\n        super().__init__(144, classes)\n"
        "    def forward(self, x):\n        y = super().forward(x.flatten(1))\n"
        "        return (y, y) if self.training else y",
        "cannot be trained on images of 1 x 12 x 12: wanted an output of .* got tuple, which is no tensor",
    ),
    "batch": (
        "class build(nn.Linear):\n    def __init__(self, classes):\n        super().__init__(144, classes)\n"
        "    def forward(self, x):\n        return super().forward(x.flatten(1)).mean(0, keepdim=True)",
        r"wanted logits \(2, 2\) for 2 images, got \(1, 2\)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_network_that_cannot_be_used_is_refused_with_the_reason(
    name: str, write_module: Callable[[str], tuple[str, Path]]
) -> None:
    code, message = BROKEN[name]
    module, folder = write_module(f"import torch\nfrom torch import nn\n\n\n{code}\n")
    network = NETWORKS.validate({"import": f"{module}:build", "folder": str(folder)})
    with pytest.raises(InputError, match=message):
        check_fit(network, IMAGES_NCHW, 2)


def test_labels_that_may_come_together_need_a_logit_each(write_module: Callable[[str], tuple[str, Path]]) -> None:
    code = "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(144, 1))\n"
    module, folder = write_module(code)
    network = NETWORKS.validate({"import": f"{module}:build", "folder": str(folder)})
    check_fit(network, IMAGES_NCHW, 2)
    with pytest.raises(InputError, match="wanted a logit for each of 2 labels, which may come together, got one"):
        check_fit(network, IMAGES_NCHW, 2, several=True)
    check_fit(CNN(width=2), IMAGES_NCHW, 2, several=True)


def test_a_network_that_fits_leaves_torchs_generator_alone() -> None:
    before = torch.random.get_rng_state()
    check_fit(CNN(width=2), IMAGES_NCHW, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
