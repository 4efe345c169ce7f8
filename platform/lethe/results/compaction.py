"""Compaction: many parts of a study become few merged files, and what is broken is moved to quarantine.

The merged file is written first and what it repeats is deleted then, so that a kill at any moment leaves every row
there, some of them twice; the store's readers count them once, and the next compaction deletes the rest. A merged file
grows until it holds `FULL_UNITS`; from then on it stays as it is, so that neither a compaction nor a broken file ever
costs more than so many units.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from lethe.results.copies import write_copy
from lethe.results.part import encode
from lethe.results.rows import TABLES, UNITS, TableName
from lethe.results.schema import without_nan
from lethe.results.store import Scan, Store, is_merged, units_of
from lethe.storage.layout import MERGED, SUFFIX, Layout

FULL_UNITS: Final = 10_000
"""Units, such as trials, after which a merged file no longer grows."""

_DELETERS: Final = 8


def compact(store: Store, study: str) -> list[str]:
    """Move a study's broken files to quarantine, and merge the parts of each table.

    To be called by the study's one writer (``lock.py``), before it reads what is left to do and from time to time. A
    trial whose epochs are broken or missing is moved to quarantine with them, since both are one unit.

    Returns:
        What was moved to quarantine, why and where it is now, a sentence each.

    Raises:
        SchemaError: a newer Lethe wrote a file.
        StorageError: a file could not be written, moved or deleted.
    """
    scans = {table: store.scan(table, study) for table in TABLES}
    told = [
        f"broken part {Layout(store.root).table(table)}/{name}: {why}; "
        f"moved to quarantine as {_set_aside(store, table, name)}"
        for table, scan in scans.items()
        for name, why in scan.broken.items()
    ]
    bereft = _without_epochs(scans["trials"], scans["epochs"])
    for table, scan in scans.items():
        lost = bereft if table == "trials" else pa.array([], pa.string())
        told += _compact(store, study, table, scan, lost)
    return told


def copy_tables(store: Store) -> None:
    """Copy the merged files of all studies into one file a table, so that queries over all of them are quick.

    Raises:
        SchemaError: a newer Lethe wrote a file.
        StorageError: a file could not be written.
    """
    for table in TABLES:
        files = store.scan(table).files
        loose = {name.partition("/")[0] for name in files if not is_merged(name)}
        merged = {name: rows for name, rows in files.items() if name.partition("/")[0] not in loose}
        if len(merged) > 1:
            write_copy(store.root, table, merged)


def _compact(store: Store, study: str, table: TableName, scan: Scan, lost: pa.Array) -> list[str]:
    key, folder = UNITS[table], store.files(table, study)
    merged = {name: rows for name, rows in scan.files.items() if is_merged(name)}
    parts = {name: rows for name, rows in scan.files.items() if name not in merged}
    growing = {name: rows for name, rows in merged.items() if _may_grow(rows, key) or _holds(rows, key, lost)}
    if not parts and not len(lost) and len(growing) < 2 and all(map(len, growing.values())):
        return []
    rows = without_nan(pa.concat_tables([*parts.values(), *growing.values()]))
    is_lost = pc.is_in(rows[key], value_set=lost)
    told = [_keep_lost(store, table, study, unit, rows) for unit in lost.to_pylist()]
    kept = rows.filter(pc.invert(is_lost)).combine_chunks()
    if len(kept):
        number = 1 + max((int(name.rpartition("/")[2].partition("-")[0]) for name in merged), default=0)
        folder.write(f"{MERGED}/{number:08d}-{uuid4().hex[:8]}{SUFFIX}", encode(kept))
    _delete(store, table, {**parts, **growing})
    return told


def _may_grow(rows: pa.Table, key: str) -> bool:
    return int(pc.count_distinct(rows[key]).as_py()) < FULL_UNITS


def _holds(rows: pa.Table, key: str, units: pa.Array) -> bool:
    return bool(pc.any(pc.is_in(rows[key], value_set=units)).as_py())


def _keep_lost(store: Store, table: TableName, study: str, unit: str, rows: pa.Table) -> str:
    """Write the row of a trial without epochs to quarantine."""
    name = Layout(store.root).table_path(table, f"{study}/{unit}{SUFFIX}")
    where = store.root.quarantine_copy(name, encode(rows.filter(pc.equal(rows[UNITS[table]], unit))))
    return f"trial {unit} has lost its epochs; moved to quarantine as {where}"


def _delete(store: Store, table: TableName, files: Mapping[str, pa.Table]) -> None:
    folder = Layout(store.root).table(table)
    with ThreadPoolExecutor(_DELETERS) as artifacts:
        list(artifacts.map(folder.delete, files))


def _set_aside(store: Store, table: TableName, name: str) -> str:
    return store.root.quarantine(Layout(store.root).table_path(table, name))


def _without_epochs(trials: Scan, epochs: Scan) -> pa.Array:
    """Name the trials that have run epochs, none of which is stored."""
    present = units_of(epochs.files.values(), "trial_id")
    ran = units_of((rows.filter(pc.greater(rows["epochs_done"], 0)) for rows in trials.files.values()), "trial_id")
    return ran.filter(pc.invert(pc.is_in(ran, value_set=present)))
