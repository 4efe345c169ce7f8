"""The tensors of a safetensors file, hashed whatever their order in the file; no torch is needed for it.

The format: eight bytes with the length of a JSON header, the header (name, type, shape and place of each tensor), and
the tensors' bytes.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from lethe.storage.documents import MalformedError, read_json_object

_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Tensors:
    """What a file of tensors holds.

    Attributes:
        sha256: over each name in order, with the hash of its value.
        values: the hashes of the values, each over type, shape and bytes.
        count: of tensors.
        numbers: in them.
    """

    sha256: str
    values: frozenset[str]
    count: int
    numbers: int


def tensors_of(path: Path) -> Tensors:
    """Hash the tensors of a file.

    Raises:
        MalformedError: it is no safetensors file.
        OSError: it cannot be read.
    """
    return tensors_in(path.read_bytes())


def tensors_in(content: bytes) -> Tensors:
    """Hash the tensors of a file's content.

    Raises:
        MalformedError: it is none of a safetensors file.
    """
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = read_json_object(content[_LENGTH_BYTES:start])
    header.pop("__metadata__", None)
    total, numbers, hashes = hashlib.sha256(), 0, set[str]()
    for name, entry in sorted(header.items()):
        try:
            (begin, end), shape, kind = entry["data_offsets"], entry["shape"], entry["dtype"]
            values = memoryview(content)[start + begin : start + end]
        except (KeyError, TypeError, ValueError):
            raise MalformedError(f"the header entry of tensor {name!a} is not that of safetensors") from None
        value = hashlib.sha256(f"{kind} {shape}\n".encode() + values).hexdigest()
        total.update(f"{name} {value}\n".encode())
        hashes.add(value)
        numbers += math.prod(shape)
    return Tensors(total.hexdigest(), frozenset(hashes), len(header), numbers)
