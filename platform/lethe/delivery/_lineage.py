"""What is derived from the images of a request and still exists, as far as the results know.

Nothing is read but rows and manifests, so this works where the images are gone already. A model counts unless it is
known to have left the images out: the manifests of the request's oracles say the hash of what they left out, and only
models of this hash are known to be clean. What was computed from a model that counts, counts too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow.compute as pc

from lethe.artifacts import ArtifactKey, ArtifactStore, GivenModel, Manifest, stored_folders
from lethe.delivery._withdrawal import Withdrawal, images_of, personal, studies_on
from lethe.results import Store
from lethe.results.purges import read_purges
from lethe.storage.layout import Layout
from lethe.storage.writer_lock import studies_held
from lethe.study import StudyError, read_text
from unlearning.data import Folder, ImageTable

CACHED: Final = "images-*.npy"
"""The files in which a data source keeps decoded images (`unlearning.data`)."""

UNFINISHED: Final = "it was never finished, or its manifest is broken, so that nobody knows what it was made from"

OUTSIDE: Final = "outside of the results"

UNKNOWN: Final = (
    "Reports and pages that were written with images (without --no-images), tables exported to other "
    "files, and copies of the results.",
    "The images where they came from, their copies and backups, and files of images that a data source was made from.",
    "Copies of artifacts that machines keep of an object store (the folder that LETHE_CACHE names, else one among the "
    "temporary files), and models that were trained or made elsewhere.",
    "Data of another hash that holds the same images, such as an earlier state of the same table.",
)
"""What no row or manifest says, a sentence each."""


@dataclass(frozen=True)
class Trace:
    """Something derived from the images.

    Attributes:
        where: its path relative to the results, or words for what lies outside of them.
        key, manifest: of an artifact.
        study: of rows of predictions, whose.
        file: what lies outside of the results, on this machine.
        needed_by: what else needs it; empty where it may be removed.
        delivered: whether it is a model that was delivered, which is never removed.
        by_hand: whether nothing of Lethe's removes it.
    """

    what: str
    where: str
    why: str
    size_bytes: int | None = None
    key: ArtifactKey | None = None
    manifest: Manifest | None = None
    study: str | None = None
    file: Path | None = None
    needed_by: tuple[str, ...] = ()
    delivered: bool = False
    by_hand: bool = False


def lineage(withdrawal: Withdrawal, delivered: Set[str], held: Set[str] = frozenset()) -> list[Trace]:
    """List what is derived from the images of a request.

    Args:
        delivered: fingerprints of the models that were delivered.
        held: the studies that this process has, so that nobody else writes for them.
    """
    return [
        *_artifacts(withdrawal, delivered),
        *_unfinished(withdrawal),
        *_half_written(withdrawal, held),
        *_predictions(withdrawal),
        *_quarantined(withdrawal),
        *_caches(withdrawal),
        *_quoted(withdrawal),
    ]


def _artifacts(withdrawal: Withdrawal, delivered: Set[str]) -> Iterator[Trace]:
    folders = stored_folders(withdrawal.root)
    manifests = {one.key: one.manifest for one in folders if one.manifest is not None}
    reasons = _derived(manifests, withdrawal)
    users = _users(withdrawal, manifests)
    for key, why in reasons.items():
        manifest = manifests[key]
        yield Trace(
            what=key.kind.replace("_", " "),
            where=Layout(withdrawal.root).artifact_path(key.kind, key.fingerprint),
            why="it was delivered" if key.fingerprint in delivered else why,
            size_bytes=manifest.size_bytes,
            key=key,
            manifest=manifest,
            needed_by=tuple(sorted(users[key.fingerprint])),
            delivered=key.fingerprint in delivered,
        )
    begun = _purged(withdrawal)
    for one in folders:
        if one.manifest is None:
            known = one.key.fingerprint in begun
            yield Trace(
                what=one.key.kind.replace("_", " "),
                where=Layout(withdrawal.root).artifact_path(one.key.kind, one.key.fingerprint),
                why="its removal was interrupted" if known else UNFINISHED,
                size_bytes=one.size_bytes,
                key=one.key,
                needed_by=() if known else ("perhaps another study",),
            )


def _derived(manifests: Mapping[ArtifactKey, Manifest], withdrawal: Withdrawal) -> dict[ArtifactKey, str]:
    """Return why each artifact that is derived from the images counts."""
    clean, known = _left_out(manifests, withdrawal, "oracle"), _left_out(manifests, withdrawal, "original")
    seen: dict[ArtifactKey, str] = {}
    for key, manifest in manifests.items():
        on_data = "left_out" in manifest.inputs and manifest.inputs.get("data") == withdrawal.data_hash
        if on_data and manifest.inputs["left_out"] not in clean:
            certain = manifest.inputs["left_out"] in known
            seen[key] = "it was trained on the images" if certain else "it is not known to have left the images out"
    for key in _starts(manifests, withdrawal):
        seen.setdefault(key, "a model unlearned the images that was made from it")
    return _with_followers(manifests, seen, _purged(withdrawal))


def _left_out(
    manifests: Mapping[ArtifactKey, Manifest], withdrawal: Withdrawal, model: Literal["original", "oracle"]
) -> set[object]:
    """Return the hashes of what the request's originals, or its oracles, left out."""
    of_request = _of_request(withdrawal, model)
    found = (one for one in manifests.values() if one.fingerprint in of_request)
    return {one.inputs["left_out"] for one in found if "left_out" in one.inputs}


def _of_request(withdrawal: Withdrawal, model: Literal["original", "oracle"]) -> set[str]:
    """Return the fingerprints of the request's originals, or of its oracles."""
    rows = Store(withdrawal.root).read("confirmations").select(["study", "scenario", model]).to_pylist()
    of_request = {one[model] for one in rows if (one["study"], one["scenario"]) in withdrawal.scenarios}
    return of_request - {None}


def _starts(manifests: Mapping[ArtifactKey, Manifest], withdrawal: Withdrawal) -> Iterator[ArtifactKey]:
    """Name the models that others of the request were made from, and the weights of one that the user gave."""
    started = {
        one.requires["start"]
        for one in manifests.values()
        if "start" in one.requires and one.inputs.get("forgotten") == withdrawal.forget_hash
    }
    started |= _of_request(withdrawal, "original") & {
        key.fingerprint for key in manifests if key.kind == GivenModel.kind
    }
    started |= {
        fingerprint
        for key, one in manifests.items()
        if key.kind == GivenModel.kind and key.fingerprint in started
        for fingerprint in one.requires.values()
    }
    return (key for key in manifests if key.fingerprint in started)


def _purged(withdrawal: Withdrawal) -> set[str]:
    """Return the fingerprints of what counted and was removed before; what was made from it counts still."""
    return {
        removed.fingerprint
        for found in read_purges(withdrawal.root)
        if (found.record.data_sha256, found.record.request) == (withdrawal.data_hash, withdrawal.forget_hash)
        for removed in found.record.removed
        if removed.fingerprint is not None
    }


def _with_followers(
    manifests: Mapping[ArtifactKey, Manifest], seen: dict[ArtifactKey, str], purged: Set[str]
) -> dict[ArtifactKey, str]:
    """Add what was made from something that counts, and from that, to its end."""
    names = {key.fingerprint for key in seen} | purged
    while followers := {
        key: "it was made from a model that was trained on the images"
        for key, manifest in manifests.items()
        if key not in seen and names & set(manifest.requires.values())
    }:
        seen |= followers
        names |= {key.fingerprint for key in followers}
    return seen


def _users(withdrawal: Withdrawal, manifests: Mapping[ArtifactKey, Manifest]) -> dict[str, set[str]]:
    """Name what else needs an artifact, by its fingerprint: other studies, and other requests of this one.

    A study that reads a model as a member of a pool has no row that says so, so whoever needs a model needs those of
    other training seeds too.
    """
    store, users = Store(withdrawal.root), defaultdict[str, set[str]](set)
    for study in store.studies():
        for row in store.read("confirmations", study).select(["scenario", "original"]).to_pylist():
            users[row["original"]] |= _other(withdrawal, study, row["scenario"])
        for row in store.read("trials", study).select(["scenario", "originals"]).to_pylist():
            for fingerprint in row["originals"]:
                users[fingerprint] |= _other(withdrawal, study, row["scenario"])
        for row in store.read("artifacts", study).select(["artifact_id", "scenario"]).to_pylist():
            if row["scenario"] is not None or study != withdrawal.study:
                users[row["artifact_id"]] |= _other(withdrawal, study, row["scenario"])
    alike = defaultdict[str, set[str]](set)
    for manifest in manifests.values():
        alike[_without_seed(manifest)] |= users[manifest.fingerprint]
    for manifest in manifests.values():
        if "left_out" in manifest.inputs:
            users[manifest.fingerprint] = alike[_without_seed(manifest)]
    return users


def _other(withdrawal: Withdrawal, study: str, scenario: str | None) -> set[str]:
    if study != withdrawal.study:
        return {f"study {study}"}
    return set() if scenario in withdrawal.own else {"another request of the study"}


def _without_seed(manifest: Manifest) -> str:
    return str(sorted((name, value) for name, value in manifest.inputs.items() if name != "training_seed"))


def _unfinished(withdrawal: Withdrawal) -> Iterator[Trace]:
    for fingerprint in sorted(ArtifactStore(withdrawal.root, keep=False).unfinished()):
        yield Trace(
            what="state of an unfinished training",
            where=Layout(withdrawal.root).checkpoints_path(fingerprint),
            why="nobody knows which images it was trained on",
            needed_by=("a run that may go on from it",),
        )


def _half_written(withdrawal: Withdrawal, held: Set[str]) -> Iterator[Trace]:
    written = bool(studies_held(withdrawal.root).keys() - held)
    for path, size_bytes in Layout(withdrawal.root).half_written().items():
        yield Trace(
            what="a file that a process which died left half written",
            where=path,
            why="nobody knows what it holds",
            size_bytes=size_bytes,
            needed_by=("a run that may be writing it",) if written else (),
        )


def _predictions(withdrawal: Withdrawal) -> Iterator[Trace]:
    counts = _counts(withdrawal)
    lost = _found_by_own_rows_alone(withdrawal, counts)
    for study, count in counts.items():
        own = study == withdrawal.study
        yield Trace(
            what=f"{count:,} rows of predictions for single images",
            where=Layout(withdrawal.root).table_path("predictions", study),
            why="each says what a model answers for one of the images",
            study=study,
            needed_by=tuple(f"finding those of study {other}" for other in lost) if own else (f"study {study}",),
        )


def _counts(withdrawal: Withdrawal) -> dict[str, int]:
    """Count the rows of each study that are about the images; studies without any are left out."""
    store, images = Store(withdrawal.root), images_of(withdrawal)
    counts = {
        study: pc.sum(personal(store.read("predictions", study), scenarios, images)).as_py() or 0
        for study, scenarios in studies_on(withdrawal.root, withdrawal.data_hash).items()
    }
    return {study: count for study, count in counts.items() if count}


def _found_by_own_rows_alone(withdrawal: Withdrawal, counts: Mapping[str, int]) -> list[str]:
    """Name the other studies whose rows nobody would find any more without the study's own, which name the images."""
    others = counts.keys() - {withdrawal.study}
    same_request = {study for study, _ in withdrawal.scenarios}
    return [] if others & same_request else sorted(others)


def _quarantined(withdrawal: Withdrawal) -> Iterator[Trace]:
    names = Layout(withdrawal.root).quarantine.names(recursive=True)
    for path in dict.fromkeys("/".join(name.split("/")[:3]) for name in names if name.startswith("artifacts/")):
        yield Trace(
            what="broken artifact in quarantine",
            where=f"quarantine/{path}",
            why="nobody knows which images it was made from",
        )
    own = f"{Layout(withdrawal.root).table_path('predictions', withdrawal.study)}/"
    for name in (name for name in names if name.startswith(own)):
        yield Trace(
            what="broken rows of predictions in quarantine",
            where=f"quarantine/{name}",
            why="they may say what a model answers for one of the images",
        )


def _caches(withdrawal: Withdrawal) -> Iterator[Trace]:
    folders: dict[Path, None] = {}
    for row in Store(withdrawal.root).read("studies", withdrawal.study).to_pylist():
        try:
            study = read_text(row["specification"], row["specification_id"])
        except StudyError:
            yield Trace(
                what="a specification of the study that cannot be read here, such as one that needs a plug-in",
                where=Layout(withdrawal.root).table_path("studies", withdrawal.study),
                why="it may name a folder of decoded images",
                by_hand=True,
            )
            continue
        folders |= {
            source.cache: None for source in study.data if isinstance(source, Folder | ImageTable) and source.cache
        }
    for file in (file for folder in folders for file in sorted(folder.glob(CACHED))):
        yield Trace(
            what="decoded images that a data source keeps",
            where=f"{OUTSIDE}, in the folder `cache` of the study's data, on this machine",
            why="it may hold the images themselves",
            size_bytes=file.stat().st_size,
            file=file,
        )


def _quoted(withdrawal: Withdrawal) -> Iterator[Trace]:
    rows = Store(withdrawal.root).read("confirmations", withdrawal.study).select(["scenario", "forget_kind"])
    if any(one["scenario"] in withdrawal.own and one["forget_kind"] == "query" for one in rows.to_pylist()):
        yield Trace(
            what="the condition of the request, as it was written",
            where=Layout(withdrawal.root).table_path("studies", withdrawal.study),
            why="it may name people; rows of other tables have the beginning of it",
            by_hand=True,
        )
