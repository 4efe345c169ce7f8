"""The pool on disk: artefacts by fingerprint, whole and verified or not there at all.

An artefact is a folder ``<kind>/<fingerprint>`` of safetensors files and a manifest with its inputs, its provenance,
the checksum of each file and one of its own. The manifest is written last: without it the artefact does not exist. No
pickle is ever read.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from lethe.documents import MalformedError
from lethe.fingerprint import digest
from lethe.place import Place, PlaceError, UnfitFileError
from lethe.pool._cache import NodeCache
from lethe.pool._manifest import FORMAT, MANIFEST_LIMIT_BYTES, Facts, FileEntry, Manifest, read_manifest
from lethe.study import ArtefactKey, ArtefactKind
from lethe.versions import SchemaError

MANIFEST = "manifest.json"

Tensors = dict[str, Tensor]


class CorruptArtefactError(PlaceError):
    """An artefact whose bytes are not those that its manifest promises; the message names the file."""


@dataclass(frozen=True)
class Artefact:
    """A whole artefact.

    Attributes:
        files: tensors by name, by file: ``weights`` and ``logits`` of a model, ``scores`` of saliency.
    """

    files: dict[str, Tensors]
    manifest: Manifest


class Pool:
    """Artefacts under one place; safe for many readers and writers.

    What lies in an object store is read from there once a machine, see `NodeCache`.

    Args:
        keep: whether what is read from an object store is kept on this machine.
    """

    def __init__(self, place: Place, *, keep: bool = True) -> None:
        self.place = place
        self._cache = NodeCache() if keep and not place.is_local else None

    def manifest(self, key: ArtefactKey) -> Manifest | None:
        """Read an artefact's manifest; None if the artefact does not exist.

        Raises:
            CorruptArtefactError: the manifest is not one, was changed, or is another artefact's.
            SchemaError: a newer Lethe wrote it.
        """
        return self.manifest_of(key.kind, key.fingerprint)

    def manifest_of(self, kind: ArtefactKind, fingerprint: str) -> Manifest | None:
        """As `manifest`, of an artefact whose inputs are not known yet."""
        folder = self.place.child("pool", kind, fingerprint)
        try:
            manifest = read_manifest(folder.read(MANIFEST, MANIFEST_LIMIT_BYTES))
        except FileNotFoundError:
            return None
        except (MalformedError, UnfitFileError) as error:
            raise CorruptArtefactError(f"{folder}: {MANIFEST} cannot be read: {error}") from error
        except SchemaError as error:
            raise SchemaError(f"cannot read {folder}/{MANIFEST}: {error}. Upgrade lethe.") from error
        if (manifest.kind, manifest.fingerprint) != (kind, fingerprint):
            raise CorruptArtefactError(f"{folder}: {MANIFEST} is that of another artefact, {manifest.fingerprint}")
        return manifest

    def load(self, key: ArtefactKey) -> Artefact | None:
        """Read an artefact, from this machine's cache where it can, and verify every checksum; None if there is none.

        Raises:
            CorruptArtefactError: a file is missing, truncated or altered.
        """
        manifest = self.manifest(key)
        if manifest is None:
            return None
        contents = {name: self._content(key, entry) for name, entry in manifest.files.items()}
        try:
            return Artefact({name: load_tensors(content) for name, content in contents.items()}, manifest)
        except SafetensorError as error:
            raise CorruptArtefactError(f"{self._folder(key)}: is not safetensors: {error}") from error

    def verify(self, key: ArtefactKey) -> Manifest | None:
        """Check every checksum of an artefact in its place, nothing decoded; give its manifest, None if there is none.

        Raises:
            CorruptArtefactError: a file is missing, truncated or altered.
        """
        manifest = self.manifest(key)
        if manifest is not None:
            for entry in manifest.files.values():
                self._fetch(key, entry)
        return manifest

    def save(self, key: ArtefactKey, files: Mapping[str, Tensors], facts: Facts) -> Manifest:
        """Write an artefact, manifest last, and drop its checkpoint; if somebody was faster, theirs stays."""
        folder = self._folder(key)
        entries = {}
        for name, tensors in files.items():
            content = save_tensors({part: tensor.contiguous() for part, tensor in tensors.items()})
            file_name = f"{name}-{uuid4().hex[:8]}.safetensors"
            folder.write(file_name, content)
            entries[name] = FileEntry(file=file_name, sha256=digest(content), size_bytes=len(content))
        faster = self.manifest(key)
        if faster is not None:
            for entry in entries.values():
                folder.delete(entry.file)
            return faster
        manifest = Manifest(
            format=FORMAT,
            fingerprint=key.fingerprint,
            kind=key.kind,
            inputs=dict(key.inputs),
            files=entries,
            facts=facts,
        )
        folder.write(MANIFEST, manifest.text())
        self._drop_checkpoints(key, keep=None)
        return manifest

    def set_aside(self, key: ArtefactKey) -> str:
        """Move a broken artefact out of the way; give where it lies now."""
        return self.place.set_aside(self._path(key))

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
                with suppress(SafetensorError):
                    state: Tensors = load_tensors(content)
                    return state
            folder.delete(name)
        return None

    def drop_checkpoint(self, key: ArtefactKey) -> None:
        """Forget the state of an unfinished training."""
        self._drop_checkpoints(key, keep=None)

    def _content(self, key: ArtefactKey, entry: FileEntry) -> bytes:
        cached = self._cache.get(entry.sha256) if self._cache else None
        return self._fetch(key, entry) if cached is None else cached

    def _fetch(self, key: ArtefactKey, entry: FileEntry) -> bytes:
        """Read a file from its place, verify it, and keep it for this machine's next reader."""
        folder = self._folder(key)
        try:
            content = folder.read(entry.file, entry.size_bytes)
        except FileNotFoundError as error:
            raise CorruptArtefactError(f"{folder}: {entry.file} is missing") from error
        except UnfitFileError as error:
            raise CorruptArtefactError(f"{folder}: {entry.file} is not what was written: {error}") from error
        if len(content) != entry.size_bytes or digest(content) != entry.sha256:
            raise CorruptArtefactError(
                f"{folder}: {entry.file} has {len(content)} bytes of another checksum than its manifest "
                f"promises ({entry.size_bytes} bytes)"
            )
        if self._cache:
            self._cache.keep(entry.sha256, content)
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
