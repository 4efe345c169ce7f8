"""Weights of a local file as those that a training begins with."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from unlearning.errors import InputError

_CHUNK = 1 << 20


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file: the first 20 hex digits.

    Raises:
        InputError: it cannot be read.
    """
    hashed = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
    except OSError as error:
        raise InputError(f"{path}: the file of weights cannot be read ({error.strerror})") from error
    return hashed.hexdigest()[:20]


def load_into(model: nn.Module, path: Path) -> tuple[str, ...]:
    """Put the weights of a file into a network; its last layer keeps its own where those of the file have other shapes.

    Args:
        path: safetensors, or what ``torch.save`` wrote of a state dict, from which only tensors are read.

    Returns:
        The names of the weights of the last layer that keep their own values.

    Raises:
        InputError: the file is no state dict, or one of another network.
    """
    found, wanted = _read(path), model.state_dict()
    head = _head(model)
    unlike = {
        name
        for name in found.keys() | wanted.keys()
        if name not in found or name not in wanted or found[name].shape != wanted[name].shape
    }
    if others := sorted(unlike - head):
        shown = "; ".join(f"{name}: wanted {_shape(wanted, name)}, got {_shape(found, name)}" for name in others[:5])
        more = f"; and {len(others) - 5} more" if len(others) > 5 else ""
        raise InputError(f"{path}: these are the weights of another network: {shown}{more}")
    model.load_state_dict({**wanted, **{name: value for name, value in found.items() if name not in unlike}})
    return tuple(sorted(unlike & wanted.keys()))


def _head(model: nn.Module) -> set[str]:
    """Return the names of the weights of the last layer."""
    named = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    if not named:
        return set()
    name, layer = named[-1]
    return {f"{name}.{part}" if name else part for part in layer.state_dict()}


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: the file of weights cannot be read ({error.strerror})") from error
    except SafetensorError as error:
        raise InputError(f"{path}: is not safetensors: {error}") from error
    except Exception as error:  # torch.load raises what the file makes it raise
        raise InputError(f"{path}: is no state dict that torch reads without running code: {error}") from error
    if not isinstance(content, Mapping) or not all(isinstance(one, Tensor) for one in content.values()):
        raise InputError(f"{path}: wanted a state dict, tensors by name, got another {type(content).__name__}")
    return dict(content)


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "none"
