"""The lineage of a certificate: what the results know to exist, what was removed before, and what nobody can see."""

from lethe.delivery._delivered import Delivered
from lethe.delivery._lineage import UNKNOWN, Trace, lineage
from lethe.delivery._withdrawal import Withdrawal, find_withdrawal
from lethe.delivery.certificate._document import LineageSection, PurgeEntry, TraceEntry
from lethe.results.purges import FoundPurge, read_purges
from lethe.storage.layout import Layout


def lineage_section(delivered: Delivered) -> LineageSection:
    """Return what is derived from the images and exists now.

    Raises:
        BrokenSealError, MalformedError: the record of an earlier removal was changed.
    """
    scenario, name = delivered.model.scenario, delivered.study.name
    withdrawal = find_withdrawal(delivered.root, name, scenario.forget_hash, scenario.data_hash)
    traces = lineage(withdrawal, Layout(delivered.root).certified() | {delivered.model.fingerprint}, {name})
    asked = (withdrawal.data_hash, withdrawal.forget_hash)
    found = read_purges(delivered.root)
    purges = [one for one in found if (one.record.data_sha256, one.record.request) == asked]
    return LineageSection(
        exists=[_entry(one, withdrawal) for one in traces],
        purges=[_purge(one) for one in purges],
        unknown=list(UNKNOWN),
    )


def _entry(trace: Trace, withdrawal: Withdrawal) -> TraceEntry:
    command = f"lethe purge --study {withdrawal.study} --request {withdrawal.forget_hash[:12]} --yes"
    removed_by = f"{command} --all" if trace.needed_by else command
    return TraceEntry(
        what=trace.what,
        where=trace.where,
        why=trace.why,
        size_bytes=trace.size_bytes,
        needed_by=list(trace.needed_by),
        removed_by=None if trace.delivered or trace.by_hand else removed_by,
    )


def _purge(found: FoundPurge) -> PurgeEntry:
    record = found.record
    return PurgeEntry(
        at=record.at,
        finished=record.finished,
        removed=len(record.removed),
        signed_by=record.seal.public_key,
        record_sha256=found.sha256,
    )
