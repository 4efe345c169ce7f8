"""The result store: every finished unit of work is one immutable Parquet part; writing it twice is writing it once.

    tables/<table>/<study>/<unit>.parquet               a part, named by the unit whose rows it holds
    tables/<table>/<study>/merged/<number>-*.parquet    a merged file: rows of many units, whose parts are gone
    copies/                                             a copy of many studies' merged files (``copies.py``)

Where several files hold rows of one unit, as after a compaction that was killed, those of the part count, else those of
the merged file with the highest number; so no row is ever seen twice. A reader lists the parts before the merged files,
and looks again if a file is gone that it has listed; so none is missed either. Readers need no lock and no server.

Each study has one writer, who alone compacts it (``compaction.py``). What the rows mean is told in ``rows.py``.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from lethe.place import Place, PlaceError
from lethe.results.copies import FOLDER, read_copy
from lethe.results.part import CorruptPartError, decode, encode
from lethe.results.rows import (
    TABLES,
    UNITS,
    ConfirmationRow,
    EpochRow,
    PredictionRow,
    Row,
    TableName,
    TrialRow,
)
from lethe.results.schema import schema_of, to_table
from lethe.versions import SchemaError

MERGED: Final = "merged"
SUFFIX: Final = ".parquet"

_READERS: Final = {"disk": 2, "object store": 16}
"""Threads that read parts: many hide the wait for an object store; before a disk they only wait for each other."""
_LOOKS: Final = 20
"""A reader looks so often for files that stay where they are; a compaction a minute takes one look."""
_SCHEMAS: Final = {table: schema_of(row_type) for table, row_type in TABLES.items()}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MERGED_FILE: Final = re.compile(rf"[^/]+/{MERGED}/\d{{8}}-[0-9a-f]{{8}}{re.escape(SUFFIX)}")
_OWNERS: Final[Mapping[TableName, TableName]] = {"epochs": "trials", "predictions": "confirmations"}
"""Rows that are seen once the row that they belong to is there."""


class CorruptPartWarning(UserWarning):
    """A part, or a saved query, is torn or changed: it is left out of what was read."""


@dataclass(frozen=True)
class Scan:
    """What was found of a table.

    Attributes:
        files: the rows of each file that count, by its name; the files of a study newest first.
        broken: what is wrong with the other files, by name.
    """

    files: Mapping[str, pa.Table]
    broken: Mapping[str, str]


@dataclass(frozen=True)
class Store:
    """The tables of a results place."""

    place: Place

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows of one unit (`UNITS`) of one table and study as its part; an older part of it is replaced.

        Raises:
            ValueError: no rows, rows of several tables, studies or units, or a name that cannot be a file's.
            ValueError, TypeError: a value does not fit its column, or is null where there must be one.
            PlaceError: the part could not be written.
        """
        kinds = {(type(row), row.study, getattr(row, UNITS[_table_of(type(row))])) for row in rows}
        if len(kinds) != 1:
            found = sorted(f"{row_type.__name__} '{unit}' of study '{study}'" for row_type, study, unit in kinds)
            raise ValueError(f"wanted rows of one table, study and unit, got {', '.join(found) or 'no rows'}")
        ((row_type, study, unit),) = kinds
        folder = self.files(_table_of(row_type), study)
        folder.write(_checked("unit", unit) + SUFFIX, encode(to_table(list(rows), row_type)))

    def append_trial(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        """Write a trial and its epochs; readers see both once the trial, written last, is there.

        Raises:
            As `append`.
        """
        if epochs:
            self.append(epochs)
        self.append([trial])

    def append_confirmation(self, confirmation: ConfirmationRow, predictions: Sequence[PredictionRow]) -> None:
        """Write a confirmation and its predictions; readers see both once the confirmation, written last, is there.

        Raises:
            As `append`.
        """
        if predictions:
            self.append(predictions)
        self.append([confirmation])

    def read(self, table: TableName, study: str | None = None) -> pa.Table:
        """Read the rows of a table, of one study or of all, in no particular order.

        Epochs are those of trials that are there, and predictions those of confirmations; of an artefact that several
        studies recorded, it is the latest. A broken part is left out with a `CorruptPartWarning`.

        Raises:
            SchemaError: a newer Lethe wrote a part.
            PlaceError: the place cannot be read.
        """
        rows = self._whole(table, study)
        if owner := _OWNERS.get(table):
            there = self._whole(owner, study)[UNITS[owner]]
            rows = rows.filter(pc.is_in(rows[UNITS[table]], value_set=there))
        if table == "artifacts":
            rows = _latest(rows, "artifact_id")
        return rows

    def studies(self) -> list[str]:
        """Name the studies that have rows in any table."""
        return sorted({name.split("/")[1] for name in self.place.child("tables").names(SUFFIX, recursive=True)})

    def files(self, table: TableName, study: str) -> Place:
        """Give the folder of a study's parts and merged files of a table."""
        return self.place.child("tables", table, _checked("study", study))

    def scan(self, table: TableName, study: str | None = None) -> Scan:
        """Read the files of a table, of one study or of all; their names start with the study's.

        Raises:
            SchemaError: a newer Lethe wrote a file.
            PlaceError: the place cannot be read.
        """
        return self._scan(table, study, use_copy=False)

    def _whole(self, table: TableName, study: str | None) -> pa.Table:
        """Read what is readable of a table, and warn of the rest."""
        scan = self._scan(table, study, use_copy=study is None)
        for name, why in scan.broken.items():
            warning = CorruptPartWarning(f"left out the broken part {self.place}/tables/{table}/{name}: {why}")
            warnings.warn(warning, stacklevel=3)
        return pa.concat_tables([_SCHEMAS[table].empty_table(), *scan.files.values()]).combine_chunks()

    def _scan(self, table: TableName, study: str | None, *, use_copy: bool) -> Scan:
        for _ in range(_LOOKS):
            try:
                return self._look(table, study, use_copy=use_copy)
            except FileNotFoundError:
                continue
        raise PlaceError(f"cannot read {self.place}/tables/{table}: its files change faster than they can be read")

    def _look(self, table: TableName, study: str | None, *, use_copy: bool) -> Scan:
        parts = [name for name in self._names(table, study) if name.count("/") == 1]
        merged = [name for name in self._names(table, study, MERGED) if is_merged(name)]
        names = [*parts, *sorted(merged, reverse=True)]
        copied = read_copy(self.place, table, _SCHEMAS[table], names) if use_copy else None
        if copied:
            names = [name for name in names if name.partition("/")[0] not in copied.studies]
        with ThreadPoolExecutor(_READERS["disk" if self.place.is_local else "object store"]) as pool:
            read = dict(zip(names, pool.map(lambda name: self._read_file(table, name), names), strict=True))
        whole = {name: rows for name, rows in read.items() if isinstance(rows, pa.Table)}
        broken = {name: str(error) for name, error in read.items() if isinstance(error, CorruptPartError)}
        return Scan({**_newest(whole, UNITS[table]), **({FOLDER: copied.rows} if copied else {})}, broken)

    def _names(self, table: TableName, study: str | None, folder: str | None = None) -> list[str]:
        """List a table's files as ``<study>/<file>``; of one study those in its folder alone."""
        tables = self.place.child("tables", table)
        if study is None:
            return tables.names(SUFFIX, recursive=True)
        path = "/".join([_checked("study", study), *([folder] if folder else [])])
        return [f"{path}/{name}" for name in tables.child(path).names(SUFFIX)]

    def _read_file(self, table: TableName, name: str) -> pa.Table | CorruptPartError:
        folder = self.place.child("tables", table)
        try:
            rows = decode(folder.read(name), _SCHEMAS[table])
        except CorruptPartError as error:
            return error
        except SchemaError as error:
            raise SchemaError(f"cannot read {folder}/{name}: {error}. Upgrade lethe.") from error
        return rows if is_merged(name) else _of_one_unit(rows, UNITS[table], name)


def is_merged(name: str) -> bool:
    """Tell a merged file by its name; other files in folders of a study's folder are none of Lethe's."""
    return _MERGED_FILE.fullmatch(name) is not None


def _of_one_unit(rows: pa.Table, key: str, name: str) -> pa.Table | CorruptPartError:
    """See that a part holds its own unit: a copy under another name would count its rows twice."""
    unit = name.rpartition("/")[2].removesuffix(SUFFIX)
    found = pc.unique(rows[key]).to_pylist()
    return rows if found == [unit] else CorruptPartError(f"it holds {', '.join(found) or 'no rows'}, not {unit}")


def _newest(files: Mapping[str, pa.Table], key: str) -> dict[str, pa.Table]:
    """Keep of each unit the rows of the first file that has any; each study's files come newest first."""
    by_study: defaultdict[str, list[str]] = defaultdict(list)
    for name in files:
        by_study[name.partition("/")[0]].append(name)
    kept = dict(files)
    for names in by_study.values():
        if not any(map(is_merged, names)):
            continue
        parts = [name for name in names if not is_merged(name)]
        seen = units_of((files[name] for name in parts), key)
        for name in names[len(parts) :]:
            rows = files[name]
            if len(seen):
                kept[name] = rows.filter(pc.invert(pc.is_in(rows[key], value_set=seen)))
            seen = units_of([pa.table({key: seen}), kept[name]], key)
    return kept


def units_of(tables: Iterable[pa.Table], key: str) -> pa.Array:
    """Name the units that tables hold rows of, each once."""
    columns = [chunk for table in tables for chunk in table[key].chunks]
    return pc.unique(pa.chunked_array(columns, pa.string()))


def _latest(rows: pa.Table, key: str) -> pa.Table:
    """Keep of the rows with the same key the one that ended last."""
    ordered = rows.sort_by([("ended_at", "descending"), ("study", "ascending")])
    numbered = ordered.append_column("row_number", pa.array(range(len(ordered)), pa.int64()))
    return ordered.take(numbered.group_by(key).aggregate([("row_number", "min")])["row_number_min"])


def _table_of(row_type: type[Row]) -> TableName:
    return next(table for table, member in TABLES.items() if member is row_type)


def _checked(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} '{name}': wanted letters, digits, '.', '_' and '-', the first a letter or digit")
    return name
