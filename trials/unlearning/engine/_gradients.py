"""Gradients of a network that moves no weight with them: what methods look at before they begin."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from unlearning.engine._engine import Engine, unit_interval
from unlearning.engine._steps import Stream
from unlearning.tasks import mean_loss, task_of


def sum_gradients(
    engine: Engine, stream: Stream, loss: Callable[[Tensor, Tensor], Tensor] = mean_loss, *, squared: bool = False
) -> list[Tensor]:
    """Add up the gradients of the batches' losses, in the mode that the network is in.

    The images are as they are, without augmentation, and the network computes in float32. They count as trained on.

    Args:
        loss: ``(logits_BK, labels_B) -> scalar``.
        squared: add up the squares of the gradients instead.

    Returns:
        One tensor a parameter.
    """
    parameters = list(engine.model.parameters())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    for indices_B, labels_B in stream.batches(engine.device):
        logits_BK = _logits(engine, indices_B)
        gradients = torch.autograd.grad(loss(logits_BK, labels_B), parameters, materialize_grads=True)
        torch._foreach_add_(sums, torch._foreach_mul(gradients, gradients) if squared else gradients)
    return sums


def gradients_along(engine: Engine, stream: Stream, vector: Sequence[Tensor]) -> list[Tensor]:
    """Return the sum over images of g (g . vector), g being the gradient of the image's loss.

    As `sum_gradients`; the network must be in eval mode, in which images do not depend on one another.
    """
    parameters = list(engine.model.parameters())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    for indices_B, labels_B in stream.batches(engine.device):
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels of attention have no second derivative
            losses_B = task_of(labels_B).losses(_logits(engine, indices_B), labels_B)
        ones_B = torch.ones_like(losses_B, requires_grad=True)
        weighted = torch.autograd.grad(losses_B, parameters, ones_B, create_graph=True, materialize_grads=True)
        along = torch.stack([(mine * one).sum() for mine, one in zip(weighted, vector, strict=True)]).sum()
        [along_B] = torch.autograd.grad(along, ones_B, retain_graph=True)  # linear in the ones: g . vector an image
        torch._foreach_add_(sums, torch.autograd.grad(losses_B, parameters, along_B, materialize_grads=True))
    return sums


def _logits(engine: Engine, indices_B: Tensor) -> Tensor:
    engine.images_trained += len(indices_B)
    logits_BK: Tensor = engine.model(unit_interval(engine.images_NCHW[indices_B]))
    return logits_BK
