"""The result store: every finished unit of work is one immutable Parquet part; writing it twice is writing it once.

    <study>/<unit>.parquet               a part, named by the unit whose rows it holds
    <study>/merged/<number>-*.parquet    a merged file: rows of many units, whose parts are gone

Where several files hold rows of one unit, as after a compaction that was killed, those of the part count, else those of
the merged file with the highest number; so no row is ever seen twice. A reader lists the parts before the merged files,
and looks again if a file is gone that it has listed; so none is missed either. Readers need no lock and no server.

Rows belong to the study that they name. What lies in the folder of another one, such as a copy of a study's folder made
beside it, is named and left out, and no compaction touches it.

Each study has one writer, who alone compacts it (``compaction.py``). ``rows`` says what the rows mean.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from lethe.errors import InputError, LetheError, SchemaError
from lethe.results.copies import read_copy
from lethe.results.limits import Budget, TooLargeError, half_of_memory
from lethe.results.part import CorruptPartError, decode, encode, first_study
from lethe.results.rows import (
    TABLES,
    UNIT_ROWS,
    UNITS,
    ConfirmationRow,
    EpochRow,
    MeasureRow,
    PredictionRow,
    Row,
    TableName,
    TrialRow,
)
from lethe.results.schema import schema_of, to_table, without_nan
from lethe.storage.layout import MERGED, SUFFIX, Layout
from lethe.storage.root import StorageError, StorageRoot

_LOOKS: Final = 20
"""How often a reader lists the files again when one is gone; a compaction a minute costs one such retry."""
_SCHEMAS: Final = {table: schema_of(row_type) for table, row_type in TABLES.items()}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MERGED_FILE: Final = re.compile(rf"[^/]+/{MERGED}/\d{{8}}-[0-9a-f]{{8}}{re.escape(SUFFIX)}")
_OWNERS: Final[Mapping[TableName, TableName]] = {
    "epochs": "trials",
    "predictions": "confirmations",
    "recorded_measures": "confirmations",
}
"""Rows that are seen once the row that they belong to is there."""


class ResultsWarning(UserWarning):
    """Something about the results that whoever reads them must know."""


class CorruptPartWarning(ResultsWarning):
    """A part, or a saved query, is torn or changed: it is left out of what was read."""


class ForeignFolderWarning(ResultsWarning):
    """A folder of the tables holds rows of another study, or of none: it is left out of what was read."""


class ForeignFileError(LetheError):
    """A file whose rows name another study than the folder that it lies in; the message says which."""


@dataclass(frozen=True)
class Scan:
    """What was found of a table.

    Attributes:
        files: the rows of each file that count, by its name; the files of a study newest first.
        broken: what is wrong with those that are no whole parts, by name.
        foreign: why the rest belongs to no study of the table, by name.
    """

    files: Mapping[str, pa.Table]
    broken: Mapping[str, str]
    foreign: Mapping[str, str]


@dataclass(frozen=True)
class Store:
    """The tables of the results.

    Attributes:
        memory_bytes: what the rows of one table may take.
    """

    root: StorageRoot
    memory_bytes: int = field(default_factory=half_of_memory)

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows of one unit (`UNITS`) of one table and study as its part; an older part of it is replaced.

        Raises:
            ValueError: no rows, too many (`UNIT_ROWS`), rows of several tables, studies or units, or a name that cannot
                be a file's.
            ValueError, TypeError: a value does not fit its column, or is null where there must be one.
            StorageError: the part could not be written.
        """
        kinds = {(type(row), row.study, getattr(row, UNITS[_table_of(type(row))])) for row in rows}
        if len(kinds) != 1:
            found = sorted(f"{row_type.__name__} '{unit}' of study '{study}'" for row_type, study, unit in kinds)
            raise ValueError(f"wanted rows of one table, study and unit, got {', '.join(found) or 'no rows'}")
        ((row_type, study, unit),) = kinds
        table = _table_of(row_type)
        if len(rows) > UNIT_ROWS[table]:
            raise ValueError(f"wanted at most {UNIT_ROWS[table]:,} rows of '{unit}' in {table}, got {len(rows):,}")
        folder = self.files(table, study)
        folder.write(_checked("unit", unit) + SUFFIX, encode(to_table(list(rows), row_type)))

    def append_trial(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        """Write a trial and its epochs; readers see both once the trial, written last, is there.

        Raises:
            As `append`.
        """
        if epochs:
            self.append(epochs)
        self.append([trial])

    def append_confirmation(
        self,
        confirmation: ConfirmationRow,
        predictions: Sequence[PredictionRow],
        measures: Sequence[MeasureRow] = (),
    ) -> None:
        """Write a confirmation, its predictions and its measures; readers see all once the confirmation, the last, is.

        Raises:
            As `append`.
        """
        for rows in (predictions, measures):
            if rows:
                self.append(rows)
        self.append([confirmation])

    def read(self, table: TableName, study: str | None = None) -> pa.Table:
        """Read the rows of a table, of one study or of all, in no particular order.

        Epochs are those of trials that are there, predictions and measures those of confirmations; of an artifact that
        several studies recorded, it is the latest. A broken part is left out with a `CorruptPartWarning`, and rows that
        lie in the folder of another study with a `ForeignFolderWarning`.

        Raises:
            SchemaError: a newer Lethe wrote a part.
            TooLargeError: the rows take more memory than they may.
            StorageError: the results cannot be read.
        """
        rows = self._whole(table, study)
        if owner := _OWNERS.get(table):
            there = self._whole(owner, study)[UNITS[owner]]
            rows = rows.filter(pc.is_in(rows[UNITS[table]], value_set=there))
        if table == "artifacts":
            rows = _latest(rows, "artifact_id")
        return rows

    def studies(self) -> list[str]:
        """Name the studies that have rows in any table; a folder that holds only rows of others is none."""
        tables = {table: self._names(table, None) for table in TABLES}
        found: defaultdict[str, list[tuple[TableName, str]]] = defaultdict(list)
        for table, names in tables.items():
            for name in names:
                if _why_foreign(name) is None:
                    found[name.partition("/")[0]].append((table, name))
        return sorted(study for study, files in found.items() if self._is_study(study, files))

    def files(self, table: TableName, study: str) -> StorageRoot:
        """Return the folder of a study's parts and merged files of a table."""
        return self._table(table).child(_checked("study", study))

    def scan(self, table: TableName, study: str | None = None) -> Scan:
        """Read the files of a table, of one study or of all; their names start with the study's.

        Raises:
            SchemaError: a newer Lethe wrote a file.
            StorageError: the results cannot be read.
        """
        return self._scan(table, study, use_copy=False)

    def _whole(self, table: TableName, study: str | None) -> pa.Table:
        """Read what is readable of a table, and warn of the rest."""
        scan = self._scan(table, study, use_copy=study is None)
        where = self._table(table)
        for name, why in scan.broken.items():
            warnings.warn(CorruptPartWarning(f"left out the broken part {where}/{name}: {why}"), stacklevel=3)
        for folder, why in _by_folder(scan.foreign).items():
            warnings.warn(ForeignFolderWarning(f"left out files of {where}/{folder}: {why}"), stacklevel=3)
        rows = pa.concat_tables([_SCHEMAS[table].empty_table(), *scan.files.values()])
        return without_nan(rows).combine_chunks()

    def _scan(self, table: TableName, study: str | None, *, use_copy: bool) -> Scan:
        for _ in range(_LOOKS):
            try:
                return self._look(table, study, use_copy=use_copy)
            except FileNotFoundError:
                continue
        raise StorageError(f"cannot read {self._table(table)}: its files change faster than they can be read")

    def _look(self, table: TableName, study: str | None, *, use_copy: bool) -> Scan:
        listed = self._names(table, study)
        parts = [name for name in listed if _why_foreign(name) is None and not is_merged(name)]
        merged = [name for name in self._names(table, study, MERGED) if _why_foreign(name) is None and is_merged(name)]
        names = [*parts, *sorted(merged, reverse=True)]
        budget = Budget(self.memory_bytes)
        copied = read_copy(self.root, table, _SCHEMAS[table], names, budget) if use_copy else None
        if copied:
            names = [name for name in names if name.partition("/")[0] not in copied.studies]
        else:
            budget = Budget(self.memory_bytes)
        with ThreadPoolExecutor(self.root.parallel_reads) as readers:
            read = dict(zip(names, readers.map(lambda name: self._read_file(table, name, budget), names), strict=True))
        whole = {name: rows for name, rows in read.items() if isinstance(rows, pa.Table)}
        return Scan(
            {**_newest(whole, UNITS[table]), **({"copies": copied.rows} if copied else {})},
            broken={name: str(error) for name, error in read.items() if isinstance(error, CorruptPartError)},
            foreign={name: why for name in listed if (why := _why_foreign(name))}
            | {name: str(error) for name, error in read.items() if isinstance(error, ForeignFileError)},
        )

    def _table(self, table: TableName) -> StorageRoot:
        return Layout(self.root).table(table)

    def _names(self, table: TableName, study: str | None, folder: str | None = None) -> list[str]:
        """List a table's files as ``<study>/<file>``; of one study those in its folder alone."""
        tables = self._table(table)
        if study is None:
            return tables.names(SUFFIX, recursive=True)
        path = "/".join([_checked("study", study), *([folder] if folder else [])])
        return [f"{path}/{name}" for name in tables.child(path).names(SUFFIX)]

    def _read_file(self, table: TableName, name: str, budget: Budget) -> pa.Table | CorruptPartError | ForeignFileError:
        folder = self._table(table)
        most_rows = None if is_merged(name) else UNIT_ROWS[table]
        try:
            rows = decode(folder.read(name), _SCHEMAS[table], budget, most_rows)
        except CorruptPartError as error:
            return error
        except SchemaError as error:
            raise SchemaError(f"cannot read {folder}/{name}: {error}. Upgrade lethe.") from error
        except TooLargeError as error:
            raise TooLargeError(f"cannot read {folder}/{name}: {error}") from error
        return _of_its_study(rows, UNITS[table], name)

    def _is_study(self, folder: str, files: Iterable[tuple[TableName, str]]) -> bool:
        """Whether one of a folder's files holds rows of the study that it is named after, or none can be read."""
        others = False
        for table, name in files:
            with suppress(FileNotFoundError):
                study = first_study(self._table(table).read(name))
                if study == folder:
                    return True
                others = others or study is not None
        return not others


def is_merged(name: str) -> bool:
    """Return whether a name is a merged file's; other files in folders of a study's folder are none of Lethe's."""
    return _MERGED_FILE.fullmatch(name) is not None


def _why_foreign(name: str) -> str | None:
    """Return why a table's file can be none of a study's; None if it can be."""
    *folders, _ = PurePosixPath(name).parts
    if not folders:
        return "they lie in no study's folder"
    if not _NAME.fullmatch(folders[0]):
        return "no study can have this name"
    return None if len(folders) == 1 or is_merged(name) else "no study has such files"


def _by_folder(foreign: Mapping[str, str]) -> dict[str, str]:
    """Group messages about files by folder."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    for name, why in foreign.items():
        said[name.partition("/")[0]].add(why)
    return {folder: "; ".join(sorted(reasons)) for folder, reasons in said.items()}


def _of_its_study(rows: pa.Table, key: str, name: str) -> pa.Table | CorruptPartError | ForeignFileError:
    """Check that a file holds rows of the study that its folder is named after, and a part those of its own unit.

    A copy of a study under another name would count its rows twice, and so would a copy of a part.
    """
    study = name.partition("/")[0]
    studies = pc.unique(rows["study"]).to_pylist()
    if studies and studies != [study]:
        return ForeignFileError(f"their rows are of study {', '.join(studies)}; move them out of tables/")
    return rows if is_merged(name) else _of_one_unit(rows, key, name)


def _of_one_unit(rows: pa.Table, key: str, name: str) -> pa.Table | CorruptPartError:
    """Check that a part holds its own unit."""
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
        raise InputError(f"{what} '{name}': wanted letters, digits, '.', '_' and '-', the first a letter or digit")
    return name
