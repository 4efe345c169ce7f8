"""Weights that were trained elsewhere: read from a file without running code, fitted to a network, and written again.

A file holds the state dict of the user's network, which in a network of a study is what follows the normalisation. The
statistics of the normalisation are kept in the metadata of a safetensors file that is written here, and found there.
"""

import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from unlearning.data._files import read_regular
from unlearning.errors import UnlearningError

WRAPPERS: Final = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
"""Keys under which training scripts keep a state dict among other things."""

BODY: Final = "1."
"""What the names of the user's network begin with in a network of a study (`Network.build`)."""

NORMALISATION: Final = "lethe.normalisation"
"""The key of the metadata that holds the tensors before the user's network, as JSON."""

NAMED: Final = 5
"""Names that a message lists of each kind."""

_HEAD_BYTES: Final = 8


class CheckpointError(UnlearningError):
    """Weights that cannot be read, or that are those of another network; the message says what does not fit."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file of weights holds.

    Attributes:
        path: for messages.
        tensors: by the names in the file.
        before: tensors before the user's network by their names in a network of a study; empty where the file does not
            say.
        notes: what had to be understood to read it, a sentence each.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    before: Mapping[str, Tensor]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights by the names and in the types of a network's own state dict.

    Attributes:
        weights: all but those of the normalisation, where the file does not have these.
        notes: what had to be understood, a sentence each.
    """

    weights: Mapping[str, Tensor]
    notes: tuple[str, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a state dict from a safetensors file, or from a file of ``torch.save`` that holds tensors alone.

    Raises:
        CheckpointError: it is neither, or it holds code (a pickle), or no state dict.
        DataError: there is no such file, or it cannot be read.
    """
    content = read_regular(path, path.stat().st_size if path.is_file() else 0, "checkpoint")
    if content[_HEAD_BYTES : _HEAD_BYTES + 1] == b"{":
        return _of_safetensors(path, content)
    tensors, notes = _state_dict(path, _unpickled(path, content))
    return Checkpoint(path, tensors, {}, notes)


def fitted(checkpoint: Checkpoint, network: nn.Sequential) -> Fitted:
    """Bring weights to the names, shapes and types of a network that `Network.build` made.

    They may have the names of the user's network or those of the whole network, with or without one prefix in front of
    all of them, as ``module.`` of ``nn.DataParallel``.

    Raises:
        CheckpointError: names are missing or unexpected, shapes are others, or a tensor is not finite.
    """
    wanted = dict(network.state_dict())
    body = {name.removeprefix(BODY): value for name, value in wanted.items() if name.startswith(BODY)}
    named, notes = _named_as(checkpoint, wanted, body)
    found = {**named, **checkpoint.before}
    _check_shapes(checkpoint, found, wanted)
    cast = {name: value.to(wanted[name].dtype).contiguous() for name, value in found.items()}
    _check_finite(checkpoint, cast)
    return Fitted(cast, (*checkpoint.notes, *notes, *_casts(found, wanted)))


def written(network: nn.Sequential) -> bytes:
    """Write the state dict of the user's network as safetensors, with the normalisation before it in the metadata.

    The user's network loads it by ``load_state_dict``, and `read_checkpoint` finds the normalisation.
    """
    state = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    body = {name.removeprefix(BODY): value for name, value in state.items() if name.startswith(BODY)}
    before = {name: value for name, value in state.items() if not name.startswith(BODY)}
    said = {name: {"shape": list(value.shape), "values": value.flatten().tolist()} for name, value in before.items()}
    return bytes(save_tensors(body, {NORMALISATION: json.dumps(said), "format": "pt"}))


def _of_safetensors(path: Path, content: bytes) -> Checkpoint:
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: is not safetensors: {error}") from error
    return Checkpoint(path, tensors, dict(_before(path, content)), ())


def _before(path: Path, content: bytes) -> Iterator[tuple[str, Tensor]]:
    """Read the tensors of the normalisation from the metadata of a safetensors file."""
    size = int.from_bytes(content[:_HEAD_BYTES], "little")
    metadata = json.loads(content[_HEAD_BYTES : _HEAD_BYTES + size]).get("__metadata__", {})
    try:
        said = json.loads(metadata.get(NORMALISATION, "{}"))
        for name, entry in said.items():
            yield name, torch.tensor(entry["values"]).reshape(entry["shape"])
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: its metadata {NORMALISATION} is not what Lethe writes: {error}") from error


def _unpickled(path: Path, content: bytes) -> Any:
    try:
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: holds more than tensors, and reading it could run code, so it is not read. Save the weights "
            "alone where the model is at hand: torch.save(model.state_dict(), 'model.pt'), or "
            "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
        ) from error
    except Exception as error:  # torch raises errors of many kinds for files of other programs
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: wanted safetensors or a file of torch.save, got neither: {reason}") from error


def _state_dict(path: Path, content: Any) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the state dict in a file's content, which may lie under a key of a wrapper."""
    if _is_state_dict(content):
        return dict(content), ()
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: wanted a state dict (tensors by name), got a {type(content).__name__}")
    found = [key for key in WRAPPERS if _is_state_dict(content.get(key))]
    if len(found) != 1:
        keys = ", ".join(map(repr, list(content)[:NAMED])) or "nothing"
        raise CheckpointError(
            f"{path}: wanted a state dict (tensors by name), or one under one of {', '.join(WRAPPERS)}; got a mapping "
            f"of {keys}"
        )
    return dict(content[found[0]]), (f"the weights are those under the key {found[0]} of {path}",)


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())
    )


def _named_as(
    checkpoint: Checkpoint, wanted: Mapping[str, Tensor], body: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors by the names of the whole network, and what was left out of their own, a sentence each."""
    for tensors, notes in _unprefixed(checkpoint.tensors):
        if tensors.keys() == body.keys():
            return {f"{BODY}{name}": value for name, value in tensors.items()}, notes
        if tensors.keys() == wanted.keys():
            return tensors, notes
    raise CheckpointError(_misfit(checkpoint, body))


def _unprefixed(tensors: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], tuple[str, ...]]]:
    """Yield a state dict as it is, then without each prefix that all of its names have."""
    yield dict(tensors), ()
    prefix = ""
    while (first := next(iter(tensors)).removeprefix(prefix)) and "." in first:
        prefix += first.partition(".")[0] + "."
        if not all(name.startswith(prefix) for name in tensors):
            return
        note = f"all names begin with {prefix}, which is left out"
        yield {name.removeprefix(prefix): value for name, value in tensors.items()}, (note,)


def _misfit(checkpoint: Checkpoint, body: Mapping[str, Tensor]) -> str:
    """Describe in what the names differ from those of the network, by the reading that comes nearest."""
    readings = (tensors for tensors, _ in _unprefixed(checkpoint.tensors))
    tensors = max(readings, key=lambda one: len(one.keys() & body.keys()))
    missing = [name for name in body if name not in tensors]
    unexpected = [name for name in tensors if name not in body]
    other = list(_other_shapes(tensors, body))
    parts = [
        f"{len(names)} of {total} {what}: {_first(names)}"
        for names, total, what in (
            (missing, len(body), "names are missing"),
            (unexpected, len(tensors), "are unexpected"),
            (other, len(body), "have another shape"),
        )
        if names
    ]
    return f"{checkpoint.path}: its weights are those of another network: {'; '.join(parts)}"


def _check_shapes(checkpoint: Checkpoint, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    other = list(_other_shapes(found, wanted))
    if other:
        raise CheckpointError(
            f"{checkpoint.path}: its weights are those of another network: {len(other)} of {len(wanted)} have another "
            f"shape: {_first(other)}"
        )


def _check_finite(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> None:
    broken = [
        f"{name.removeprefix(BODY)} ({int((~value.isfinite()).sum())} of {value.numel()} values)"
        for name, value in tensors.items()
        if not value.isfinite().all()
    ]
    if broken:
        raise CheckpointError(f"{checkpoint.path}: wanted finite weights, got NaN or infinity in {_first(broken)}")


def _other_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    for name in found.keys() & wanted.keys():
        if found[name].shape != wanted[name].shape:
            shapes = f"wanted {tuple(wanted[name].shape)}, got {tuple(found[name].shape)}"
            yield f"{name.removeprefix(BODY)} ({shapes})"


def _casts(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    types = {(value.dtype, wanted[name].dtype) for name, value in found.items()}
    for given, own in sorted(types, key=str):
        if given != own:
            yield f"weights of type {str(given).removeprefix('torch.')} are read as {str(own).removeprefix('torch.')}"


def _first(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return f"{', '.join(listed[:NAMED])}{more}"
