"""A part's bytes: rows of one table as a Parquet file that says its schema version and can be checked.

This module does not know where parts lie. Nothing in a torn or changed part is trusted: page checksums cover the
values for any Parquet reader, and a digest of Lethe's own covers every byte, the footer's among them.
"""

import hashlib
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from lethe.errors import LetheError, SchemaError
from lethe.results.limits import Budget
from lethe.results.rows import RENAMED_COLUMNS, SCHEMA_VERSION

_VERSION: Final = b"lethe.schema_version"
_DIGEST: Final = b"lethe.sha256"
_BLANK: Final = b"0" * 64
_VALUE_BYTES: Final = 8
"""What a value takes at least, null or not: a number, a time, or where a text begins and that it is there."""
_COMPRESSED_ROWS: Final = 16
"""Below it, compressing takes longer than all the rest of writing, and of reading, and saves no space."""


class CorruptPartError(LetheError):
    """Bytes that are not a complete, unchanged part; the message says what was found."""


def encode(table: pa.Table) -> bytes:
    """Write a part as Parquet (page checksums, a digest; zstd where there is something to compress).

    Raises:
        ValueError: a null is in a column that allows none.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd" if len(table) >= _COMPRESSED_ROWS else "none",
        write_page_checksum=True,
        store_schema=False,
        use_dictionary=False,
        write_statistics=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_VERSION: str(SCHEMA_VERSION)})
        writer.add_key_value_metadata({_DIGEST: _BLANK})
    data: bytes = sink.getvalue().to_pybytes()
    return _replaced(data, _BLANK, _digest(data))


def decode(data: bytes, schema: pa.Schema, budget: Budget | None = None, most_rows: int | None = None) -> pa.Table:
    """Read a part's rows, with every checksum verified.

    Args:
        budget: the memory that may be taken; all if not given. What the rows take is known from the footer.
        most_rows: as many as such a part can have.

    Raises:
        CorruptPartError: the bytes are torn or changed, or hold more rows or other columns than they may.
        SchemaError: a newer Lethe wrote the part.
        TooLargeError: the rows take more memory than is left.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        notes = file.metadata.metadata or {}
        if _digest(_replaced(data, notes[_DIGEST], _BLANK)) != notes[_DIGEST]:
            raise CorruptPartError("its bytes have changed since it was written")
        version = int(notes[_VERSION])
        if version > SCHEMA_VERSION:
            raise SchemaError(f"its schema has version {version}, this Lethe knows versions up to {SCHEMA_VERSION}")
        if most_rows is not None and file.metadata.num_rows > most_rows:
            raise CorruptPartError(f"it holds {file.metadata.num_rows:,} rows, and one unit has at most {most_rows:,}")
        if budget:
            budget.take(_memory(file.metadata))
        return _upgrade(file.read(use_threads=False).replace_schema_metadata(), schema)
    except KeyError as error:
        raise CorruptPartError(f"it is no part of Lethe's: {error} is not in its metadata") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CorruptPartError(str(error)) from error


def first_study(data: bytes) -> str | None:
    """Read the study of a part's first row, with no checksum verified; None where that cannot be read."""
    try:
        batch = next(pq.ParquetFile(pa.BufferReader(data)).iter_batches(batch_size=1, columns=["study"]))
        study: str | None = batch.column(0)[0].as_py()
    except (OSError, ValueError, IndexError, StopIteration, pa.ArrowException):
        return None
    return study


def _memory(footer: pq.FileMetaData) -> int:
    """Return the bytes that a file's rows take in memory, at most, without reading them.

    Raises:
        CorruptPartError: a column is encoded in a way that hides how much it holds, which no part of Lethe's is.
    """
    total_bytes = 0
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.has_dictionary_page:
                raise CorruptPartError("it is no part of Lethe's: a column has a dictionary")
            total_bytes += max(column.total_uncompressed_size, _VALUE_BYTES * column.num_values)
    return total_bytes


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace the last occurrence, the one in the footer: a digest is taken with zeros in its own place."""
    head, _, tail = data.rpartition(old)
    return head + new + tail


def _upgrade(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring the columns of an older version to today's: renamed ones get their new name, a missing one is null.

    A column that was never null may be so today.

    This is the place for any other change between versions.
    """
    if table.schema.equals(schema):
        return table
    table = table.rename_columns([RENAMED_COLUMNS.get(name, name) for name in table.column_names])
    names = table.column_names
    unknown = [str(field) for field in table.schema if names.count(field.name) > 1 or not _holds(schema, field)]
    missing = [str(field) for field in schema if field.name not in names and not field.nullable]
    if unknown or missing:
        raise CorruptPartError(f"its columns are not those of its table: unknown {unknown}, missing {missing}")
    columns = [table[field.name] if field.name in names else pa.nulls(len(table), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _holds(schema: pa.Schema, field: pa.Field) -> bool:
    """Return whether a column is one of today's, or was one that may be null today and might not be then."""
    index = schema.get_field_index(field.name)
    return index >= 0 and bool(
        schema.field(index).equals(field) or schema.field(index).equals(field.with_nullable(True))
    )
