"""Reading the cells of a workbook (.xlsx) as text: its first sheet, without styles, formulas or a dependency.

Only lists of names are read from workbooks. A number is the text that the file has for it, so one that is shown with
leading zeros has none here, and a date is a number of days. A sheet or row that a person does not see is refused, since
nobody can say whether it is meant: filtered rows are often those that are *not*.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from unlearning.data._base import DataError
from unlearning.data._listed import listed

LIMIT_BYTES = 256 << 20
"""The largest part of a workbook that is read, unpacked."""

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"

UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, IndexError, ValueError, RuntimeError)
"""What `zipfile` and the parser raise for what is no workbook; `ElementTree.ParseError` is a ``SyntaxError``."""


@dataclass(frozen=True)
class Sheet:
    """The first sheet of a workbook.

    Attributes:
        rows: the number of each row that has content, from 1, and its cells.
        hidden: the numbers of those that are not shown.
        others: names of the sheets that were not read.
        is_hidden: whether the sheet is not shown at all.
    """

    name: str
    rows: list[tuple[int, list[str]]]
    hidden: list[int]
    others: tuple[str, ...]
    is_hidden: bool


def read_workbook(path: Path) -> Sheet:
    """Read the first sheet of a workbook.

    Raises:
        DataError: the file is no workbook, a part of it is too large, or what it would be read from is hidden.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sheet = _sheet(archive)
    except (*UNREADABLE, ElementTree.ParseError) as error:
        raise DataError(f"{path}: cannot be read as a workbook ({error}); save the sheet as CSV") from error
    if sheet.is_hidden:
        raise DataError(f"{path}: its first sheet, {sheet.name}, is hidden; show it, or put another one first")
    if sheet.hidden:
        rows = f"{len(sheet.hidden):,} row{' is' if len(sheet.hidden) == 1 else 's are'}"
        raise DataError(
            f"{path}: {rows} hidden in the sheet {sheet.name}, as a filter does: "
            f"{listed([f'row {number}' for number in sheet.hidden])}; show all rows, or copy those that are meant to a "
            "sheet of their own"
        )
    return sheet


def _sheet(archive: zipfile.ZipFile) -> Sheet:
    book = _part(archive, "xl/workbook.xml")
    relations = _part(archive, "xl/_rels/workbook.xml.rels")
    targets = {one.attrib["Id"]: one.attrib["Target"] for one in relations.iter(f"{PACKAGE}Relationship")}
    first, *others = list(book.iter(f"{MAIN}sheet"))
    shared = "xl/sharedStrings.xml"
    texts = list(map(_text, _part(archive, shared).iter(f"{MAIN}si"))) if shared in archive.namelist() else []
    target = targets[first.attrib[RELATION]]
    sheet = _part(archive, target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target))
    rows = list(_rows(sheet, texts))
    return Sheet(
        first.attrib["name"],
        [(number, cells) for number, cells, _ in rows],
        [number for number, _, is_hidden in rows if is_hidden],
        tuple(one.attrib["name"] for one in others),
        first.attrib.get("state", "visible") != "visible",
    )


def _part(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > LIMIT_BYTES:
        raise ValueError(f"{name} takes more than {LIMIT_BYTES:,} bytes")
    content = archive.read(name)
    if b"<!DOCTYPE" in content:
        raise ValueError(f"{name} declares entities, which no workbook does")
    return ElementTree.fromstring(content)


def _rows(sheet: ElementTree.Element, texts: list[str]) -> Iterator[tuple[int, list[str], bool]]:
    """Yield number and cells of each row that has content, and whether it is hidden."""
    number = 0
    for row in sheet.iter(f"{MAIN}row"):
        number = int(row.attrib.get("r", number + 1))
        cells = dict[int, str]()
        for cell in row.iter(f"{MAIN}c"):
            at = _column(cell.attrib["r"]) if "r" in cell.attrib else len(cells)
            cells[at] = _value(cell, texts).strip()
        if any(cells.values()):
            is_hidden = row.attrib.get("hidden", "0") in ("1", "true")
            yield number, [cells.get(at, "") for at in range(max(cells) + 1)], is_hidden


def _value(cell: ElementTree.Element, texts: list[str]) -> str:
    match cell.attrib.get("t", "n"):
        case "inlineStr":
            return "".join(map(_text, cell.iter(f"{MAIN}is")))
        case "s":
            return texts[int(cell.findtext(f"{MAIN}v", ""))]
        case _:
            return cell.findtext(f"{MAIN}v", "")


def _text(item: ElementTree.Element) -> str:
    """Join the runs of a text, without the readings that Japanese workbooks have beside it."""
    runs = [item, *item.iter(f"{MAIN}r")]
    return "".join(run.findtext(f"{MAIN}t", "") for run in runs)


def _column(reference: str) -> int:
    """Return the position, from 0, of the column of a cell such as AB12."""
    found = re.match("[A-Z]{1,3}", reference)
    if not found:
        raise ValueError(f"{reference} is no cell")
    position = 0
    for letter in found[0]:
        position = 26 * position + ord(letter) - ord("A") + 1
    return position - 1
