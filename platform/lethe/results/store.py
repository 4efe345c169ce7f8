"""The result store: every finished unit of work is one immutable Parquet part; writing it twice is writing it once.

    tables/<table>/<study>/<part>.parquet   the record
    merged/<table>/<study>.parquet          the same rows in one file, so that thousands of parts read fast

A merged file is a copy: it says which parts it repeats, in which state, and is passed over once that is no longer true.
Each study has one writer, who alone moves broken parts away; readers leave them out and need no lock and no server.
What the rows mean is told in ``rows.py``.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from lethe.place import Place
from lethe.results.part import CorruptPartError, Part, decode, encode
from lethe.results.rows import TABLES, EpochRow, Row, TableName, TrialRow
from lethe.results.schema import schema_of, to_table
from lethe.versions import SchemaError

_READERS: Final = {"disk": 2, "object store": 16}
"""Threads that read parts: many hide the wait for an object store; before a disk they only wait for each other."""
_SUFFIX: Final = ".parquet"
_SCHEMAS: Final = {table: schema_of(row_type) for table, row_type in TABLES.items()}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CorruptPartWarning(UserWarning):
    """A part is torn or changed: its rows are left out of what was read."""


@dataclass(frozen=True)
class Store:
    """The tables of a results place."""

    place: Place

    def append(self, rows: Sequence[Row], part: str) -> None:
        """Write rows of one table and one study as the part of that name; an older part of that name is replaced.

        Raises:
            ValueError: no rows, rows of several tables or studies, or a name that cannot be a file's.
            ValueError, TypeError: a value does not fit its column, or is null where there must be one.
            PlaceError: the part could not be written.
        """
        kinds = {(type(row), row.study) for row in rows}
        if len(kinds) != 1:
            found = sorted(f"{row_type.__name__} of study '{study}'" for row_type, study in kinds)
            raise ValueError(f"part '{part}': wanted rows of one table and one study, got {found or 'no rows'}")
        ((row_type, study),) = kinds
        folder = self._parts(_table_of(row_type)).child(_checked("study", study))
        table = to_table(list(rows), row_type)
        folder.write(_checked("part", part) + _SUFFIX, encode(Part(table, {})))

    def append_trial(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        """Write a trial and its epochs; readers see both once the trial, written last, is there.

        Raises:
            As `append`.
        """
        if epochs:
            self.append(epochs, trial.trial_id)
        self.append([trial], trial.trial_id)

    def read(self, table: TableName, study: str | None = None) -> pa.Table:
        """Read the rows of a table, of one study or of all, in no particular order.

        Epochs are those of trials that are there; of an artefact that several studies recorded, it is the latest.
        A broken part is left out with a `CorruptPartWarning`.

        Raises:
            SchemaError: a newer Lethe wrote a part.
        """
        rows = self._whole(table, study)
        if table == "epochs":
            trials = self._whole("trials", study)
            rows = rows.filter(pc.is_in(rows["trial_id"], value_set=trials["trial_id"]))
        if table == "artifacts":
            rows = _latest(rows, "artifact_id")
        return rows

    def studies(self) -> list[str]:
        """Name the studies that have rows in any table."""
        return sorted({name.split("/")[1] for name in self.place.child("tables").names(_SUFFIX, recursive=True)})

    def merge(self, study: str) -> list[str]:
        """Set a study's broken parts aside and copy the others of each table into one file.

        To be called by the study's writer, before it reads what is left to do and from time to time. A trial whose
        epochs are broken or missing is set aside with them, since both are one unit.

        Returns:
            What was set aside, why and where it lies now, a sentence each.

        Raises:
            SchemaError: a newer Lethe wrote a part.
            PlaceError: a file could not be written or moved.
        """
        scans = {table: self._scan(table, study) for table in TABLES}
        told = [
            f"broken part {self._parts(table)}/{name}: {why}; set aside as {self._set_aside(table, name)}"
            for table, scan in scans.items()
            for name, why in scan.broken.items()
        ]
        if bereft := _without_epochs(scans["trials"].rows, scans["epochs"].rows):
            for trial in bereft:
                where = self._set_aside("trials", f"{study}/{trial}{_SUFFIX}")
                told.append(f"trial {trial} has lost its epochs; set aside as {where}")
            scans["trials"] = self._scan("trials", study)
        for table, scan in scans.items():
            if scan.fresh:
                self._merged(table).write(study + _SUFFIX, encode(Part(scan.rows, scan.covers)))
        return told

    def _parts(self, table: TableName) -> Place:
        return self.place.child("tables", table)

    def _merged(self, table: TableName) -> Place:
        return self.place.child("merged", table)

    def _stamps(self, table: TableName, study: str | None) -> dict[str, str]:
        """List a table's parts as ``<study>/<part>.parquet``, each with the stamp of its present state."""
        if study is None:
            return self._parts(table).stamps(_SUFFIX, recursive=True)
        stamps = self._parts(table).child(_checked("study", study)).stamps(_SUFFIX)
        return {f"{study}/{name}": stamp for name, stamp in stamps.items()}

    def _set_aside(self, table: TableName, name: str) -> str:
        return self.place.set_aside(f"tables/{table}/{name}")

    def _whole(self, table: TableName, study: str | None) -> pa.Table:
        """Read what is readable of a table, and warn of the rest."""
        scan = self._scan(table, study)
        for name, why in scan.broken.items():
            warning = CorruptPartWarning(f"left out the broken part {self._parts(table)}/{name}: {why}")
            warnings.warn(warning, stacklevel=3)
        return scan.rows

    def _scan(self, table: TableName, study: str | None) -> "_Scan":
        stamps = self._stamps(table, study)
        merged = self._read_merged(table, study, stamps)
        repeated = {name for part in merged for name in part.covers}
        loose = sorted(stamps.keys() - repeated)
        with ThreadPoolExecutor(_READERS["disk" if self.place.is_local else "object store"]) as pool:
            read = dict(zip(loose, pool.map(lambda name: self._read_part(table, name), loose), strict=True))
        whole = {name: part.table for name, part in read.items() if isinstance(part, Part)}
        empty = _SCHEMAS[table].empty_table()
        return _Scan(
            pa.concat_tables([empty, *(part.table for part in merged), *whole.values()]).combine_chunks(),
            {name: stamps[name] for name in repeated | whole.keys()},
            bool(whole),
            {name: str(part) for name, part in read.items() if isinstance(part, CorruptPartError)},
        )

    def _read_merged(self, table: TableName, study: str | None, stamps: Mapping[str, str]) -> list[Part]:
        """Read the merged files whose parts are all as they were when they were merged."""
        folder = self._merged(table)
        names = [name for name in folder.names(_SUFFIX) if study is None or name == study + _SUFFIX]
        read = []
        for name in names:
            try:
                merged = decode(folder.read(name), _SCHEMAS[table])
            except (CorruptPartError, SchemaError):
                continue
            if merged.covers.items() <= stamps.items():
                read.append(merged)
        return read

    def _read_part(self, table: TableName, name: str) -> Part | CorruptPartError:
        folder = self._parts(table)
        try:
            return decode(folder.read(name), _SCHEMAS[table])
        except CorruptPartError as error:
            return error
        except FileNotFoundError:
            return CorruptPartError("it was moved away just now")
        except SchemaError as error:
            raise SchemaError(f"cannot read {folder}/{name}: {error}. Upgrade lethe.") from error


@dataclass(frozen=True)
class _Scan:
    """What was found of a table.

    Attributes:
        rows: all that could be read.
        covers: the parts that they come from, each with its stamp.
        fresh: some of these parts stand in no merged file that is true.
        broken: what is wrong with the other parts.
    """

    rows: pa.Table
    covers: Mapping[str, str]
    fresh: bool
    broken: Mapping[str, str]


def _without_epochs(trials: pa.Table, epochs: pa.Table) -> list[str]:
    """Name the trials of which no epoch is there, though they ran some."""
    present = pc.is_in(trials["trial_id"], value_set=epochs["trial_id"].unique())
    bereft = pc.and_(pc.greater(trials["epochs_done"], 0), pc.invert(present))
    names: list[str] = trials.filter(bereft)["trial_id"].to_pylist()
    return names


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
