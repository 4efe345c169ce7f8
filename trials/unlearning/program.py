"""A trained network as one file that computes without its code: a program of ``torch.export``."""

import warnings
from copy import deepcopy
from io import BytesIO
from typing import Final

import torch
from torch import Tensor, nn

from unlearning.engine import unit_interval
from unlearning.errors import UnlearningError

TOLERANCE: Final = 1e-4
"""Largest difference of a logit, as a share of the largest logit (or of 1): float32 sums in another order."""

BATCH: Final = 128


class ExportError(UnlearningError):
    """A network that cannot be exported, or whose program computes something else."""


class _Classifier(nn.Module):
    """The network behind the scaling of its images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_NCHW: Tensor) -> Tensor:
        logits_NK: Tensor = self.network(unit_interval(images_NCHW))
        return logits_NK


def exported(network: nn.Module, images_NCHW: Tensor) -> tuple[bytes, float]:
    """Export a network as a program of uint8 images (N, C, H, W), any N from 1, to float32 logits (N, K).

    Args:
        network: it stays as it is.
        images_NCHW: uint8, at least one: the program must compute the network's logits of them.

    Returns:
        The program's file, which holds no path and no line of the code that it was made from, and the greatest
        difference of a logit, program against network.

    Raises:
        ExportError: the network cannot be exported, or a logit differs by more than `TOLERANCE`.
    """
    own = _Classifier(deepcopy(network).cpu().eval().requires_grad_(False))
    own.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's file keeps no other whole
    program = _program(own, images_NCHW)
    _forget_sources(program.graph_module)
    file = BytesIO()
    torch.export.save(program, file)
    again = torch.export.load(BytesIO(file.getvalue())).module()
    with torch.no_grad():
        batches = images_NCHW.cpu().split(BATCH)
        theirs_NK = torch.cat([again(batch_BCHW) for batch_BCHW in batches])
        ours_NK = torch.cat([own(batch_BCHW) for batch_BCHW in batches])
    difference = float((theirs_NK - ours_NK).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(ours_NK.abs().max())):
        raise ExportError(f"the exported program computes other logits than the network: they differ by {difference:g}")
    return file.getvalue(), difference


def _program(classifier: _Classifier, images_NCHW: Tensor) -> torch.export.ExportedProgram:
    example = images_NCHW[:1].cpu().repeat(2, 1, 1, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own modules
            return torch.export.export(
                classifier, (example,), dynamic_shapes={"images_NCHW": {0: torch.export.Dim("N", min=1)}}
            )
    except Exception as error:  # torch.export raises errors of many kinds for code that it cannot follow
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(f"torch.export cannot follow the network: {type(error).__name__}: {reason}") from error


def _forget_sources(module: torch.fx.GraphModule) -> None:
    """Remove where in whose files each operation was written: paths of this machine and lines of private code."""
    for part in module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                node.meta.pop("stack_trace", None)
