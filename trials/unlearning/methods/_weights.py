"""Edits of a network's weights that several methods share."""

from copy import deepcopy

import torch
from torch import Tensor, nn


def fresh_weights(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Draw the weights of each layer anew, by torch's own rule for it, and reset running statistics.

    Parameters of a module without such a rule, such as the embeddings of a transformer's positions, get their own
    values in a random order. What is no weight to train, such as the normalisation of the images, stays.

    Returns:
        A state dict on the CPU.
    """
    fresh = deepcopy(model).cpu()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in fresh.modules():
            own = list(module.parameters(recurse=False))
            reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
            if callable(reset) and (own or isinstance(module, nn.BatchNorm2d)):
                reset()
                continue
            for parameter in own:
                order_P = torch.randperm(parameter.numel())
                parameter.copy_(parameter.flatten()[order_P].view(parameter.shape))
    return {name: value.detach() for name, value in fresh.state_dict().items()}
