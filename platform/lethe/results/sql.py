"""SQL over the result store, through DuckDB: tables, views and saved queries. It only reads, and nothing else."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from threading import Event
from typing import Final

import duckdb
import pyarrow as pa

from lethe.errors import InputError, LetheError
from lethe.results import functions
from lethe.results.limits import TIMEOUT_S, half_of_memory, in_words, parse_memory, within
from lethe.results.rows import IMAGES, RENAMED_COLUMNS, TABLES, TableName
from lethe.results.saved import check_name, read_saved, write_saved
from lethe.results.schema import describe
from lethe.results.store import ResultsWarning, Store
from lethe.results.views import VIEWS
from lethe.storage.root import StorageRoot

_READING: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)

_UNKNOWN_COLUMN: Final = re.compile(r'(?:Referenced column|column named) "(?P<name>\w+)"')

_SETTINGS: Final = (
    "SET TimeZone = 'UTC'",
    "SET temp_directory = ''",  # DuckDB lets SQL read the files in it, and by default it lies in the working folder
    "SET threads = 1",  # several add floats in another order each time, and the last digits differ
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryError(LetheError):
    """SQL that cannot be answered; the message says why and names the tables and views."""


class SameNameWarning(ResultsWarning):
    """Columns of an answer had the same name: all but the first have a number now."""


class Results:
    """The results of one study or of all: each table is read, and each view made, once, when a query first needs it.

    Args:
        where: the results, a folder or a URI.
        study: the one study whose rows are seen; all if not given.
        specification: the one specification whose boards are seen, by its fingerprint or the beginning of it; if not
            given, of each study the one that was run last. It belongs to one study, whose rows alone are seen.
        memory: what a table that is read, the work on an answer and the answer may each take, such as ``4GB``; half of
            the machine's if not given.
        timeout_s: what the work on an answer may take.

    Raises:
        QueryError: no specification, or several, have such a fingerprint.
        InputError: the memory is no size, or the time is not above zero.
    """

    def __init__(
        self,
        where: StorageRoot | str | Path,
        study: str | None = None,
        specification: str | None = None,
        *,
        memory: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not timeout_s > 0:
            raise InputError(f"wanted a time above 0 s for a query, got {timeout_s:g} s")
        self.root = StorageRoot.at(where)
        self.study = study
        self.specification = ""
        self._memory_bytes = parse_memory(memory) if memory else half_of_memory()
        self._timeout_s = timeout_s
        self._store = Store(self.root, self._memory_bytes)
        self._saved = read_saved(self.root)
        self._tables: dict[TableName, pa.Table] = {}
        self._images: pa.Table | None = None
        self._database: Database | None = None
        if specification is not None:
            self.study, self.specification = self._find(specification)
            self._tables.clear()
            self._database = None

    def query(self, sql: str) -> pa.Table:
        """As `query`."""
        if self._database is None:
            self._database = self._new_database(self._saved)
        try:
            return self._answer(sql, self._saved, self._database)
        except BaseException:
            self._database = None  # what was interrupted may still be at work there
            raise

    def load(self, name: str) -> pa.Table:
        """As `load`."""
        known = [*TABLES, *VIEWS, *self._saved]
        if name not in known:
            raise QueryError(f"there is no table, view or saved query '{name}'; there are {', '.join(known)}")
        return self.query(f'from "{name}"')

    def save(self, sql: str, name: str) -> str:
        """As `save_query`."""
        check_name(name)
        text = _only_statement(sql, self._saved)
        saved = self._saved | {name: text}
        self._answer(f'from "{name}" limit 0', saved, self._new_database(saved))
        return write_saved(self.root, name, text)

    def add_images(self, images: pa.Table) -> None:
        """Let the queries that follow read the table `images`, as `lethe.results.images` makes it.

        Raises:
            QueryError: a saved query has this name.
        """
        if IMAGES in self._saved:
            raise QueryError(f"there is a saved query '{IMAGES}', and the table of that name would hide it; rename it")
        self._images, self._database = images, None

    def _new_database(self, saved: Mapping[str, str]) -> "Database":
        database = Database(saved, self.specification, self._memory_bytes)
        if self._images is not None:
            database.connection.register(IMAGES, self._images)
        return database

    def _answer(self, sql: str, saved: Mapping[str, str], database: "Database") -> pa.Table:
        _only_statement(sql, saved)
        names = _needed_by(sql, saved)
        tables = self._read(names)

        def work() -> pa.Table:
            database.add(tables, names)
            return _fetch(database.connection, sql, self._memory_bytes)

        try:
            answer = within(self._timeout_s, work, database.interrupt)
        except TimeoutError:
            raise QueryError(
                f"no answer within {self._timeout_s:g} s; ask for less, or allow more "
                "(`lethe query --timeout`, timeout_s= in Python)"
            ) from None
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise QueryError(
                f"the answer takes more memory than the {in_words(self._memory_bytes)} that it may; ask for less, or "
                "allow more (`lethe query --memory`, memory= in Python)"
            ) from error
        except duckdb.Error as error:
            raise _told(str(error), saved) from error
        return _with_own_names(answer)

    def _find(self, beginning: str) -> tuple[str, str]:
        """Return the study and the fingerprint of the specification that begins so."""
        rows = self.query("select distinct study, specification_id as id from boards order by id, study").to_pylist()
        known = [row["id"] for row in rows]
        found = [row for row in rows if beginning and row["id"].startswith(beginning)]
        if len(found) != 1:
            of = f" of study {self.study}" if self.study else ""
            raise QueryError(
                f"{'several specifications' if found else 'no specification'}{of} in {self.root} whose fingerprint "
                f"begins with '{beginning}'; there are "
                f"{', '.join([row['id'] for row in found] or known) or 'none'}"
            )
        return found[0]["study"], found[0]["id"]

    def _read(self, names: Sequence[str]) -> dict[TableName, pa.Table]:
        """Return the tables of these names."""
        tables: dict[TableName, pa.Table] = {}
        for table in TABLES:
            if table in names:
                if table not in self._tables:
                    self._tables[table] = self._store.read(table, self.study)
                tables[table] = self._tables[table]
        if not any(map(len, tables.values())) and not self._store.studies():
            raise QueryError(f"no results in {self.root}: run a study there first, or name another results folder.")
        return tables


def query(
    sql: str,
    where: StorageRoot | str | Path,
    study: str | None = None,
    *,
    memory: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> pa.Table:
    """Answer one read-only statement over the tables, the views (`VIEWS`) and the saved queries of the results.

    A further table, ``columns``, has the type, unit and meaning of each column of these. Where columns of the answer
    have one name, as after ``select *`` from a join, all but the first get a number (``gap``, ``gap_1``), and a
    `SameNameWarning` says so.

    Args:
        sql: SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN, in DuckDB's dialect.
        where: the results, a folder or a URI.
        study: the one study whose rows are seen; all if not given.
        memory: what a table that is read, the work on the answer and the answer may each take, such as ``4GB``; half of
            the machine's if not given.
        timeout_s: what the work on the answer may take.

    Raises:
        QueryError: no single read-only statement, wrong SQL, no results there, or too little memory or time.
        TooLargeError: a table takes more memory than it may.
        InputError: the memory is no size, or the time is not above zero.
        SchemaError: a newer Lethe wrote a part.
    """
    return Results(where, study, memory=memory, timeout_s=timeout_s).query(sql)


def load(where: StorageRoot | str | Path, name: str = "trials", study: str | None = None) -> pa.Table:
    """Load a table, a view or a saved query of the results, for ``.to_pandas()`` or ``polars.from_arrow``.

    Args:
        where: the results, a folder or a URI.
        name: such as ``trials``, ``leaderboard`` or the name of a saved query.
        study: the one study whose rows are seen; all if not given.

    Raises:
        QueryError: no such name, or no results there.
        SchemaError: a newer Lethe wrote a part.
    """
    return Results(where, study).load(name)


def save_query(sql: str, name: str, where: StorageRoot | str | Path) -> str:
    """Save a query with the results, where it can be read as a view of this name; an older one is replaced.

    Returns:
        Where it lies.

    Raises:
        InputError: the name cannot be a query's.
        QueryError: the query has no answer, or not as a view.
        StorageError: it could not be written.
    """
    return Results(where).save(sql, name)


@cache
def columns() -> pa.Table:
    """Describe every column of every table and view."""
    row_types = [*TABLES.items(), *((name, view.row_type) for name, view in VIEWS.items())]
    described = [(name, column) for name, row_type in row_types for column in describe(row_type)]
    return pa.table(
        {
            "table_name": [name for name, _ in described],
            "column_name": [column.name for _, column in described],
            "type": [str(column.type) for _, column in described],
            "nullable": [column.nullable for _, column in described],
            "unit": [column.unit for _, column in described],
            "meaning": [column.meaning for _, column in described],
        }
    )


def _only_statement(sql: str, saved: Mapping[str, str]) -> str:
    """Return the one statement of SQL, which only reads, without what ends it."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise _told(str(error), saved) from error
    if len(statements) != 1 or statements[0].type not in _READING:
        found = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise _told(
            f"wanted one statement that only reads (SELECT, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN), got {found}.", saved
        )
    end = next((at for at, _ in duckdb.tokenize(sql) if sql.encode()[at:].startswith(b";")), None)
    return sql.encode()[:end].decode().strip()


class Database:
    """A locked database in memory, which gets the tables, views and saved queries as they are needed.

    Args:
        saved: saved queries by name.
        specification: whose boards the views show; empty: of each study the one that was run last.
        memory_bytes: what its work may take.
    """

    def __init__(self, saved: Mapping[str, str], specification: str, memory_bytes: int) -> None:
        self._views = dict(saved) | {name: view.sql for name, view in VIEWS.items()}
        self._specification = specification
        self._present: set[str] = set()
        self._stopped = Event()
        self.connection = duckdb.connect(":memory:", config={"memory_limit": f"{memory_bytes}B"})

    def add(self, tables: Mapping[TableName, pa.Table], names: Sequence[str]) -> None:
        """Add these tables, and the views and saved queries among these names, unless they are there."""
        if not self._present:
            self._prepare()
        for table, rows in tables.items():
            if table not in self._present:
                self.connection.register(table, rows)
                self._present.add(table)
        for name in names:
            if name in self._views and name not in self._present:
                if name in VIEWS and VIEWS[name].kept:
                    self.connection.execute(f'create table "{name}" as {self._views[name]}')
                else:
                    _create_view(self.connection, name, self._views[name])
                self._present.add(name)

    def interrupt(self) -> None:
        """Ask what is at work to end; nothing can be asked of the database afterwards."""
        self._stopped.set()
        with suppress(duckdb.ConnectionException):  # the work has ended meanwhile
            self.connection.interrupt()

    def _prepare(self) -> None:
        """Add what every query may use, and lock the settings."""
        self.connection.register("columns", columns())
        functions.register(self.connection, self._stopped)
        self.connection.execute("SET VARIABLE specification = $1", [self._specification])
        for setting in _SETTINGS:
            self.connection.execute(setting)
        self._present.add("columns")


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, limit_bytes: int) -> pa.Table:
    """Fetch an answer batch by batch, since what it takes outside the database is not counted there.

    Raises:
        MemoryError: it takes more than it may.
    """
    reader = pa.RecordBatchReader.from_stream(connection.sql(sql))
    batches, held_bytes = [], 0
    for batch in reader:
        batches.append(batch)
        held_bytes += batch.nbytes
        if held_bytes > limit_bytes:
            raise MemoryError
    return pa.Table.from_batches(batches, reader.schema)


def _with_own_names(answer: pa.Table) -> pa.Table:
    """Number the columns that have the name of an earlier one, as DuckDB does in a view."""
    repeated = [name for name, times in Counter(answer.column_names).items() if times > 1]
    if not repeated:
        return answer
    names: list[str] = []
    for name in answer.column_names:
        numbered = (f"{name}_{number}" for number in count(1))
        free = (one for one in numbered if one not in names and one not in answer.column_names)
        names.append(next(free) if name in names else name)
    renamed = [own for own, name in zip(names, answer.column_names, strict=True) if own != name]
    warning = f"several columns are named {', '.join(repeated)}: the later ones are {', '.join(renamed)} in the answer"
    warnings.warn(SameNameWarning(warning), stacklevel=4)
    return answer.rename_columns(names)


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    view = f'create view "{name}" as {sql}'
    try:
        if len(duckdb.extract_statements(view)) != 1:
            raise QueryError(f"the saved query '{name}' has no answer: it is more than one statement")
        connection.execute(view)
    except duckdb.Error as error:
        raise QueryError(f"the saved query '{name}' has no answer: {_with_todays_name(str(error))}") from error


def _needed_by(sql: str, saved: Mapping[str, str]) -> list[str]:
    """Name the tables, views and saved queries that the SQL may need, each after those that it uses.

    Those are the ones that it mentions; where it mentions none, as in ``show tables``, all.
    """
    texts: dict[str, str] = dict.fromkeys((*TABLES, IMAGES), "") | dict(saved)
    texts |= {name: view.sql for name, view in VIEWS.items()}
    ordered: list[str] = []

    def visit(text: str, above: tuple[str, ...]) -> None:
        words = set(re.findall(r"\w+", text.lower()))
        for name in texts:
            if name.lower() in words and name not in above and name not in ordered:
                visit(texts[name], (*above, name))
                ordered.append(name)

    visit(sql, ())
    if not ordered:
        visit(" ".join(texts), ())
    return ordered


def _told(problem: str, saved: Mapping[str, str]) -> QueryError:
    """Make the error of a query that has no answer."""
    own = f" Saved queries: {', '.join(saved)}." if saved else ""
    known = f"Tables: {', '.join(TABLES)}. Views: {', '.join(VIEWS)}. With --names: {IMAGES}.{own}"
    return QueryError(f"{_with_todays_name(problem)}\n{known} What their columns mean: FROM columns.")


def _with_todays_name(problem: str) -> str:
    """Name the renamed column where DuckDB misses it by the name that it had in an early version."""
    found = _UNKNOWN_COLUMN.search(problem)
    old = found["name"].lower() if found else ""
    if old not in RENAMED_COLUMNS:
        return problem
    return f"the column '{old}' is called '{RENAMED_COLUMNS[old]}' since version 6 of the schema.\n{problem}"
