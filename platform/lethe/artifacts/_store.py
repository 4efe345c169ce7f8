"""The artifact store on disk: artifacts by kind and fingerprint, complete and verified or not there at all.

An artifact is a folder ``<kind>/<fingerprint>`` of safetensors files and a manifest with its inputs, its provenance,
the checksum of each file and one of its own. The manifest is written last: without it the artifact does not exist.
Whether an artifact exists is decided by manifest and sizes (`ArtifactStore.check`); its bytes are compared with their
checksums when they are read. No pickle is ever read.
"""

from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import cast
from uuid import uuid4

from pydantic import JsonValue
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from lethe.artifacts._cache import NodeCache
from lethe.artifacts._manifest import FORMAT, MANIFEST_LIMIT_BYTES, Facts, FileEntry, Manifest, read_manifest
from lethe.artifacts._recipe import ArtifactKey, ArtifactRecipe, Tensors
from lethe.artifacts.kinds import KINDS
from lethe.errors import SchemaError
from lethe.storage.documents import MalformedError
from lethe.storage.hashing import digest
from lethe.storage.layout import Layout
from lethe.storage.root import StorageError, StorageRoot, UnfitFileError

MANIFEST = "manifest.json"


class CorruptArtifactError(StorageError):
    """An artifact whose bytes differ from its manifest; the message names the file."""


@dataclass(frozen=True)
class Artifact:
    """A complete artifact.

    Attributes:
        files: tensors by name, by file, such as ``weights`` and ``logits`` of a model.
    """

    files: dict[str, Tensors]
    manifest: Manifest


class ArtifactStore:
    """Artifacts under one storage root; safe for many readers and writers.

    Files in an object store are read from there once a machine, see `NodeCache`.

    Args:
        keep: whether what is read from an object store is kept on this machine.
    """

    def __init__(self, root: StorageRoot, *, keep: bool = True) -> None:
        self.root = root
        self._cache = NodeCache() if keep and root.worth_caching else None

    def manifest(self, key: ArtifactKey) -> Manifest | None:
        """Read an artifact's manifest; None if the artifact does not exist, or is of a format that is not used now.

        Raises:
            CorruptArtifactError: the manifest is not one, was changed, or is another artifact's.
            SchemaError: a newer Lethe wrote it.
        """
        folder = self._folder(key)
        try:
            manifest = read_manifest(folder.read(MANIFEST, MANIFEST_LIMIT_BYTES))
        except FileNotFoundError:
            return None
        except (MalformedError, UnfitFileError) as error:
            raise CorruptArtifactError(f"{folder}: {MANIFEST} cannot be read: {error}") from error
        except SchemaError as error:
            raise SchemaError(f"cannot read {folder}/{MANIFEST}: {error}. Upgrade lethe.") from error
        if manifest is None:
            return None
        if (manifest.kind, manifest.fingerprint) != (key.kind, key.fingerprint):
            raise CorruptArtifactError(f"{folder}: {MANIFEST} is that of another artifact, {manifest.fingerprint}")
        if key.kind in KINDS and (lacking := KINDS[key.kind].files - manifest.files.keys()):
            raise CorruptArtifactError(f"{folder}: {MANIFEST} lists no {' and no '.join(sorted(lacking))}")
        return manifest

    def unfinished(self) -> list[str]:
        """Name the fingerprints of unfinished attempts that left a checkpoint."""
        return Layout(self.root).checkpointed()

    def delete(self, key: ArtifactKey) -> None:
        """Delete an artifact, its manifest first, so that what is left after a kill is no artifact."""
        self._folder(key).delete(MANIFEST)
        self.root.delete(self._path(key))

    def check(self, key: ArtifactKey) -> Manifest | None:
        """Compare the sizes of an artifact's files with its manifest; None if there is no artifact.

        Returns:
            Its manifest.

        Raises:
            CorruptArtifactError: the manifest is broken, or a file is missing or has another size.
            SchemaError: a newer Lethe wrote it.
        """
        manifest = self.manifest(key)
        if manifest is not None:
            folder = self._folder(key)
            sizes = folder.sizes(".safetensors")
            for entry in manifest.files.values():
                if entry.file not in sizes:
                    raise CorruptArtifactError(f"{folder}: {entry.file} is missing")
                if sizes[entry.file] != entry.size_bytes:
                    raise CorruptArtifactError(
                        f"{folder}: {entry.file} has {sizes[entry.file]} bytes, its manifest promises "
                        f"{entry.size_bytes}"
                    )
        return manifest

    def load(self, key: ArtifactKey, names: Set[str] | None = None) -> Artifact | None:
        """Read an artifact, from this machine's cache where it can, and verify every checksum; None if there is none.

        Args:
            names: of the files to read; None for all.

        Raises:
            CorruptArtifactError: a file is missing, truncated or altered.
        """
        manifest = self.manifest(key)
        if manifest is None:
            return None
        wanted = manifest.files if names is None else manifest.files.keys() & names
        contents = {name: self._content(key, manifest.files[name]) for name in wanted}
        try:
            return Artifact({name: load_tensors(content) for name, content in contents.items()}, manifest)
        except SafetensorError as error:
            raise CorruptArtifactError(f"{self._folder(key)}: is not safetensors: {error}") from error

    def verify(self, key: ArtifactKey) -> Manifest | None:
        """Check every checksum of an artifact where it is stored, nothing decoded; None if there is no artifact.

        Returns:
            Its manifest.

        Raises:
            CorruptArtifactError: a file is missing, truncated or altered.
        """
        manifest = self.manifest(key)
        if manifest is not None:
            for entry in manifest.files.values():
                self._fetch(key, entry)
        return manifest

    def save(self, recipe: ArtifactRecipe, files: Mapping[str, Tensors], facts: Facts) -> Manifest:
        """Write an artifact, manifest last, and delete its checkpoint; one that another writer finished first stays."""
        key = recipe.key
        folder = self._folder(key)
        entries = {}
        for name, tensors in files.items():
            content = save_tensors({part: tensor.contiguous() for part, tensor in tensors.items()})
            file_name = f"{name}-{uuid4().hex[:8]}.safetensors"
            folder.write(file_name, content)
            entries[name] = FileEntry(file=file_name, sha256=digest(content), size_bytes=len(content))
        manifest = Manifest(
            format=FORMAT,
            fingerprint=key.fingerprint,
            kind=key.kind,
            version=recipe.version,
            inputs=cast(dict[str, JsonValue], dict(recipe.inputs)),
            requires={name: required.fingerprint for name, required in recipe.requires.items()},
            files=entries,
            facts=facts,
        )
        if not folder.create(MANIFEST, manifest.text()):
            faster = self.manifest(key)
            if faster is not None:
                for entry in entries.values():
                    folder.delete(entry.file)
                return faster
            folder.write(MANIFEST, manifest.text())  # over one of a format that is not used now
        self._drop_checkpoints(key, keep=None)
        return manifest

    def quarantine(self, key: ArtifactKey) -> str:
        """Move a broken artifact to quarantine; return where it is now."""
        return self.root.quarantine(self._path(key))

    def uri(self, key: ArtifactKey) -> str:
        """Return where an artifact is stored."""
        return str(self._folder(key))

    def save_checkpoint(self, key: ArtifactKey, state: Tensors) -> None:
        """Keep the state of an unfinished attempt instead of an earlier one."""
        content = save_tensors(state)
        name = f"{digest(content)[:32]}.safetensors"
        self._checkpoints(key).write(name, content)
        self._drop_checkpoints(key, keep=name)

    def checkpoint(self, key: ArtifactKey) -> Tensors | None:
        """Read the state of an unfinished attempt; a damaged one is deleted."""
        folder = self._checkpoints(key)
        for name in folder.names(suffix=".safetensors"):
            try:
                content = folder.read(name)
            except FileNotFoundError:  # another process has kept a later one
                continue
            if name == f"{digest(content)[:32]}.safetensors":
                with suppress(SafetensorError):
                    state: Tensors = load_tensors(content)
                    return state
            folder.delete(name)
        return None

    def drop_checkpoint(self, key: ArtifactKey) -> None:
        """Delete the state of an unfinished attempt."""
        self._drop_checkpoints(key, keep=None)

    def _content(self, key: ArtifactKey, entry: FileEntry) -> bytes:
        cached = self._cache.get(entry.sha256) if self._cache else None
        return self._fetch(key, entry) if cached is None else cached

    def _fetch(self, key: ArtifactKey, entry: FileEntry) -> bytes:
        """Read a file from where it is stored, verify it, and keep it for this machine's next reader."""
        folder = self._folder(key)
        try:
            content = folder.read(entry.file, entry.size_bytes)
        except FileNotFoundError as error:
            raise CorruptArtifactError(f"{folder}: {entry.file} is missing") from error
        except UnfitFileError as error:
            raise CorruptArtifactError(f"{folder}: {entry.file} is not what was written: {error}") from error
        if len(content) != entry.size_bytes or digest(content) != entry.sha256:
            raise CorruptArtifactError(
                f"{folder}: {entry.file} has {len(content)} bytes of another checksum than its manifest "
                f"promises ({entry.size_bytes} bytes)"
            )
        if self._cache:
            self._cache.keep(entry.sha256, content)
        return content

    def _drop_checkpoints(self, key: ArtifactKey, keep: str | None) -> None:
        folder = self._checkpoints(key)
        for name in folder.names(suffix=".safetensors"):
            if name != keep:
                folder.delete(name)

    def _path(self, key: ArtifactKey) -> str:
        return Layout(self.root).artifact_path(key.kind, key.fingerprint)

    def _folder(self, key: ArtifactKey) -> StorageRoot:
        return Layout(self.root).artifact(key.kind, key.fingerprint)

    def _checkpoints(self, key: ArtifactKey) -> StorageRoot:
        return Layout(self.root).checkpoints(key.fingerprint)
