"""Records of what was removed for a request: what, when and with which hashes, sealed, among the results.

A record is written before anything is removed and again at the end, so a removal that was killed is known as one that
is to be repeated. It holds no image, position, list or name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt

from lethe.errors import SchemaError
from lethe.storage.documents import Document, MalformedError, read_json, read_json_object
from lethe.storage.hashing import digest
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot, UnfitFileError
from lethe.storage.seals import BrokenSealError, Seal, check_seal, sealed
from lethe.storage.signing import SigningKey

SCHEMA_VERSION: Final = 1

LIMIT_BYTES: Final = 1 << 26


class Removed(Document):
    """Something that is removed."""

    what: str = Field(description="what it is")
    where: str = Field(description="where: a path relative to the results, or words for what lies outside of them")
    fingerprint: str | None = Field(description="of an artifact, its name; null for others")
    sha256: dict[str, str] = Field(description="of an artifact, the hash of each of its files")
    size_bytes: NonNegativeInt | None = Field(description="its size; null: not known")


class Kept(Document):
    """Something that stays."""

    what: str = Field(description="what it is")
    where: str = Field(description="as of what is removed")
    why: str = Field(description="why it stays")


class Purge(Document):
    """A removal, without its seal."""

    document: Literal["lethe purge"] = Field(description="what this file is")
    schema_version: Literal[1] = Field(description="version of this schema")
    at: AwareDatetime = Field(description="when it was begun")
    finished: bool = Field(description="whether all that is listed has been removed")
    study: str = Field(description="study whose request it is")
    data_sha256: str = Field(description="hash of the images and labels")
    request: str = Field(description="hash of the request, as in the table boards")
    removed: list[Removed] = Field(description="what is removed")
    kept: list[Kept] = Field(description="what stays")
    lethe: str = Field(description="version of Lethe")


class PurgeRecord(Purge):
    """A removal as it is recorded."""

    seal: Seal


@dataclass(frozen=True)
class FoundPurge:
    """A record among the results.

    Attributes:
        path: relative to the results.
        sha256: of its file.
    """

    path: str
    record: PurgeRecord
    sha256: str


def purge_name(at: datetime, request: str) -> str:
    """Return the name of a record's file in its folder."""
    return f"{at:%Y%m%dT%H%M%S%f}-{request[:12]}.json"


def write_purge(root: StorageRoot, purge: Purge, key: SigningKey | None) -> str:
    """Write a record, over an older state of it; return its path relative to the results.

    Raises:
        StorageError: it could not be written.
    """
    name = purge_name(purge.at, purge.request)
    Layout(root).purges.write(name, sealed(purge.model_dump(mode="json"), key))
    return f"purges/{name}"


def read_purges(root: StorageRoot) -> list[FoundPurge]:
    """Read all records, the oldest first.

    Raises:
        BrokenSealError, MalformedError: one was changed since it was written; the message names it.
        SchemaError: a newer Lethe wrote one.
    """
    folder = Layout(root).purges
    return [_read(folder, name) for name in folder.names(".json")]


def parse_purge(text: bytes) -> PurgeRecord:
    """Read a record's file, and check its seal.

    Raises:
        BrokenSealError, MalformedError: it is none, or was changed.
        SchemaError: a newer Lethe wrote it.
    """
    refuse_newer(read_json_object(text), SCHEMA_VERSION)
    check_seal(text)
    return read_json(PurgeRecord, text)


def refuse_newer(said: dict[str, Any], known: int) -> None:
    """Raise SchemaError where a file says a later schema version than the one that is known."""
    version = said.get("schema_version")
    if isinstance(version, int) and version > known:
        raise SchemaError(f"its schema has version {version}, this Lethe knows versions up to {known}. Upgrade lethe.")


def purged_artifacts(root: StorageRoot) -> dict[str, FoundPurge]:
    """Return the fingerprints of all artifacts that were purged, each with the last record that says so.

    Raises:
        As `read_purges`.
    """
    return dict(_fingerprints(read_purges(root)))


def _fingerprints(found: list[FoundPurge]) -> Iterator[tuple[str, FoundPurge]]:
    for one in found:
        for removed in one.record.removed:
            if removed.fingerprint is not None:
                yield removed.fingerprint, one


def _read(folder: StorageRoot, name: str) -> FoundPurge:
    try:
        text = folder.read(name, LIMIT_BYTES)
        return FoundPurge(f"purges/{name}", parse_purge(text), digest(text))
    except (MalformedError, UnfitFileError) as error:
        raise MalformedError(f"{folder}/{name}: the record of a purge cannot be read: {error}") from None
    except BrokenSealError as error:
        raise BrokenSealError(f"{folder}/{name}: the record of a purge: {error}") from None
    except SchemaError as error:
        raise SchemaError(f"cannot read {folder}/{name}: {error}") from None
