"""Diagonal Fisher information: how sharply each weight of a model determines its predictions for some images.

Source: Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", PNAS 2017; the empirical form, with
the true labels, is that of Foster et al., "Selective Synaptic Dampening", AAAI 2024, but image by image rather than
batch by batch, so that it does not depend on how the images are cut into batches.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from unlearning.engine import unit_interval
from unlearning.tasks import mean_loss

FISHER_VERSION = 1
"""Raised when the meaning of the values changes."""


def squared_gradients(
    model: nn.Module,
    images_NCHW: Tensor,
    labels_N: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = mean_loss,
    batch_size: int = 16,
) -> dict[str, Tensor]:
    """Sum the squared gradient of each image's loss over the images; their mean is the Fisher information.

    The network is in eval mode and computes in float32.

    Args:
        images_NCHW: uint8, on the model's device.
        labels_N: true labels, on the same device.
        loss: ``(logits_1K, labels_1) -> scalar``.
        batch_size: images at a time, each with a gradient of its own in memory; it changes rounding alone.

    Returns:
        Sums by parameter name, each of its parameter's shape, on the model's device.
    """
    model.eval()
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def loss_of(weights: Mapping[str, Tensor], image_CHW: Tensor, label: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):  # vmap computes the fused kernels of attention one image after another
            logits_1K = functional_call(model, (dict(weights), buffers), (image_CHW[None],))
        return loss(logits_1K, label[None])

    gradients_of = vmap(grad(loss_of), in_dims=(None, 0, 0))
    sums = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for images_BCHW, labels_B in zip(images_NCHW.split(batch_size), labels_N.split(batch_size), strict=True):
        for name, gradient_B in gradients_of(parameters, unit_interval(images_BCHW), labels_B).items():
            sums[name] += gradient_B.square().sum(0)
    return sums
