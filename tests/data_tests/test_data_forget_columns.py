"""Requests that name images by what is known of them: values of a column, or a condition."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from unlearning.data import DataError, ImageData, RawData, Source, Split, load
from unlearning.data.forget import ForgetRequest, Indices, Query, RandomShare, Where, WholeClass, describe, select

PATIENTS = ("p1", "p1", "p2", "p2", "p3", "p3", "p10", "p10", "ü", "ü")


class Ward(Source):
    """Ten train images of five patients, two more patients in val and test; image 9 repeats image 0."""

    def read(self) -> RawData:
        splits = {
            "train": Split(
                images(0, 1, 2, 3, 4, 5, 6, 7, 8, 0),
                torch.arange(10) % 2,
                {
                    "patient": PATIENTS,
                    "age": ("40", "41", "", "60", "61", "70", "71", "80", "81", "90"),
                    "ward": ("01", "02") * 5,
                    "dose": ("0.5", "1", "1.5e1", "-2", "3", "", "4", "5", "6", "7"),
                },
            ),
            "val": held_out(100, "p1"),
            "test": held_out(200, "p77"),
        }
        return RawData("ward", "binary-class", ("nevus", "melanoma"), splits, "test")


def images(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.uint8)[:, None, None, None]


def held_out(first: int, patient: str) -> Split:
    columns = {"patient": (patient, patient), "age": ("50", "50"), "ward": ("01", "02"), "dose": ("1", "1")}
    return Split(images(first, first + 1), torch.tensor([0, 1]), columns)


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Ward())


def where(path: Path, text: str | bytes, **options: object) -> Where:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Where.model_validate({"column": "patient", **options, "values_file": path})


def taken(request_: ForgetRequest, data: ImageData) -> list[int]:
    return select(request_, data, seed=0).indices_F.tolist()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "p2\n\n# withdrawn in May\n  p3  \np2\n"),
        ("list.csv", "\ufeffDate;Patient\r\n1.5.;p2\r\n2.5.;p3\r\n2.5.;p2\r\n"),
        ("list.tsv", "patient\np2\np3\np2\n"),
    ],
)
def test_images_of_listed_patients_are_forgotten(tmp_path: Path, data: ImageData, name: str, text: str) -> None:
    request_ = where(tmp_path / name, text, column="Patient")
    assert taken(request_, data) == [2, 3, 4, 5]
    assert request_.label == f"Patient in {name}"
    first, second = describe(request_, select(request_, data, 0), data)
    assert first == (
        f"ward, forget Patient in {name}: 4 of 10 train images of 2 patients, 0 of them added as byte-identical "
        "duplicates; by class: 0 (nevus) 2 of 5, 1 (melanoma) 2 of 5"
    )
    assert (
        second
        == f"Patient in {name}: 3 lines name 2 values, of which 0 are of no image and 0 of images of val or test alone"
    )


def test_duplicates_and_images_of_other_splits_are_named(tmp_path: Path, data: ImageData) -> None:
    request_ = where(tmp_path / "list.txt", "p1\np77\n")
    first, *others = describe(request_, select(request_, data, 0), data)
    assert "3 of 10 train images of 2 patients (1 of them with images that are kept), 1 of them added as" in first
    assert others == [
        "patient in list.txt: 2 lines name 2 values, of which 0 are of no image and 1 of images of val or test alone",
        "patient in list.txt: names 2 of val and 2 of test too, which no model is trained on; they stay there",
    ]


def test_values_are_compared_in_one_unicode_form(tmp_path: Path, data: ImageData) -> None:
    assert taken(where(tmp_path / "list.txt", "u\u0308\n"), data) == [0, 8, 9]


def test_values_that_no_image_has_are_refused_with_their_lines_or_counted(tmp_path: Path, data: ImageData) -> None:
    text = "p2\np02\nP2\n"
    with pytest.raises(DataError) as caught:
        select(where(tmp_path / "list.txt", text), data, 0)
    assert str(caught.value) == (
        f"{tmp_path}/list.txt: 2 of 3 values are no patient of any image; correct them, or accept this by "
        "allow_missing: true. The column has values such as p1, p10, p2\n  line 2: p02\n  line 3: P2"
    )
    request_ = where(tmp_path / "list.txt", text, allow_missing=True)
    assert taken(request_, data) == [2, 3]
    assert "3 lines name 3 values, of which 2 are of no image" in select(request_, data, 0).notes[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "name,id\np1,1\n", "wanted exactly one column patient, got name, id; .*`values_column` says"),
        ("list.csv", "", "wanted exactly one column patient, got none"),
        ("list.txt", "\n# nobody\n", "wanted values of patient, got none"),
        ("list.xlsx", b"PK\x03\x04", "cannot be read as a workbook .*; save the sheet as CSV"),
        ("list.txt", "p77\n", "it names none of the 10 train images of ward"),
        ("list.txt", "p1\np2\np3\np10\nü", "it leaves no train image of ward to retain"),
    ],
)
def test_lists_that_name_nothing_or_everything_are_refused(
    tmp_path: Path, data: ImageData, name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        select(where(tmp_path / name, text), data, 0)


def test_a_list_of_held_out_patients_is_refused_with_where_their_images_are(tmp_path: Path, data: ImageData) -> None:
    with pytest.raises(DataError) as caught:
        select(where(tmp_path / "list.txt", "p77\n"), data, 0)
    assert str(caught.value) == (
        "forget patient in list.txt: it names none of the 10 train images of ward\n  patient in list.txt: 1 lines name "
        "1 values, of which 0 are of no image and 1 of images of val or test alone\n  patient in list.txt: names 2 of "
        "test too, which no model is trained on; they stay there"
    )


def test_rows_of_a_list_without_a_value_are_named(tmp_path: Path, data: ImageData) -> None:
    request_ = where(tmp_path / "list.csv", "Patient;Date\n;3.2.\np2;\n;;\n;9.2.\n")
    assert select(request_, data, 0).notes[1:] == (
        "list.csv: 2 rows have content, but no patient, and so no image is forgotten for: line 2, line 5",
    )


def test_a_list_that_is_not_there_and_a_column_that_is_not_are_refused(tmp_path: Path, data: ImageData) -> None:
    with pytest.raises(DataError, match=r"no\.txt: there is no such list of values to forget"):
        select(Where(column="patient", values_file=tmp_path / "no.txt"), data, 0)
    with pytest.raises(DataError, match="ward has no column site; its columns are label, patient, age, ward, dose"):
        select(where(tmp_path / "list.txt", "B", column="site"), data, 0)


def test_the_column_of_a_list_may_have_another_name(tmp_path: Path, data: ImageData) -> None:
    assert taken(where(tmp_path / "list.csv", "ID,Patient\np2,4711\n", values_column="id"), data) == [2, 3]


def test_a_request_that_empties_a_class_is_refused_unless_it_asks_for_the_class(
    tmp_path: Path, data: ImageData
) -> None:
    for request_ in (
        where(tmp_path / "list.txt", "melanoma", column="label"),
        Query(sql="label = 'melanoma'"),
        listed(tmp_path / "indices.txt", "1\n3\n5\n7\n9"),
    ):
        with pytest.raises(DataError, match=r'to retain in melanoma, .*write \{kind: class, class: "melanoma"\}'):
            select(request_, data, 0)
    assert taken(WholeClass(class_name="melanoma"), data) == [0, 1, 3, 5, 7, 9]
    with pytest.raises(DataError, match="to retain in"):
        for seed in range(20):
            select(RandomShare(fraction=0.8), data, seed)


def listed(path: Path, text: str) -> Indices:
    path.write_text(text)
    return Indices(file=path)


def string(text: str) -> str:
    return f"<si><t>{text}</t></si>"


def workbook(path: Path, rows: Sequence[str], texts: Sequence[str] = (), sheets: Sequence[str] = ("Sheet1",)) -> Path:
    """Write the parts of a workbook that hold its cells, as spreadsheets do."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    document = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    package = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    named = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    targets = "".join(f'<Relationship Id="r{n}" Target="worksheets/s{n}.xml"/>' for n in range(1, len(sheets) + 1))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", f"<workbook {main} {document}><sheets>{named}</sheets></workbook>")
        archive.writestr("xl/_rels/workbook.xml.rels", f"<Relationships {package}>{targets}</Relationships>")
        archive.writestr(
            "xl/worksheets/s1.xml", f"<worksheet {main}><sheetData>{''.join(rows)}</sheetData></worksheet>"
        )
        if texts:
            archive.writestr("xl/sharedStrings.xml", f"<sst {main}>{''.join(texts)}</sst>")
    return path


HEAD_ROW = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>'
HEADS = (string("Date"), "<si><r><t>Pati</t></r><r><t>ent</t></r><rPh><t>yomi</t></rPh></si>")


def test_a_workbook_is_read_as_its_first_sheet(tmp_path: Path, data: ImageData) -> None:
    rows = [
        HEAD_ROW,
        '<row r="2"><c r="A2"><v>45000</v></c><c r="C2" t="s"><v>2</v></c></row>',
        '<row r="5"><c r="C5" t="inlineStr"><is><t>p3</t></is></c></row>',
        '<row r="6"><c r="A6"><v>45001</v></c></row>',
        '<row r="7"><c r="C7" t="str"><f>A1</f><v>p2</v></c></row>',
    ]
    path = workbook(tmp_path / "list.xlsx", rows, [*HEADS, string("p2")], sheets=("Withdrawn", "Notes"))
    request_ = Where(column="patient", values_file=path)
    assert taken(request_, data) == [2, 3, 4, 5]
    assert select(request_, data, 0).notes == (
        "patient in list.xlsx: 3 lines name 2 values, of which 0 are of no image and 0 of images of val or test alone",
        "list.xlsx: read the sheet Withdrawn, and not Notes",
        "list.xlsx: 1 row has content, but no patient, and so no image is forgotten for: row 6",
    )


def test_rows_of_a_workbook_that_a_filter_hides_are_refused_with_their_numbers(tmp_path: Path, data: ImageData) -> None:
    rows = [
        HEAD_ROW,
        '<row r="2" hidden="1"><c r="C2" t="inlineStr"><is><t>p2</t></is></c></row>',
        '<row r="3"><c r="C3" t="inlineStr"><is><t>p3</t></is></c></row>',
        '<row r="4" hidden="true"><c r="C4" t="inlineStr"><is><t>p10</t></is></c></row>',
        '<row r="5" hidden="1"/>',
    ]
    path = workbook(tmp_path / "list.xlsx", rows, HEADS)
    with pytest.raises(DataError, match=r"2 rows are hidden in the sheet Sheet1, as a filter does: row 2, row 4; show"):
        select(Where(column="patient", values_file=path), data, 0)
    shown = [row.replace(' hidden="1"', "").replace(' hidden="true"', ' hidden="0"') for row in rows]
    workbook(path, shown, HEADS)
    assert taken(Where(column="patient", values_file=path), data) == [2, 3, 4, 5, 6, 7]


def test_a_workbook_whose_first_sheet_is_hidden_is_refused(tmp_path: Path, data: ImageData) -> None:
    path = workbook(tmp_path / "list.xlsx", [HEAD_ROW], HEADS, sheets=('Old" state="hidden', "New"))
    with pytest.raises(DataError, match="its first sheet, Old, is hidden"):
        select(Where(column="patient", values_file=path), data, 0)


def test_numbers_of_a_workbook_are_text_and_their_rows_are_named(tmp_path: Path, data: ImageData) -> None:
    rows = [HEAD_ROW, '<row r="4"><c r="C4"><v>41</v></c></row>', '<row r="9"><c r="C9"><v>42</v></c></row>']
    path = workbook(tmp_path / "list.xlsx", rows, HEADS)
    request_ = Where(column="age", values_file=path, values_column="patient", allow_missing=True)
    assert taken(request_, data) == [1]
    with pytest.raises(DataError, match=r"1 of 2 values are no age of any image.*\n  row 9: 42"):
        select(request_.model_copy(update={"allow_missing": False}), data, 0)


def test_a_workbook_that_declares_entities_is_refused(tmp_path: Path, data: ImageData) -> None:
    path = tmp_path / "list.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><workbook>&a;</workbook>")
    with pytest.raises(DataError, match="declares entities"):
        select(Where(column="patient", values_file=path), data, 0)


@pytest.mark.parametrize(
    ("sql", "indices"),
    [
        ("patient = 'p2'", [2, 3]),
        ("Age > 60 and age < 75", [4, 5, 6]),
        ("age is null", [2]),
        ("ward = '01' and label = 'nevus' and age between 60 and 65", [4]),
        ("dose < 1", [0, 3, 9]),
        ("patient in (select patient from images where age = 70) -- and their other images", [4, 5]),
    ],
)
def test_images_that_a_condition_holds_for_are_forgotten(data: ImageData, sql: str, indices: list[int]) -> None:
    assert taken(Query(sql=sql), data) == indices


def test_a_condition_names_what_it_finds_in_val_and_test(data: ImageData) -> None:
    request_ = Query(sql="patient in ('p1', 'p77')\n  and label = 'nevus'")
    assert request_.label == "where patient in ('p1', 'p77') and label = 'nevus'"
    assert select(request_, data, 0).notes == (
        f"{request_.label}: names 1 of val and 1 of test too, which no model is trained on; they stay there",
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "site = 'B'",
            r"DuckDB refuses the condition on ward: .*columns are label \(varchar\), .*ward \(varchar\), dose",
        ),
        ("age > 'old'", "DuckDB refuses the condition"),
        ("true) ; drop table images; select (1", "wanted one condition, got several statements"),
        ("patient in (select content from read_text('/etc/hostname'))", "file system operations are disabled"),
        ("age > 1000", "it names none of the 10 train images"),
        ("true", "it leaves no train image of ward to retain"),
    ],
)
def test_conditions_that_cannot_be_used_are_refused(data: ImageData, sql: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        select(Query(sql=sql), data, 0)


class Commas(Ward):
    """As `Ward`, with weights as Germans write them, and counts that may have commas for thousands."""

    def read(self) -> RawData:
        raw = super().read()
        for split in raw.splits.values():
            weights = tuple(f"{n},5" if n % 2 else str(n) for n in range(len(split)))
            split.columns.update({"weight": weights, "cells": ("1,200",) * len(split)})
        return raw


def test_a_column_of_decimal_commas_is_one_of_numbers() -> None:
    chosen = select(Query(sql="weight > 6.9"), load(Commas()), 0)
    assert chosen.indices_F.tolist() == [0, 7, 8, 9]
    assert chosen.notes == ("where weight > 6.9: commas in the column weight were read as decimal numbers",)


def test_commas_that_may_part_thousands_leave_a_column_text_and_are_noted() -> None:
    assert select(Query(sql="cells = '1,200' and age = 40"), load(Commas()), 0).notes[0] == (
        "where cells = '1,200' and age = 40: commas in the column cells were read as text, since they may part "
        "thousands as well"
    )


def test_texts_of_a_condition_that_no_image_has_are_named(data: ImageData) -> None:
    assert select(Query(sql="patient in ('p2', 'P3', 'it''s') and label like 'ne%'"), data, 0).notes == (
        "where patient in ('p2', 'P3', 'it''s') and label like 'ne%': no image has P3, it's in any column; case and "
        "spaces count",
    )


class Many(Source):
    """A hundred train images."""

    def read(self) -> RawData:
        train = Split(images(*range(100)), torch.arange(100) % 2)
        others = {
            "val": Split(images(200, 201), torch.tensor([0, 1])),
            "test": Split(images(202, 203), torch.tensor([0, 1])),
        }
        return RawData("many", "binary-class", ("a", "b"), {"train": train, **others}, "test")


def test_a_condition_that_draws_is_refused() -> None:
    with pytest.raises(DataError, match="wanted the same images each time"):
        select(Query(sql="random() < 0.5"), load(Many()), 0)
