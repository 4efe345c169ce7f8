"""Fingerprints: short names that say what a thing was made of, so that equal things are made once."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names are made in processes without torch too
    from torch import Tensor


def fingerprint(inputs: Mapping[str, object]) -> str:
    """Hash JSON values by name, whatever their order: the first 20 hex digits of SHA-256."""
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]


def digest(content: bytes) -> str:
    """Hash a file's content: SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def digest_of_tensor(values: "Tensor") -> str:
    """Hash a tensor's type, shape and bytes: SHA-256 in hex."""
    contiguous = values.contiguous().cpu()
    header = f"{contiguous.dtype} {tuple(contiguous.shape)}\n".encode()
    return digest(header + contiguous.numpy().tobytes())
