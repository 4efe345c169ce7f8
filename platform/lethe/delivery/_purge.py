"""Removing what is derived from the images of a request: what is listed, what stays and why, and the record of it."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from lethe.artifacts import ArtifactStore
from lethe.delivery._lineage import Trace, lineage
from lethe.delivery._withdrawal import Withdrawal, images_of, personal, studies_on
from lethe.delivery.certificate import certified
from lethe.results import Store
from lethe.results.purges import Kept, Purge, Removed, write_purge
from lethe.results.redaction import redact
from lethe.storage.root import StorageError, StorageRoot
from lethe.storage.signing import SigningKey
from lethe.storage.writer_lock import writing_study
from lethe.versions import installed


@dataclass(frozen=True)
class PurgePlan:
    """What a purge would remove, and what it would leave."""

    withdrawal: Withdrawal
    removed: tuple[Trace, ...]
    kept: tuple[Trace, ...]


def plan_purge(withdrawal: Withdrawal, *, everything: bool = False) -> PurgePlan:
    """List what is derived from the images of a request, and what of it may be removed.

    Args:
        everything: whether what other studies and requests need is removed, too.
    """
    found = lineage(withdrawal, certified(withdrawal.root))
    removed = tuple(one for one in found if _may_go(one, everything))
    return PurgePlan(withdrawal, removed, tuple(one for one in found if one not in removed))


def purge(plan: PurgePlan, key: SigningKey | None) -> str:
    """Remove what a plan lists; return the path of the record, relative to the results.

    A plan that was interrupted is made and carried out again.

    Raises:
        StudyHeldError: the study is being run, or one that needs something that is removed.
        StorageError: something could not be removed, or the record not be written; what was removed stays so.
    """
    root, lost = plan.withdrawal.root, list[str]()
    with ExitStack() as held:
        for study in _concerned(plan):
            held.enter_context(writing_study(root, study, on_lost=lost.append))
        record = _record(plan, datetime.now(UTC))
        write_purge(root, record, key)
        _remove(plan)
        if lost:
            raise StorageError(f"{lost[0]}; the purge may not have removed everything: repeat it")
        return write_purge(root, record.model_copy(update={"finished": True}), key)


def why_kept(trace: Trace) -> str:
    """Return why something stays."""
    if trace.delivered:
        return "it was delivered"
    if trace.by_hand:
        return "nothing of Lethe's removes it"
    return f"needed by {', '.join(trace.needed_by)}"


def _may_go(trace: Trace, everything: bool) -> bool:
    return not trace.delivered and not trace.by_hand and (everything or not trace.needed_by)


def _concerned(plan: PurgePlan) -> list[str]:
    """Name the studies that must not run meanwhile: of all on the same data, where something goes that others need."""
    asked = plan.withdrawal
    others = studies_on(asked.root, asked.data_hash) if any(one.needed_by for one in plan.removed) else {}
    return sorted({asked.study, *others})


def _remove(plan: PurgePlan) -> None:
    root = plan.withdrawal.root
    _remove_rows(plan.withdrawal, [one.study for one in plan.removed if one.study])
    artifacts = ArtifactStore(root, keep=False)
    for one in plan.removed:
        if one.key is not None:
            artifacts.delete(one.key)
        elif one.file is not None:
            StorageRoot.at(one.file.parent).delete(one.file.name)
        elif one.study is None:
            root.delete(one.where)


def _remove_rows(withdrawal: Withdrawal, studies: Iterable[str]) -> None:
    """Take out the rows of studies; the own ones go last, since they name the images by which others are found."""
    store, images = Store(withdrawal.root), images_of(withdrawal)
    scenarios = studies_on(withdrawal.root, withdrawal.data_hash)
    for study in sorted(studies, key=withdrawal.study.__eq__):
        redact(store, "predictions", study, partial(personal, scenarios=scenarios[study], images=images))


def _record(plan: PurgePlan, at: datetime) -> Purge:
    return Purge(
        document="lethe purge",
        schema_version=1,
        at=at,
        finished=False,
        study=plan.withdrawal.study,
        data_sha256=plan.withdrawal.data_hash,
        request=plan.withdrawal.forget_hash,
        removed=_removed(plan.removed),
        kept=[Kept(what=one.what, where=one.where, why=why_kept(one)) for one in plan.kept],
        lethe=installed("lethe"),
    )


def _removed(traces: Sequence[Trace]) -> list[Removed]:
    return [
        Removed(
            what=one.what,
            where=one.where,
            fingerprint=one.key.fingerprint if one.key else None,
            sha256={file.file: file.sha256 for file in one.manifest.files.values()} if one.manifest else {},
            size_bytes=one.size_bytes,
        )
        for one in traces
    ]
