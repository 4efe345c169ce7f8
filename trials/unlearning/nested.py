"""Nested dictionaries and lists, such as the state of an optimiser, as tensors by name and back, without pickle."""

import json
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from unlearning.errors import InputError

SHAPE: Final = "shape"
"""Name of the tensor that says how the others are nested: JSON, as bytes."""


def flatten(value: object) -> dict[str, Tensor]:
    """Return nested dictionaries, lists and tuples of tensors, numbers, texts and None as tensors on the CPU, by name.

    Raises:
        InputError: something else is in it; the message says what and where.
    """
    tensors: dict[str, Tensor] = {}
    shape = _without_tensors(value, "checkpoint", tensors)
    return {**tensors, SHAPE: torch.tensor(list(json.dumps(shape).encode()), dtype=torch.uint8)}


def unflatten(tensors: Mapping[str, Tensor]) -> Any:
    """Return what was flattened.

    Raises:
        ValueError: these are not the tensors of a flattened value.
    """
    try:
        return _with_tensors(json.loads(bytes(tensors[SHAPE].tolist())), tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"wanted the tensors of a flattened value, got others: {error!r}") from error


def _without_tensors(value: object, where: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str | int):
                raise InputError(f"{where}: wanted texts or whole numbers as keys, got {key!r}")
        return {"dict": [[key, _without_tensors(one, f"{where}[{key!r}]", tensors)] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_without_tensors(one, f"{where}[{index}]", tensors) for index, one in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(
        f"{where}: wanted a tensor, a number, a text, None, or a dictionary, list or tuple of them, got {type(value)}"
    )


def _with_tensors(shape: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(shape, dict):
        return shape
    [(kind, inner)] = shape.items()
    match kind:
        case "tensor":
            return tensors[inner]
        case "dict":
            return {key: _with_tensors(one, tensors) for key, one in inner}
        case "list":
            return [_with_tensors(one, tensors) for one in inner]
        case "tuple":
            return tuple(_with_tensors(one, tensors) for one in inner)
        case _:
            raise ValueError(f"unknown kind {kind!r}")
