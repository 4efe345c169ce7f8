"""A request as the results know it, without the data: which scenarios it is, and which of its images rows name."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from lethe.errors import InputError
from lethe.results import Store
from lethe.storage.root import StorageRoot

SHORTEST_HASH: Final = 8


@dataclass(frozen=True)
class Withdrawal:
    """One request of a study.

    Attributes:
        label: as reports call the request.
        data_hash, forget_hash: of the images and labels, and of the positions, as in the table `boards`.
        scenarios: that have these, of all studies, as pairs of study and fingerprint.
    """

    root: StorageRoot
    study: str
    label: str
    data_hash: str
    forget_hash: str
    scenarios: frozenset[tuple[str, str]]

    @property
    def own(self) -> frozenset[str]:
        """The fingerprints of the study's own scenarios."""
        return frozenset(scenario for study, scenario in self.scenarios if study == self.study)


def find_withdrawal(root: StorageRoot, study: str, request: str, data_hash: str = "") -> Withdrawal:
    """Find a request of a study by its label or its hash.

    Args:
        request: as reports call it, or at least eight digits of its hash.
        data_hash: what the hash of the images and labels begins with, where the study has several data sets.

    Raises:
        InputError: the study has no such request, or several; the message lists those that it has.
    """
    store = Store(root)
    if study not in store.studies():
        known = ", ".join(store.studies()) or "none"
        raise InputError(f"no results of study {study} in {root}; studies there: {known}")
    boards = store.read("boards").select(["study", "scenario", "data_hash", "forget_hash"]).to_pylist()
    labels = _labels(store, study)
    own = {(one["data_hash"], one["forget_hash"]): one["scenario"] for one in boards if one["study"] == study}
    found = [
        (hashes, labels.get(scenario, ""))
        for hashes, scenario in own.items()
        if hashes[0].startswith(data_hash)
        and (labels.get(scenario) == request or (len(request) >= SHORTEST_HASH and hashes[1].startswith(request)))
    ]
    if len(found) != 1:
        known = "\n  ".join(f"'{labels.get(one, '')}', hash {asked}, data {data}" for (data, asked), one in own.items())
        raise InputError(
            f"{'several requests' if found else 'no request'} of study {study} called '{request}' or of such a hash; "
            f"it has\n  {known or 'none'}"
        )
    [((data_hash, forget_hash), label)] = found
    same = {
        (one["study"], one["scenario"])
        for one in boards
        if (one["data_hash"], one["forget_hash"]) == (data_hash, forget_hash)
    }
    return Withdrawal(root, study, label, data_hash, forget_hash, frozenset(same))


def studies_on(root: StorageRoot, data_hash: str) -> dict[str, frozenset[str]]:
    """Return the studies that have scenarios of such data, each with these."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in Store(root).read("boards").select(["study", "scenario", "data_hash"]).to_pylist():
        if one["data_hash"] == data_hash:
            found[one["study"]].add(one["scenario"])
    return {study: frozenset(scenarios) for study, scenarios in found.items()}


def images_of(withdrawal: Withdrawal) -> pa.Array:
    """Return the positions in train of the request's images, as far as rows still name them."""
    rows = Store(withdrawal.root).read("predictions")
    scenarios = pa.array([scenario for _, scenario in withdrawal.scenarios], pa.string())
    of_request = pc.and_(pc.is_in(rows["scenario"], value_set=scenarios), pc.not_equal(_split(rows), "control"))
    return pc.unique(rows.filter(of_request)["image"])


def personal(rows: pa.Table, scenarios: frozenset[str], images: pa.Array) -> pa.ChunkedArray:
    """Mark the rows of predictions of such images, by models of these scenarios."""
    of_data = pc.is_in(rows["scenario"], value_set=pa.array(sorted(scenarios), pa.string()))
    return pc.and_(of_data, pc.is_in(rows["image"], value_set=images.cast(pa.int64())))


def _split(rows: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(rows["split"], "forget")


def _labels(store: Store, study: str) -> dict[str, str]:
    """Return what reports call the request of each scenario."""
    rows = store.read("confirmations", study).select(["scenario", "forget"]).to_pylist()
    return {one["scenario"]: one["forget"] for one in rows}
