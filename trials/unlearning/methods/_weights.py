"""Edits of a network's weights that several methods share."""

from copy import deepcopy

import torch
from torch import Tensor, nn


def fresh_weights(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Draw the weights of each layer anew, by torch's own rule for it, and reset running statistics.

    What is no layer's weight, such as the normalisation of the images, stays.

    Returns:
        A state dict on the CPU.
    """
    fresh = deepcopy(model).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in fresh.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                module.reset_parameters()
    return {name: value.detach() for name, value in fresh.state_dict().items()}


def layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """List the convolutions and linear layers, in the order in which they were made."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
