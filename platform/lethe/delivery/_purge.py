"""Removing what is derived from the images of a request: what is listed, what stays and why, and the record of it."""

from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from lethe.artifacts import ArtifactStore
from lethe.delivery._lineage import Trace, lineage
from lethe.delivery._withdrawal import Withdrawal, images_of, personal, studies_on
from lethe.results import Store
from lethe.results.purges import Kept, Purge, Removed, write_purge
from lethe.results.redaction import redact
from lethe.storage.layout import Layout
from lethe.storage.root import StorageError, StorageRoot
from lethe.storage.signing import SigningKey
from lethe.storage.writer_lock import studies_held, writing_study
from lethe.versions import installed


@dataclass(frozen=True)
class PurgePlan:
    """What a purge would remove, and what it would leave."""

    withdrawal: Withdrawal
    removed: tuple[Trace, ...]
    kept: tuple[Trace, ...]


def plan_purge(withdrawal: Withdrawal, *, everything: bool = False) -> PurgePlan:
    """List what is derived from the images of a request, and what of it may be removed; nothing is.

    Args:
        everything: whether what other studies and requests need is removed, too.
    """
    return _plan(withdrawal, everything, frozenset())


def purge(withdrawal: Withdrawal, key: SigningKey | None, *, everything: bool = False) -> tuple[PurgePlan, str]:
    """Remove what is derived from the images of a request, as `plan_purge` lists it while nobody adds to it.

    One that was interrupted is carried out by the same call.

    Args:
        key: signs the record.

    Returns:
        What was removed and what stays, and the path of the record, relative to the results.

    Raises:
        StudyHeldError: a study of the same data is being run, or one that has not recorded yet what its data is.
        StorageError: something could not be removed, or the record not be written; what was removed stays so.
    """
    root, lost = withdrawal.root, list[str]()
    with ExitStack() as locks:
        concerned = _hold_concerned(withdrawal, locks, lost.append)
        plan = _plan(withdrawal, everything, concerned)
        record = _record(plan, datetime.now(UTC))
        write_purge(root, record, key)
        _remove(plan)
        if lost:
            raise StorageError(f"{lost[0]}; the purge may not have removed everything: repeat it")
        return plan, write_purge(root, record.model_copy(update={"finished": True}), key)


def _plan(withdrawal: Withdrawal, everything: bool, held: Set[str]) -> PurgePlan:
    found = lineage(withdrawal, Layout(withdrawal.root).certified(), held)
    removed = tuple(one for one in found if _may_go(one, everything))
    return PurgePlan(withdrawal, removed, tuple(one for one in found if one not in removed))


def why_kept(trace: Trace) -> str:
    """Return why something stays."""
    if trace.delivered:
        return "it was delivered"
    if trace.by_hand:
        return "nothing of Lethe's removes it"
    return f"needed by {', '.join(trace.needed_by)}"


def _may_go(trace: Trace, everything: bool) -> bool:
    return not trace.delivered and not trace.by_hand and (everything or not trace.needed_by)


def _hold_concerned(withdrawal: Withdrawal, locks: ExitStack, on_lost: Callable[[str], None]) -> frozenset[str]:
    """Hold the studies that must not run meanwhile, those too that began while others were taken; name them."""
    held = frozenset[str]()
    while further := _concerned(withdrawal) - held:
        for study in sorted(further):
            locks.enter_context(writing_study(withdrawal.root, study, on_lost=on_lost))
        held |= further
    return held


def _concerned(withdrawal: Withdrawal) -> frozenset[str]:
    """Name the studies that must not run meanwhile: those on the same data, and those of which that is not known.

    A run needs models that it has no rows about yet.
    """
    known = set(Store(withdrawal.root).read("boards")["study"].to_pylist())
    unknown = studies_held(withdrawal.root).keys() - known
    return frozenset({withdrawal.study, *studies_on(withdrawal.root, withdrawal.data_hash), *unknown})


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
