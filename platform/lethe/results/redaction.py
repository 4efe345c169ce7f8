"""Rows that must go: a study's rows of single images are taken out of parts, merged files and copies.

A file is rewritten as compaction does it: what is left is written first, as a merged file with a higher number, and the
files that it replaces are deleted then. A kill in between leaves rows that were to go; the same call takes them out.
"""

from collections.abc import Callable
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from lethe.results.part import encode
from lethe.results.rows import TableName
from lethe.results.schema import without_nan
from lethe.results.store import Store, is_merged
from lethe.storage.layout import MERGED, SUFFIX, Layout


def redact(store: Store, table: TableName, study: str, gone: Callable[[pa.Table], pa.ChunkedArray]) -> int:
    """Take rows out of a study's files of a table, and out of the copy of all studies; return how many.

    To be called by the study's one writer.

    Args:
        gone: marks the rows that are to go.

    Raises:
        SchemaError: a newer Lethe wrote a file.
        StorageError: a file could not be written or deleted.
    """
    files = store.scan(table, study).files
    marked = {name: gone(rows) for name, rows in files.items()}
    hit = {name: rows for name, rows in files.items() if pc.any(marked[name]).as_py()}
    if hit:
        kept = without_nan(pa.concat_tables([rows.filter(pc.invert(marked[name])) for name, rows in hit.items()]))
        if len(kept):
            numbers = [int(name.rpartition("/")[2].partition("-")[0]) for name in files if is_merged(name)]
            number = 1 + max(numbers, default=0)
            folder = store.files(table, study)
            folder.write(f"{MERGED}/{number:08d}-{uuid4().hex[:8]}{SUFFIX}", encode(kept.combine_chunks()))
        for name in hit:
            Layout(store.root).table(table).delete(name)
    copies = Layout(store.root).copies
    for name in (f"{table}.json", *(one for one in copies.names(SUFFIX) if one.startswith(f"{table}-"))):
        copies.delete(name)
    return sum(pc.sum(marked[name]).as_py() for name in hit)
