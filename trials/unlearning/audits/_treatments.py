"""What happens to a network after it is handed over: fewer bits a weight, and new statistics of batch norm."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unlearning.engine import Engine, autocast, unit_interval

LEVELS = 127
"""The largest of the whole numbers that an int8 weight takes; symmetric, so -128 is not used."""


@torch.no_grad()
def round_to_bfloat16(model: nn.Module) -> None:
    """Round every parameter to bfloat16, in place; running statistics of batch norm stay as they are."""
    for parameter in model.parameters():
        parameter.copy_(parameter.bfloat16())


@torch.no_grad()
def round_to_int8(model: nn.Module) -> None:
    """Round the weights of convolutions and linear layers to int8 and back, in place.

    Each output channel has a scale of its own, its largest absolute weight / 127, and no offset. Biases, batch norm and
    activations stay as they are.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.copy_(dequantised(module.weight))


def dequantised(weights_O: Tensor) -> Tensor:
    """Return weights as int8 with a symmetric scale for each output channel, the first dimension, keeps them."""
    largest_O = weights_O.abs().flatten(1).amax(1).view(-1, *[1] * (weights_O.dim() - 1))
    scale_O = torch.where(largest_O > 0, largest_O / LEVELS, torch.ones_like(largest_O))
    return (weights_O / scale_O).round().clamp(-LEVELS, LEVELS) * scale_O


@torch.no_grad()
def estimate_batch_norm(engine: Engine, images_NCHW: Tensor, batch_size: int) -> None:
    """Replace running statistics of batch norm by their mean over batches of these images, in place.

    A last batch that is smaller than the others counts as one of them, and is left out for that, unless it is the only
    one. The network of an engine on a GPU is recorded with its momentum, so a copy does the work.

    Args:
        images_NCHW: uint8, on the engine's device, in the order of the batches.
    """
    model = deepcopy(engine.model).train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            module.momentum = None
    whole = len(images_NCHW) // batch_size * batch_size or len(images_NCHW)
    with autocast(engine.precision, engine.device):
        for images_BCHW in images_NCHW[:whole].split(batch_size):
            model(unit_interval(images_BCHW))
    engine.model.load_state_dict(model.state_dict())
