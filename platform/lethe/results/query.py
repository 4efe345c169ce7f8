"""SQL over the result store, through DuckDB: one view per table; nothing can be changed, no other file can be read."""

from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from lethe.place import Place
from lethe.results.rows import TABLES, TableName
from lethe.results.schema import describe
from lethe.results.store import Store

_READING: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)

_LOCKS: Final = (
    "SET TimeZone = 'UTC'",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryError(Exception):
    """SQL that cannot be answered; the message says why and names the tables."""


def query(sql: str, where: Place | str | Path) -> pa.Table:
    """Answer one reading statement over the views ``trials``, ``epochs``, ``confirmations`` and ``artifacts``.

    A fifth view, ``columns``, tells of each column of these its type, unit and meaning.

    Args:
        sql: SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN, in DuckDB's dialect.
        where: the results place.

    Raises:
        QueryError: no single reading statement, wrong SQL, or no results in the place.
        SchemaError: a newer Lethe wrote a part.
    """
    store = Store(Place.at(where))
    _check_reads_only(sql)
    tables = {table: store.read(table) for table in _named_in(sql)}
    if not any(map(len, tables.values())) and not store.studies():
        raise QueryError(f"no results in {store.place}: run a study there first, or name another results place.")
    with duckdb.connect(":memory:") as connection:
        for table, rows in tables.items():
            connection.register(table, rows)
        connection.register("columns", _columns())
        for lock in _LOCKS:
            connection.execute(lock)
        try:
            answer: pa.Table = connection.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise _told(str(error)) from error
    return answer


def _columns() -> pa.Table:
    described = [(table, column) for table, row_type in TABLES.items() for column in describe(row_type)]
    return pa.table(
        {
            "table_name": [table for table, _ in described],
            "column_name": [column.name for _, column in described],
            "type": [str(column.type) for _, column in described],
            "nullable": [column.nullable for _, column in described],
            "unit": [column.unit for _, column in described],
            "meaning": [column.meaning for _, column in described],
        }
    )


def _check_reads_only(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise _told(str(error)) from error
    if len(statements) != 1 or statements[0].type not in _READING:
        found = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise _told(f"wanted one statement that only reads (SELECT, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN), got {found}.")


def _named_in(sql: str) -> list[TableName]:
    """Name the tables that the SQL may need: those it mentions, or all where it mentions none."""
    return [table for table in TABLES if table in sql.lower()] or list(TABLES)


def _told(problem: str) -> QueryError:
    return QueryError(f"{problem}\nTables: {', '.join(TABLES)}. What their columns mean: FROM columns.")
