"""One file for a whole table: a copy of many studies' merged files, so that a thousand small studies read fast.

    copies/<table>-<checksum>.parquet   the rows
    copies/<table>.json                 which file that is, and the files of each study that it repeats; written last

A copy is never the record. A study whose files have changed since is read from these, and a copy that is torn, gone or
of another version is ignored.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lethe.errors import SchemaError
from lethe.results.limits import Budget
from lethe.results.part import CorruptPartError, decode, encode
from lethe.storage.documents import Document, MalformedError, read_json
from lethe.storage.hashing import digest
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot, UnfitFileError

INDEX_LIMIT_BYTES: Final = 1 << 28
"""Enough for the names of the files of a million studies."""


class Index(Document):
    """Which file a table's copy is, and the files of each study that it repeats."""

    file: Annotated[str, Field(pattern=r"^[a-z_]+-[0-9a-f]{16}\.parquet$")]
    studies: dict[str, list[str]]


@dataclass(frozen=True)
class Copy:
    """The rows of the studies whose files are still those that were copied."""

    rows: pa.Table
    studies: frozenset[str]


def write_copy(root: StorageRoot, table: str, files: Mapping[str, pa.Table]) -> None:
    """Copy merged files of a table, given by ``<study>/<file>``, into one; an older copy is replaced.

    Raises:
        StorageError: the copy could not be written.
    """
    folder, data = Layout(root).copies, encode(pa.concat_tables(files.values()))
    name = f"{table}-{digest(data)[:16]}.parquet"
    folder.write(name, data)
    folder.write(f"{table}.json", Index(file=name, studies=_by_study(files)).model_dump_json().encode())
    for other in folder.names(".parquet"):
        if other.startswith(f"{table}-") and other != name:
            folder.delete(other)


def read_copy(root: StorageRoot, table: str, schema: pa.Schema, names: Iterable[str], budget: Budget) -> Copy | None:
    """Read what is current of a table's copy; None if there is nothing.

    A copy that an earlier version made of a study's folder and of another folder with rows of the same study is not
    current: it holds them twice.

    Args:
        names: the table's files now, as ``<study>/<file>``.
        budget: the memory that may be taken.

    Raises:
        TooLargeError: the rows take more.
    """
    folder = Layout(root).copies
    try:
        index = read_json(Index, folder.read(f"{table}.json", INDEX_LIMIT_BYTES))
        now = _by_study(names)
        studies = frozenset(study for study, files in index.studies.items() if now.get(study) == files)
        if not studies:
            return None
        rows = decode(folder.read(index.file), schema, budget)
        if set(pc.unique(rows["study"]).to_pylist()) != set(index.studies):
            return None
    except (FileNotFoundError, UnfitFileError, MalformedError, CorruptPartError, SchemaError):
        return None
    if len(studies) < len(index.studies):
        rows = rows.filter(pc.is_in(rows["study"], value_set=pa.array(sorted(studies))))
    return Copy(rows, studies)


def _by_study(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort files, which are named ``<study>/<file>``, by study."""
    sorted_by: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        sorted_by[name.partition("/")[0]].append(name)
    return dict(sorted_by)
