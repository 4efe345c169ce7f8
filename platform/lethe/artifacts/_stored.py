"""What the artifact store holds, and what lies beside it: everything that takes disk and can be made again."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from lethe.artifacts._cache import NodeCache
from lethe.artifacts._manifest import Manifest
from lethe.artifacts._recipe import ArtifactKey
from lethe.artifacts._store import MANIFEST, ArtifactStore, CorruptArtifactError
from lethe.artifacts.kinds import KINDS
from lethe.storage.layout import CHECKPOINTS, Layout
from lethe.storage.root import StorageRoot

Leftover = Literal["checkpoints", "unusable", "half_written", "quarantine", "cache"]

LEFTOVERS: Final[tuple[Leftover, ...]] = get_args(Leftover)
"""Checkpoints of artifacts that are finished; folders without an artifact that can be used, and files beside one that
its manifest does not name, since their writer died before it wrote its own; files that a process which died left half
written; what was found broken; and this machine's copies of files in an object store."""


@dataclass(frozen=True)
class StoredFolder:
    """A folder of the artifact store.

    Attributes:
        size_bytes: of all its files.
        manifest: what it holds; None where that was never finished, cannot be read, or is of a format not used now.
        whole: whether every file of the manifest is there with its size.
        strays: files that the manifest does not name, with their sizes; none where there is no manifest.
    """

    key: ArtifactKey
    size_bytes: int
    manifest: Manifest | None
    whole: bool
    strays: Mapping[str, int]


@dataclass(frozen=True)
class Stored:
    """Something that takes disk: an artifact, or what is left over.

    Attributes:
        kind: of the artifact, or of the leftover.
        name: the artifact's fingerprint, or a path.
        seconds: what making it took; 0 for what nobody needs.
        made_at: None for a leftover.
    """

    kind: str
    name: str
    size_bytes: int
    seconds: float = 0.0
    made_at: datetime | None = None

    @property
    def is_leftover(self) -> bool:
        """Return whether nothing is lost with it."""
        return self.kind in LEFTOVERS

    @property
    def key(self) -> ArtifactKey:
        """What the artifact is found by."""
        return ArtifactKey(self.kind, self.name)


def stored_folders(root: StorageRoot) -> list[StoredFolder]:
    """List the folders of the artifact store with a file in them, of kinds that this Lethe does not know too.

    Raises:
        SchemaError: a newer Lethe wrote an artifact.
        StorageError: the results cannot be read.
    """
    store, found = ArtifactStore(root, keep=False), _folders(Layout(root).artifacts)
    keys = [ArtifactKey(kind, name) for kind, name in found if kind != CHECKPOINTS]
    with ThreadPoolExecutor(root.parallel_reads) as threads:
        return list(threads.map(lambda key: _stored_folder(store, key, found[key.kind, key.fingerprint]), keys))


def stored(root: StorageRoot) -> list[Stored]:
    """List the artifacts of a storage root, and what is left over; of a kind that is not known, nothing.

    The cache of this machine counts where the results are in an object store, whose files it holds.

    Raises:
        SchemaError: a newer Lethe wrote an artifact.
        StorageError: the results cannot be read.
    """
    found = [part for one in stored_folders(root) if one.key.kind in KINDS for part in _of_folder(one)]
    usable = {one.name for one in found if not one.is_leftover}
    layout = Layout(root)
    states = layout.artifacts.child(CHECKPOINTS)
    checkpoints = {name: sum(states.child(name).sizes().values()) for name in layout.checkpointed() if name in usable}
    return [
        *found,
        *(Stored("checkpoints", name, size) for name, size in checkpoints.items()),
        *(Stored("half_written", path, size) for path, size in layout.half_written().items()),
        *_whole("quarantine", sum(layout.quarantine.sizes(recursive=True).values())),
        *_whole("cache", NodeCache().size_bytes if root.worth_caching else 0),
    ]


def delete_stored(root: StorageRoot, one: Stored) -> None:
    """Delete what `stored` listed; nothing happens where it is gone.

    Raises:
        StorageError: it could not be deleted.
    """
    match one.kind:
        case "checkpoints":
            Layout(root).artifacts.delete(f"{CHECKPOINTS}/{one.name}")
        case "unusable":
            Layout(root).artifacts.delete(one.name)
        case "half_written":
            root.delete(one.name)
        case "quarantine":
            for name in Layout(root).quarantine.entries():
                Layout(root).quarantine.delete(name)
        case "cache":
            NodeCache().clear()
        case _:
            ArtifactStore(root, keep=False).delete(one.key)


def _folders(artifacts: StorageRoot) -> Mapping[tuple[str, str], Mapping[str, int]]:
    """Return the sizes of the files of each folder, by kind and fingerprint."""
    found: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for path, size in artifacts.sizes(recursive=True).items():
        kind, _, rest = path.partition("/")
        name, in_folder, file = rest.partition("/")
        if in_folder:
            found[kind, name][file] = size
    return found


def _stored_folder(store: ArtifactStore, key: ArtifactKey, sizes: Mapping[str, int]) -> StoredFolder:
    try:
        manifest = store.manifest(key)
    except CorruptArtifactError:
        manifest = None
    size_bytes = sum(sizes.values())
    if manifest is None:
        return StoredFolder(key, size_bytes, None, whole=False, strays={})
    entries = manifest.files.values()
    whole = all(sizes.get(entry.file) == entry.size_bytes for entry in entries)
    named = {MANIFEST, *(entry.file for entry in entries)}
    return StoredFolder(key, size_bytes, manifest, whole, {name: sizes[name] for name in sizes.keys() - named})


def _of_folder(folder: StoredFolder) -> Iterator[Stored]:
    """Yield what a folder holds: an artifact and what is left over beside it, or nothing that can be used."""
    key, manifest = folder.key, folder.manifest
    path = f"{key.kind}/{key.fingerprint}"
    if manifest is None or not folder.whole:
        yield Stored("unusable", path, folder.size_bytes)
        return
    facts, own_bytes = manifest.facts, folder.size_bytes - sum(folder.strays.values())
    yield Stored(key.kind, key.fingerprint, own_bytes, facts.seconds_train, facts.ended_at)
    for name, size_bytes in sorted(folder.strays.items()):
        yield Stored("unusable", f"{path}/{name}", size_bytes)


def _whole(kind: Leftover, size_bytes: int) -> list[Stored]:
    return [Stored(kind, kind, size_bytes)] if size_bytes else []
