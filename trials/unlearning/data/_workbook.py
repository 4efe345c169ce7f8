"""Reading the cells of a workbook (.xlsx) as text: its first sheet, without styles, formulas or a dependency.

Only lists of names are read from workbooks. A number is the text that the file has for it, so one that is shown with
leading zeros has none here, and a date is a number of days.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from unlearning.data._base import DataError

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
        others: names of the sheets that were not read.
    """

    name: str
    rows: list[tuple[int, list[str]]]
    others: tuple[str, ...]


def read_workbook(path: Path) -> Sheet:
    """Read the first sheet of a workbook.

    Raises:
        DataError: the file is no workbook, or a part of it is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _sheet(archive)
    except (*UNREADABLE, ElementTree.ParseError) as error:
        raise DataError(f"{path}: cannot be read as a workbook ({error}); save the sheet as CSV") from error


def _sheet(archive: zipfile.ZipFile) -> Sheet:
    book = _part(archive, "xl/workbook.xml")
    relations = _part(archive, "xl/_rels/workbook.xml.rels")
    targets = {one.attrib["Id"]: one.attrib["Target"] for one in relations.iter(f"{PACKAGE}Relationship")}
    first, *others = list(book.iter(f"{MAIN}sheet"))
    shared = "xl/sharedStrings.xml"
    texts = list(map(_text, _part(archive, shared).iter(f"{MAIN}si"))) if shared in archive.namelist() else []
    target = targets[first.attrib[RELATION]]
    sheet = _part(archive, target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target))
    return Sheet(first.attrib["name"], list(_rows(sheet, texts)), tuple(one.attrib["name"] for one in others))


def _part(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > LIMIT_BYTES:
        raise ValueError(f"{name} takes more than {LIMIT_BYTES:,} bytes")
    content = archive.read(name)
    if b"<!DOCTYPE" in content:
        raise ValueError(f"{name} declares entities, which no workbook does")
    return ElementTree.fromstring(content)


def _rows(sheet: ElementTree.Element, texts: list[str]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    for row in sheet.iter(f"{MAIN}row"):
        number = int(row.attrib.get("r", number + 1))
        cells = dict[int, str]()
        for cell in row.iter(f"{MAIN}c"):
            at = _column(cell.attrib["r"]) if "r" in cell.attrib else len(cells)
            cells[at] = _value(cell, texts).strip()
        if any(cells.values()):
            yield number, [cells.get(at, "") for at in range(max(cells) + 1)]


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
