"""The manifest of an artifact: what it was made of, by whom, and the checksum of each file and of itself."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from annotated_types import MinLen
from pydantic import AwareDatetime, Field, JsonValue, NonNegativeFloat

from lethe.errors import SchemaError
from lethe.storage.documents import Document, MalformedError, read_json, read_json_object
from lethe.storage.hashing import digest

FORMAT: Final = 2
"""Format 1 had only originals, oracles and saliency scores, under other fingerprints: such artifacts are not used."""

OLD_FORMATS: Final = (1,)

MANIFEST_LIMIT_BYTES: Final = 1 << 20
"""A thousand times the size of a manifest."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Share = Annotated[float, Field(ge=0, le=1)]


class FileEntry(Document):
    """A file of an artifact, which lies beside its manifest."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+\.safetensors$", max_length=255)]
    sha256: Sha256
    size_bytes: Count


class Facts(Document):
    """What making an artifact cost and yielded, as the columns of its row (`lethe.results.ArtifactRow`)."""

    seconds_train: NonNegativeFloat
    seconds_total: NonNegativeFloat
    images_trained: Count | None
    epochs: Count | None
    loss: float | None = None
    ua: Share | None = None
    va: Share | None = None
    ta: Share | None = None
    repeats: bool | None = None
    peak_memory_bytes: Count | None = None
    device: str
    cpus: NonNegativeFloat | None = None
    gpus: NonNegativeFloat | None = None
    worker: str
    node: str
    lethe_version: str
    code_version: str | None = None
    python_version: str
    torch_version: str
    ray_version: str | None = None
    optuna_version: str | None = None
    started_at: AwareDatetime
    ended_at: AwareDatetime


class Manifest(Document):
    """What an artifact is.

    Attributes:
        kind, version, inputs: as its recipe says; any name of a kind is read.
        requires: fingerprints of the artifacts that went into it, by what they were to it.
        files: by the name of what they hold, such as ``weights`` and ``logits`` of a model.
    """

    format: Literal[2]
    fingerprint: str
    kind: str
    version: int
    inputs: dict[str, JsonValue]
    requires: dict[str, str]
    files: Annotated[dict[str, FileEntry], MinLen(1)]
    facts: Facts

    @property
    def size_bytes(self) -> int:
        """Sum the sizes of the artifact's files."""
        return sum(entry.size_bytes for entry in self.files.values())

    def text(self) -> bytes:
        """Write the manifest's file, sealed with a checksum of its own."""
        said = self.model_dump(mode="json")
        return json.dumps(said | {"sha256": _checksum(said)}, indent=1, allow_nan=False).encode()


def read_manifest(text: bytes) -> Manifest | None:
    """Read a manifest's file; None if it is of an older format, whose artifacts are not used.

    Raises:
        MalformedError: it is torn, was changed, or holds what no Lethe writes.
        SchemaError: a newer Lethe wrote it; the message names both formats.
    """
    said = read_json_object(text)
    try:
        sealed = said.pop("sha256", None) == _checksum(said)
    except ValueError as error:  # a number that is not finite, which no manifest holds
        raise MalformedError(str(error)) from None
    if not sealed:
        raise MalformedError("has changed since it was written")
    found = said.get("format")
    if type(found) is not int:
        raise MalformedError(f"format: wanted a whole number, got {ascii(found)[:80]}")
    if found > FORMAT:
        raise SchemaError(f"it has format {found}, this Lethe knows formats up to {FORMAT}")
    if found in OLD_FORMATS:
        return None
    return read_json(Manifest, text)


def _checksum(said: Mapping[str, Any]) -> str:
    """Hash a manifest's entries in any order; the same in every format, so that a newer one is not taken for damage."""
    return digest(json.dumps(said, sort_keys=True, allow_nan=False).encode())
