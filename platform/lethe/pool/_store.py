"""The pool on disk: artefacts by fingerprint, whole and verified or not there at all.

An artefact is a folder ``<kind>/<fingerprint>`` of safetensors files and a manifest with its inputs, its provenance,
the checksum of each file and one of its own. The manifest is written last: without it the artefact does not exist. No
pickle is ever read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from lethe.fingerprint import digest
from lethe.place import Place, PlaceError
from lethe.pool._cache import NodeCache
from lethe.study import ArtefactKey
from lethe.versions import SchemaError

MANIFEST = "manifest.json"
FORMAT = 1

Tensors = dict[str, Tensor]


class CorruptArtefactError(PlaceError):
    """An artefact whose bytes are not those that its manifest promises; the message names the file."""


@dataclass(frozen=True)
class Artefact:
    """A whole artefact.

    Attributes:
        files: tensors by name, by file: ``weights`` and ``logits`` of a model, ``scores`` of saliency.
        manifest: inputs, facts (seconds, loss, ...) and provenance.
    """

    files: dict[str, Tensors]
    manifest: dict[str, Any]


class Pool:
    """Artefacts under one place; safe for many readers and writers.

    What lies in an object store is read from there once a machine, see `NodeCache`.

    Args:
        keep: whether what is read from an object store is kept on this machine.
    """

    def __init__(self, place: Place, *, keep: bool = True) -> None:
        self.place = place
        self._cache = NodeCache() if keep and not place.is_local else None

    def manifest(self, key: ArtefactKey) -> dict[str, Any] | None:
        """Read an artefact's manifest; None if the artefact does not exist.

        Raises:
            CorruptArtefactError: the manifest is not one, or was changed.
            SchemaError: a newer Lethe wrote it.
        """
        folder = self._folder(key)
        try:
            manifest: dict[str, Any] = json.loads(folder.read(MANIFEST))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise CorruptArtefactError(f"{folder}: {MANIFEST} is not JSON: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("sha256") != _own_checksum(manifest):
            raise CorruptArtefactError(f"{folder}: {MANIFEST} has changed since it was written")
        if manifest["format"] > FORMAT:
            raise SchemaError(
                f"cannot read {folder}/{MANIFEST}: it has format {manifest['format']}, this Lethe knows formats up to "
                f"{FORMAT}. Upgrade lethe."
            )
        if manifest["fingerprint"] != key.fingerprint:
            raise CorruptArtefactError(f"{folder}: {MANIFEST} is that of another artefact, {manifest['fingerprint']}")
        return manifest

    def load(self, key: ArtefactKey) -> Artefact | None:
        """Read an artefact, from this machine's cache where it can, and verify every checksum; None if there is none.

        Raises:
            CorruptArtefactError: a file is missing, truncated or altered.
        """
        manifest = self.manifest(key)
        if manifest is None:
            return None
        contents = {name: self._content(key, entry) for name, entry in manifest["files"].items()}
        try:
            return Artefact({name: load_tensors(content) for name, content in contents.items()}, manifest)
        except SafetensorError as error:
            raise CorruptArtefactError(f"{self._folder(key)}: is not safetensors: {error}") from error

    def verify(self, key: ArtefactKey) -> dict[str, Any] | None:
        """Check every checksum of an artefact in its place, nothing decoded; give its manifest, None if there is none.

        Raises:
            CorruptArtefactError: a file is missing, truncated or altered.
        """
        manifest = self.manifest(key)
        if manifest is not None:
            for entry in manifest["files"].values():
                self._fetch(key, entry)
        return manifest

    def save(self, key: ArtefactKey, files: Mapping[str, Tensors], facts: Mapping[str, Any]) -> dict[str, Any]:
        """Write an artefact, manifest last, and drop its checkpoint; if somebody was faster, theirs stays."""
        folder = self._folder(key)
        entries = {}
        for name, tensors in files.items():
            content = save_tensors({part: tensor.contiguous() for part, tensor in tensors.items()})
            file_name = f"{name}-{uuid4().hex[:8]}.safetensors"
            folder.write(file_name, content)
            entries[name] = {"file": file_name, "sha256": digest(content), "size_bytes": len(content)}
        faster = self.manifest(key)
        if faster is not None:
            for entry in entries.values():
                folder.delete(str(entry["file"]))
            return faster
        manifest = {
            "format": FORMAT,
            "fingerprint": key.fingerprint,
            "kind": key.kind,
            "inputs": dict(key.inputs),
            "files": entries,
            "facts": dict(facts),
        }
        manifest["sha256"] = _own_checksum(manifest)
        folder.write(MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode())
        self._drop_checkpoints(key, keep=None)
        return manifest

    def set_aside(self, key: ArtefactKey) -> str:
        """Move a broken artefact out of the way; give where it lies now."""
        return self.place.set_aside(self._path(key))

    def size_bytes(self, manifest: Mapping[str, Any]) -> int:
        """Sum the sizes of an artefact's files."""
        return sum(int(entry["size_bytes"]) for entry in manifest["files"].values())

    def uri(self, key: ArtefactKey) -> str:
        """Name the place of an artefact."""
        return str(self._folder(key))

    def save_checkpoint(self, key: ArtefactKey, state: Tensors) -> None:
        """Keep the state of an unfinished training, in the place of an earlier one."""
        content = save_tensors(state)
        name = f"{digest(content)[:32]}.safetensors"
        self._checkpoints(key).write(name, content)
        self._drop_checkpoints(key, keep=name)

    def checkpoint(self, key: ArtefactKey) -> Tensors | None:
        """Read the state of an unfinished training; a damaged one is dropped."""
        folder = self._checkpoints(key)
        for name in folder.names(suffix=".safetensors"):
            content = folder.read(name)
            if name == f"{digest(content)[:32]}.safetensors":
                state: Tensors = load_tensors(content)
                return state
            folder.delete(name)
        return None

    def _content(self, key: ArtefactKey, entry: Mapping[str, Any]) -> bytes:
        cached = self._cache.get(entry["sha256"]) if self._cache else None
        return self._fetch(key, entry) if cached is None else cached

    def _fetch(self, key: ArtefactKey, entry: Mapping[str, Any]) -> bytes:
        """Read a file from its place, verify it, and keep it for this machine's next reader."""
        folder = self._folder(key)
        try:
            content = folder.read(entry["file"])
        except FileNotFoundError as error:
            raise CorruptArtefactError(f"{folder}: {entry['file']} is missing") from error
        if digest(content) != entry["sha256"]:
            raise CorruptArtefactError(
                f"{folder}: {entry['file']} has {len(content)} bytes of another checksum than its manifest "
                f"promises ({entry['size_bytes']} bytes)"
            )
        if self._cache:
            self._cache.keep(entry["sha256"], content)
        return content

    def _drop_checkpoints(self, key: ArtefactKey, keep: str | None) -> None:
        folder = self._checkpoints(key)
        for name in folder.names(suffix=".safetensors"):
            if name != keep:
                folder.delete(name)

    def _path(self, key: ArtefactKey) -> str:
        return f"pool/{key.kind}/{key.fingerprint}"

    def _folder(self, key: ArtefactKey) -> Place:
        return self.place.child("pool", key.kind, key.fingerprint)

    def _checkpoints(self, key: ArtefactKey) -> Place:
        return self.place.child("pool", "checkpoints", key.fingerprint)


def _own_checksum(manifest: Mapping[str, Any]) -> str:
    """Hash what a manifest says, the checksum itself left out; the same in every format, so that damage is none."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return digest(json.dumps(said, sort_keys=True, allow_nan=False).encode())
