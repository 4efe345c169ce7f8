"""A request as the results know it, without the data: which scenarios it is, and which of its images rows name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
        label: as reports call the request; where they call it several things, all of them with `or` between.
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
    own = _labels(store, study, boards)
    found = [
        hashes
        for hashes, labels in own.items()
        if hashes[0].startswith(data_hash)
        and (request in labels or (len(request) >= SHORTEST_HASH and hashes[1].startswith(request)))
    ]
    if len(found) != 1:
        known = "\n  ".join(f"{_named(labels)}, hash {asked}, data {data}" for (data, asked), labels in own.items())
        raise InputError(
            f"{'several requests' if found else 'no request'} of study {study} called '{request}' or of such a hash; "
            f"it has\n  {known or 'none'}"
        )
    [(data_hash, forget_hash)] = found
    label = " or ".join(own[data_hash, forget_hash])
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


def _labels(store: Store, study: str, boards: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return what reports call each request of a study, by the hashes of data and positions.

    Two requests that select the same images have one hash: a list of patients, and one of positions.
    """
    rows = store.read("confirmations", study).select(["scenario", "forget"]).to_pylist()
    of_scenario = {one["scenario"]: one["forget"] for one in rows}
    found: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for one in boards:
        if one["study"] == study:
            label = of_scenario.get(one["scenario"])
            found[one["data_hash"], one["forget_hash"]] |= {} if label is None else {label: None}
    return {hashes: tuple(sorted(labels)) for hashes, labels in found.items()}


def _named(labels: Sequence[str]) -> str:
    return " or ".join(f"'{label}'" for label in labels) or "not confirmed yet"
