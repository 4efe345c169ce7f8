"""The Fisher information of D_f against that of the rest, which several methods compare weight by weight."""

from typing import Literal

from torch import Tensor

from unlearning.engine import Stream, sum_gradients
from unlearning.methods._base import UnlearningContext

Importance = Literal["image", "batch"]
FISHERS = ("fisher_forget", "fisher_train")


def of_forget_and_train(context: UnlearningContext, importance: Importance, batch_size: int) -> list[list[Tensor]]:
    """Return the diagonal Fisher information of the network on D_f and on D, one tensor a parameter.

    Args:
        importance: ``image``: the mean squared gradient of an image, as required of the original; ``batch``: the mean
            squared gradient of a batch's mean loss, as public code computes it, in the order of the training split.
    """
    if importance == "image":
        return [_required(context, name) for name in FISHERS]
    return [batch_fisher(context, part_N, batch_size) for part_N in (context.task.forget_N, context.task.in_train)]


def of_forget_and_retain(context: UnlearningContext, importance: Importance, batch_size: int) -> list[list[Tensor]]:
    """Return the diagonal Fisher information of the network on D_f and on D_r; see `of_forget_and_train`."""
    if importance == "batch":
        return [batch_fisher(context, part_N, batch_size) for part_N in (context.task.forget_N, context.task.in_retain)]
    forget, train = (_required(context, name) for name in FISHERS)
    share = float(context.task.forget_N[context.task.in_train].double().mean())
    retain = [((all_of - share * part) / (1 - share)).clamp(min=0) for part, all_of in zip(forget, train, strict=True)]
    return [forget, retain]


def batch_fisher(context: UnlearningContext, part_N: Tensor, batch_size: int) -> list[Tensor]:
    """Return the mean over batches of the squared gradient of the batch's loss, in eval mode."""
    indices_M = part_N.nonzero().flatten()
    stream = Stream.cut(indices_M, context.task.labels_N[indices_M], batch_size)
    context.model.eval()
    sums = sum_gradients(context.engine, stream, squared=True)
    return [value / len(stream.sizes) for value in sums]


def _required(context: UnlearningContext, name: str) -> list[Tensor]:
    if name not in context.required:
        raise ValueError(f"the method needs {name}, the Fisher information of the original, got none")
    return [context.required[name][parameter] for parameter, _ in context.model.named_parameters()]
