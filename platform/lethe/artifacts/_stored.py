"""What the artifact store holds, and what lies beside it: everything that takes disk and can be made again."""

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from lethe.artifacts._cache import NodeCache
from lethe.artifacts._recipe import ArtifactKey
from lethe.artifacts._store import ArtifactStore, CorruptArtifactError
from lethe.artifacts.kinds import KINDS
from lethe.storage.layout import CHECKPOINTS, Layout
from lethe.storage.root import StorageRoot

Leftover = Literal["checkpoints", "unusable", "quarantine", "cache"]

LEFTOVERS: Final[tuple[Leftover, ...]] = get_args(Leftover)
"""Checkpoints of artifacts that are finished; folders without an artifact that can be used; what was found broken; and
this machine's copies of files in an object store."""


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


def stored(root: StorageRoot) -> list[Stored]:
    """List the artifacts of a storage root, and what is left over; of a kind that is not known, nothing.

    The cache of this machine counts where the results are in an object store, whose files it holds.

    Raises:
        SchemaError: a newer Lethe wrote an artifact.
        StorageError: the results cannot be read.
    """
    store = ArtifactStore(root, keep=False)
    sizes = _folder_sizes(Layout(root).artifacts)
    keys = [ArtifactKey(kind, name) for kind, name in sizes if kind in KINDS]
    with ThreadPoolExecutor(root.parallel_reads) as threads:
        found = list(threads.map(lambda key: _stored(store, key, sizes[key.kind, key.fingerprint]), keys))
    usable = {one.name for one in found if not one.is_leftover}
    checkpoints = {name: size for (kind, name), size in sizes.items() if kind == CHECKPOINTS and name in usable}
    return [
        *found,
        *(Stored("checkpoints", name, size) for name, size in checkpoints.items()),
        *_whole("quarantine", sum(Layout(root).quarantine.sizes(recursive=True).values())),
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
        case "quarantine":
            for name in Layout(root).quarantine.entries():
                Layout(root).quarantine.delete(name)
        case "cache":
            NodeCache().clear()
        case _:
            ArtifactStore(root, keep=False).delete(one.key)


def _folder_sizes(artifacts: StorageRoot) -> Mapping[tuple[str, str], int]:
    """Sum the sizes of files by kind and fingerprint."""
    sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for path, size in artifacts.sizes(recursive=True).items():
        kind, _, rest = path.partition("/")
        name, in_folder, _ = rest.partition("/")
        if in_folder:
            sizes[kind, name] += size
    return sizes


def _stored(store: ArtifactStore, key: ArtifactKey, size_bytes: int) -> Stored:
    try:
        manifest = store.check(key)
    except CorruptArtifactError:
        manifest = None
    if manifest is None:
        return Stored("unusable", f"{key.kind}/{key.fingerprint}", size_bytes)
    facts = manifest.facts
    return Stored(key.kind, key.fingerprint, size_bytes, facts.seconds_train, facts.ended_at)


def _whole(kind: Leftover, size_bytes: int) -> list[Stored]:
    return [Stored(kind, kind, size_bytes)] if size_bytes else []
