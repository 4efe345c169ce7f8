"""Networks of one architecture side by side: one network with groups of channels, which computes them all at once.

A step of a small network is many small kernels. Where the images of K networks lie side by side in the channels, a
convolution with K groups does in one kernel what K convolutions do, and batch norm, activations and pooling, which keep
channels apart, need no change but in size. The weights are moved together in memory and stay those of the networks:
whoever changes one changes the other.

Known layers alone can be grouped, and what a network computes between them in code of its own has to keep channels
apart: its logits side by side are compared with those by itself.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unlearning.errors import InputError
from unlearning.models import Logits, Normalise

TOLERANCE: Final = 1e-2
"""Largest difference of logits side by side to those by themselves, as a share of their norm: other kernels add in
another order, and TF32 has ten bits. Channels that are not kept apart differ by far more."""

_PROBED: Final = 4


class NotGroupedError(InputError):
    """Networks that cannot be computed side by side."""


class _GroupedLinear(nn.Module):
    """Linear layers side by side: (B, K I) to (B, K O)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(_together([layer.weight for layer in layers]))
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.bias = nn.Parameter(_together(biases)) if biases else None
        self._count = len(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply each group of columns by the weights of its layer."""
        x_KBI = x.unflatten(1, (self._count, -1)).transpose(0, 1)
        weight_KIO = self.weight.unflatten(0, (self._count, -1)).transpose(1, 2)
        out_KBO = torch.bmm(x_KBI, weight_KIO)
        if self.bias is not None:
            out_KBO = out_KBO + self.bias.view(self._count, 1, -1)
        out: Tensor = out_KBO.transpose(0, 1).flatten(1)
        return out


class _GroupedLogits(nn.Module):
    """Logits side by side: of the columns of each network (B, K, classes)."""

    def __init__(self, ends: Sequence[Logits]) -> None:
        super().__init__()
        self._end, self._count = ends[0], len(ends)

    def forward(self, output: Tensor) -> Tensor:
        """Divide the columns among the networks, and make a logit for each class of them."""
        if output.dim() != 2 or output.shape[1] % self._count:
            raise NotGroupedError(f"its output is {tuple(output.shape)}; wanted columns for each of {self._count}")
        rows = output.unflatten(1, (self._count, -1))
        logits: Tensor = self._end(rows.flatten(0, 1)).unflatten(0, (-1, self._count))
        return logits


def grouped(models: Sequence[nn.Module], images_NCHW: Tensor) -> nn.Module:
    """Return one network of all the models, on weights that it shares with them.

    Args:
        models: two or more, as `Network.build` made them with the same options, on one device; their weights are moved.
        images_NCHW: images in [0, 1], on which the logits are compared.

    Returns:
        A network of (B, K C, H, W) images, network after network in the channels, to logits (B, K, classes). Its
        parameters and modules are in the order of a model's, and a parameter has those of all models one after another
        along its first dimension.

    Raises:
        NotGroupedError: a layer is of a kind that is not known, weights are shared by two layers, or the logits side by
            side are others; the models compute as before.
    """
    _refuse_unknown(models[0])
    whole = deepcopy(models[0])
    for name, layer in list(whole.named_modules()):
        make = _GROUPED.get(type(layer))
        if make is not None:
            parent, _, place = name.rpartition(".")
            setattr(whole.get_submodule(parent), place, make([model.get_submodule(name) for model in models]))
    _compare(whole, models, images_NCHW[:_PROBED])
    return whole


def _refuse_unknown(model: nn.Module) -> None:
    named = list(model.named_modules(remove_duplicate=False))
    if len({id(module) for _, module in named}) < len(named):
        raise NotGroupedError("a layer stands in two places")
    if len(list(model.parameters())) < len(list(model.named_parameters(remove_duplicate=False))):
        raise NotGroupedError("two layers share their weights")
    for name, module in named:
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if own and type(module) not in _GROUPED:
            raise NotGroupedError(f"{name}: {type(module).__name__} has weights, and only {_KNOWN} can be grouped")
        if isinstance(module, _BatchNorm) and (module.momentum is None or not module.track_running_stats):
            raise NotGroupedError(f"{name}: wanted running statistics with a momentum, got another batch norm")


def _conv(layers: Sequence[nn.Conv2d]) -> nn.Module:
    first, count = layers[0], len(layers)
    made = nn.Conv2d(
        count * first.in_channels,
        count * first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        first.dilation,  # type: ignore[arg-type]
        count * first.groups,
        bias=first.bias is not None,
        padding_mode=first.padding_mode,
        device="meta",
    )
    return _with_tensors(made, layers)


def _batch_norm(layers: Sequence[nn.BatchNorm2d]) -> nn.Module:
    first = layers[0]
    made = type(first)(
        len(layers) * first.num_features, eps=first.eps, momentum=first.momentum, affine=first.affine, device="meta"
    )
    return _with_tensors(made, layers)


def _normalise(stages: Sequence[Normalise]) -> nn.Module:
    first, count = stages[0], len(stages)
    made = Normalise(count * first.mean_1C11.shape[1], size=first.size)
    made.is_given = first.is_given
    for name in ("mean_1C11", "std_1C11"):
        setattr(made, name, _together([getattr(stage, name) for stage in stages], dim=1))
    return made


def _with_tensors(made: nn.Module, layers: Sequence[nn.Module]) -> nn.Module:
    for name, _ in layers[0].named_parameters():
        setattr(made, name, nn.Parameter(_together([getattr(layer, name) for layer in layers])))
    for name, _ in layers[0].named_buffers():
        setattr(made, name, _together([getattr(layer, name) for layer in layers]))
    return made.train(layers[0].training)


@torch.no_grad()
def _together(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Move tensors together along a dimension, and return all of them as one; a number becomes an element."""
    if not tensors[0].dim():
        whole = torch.stack([one.detach() for one in tensors])
        parts = list(whole)
    else:
        whole = torch.cat([one.detach() for one in tensors], dim)
        if whole.dim() == 4:
            whole = whole.contiguous(memory_format=torch.channels_last)
        parts = list(whole.split(tensors[0].shape[dim], dim))
    for one, part in zip(tensors, parts, strict=True):
        one.data = part
    return whole


_GROUPED: Final[dict[type[nn.Module], Callable[..., nn.Module]]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Linear: _GroupedLinear,
    Normalise: _normalise,
    Logits: _GroupedLogits,
}

_KNOWN: Final = ", ".join(kind.__name__ for kind in _GROUPED)


@torch.no_grad()
def _compare(whole: nn.Module, models: Sequence[nn.Module], images_BCHW: Tensor) -> None:
    """Compare the logits in both modes, and leave running statistics and random numbers as they were."""
    buffers = [buffer for model in models for buffer in model.buffers()]
    before = [buffer.clone() for buffer in buffers]
    devices = [images_BCHW.device] if images_BCHW.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        for training in (False, True):
            _compare_in_mode(whole, models, images_BCHW, training)
            for buffer, old in zip(buffers, before, strict=True):
                buffer.copy_(old)


def _compare_in_mode(whole: nn.Module, models: Sequence[nn.Module], images_BCHW: Tensor, training: bool) -> None:
    modes = [[(module, module.training) for module in model.modules()] for model in (whole, *models)]
    for model in (whole, *models):
        model.train(training)
    alone = [model(images_BCHW) for model in models]
    try:
        side_by_side_BKC = whole(images_BCHW.repeat(1, len(models), 1, 1))
    except NotGroupedError:
        raise
    except (RuntimeError, ValueError) as error:
        raise NotGroupedError(f"side by side it raises {type(error).__name__}: {error}") from error
    finally:
        for model_modes in modes:
            for module, mode in model_modes:
                module.training = mode
    for number, logits_BC in enumerate(alone):
        apart, norm = (side_by_side_BKC[:, number] - logits_BC).norm(), logits_BC.norm()
        if not apart <= TOLERANCE * norm:
            raise NotGroupedError(
                f"its logits side by side are {apart:.3g} from those by itself, whose norm is {norm:.3g}: it mixes "
                "channels, or draws random numbers"
            )
