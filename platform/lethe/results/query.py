"""SQL over the result store, through DuckDB: tables, views and saved queries. It only reads, and nothing else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from lethe.place import Place
from lethe.results import functions
from lethe.results.rows import TABLES, TableName
from lethe.results.saved import check_name, read_saved, write_saved
from lethe.results.schema import describe
from lethe.results.store import Store
from lethe.results.views import VIEWS

_READING: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)

_SETTINGS: Final = (
    "SET TimeZone = 'UTC'",
    "SET threads = 1",  # several add floats in another order each time, and the last digits differ
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryError(Exception):
    """SQL that cannot be answered; the message says why and names the tables and views."""


class Results:
    """The results of a place, of one study or of all: each table is read once, when a question first needs it.

    Args:
        where: the results place.
        study: the one study whose rows are seen; all if not given.
        specification: the one specification whose boards are seen, by its fingerprint or the beginning of it; if not
            given, of each study the one that was run last.

    Raises:
        QueryError: no specification, or several, have such a fingerprint.
    """

    def __init__(self, where: Place | str | Path, study: str | None = None, specification: str | None = None) -> None:
        self.place = Place.at(where)
        self.study = study
        self.specification = ""
        self._store = Store(self.place)
        self._saved = read_saved(self.place)
        self._tables: dict[TableName, pa.Table] = {}
        if specification is not None:
            self.specification = self._find(specification)

    def query(self, sql: str) -> pa.Table:
        """As `query`."""
        return self._answer(sql, self._saved)

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
        self._answer(f'from "{name}" limit 0', self._saved | {name: text})
        return write_saved(self.place, name, text)

    def _answer(self, sql: str, saved: Mapping[str, str]) -> pa.Table:
        _only_statement(sql, saved)
        names = _needed_by(sql, saved)
        with connected(self._read(names), names, saved, self.specification) as connection:
            try:
                answer: pa.Table = connection.sql(sql).to_arrow_table()
            except duckdb.Error as error:
                raise _told(str(error), saved) from error
        return answer

    def _find(self, beginning: str) -> str:
        """Return the fingerprint of the specification that begins so."""
        known = self.query("select distinct specification_id as id from boards order by id")["id"].to_pylist()
        found = [one for one in known if beginning and one.startswith(beginning)]
        if len(found) != 1:
            of = f" of study {self.study}" if self.study else ""
            raise QueryError(
                f"{'several specifications' if found else 'no specification'}{of} in {self.place} whose fingerprint "
                f"begins with '{beginning}'; there are {', '.join(found or known) or 'none'}"
            )
        return str(found[0])

    def _read(self, names: Sequence[str]) -> dict[TableName, pa.Table]:
        """Give the tables of these names."""
        tables: dict[TableName, pa.Table] = {}
        for table in TABLES:
            if table in names:
                if table not in self._tables:
                    self._tables[table] = self._store.read(table, self.study)
                tables[table] = self._tables[table]
        if not any(map(len, tables.values())) and not self._store.studies():
            raise QueryError(f"no results in {self.place}: run a study there first, or name another results place.")
        return tables


def query(sql: str, where: Place | str | Path, study: str | None = None) -> pa.Table:
    """Answer one reading statement over the tables, the views (`VIEWS`) and the saved queries of a results place.

    A further table, ``columns``, tells of each column of these its type, unit and meaning.

    Args:
        sql: SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN, in DuckDB's dialect.
        where: the results place.
        study: the one study whose rows are seen; all if not given.

    Raises:
        QueryError: no single reading statement, wrong SQL, or no results in the place.
        SchemaError: a newer Lethe wrote a part.
    """
    return Results(where, study).query(sql)


def load(where: Place | str | Path, name: str = "trials", study: str | None = None) -> pa.Table:
    """Load a table, a view or a saved query of a results place; ``.to_pandas()`` and ``polars.from_arrow`` take it on.

    Args:
        where: the results place.
        name: such as ``trials``, ``leaderboard`` or the name of a saved query.
        study: the one study whose rows are seen; all if not given.

    Raises:
        QueryError: no such name, or no results in the place.
        SchemaError: a newer Lethe wrote a part.
    """
    return Results(where, study).load(name)


def save_query(sql: str, name: str, where: Place | str | Path) -> str:
    """Keep a query beside the results, where it can be read as a view of this name; an older one is replaced.

    Returns:
        Where it lies.

    Raises:
        ValueError: the name cannot be a query's.
        QueryError: the query has no answer that a view could give.
        PlaceError: it could not be written.
    """
    return Results(where).save(sql, name)


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
    """Give the one statement of SQL, which only reads, without what ends it."""
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


@contextmanager
def connected(
    tables: Mapping[TableName, pa.Table], names: Sequence[str], saved: Mapping[str, str], specification: str = ""
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that holds the tables, views and saved queries of these names, and no way out of it.

    Args:
        specification: whose boards the views show; empty: of each study the one that was run last.
    """
    with duckdb.connect(":memory:") as connection:
        for table, rows in tables.items():
            connection.register(table, rows)
        connection.register("columns", columns())
        functions.register(connection)
        connection.execute("SET VARIABLE specification = $1", [specification])
        for setting in _SETTINGS:
            connection.execute(setting)
        for name in names:
            if name in VIEWS or name in saved:
                _create_view(connection, name, VIEWS[name].sql if name in VIEWS else saved[name])
        yield connection


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    view = f'create view "{name}" as {sql}'
    try:
        if len(duckdb.extract_statements(view)) != 1:
            raise QueryError(f"the saved query '{name}' has no answer: it is more than one statement")
        connection.execute(view)
    except duckdb.Error as error:
        raise QueryError(f"the saved query '{name}' has no answer: {error}") from error


def _needed_by(sql: str, saved: Mapping[str, str]) -> list[str]:
    """Name the tables, views and saved queries that the SQL may need, each after those that it rests on.

    Those are the ones that it mentions; where it mentions none, as in ``show tables``, all.
    """
    texts: dict[str, str] = dict.fromkeys(TABLES, "") | dict(saved)
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
    own = f" Saved queries: {', '.join(saved)}." if saved else ""
    known = f"Tables: {', '.join(TABLES)}. Views: {', '.join(VIEWS)}.{own}"
    return QueryError(f"{problem}\n{known} What their columns mean: FROM columns.")
