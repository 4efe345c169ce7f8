"""The layers of a network in the order in which it computes, which its modules need not be listed in."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unlearning.engine._engine import Engine
from unlearning.errors import InputError

LAYERS: Final = (nn.Conv2d, nn.Linear)
"""What counts as a layer."""

NORMS: Final = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)
"""What normalises between layers."""

_PROBED = 2


def layers(engine: Engine) -> list[nn.Conv2d | nn.Linear]:
    """List the convolutions and linear layers that have weights to train, in the order in which they compute.

    Raises:
        InputError: the network has none.
    """
    found = [module for module in in_order(engine, LAYERS) if isinstance(module, LAYERS)]
    if not found:
        raise InputError("wanted a network with a convolution or a linear layer to train, got one without")
    return found


def in_order(engine: Engine, kinds: tuple[type[nn.Module], ...]) -> list[nn.Module]:
    """List the modules of some kinds that have weights to train, in the order in which they compute.

    One that computes several times has the place of its last time. One whose weights another module reads itself, such
    as the output projection of attention, has its place behind the one that was made before it.
    """
    listed = [module for module in engine.model.modules() if isinstance(module, kinds) and any_parameter(module)]
    times = _times(engine, listed)
    places, place = [], -1
    for module in listed:
        place = times.get(id(module), place)
        places.append(place)
    return [listed[index] for index in sorted(range(len(listed)), key=places.__getitem__)]


def any_parameter(module: nn.Module) -> bool:
    """Return whether a module has weights to train."""
    return next(module.parameters(), None) is not None


def _times(engine: Engine, listed: Sequence[nn.Module]) -> dict[int, int]:
    """Return when each module computed last, by its id, in a pass of some images that leaves nothing behind."""
    called: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        called.append(id(module))

    modes = [(module, module.training) for module in engine.model.modules()]
    with ExitStack() as hooks:
        for module in listed:
            hooks.enter_context(module.register_forward_pre_hook(note))
        engine.forward(engine.images_NCHW[:_PROBED])
    for module, training in modes:
        module.training = training
    return {module: time for time, module in enumerate(called)}
