"""The manifest of an artifact: what was made of what, by whom, and the checksum of each file and of itself."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, NonNegativeFloat, model_validator

from lethe.errors import SchemaError
from lethe.storage.documents import Document, MalformedError, read_json, read_json_object
from lethe.storage.hashing import digest

FORMAT: Final = 1

MANIFEST_LIMIT_BYTES: Final = 1 << 20
"""A thousand times what a manifest has."""

_FILES: Final = {
    "original": {"weights", "logits"},
    "oracle": {"weights", "logits"},
    "saliency": {"scores"},
}

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Share = Annotated[float, Field(ge=0, le=1)]


class FileEntry(Document):
    """A file of an artifact, which lies beside its manifest."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+\.safetensors$", max_length=255)]
    sha256: Sha256
    size_bytes: Count


class Facts(Document):
    """What making an artifact took and gave, as the columns of its row (`lethe.results.ArtifactRow`)."""

    seconds_train: NonNegativeFloat
    seconds_total: NonNegativeFloat
    epochs: Count
    loss: float | None = None
    ua: Share | None = None
    va: Share | None = None
    ta: Share | None = None
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
        inputs: what its fingerprint was taken of.
        files: by the name of what they hold: ``weights`` and ``logits`` of a model, ``scores`` of saliency.
    """

    format: Literal[1]
    fingerprint: str
    kind: Literal["original", "oracle", "saliency"]
    inputs: dict[str, JsonValue]
    files: dict[str, FileEntry]
    facts: Facts

    @model_validator(mode="after")
    def _has_its_files(self) -> Self:
        if missing := _FILES[self.kind] - self.files.keys():
            raise ValueError(f"the {self.kind} lacks its {' and '.join(sorted(missing))}")
        return self

    @property
    def size_bytes(self) -> int:
        """Sum the sizes of the artifact's files."""
        return sum(entry.size_bytes for entry in self.files.values())

    def text(self) -> bytes:
        """Write the manifest's file, sealed with a checksum of its own."""
        said = self.model_dump(mode="json")
        return json.dumps(said | {"sha256": _checksum(said)}, indent=1, allow_nan=False).encode()


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest's file.

    Raises:
        MalformedError: it is torn, was changed, or says what no manifest says.
        SchemaError: a newer Lethe wrote it; the message gives both formats.
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
    return read_json(Manifest, text)


def _checksum(said: Mapping[str, Any]) -> str:
    """Hash what a manifest says, in whatever order; the same in every format, so that a newer one is not damage."""
    return digest(json.dumps(said, sort_keys=True, allow_nan=False).encode())
