import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from unlearning.data import DataError, ImageData, ImageTable, load
from unlearning.data._tables import read_table

HEAD = ("file", "label", "split", "patient", "site")


def picture(path: Path, number: int, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(number)
    Image.fromarray(random.integers(0, 256, size[::-1], dtype=np.uint8)).save(path)


def rows_of(count: int = 18) -> list[list[str]]:
    """Two images of each patient, in splits by turns; classes 2 and 10."""
    return [
        [f"images/{n}.png", ("2", "10")[n % 2], ("train", "val", "test")[n // 2 % 3], f"p{n // 2}", "ab"[n % 3 == 0]]
        for n in range(count)
    ]


def write(folder: Path, rows: Sequence[Sequence[str]], head: Sequence[str] = HEAD, images: bool = True) -> ImageTable:
    for n, row in enumerate(rows if images else ()):
        picture(folder / row[0], n)
    path = folder / "images.csv"
    path.write_text("\n".join(",".join(cells) for cells in (head, *rows)))
    return ImageTable(path=path, channels=1)


def refusal(source: ImageTable) -> str:
    with pytest.raises(DataError) as caught:
        load(source)
    return str(caught.value)


def test_patient_numbers_that_a_spreadsheet_shortened_are_refused(tmp_path: Path) -> None:
    rows = rows_of()
    rows[0][3] = rows[1][3] = "1.23457E+11"
    said = refusal(write(tmp_path, rows))
    assert re.search(
        r"2 patient numbers were shortened by a spreadsheet, .*\n    line 2: 1.23457E\+11\n    line 3", said
    )


def test_a_table_gives_splits_classes_in_natural_order_and_columns(tmp_path: Path) -> None:
    data = load(write(tmp_path, rows_of()))
    assert (data.name, data.task, data.class_names) == ("images", "binary-class", ("2", "10"))
    assert [len(split) for split in (data.train, data.val, data.test)] == [6, 6, 6]
    assert data.train.labels_N.tolist() == [0, 1] * 3
    assert data.train.columns == {
        "file": tuple(f"images/{n}.png" for n in (0, 1, 6, 7, 12, 13)),
        "label": ("2", "10") * 3,
        "split": ("train",) * 6,
        "patient": ("p0", "p0", "p3", "p3", "p6", "p6"),
        "site": ("b", "a", "b", "a", "b", "a"),
    }
    image = np.asarray(Image.open(tmp_path / "images" / "6.png"))
    assert (data.train.images_NCHW[2, 0].numpy() == image).all()


def excel(rows: Sequence[Sequence[str]]) -> bytes:
    """What Excel writes where the decimal comma is used: a mark, semicolons, quotes, its own line breaks."""
    head = ["File", " LABEL", "Split", "Patient ", "Site", ""]
    lines = [";".join(head), *(";".join(f'"{cell}"' for cell in row) + ";" for row in rows)]
    return "\ufeff".encode() + "\r\n".join(lines).encode()


def test_what_excel_writes_is_the_same_table(tmp_path: Path) -> None:
    plain = load(write(tmp_path, rows_of()))
    (tmp_path / "excel.csv").write_bytes(excel(rows_of()))
    data = load(ImageTable(path=tmp_path / "excel.csv", channels=1))
    assert data.content_hash == plain.content_hash
    assert data.train.columns == plain.train.columns
    assert data.notes == ("not read, because without a name: 1 column of the table",)


def test_umlauts_of_an_old_encoding_are_read_with_a_note(tmp_path: Path) -> None:
    rows = [[file, {"2": "gutartig", "10": "bösartig"}[label], *rest] for file, label, *rest in rows_of()]
    source = write(tmp_path, rows)
    source.path.write_bytes(source.path.read_text().encode("latin-1"))
    data = load(source)
    assert data.class_names == ("bösartig", "gutartig")
    assert data.notes == ("images.csv is not UTF-8 and was read as Latin-1",)


def test_excels_quotes_and_euro_signs_are_read_as_windows_writes_them(tmp_path: Path) -> None:
    rows = [[file, {"2": "\u20ac \u2013 mild", "10": "severe"}[label], *rest] for file, label, *rest in rows_of()]
    source = write(tmp_path, rows)
    source.path.write_bytes(source.path.read_text().encode("cp1252"))
    data = load(source)
    assert set(data.class_names) == {"\u20ac \u2013 mild", "severe"}
    assert data.notes == ("images.csv is not UTF-8 and was read as Windows-1252",)


def test_bytes_that_windows_has_no_character_for_are_refused_with_their_line(tmp_path: Path) -> None:
    source = write(tmp_path, rows_of())
    source.path.write_bytes(source.path.read_bytes().replace(b"p1,", "M\u00fcller,".encode("cp850"), 1))
    assert re.search(r"images\.csv:4: .* neither UTF-8 nor Windows-1252, .* byte 0x81; save it as", refusal(source))


@pytest.mark.parametrize("name", ["PatientID", "patient_id", "Subject", "mrn"])
def test_a_column_that_seems_to_be_of_patients_and_is_not_used_is_named(tmp_path: Path, name: str) -> None:
    source = write(tmp_path, rows_of(), ("file", "label", "split", name, "site"))
    assert load(source).notes == (
        f"column {name.casefold()} is not used as patient; if patients are named there, set patient_column: "
        f"{name.casefold()}",
    )
    named = source.model_copy(update={"patient_column": name})
    assert load(named).notes == ()
    assert load(named).train.columns["patient"][0] == "p0"


@pytest.mark.parametrize("name", ["set", "Fold", "data_split", "subset"])
def test_a_column_that_seems_to_be_of_splits_and_is_not_used_is_named(tmp_path: Path, name: str) -> None:
    rows = rows_of()
    notes = load(write(tmp_path, rows, ("file", "label", name, "patient", "site"))).notes
    assert notes[0] == (
        f"column {name.casefold()} is not used as split; if splits are named there, set split_column: {name.casefold()}"
    )
    assert notes[1].startswith("splits drawn with seed 0")


def test_images_that_are_missing_are_named_and_not_said_to_be_sought_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, rows_of())
    (tmp_path / "images" / "3.png").unlink()
    monkeypatch.chdir(tmp_path)
    said = refusal(ImageTable(path=Path("images.csv"), channels=1))
    assert said == "images.csv: 18 rows\n  1 image cannot be used\n    images/3.png: there is no such image"


def test_names_in_several_unicode_forms_are_one(tmp_path: Path) -> None:
    rows = rows_of()
    rows[0][3], rows[1][3], rows[2][3] = "M\u00fcller", "Mu\u0308ller", "Mu\u0308ller"
    assert "1 patient is in two splits" in refusal(write(tmp_path, rows))
    rows[2][3] = "p1"
    assert load(write(tmp_path, rows)).train.columns["patient"][:2] == ("M\u00fcller", "M\u00fcller")


def test_names_that_differ_in_case_alone_are_noted(tmp_path: Path) -> None:
    rows = [[file, {"2": "ill", "10": "Well"}[label], *rest] for file, label, *rest in rows_of()]
    rows[1][1] = "well"
    rows[17][3] = "P8"
    notes = load(write(tmp_path, rows)).notes
    assert "labels that differ in case alone count as several: Well and well" in notes
    assert "patients that differ in case alone count as several: P8 and p8" in notes


def test_parquet_is_the_same_table_whatever_its_types(tmp_path: Path) -> None:
    plain = load(write(tmp_path, rows_of()))
    path = tmp_path / "a[1]*.parquet"
    with duckdb.connect() as database:
        database.execute("create table rows as select * from read_csv(?, all_varchar=true)", [f"{tmp_path}/images.csv"])
        database.execute("alter table rows alter label type double")
        database.execute("update rows set site = null where site = 'b'")
        database.execute(f"copy rows to '{path}'")
    data = load(ImageTable(path=path, channels=1))
    assert data.content_hash == plain.content_hash
    assert data.class_names == ("2", "10")
    assert data.train.columns["site"] == ("", "a", "", "a", "", "a")


def test_a_number_that_is_none_is_a_missing_value_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "images.parquet"
    with duckdb.connect() as database:
        numbers = "(values ('a', 7.0::double), ('b', 'nan'::double), ('c', null)) t(file, patient)"
        database.execute(f"copy (select * from {numbers}) to '{path}'")
    assert read_table(path, ()).columns["patient"] == ("7", "", "")


def test_columns_may_have_other_names_and_are_found_by_both(tmp_path: Path) -> None:
    source = write(tmp_path, rows_of(), ("Path", "Diagnosis", "Fold", "Subject ID", "site"))
    named = {"file_column": "path", "label_column": "diagnosis", "split_column": "fold", "patient_column": "Subject id"}
    data = load(ImageTable(path=source.path, channels=1, **named))
    assert data.train.columns["patient"] == data.train.columns["subject id"] == ("p0", "p0", "p3", "p3", "p6", "p6")
    assert data.val.columns["split"] == data.val.columns["fold"] == ("val",) * 6


def test_missing_and_ambiguous_columns_are_reported_at_once(tmp_path: Path) -> None:
    source = write(tmp_path, rows_of(), ("file", "class", "fold", "patient", "id"))
    message = refusal(ImageTable(path=source.path, split_column="part", patient_column="id"))
    assert message.splitlines() == [
        f"{source.path}: its columns are file, class, fold, patient, id",
        "  there is no column label, which label_column names",
        "  there is no column part, which split_column names",
        "  patient_column is id, and there is a column patient too; rename one",
    ]


def test_all_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    source = write(tmp_path, rows_of())
    rows = rows_of()
    rows[0][1] = ""
    rows[4][2] = "holdout"
    rows[6][2] = "val"
    rows[8][0] = "images/9.png"
    rows[11][0] = rows[13][0] = "./images/13.png"
    rows[15][0] = "images/absent.png"
    rows[16][0] = ""
    rows[17][3] = ""
    rows[5][0] = "images\\5.png"
    (tmp_path / "images" / "10.png").write_bytes(b"no image")
    message = refusal(write(tmp_path, rows, images=False))
    assert message.startswith(f"{source.path}: 18 rows\n")
    for wanted in (
        "1 row has no file\n    line 18\n",
        "1 row has no label\n    line 2\n",
        "1 row has no patient\n    line 19\n",
        "1 file is named with two labels\n    images/9.png: line 10 (2), line 11 (10)\n",
        "1 file is named with \\, here wanted /\n    images\\5.png\n",
        "1 file is named twice\n    images/13.png: line 13 (10), line 15 (10)\n",
        "1 split is none of train, val, test\n    line 6: holdout\n",
        "p3: train, val\n",
        "3 images cannot be used\n",
        f"{tmp_path}/images/10.png: Pillow cannot read it",
        f"{tmp_path}/images/absent.png: there is no such image",
    ):
        assert wanted in message


def test_of_many_errors_the_first_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, rows_of(30), images=False))
    assert "30 images cannot be used" in message
    assert message.count("there is no such image") == 20
    assert message.endswith("and 10 more")


def test_a_patient_in_two_splits_is_accepted_where_the_source_says_so(tmp_path: Path) -> None:
    rows = rows_of()
    rows[0][2] = "test"
    source = write(tmp_path, rows)
    assert (
        "1 patient is in two splits; accept this by patients_in_several_splits: true\n    p0: train, test"
        in refusal(source)
    )
    accepted = source.model_copy(update={"patients_in_several_splits": True})
    assert len(load(accepted).test) == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,label\n", "wanted a row for each image, got none below the columns file, label"),
        ("", "wanted a row for each image, got none below the columns $"),
        ("file,File,label\na,b,c\n", "wanted each column once, whatever its case, got several of file"),
        ("file,label\na,b,c\n", "images.csv:2: wanted at most 2 cells as in the head, got 3"),
        ('file,label\n"a\nb",c\n', "wanted one row a line"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "images.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        load(ImageTable(path=tmp_path / "images.csv"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", None, "there is no such table of images"),
        ("t.xlsx", b"PK", "wanted a .csv, .tsv or .parquet file as table of images; in a spreadsheet, save it as CSV"),
        ("t.parquet", b"PAR1PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(message)):
        load(ImageTable(path=tmp_path / name))


def drawn(folder: Path, rows: Sequence[Sequence[str]], head: Sequence[str], **options: int | float) -> ImageData:
    source = write(folder, rows, head)
    return load(ImageTable.model_validate({**source.model_dump(), **options}))


def patients_of(data: ImageData) -> list[set[str]]:
    return [set(split.columns["patient"]) for split in (data.train, data.val, data.test)]


def many(count: int) -> list[list[str]]:
    """Images of patients who have one to four each; a tenth of them in a rare class."""
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(count), random.integers(1, 5, count))[:count]
    return [[f"{n}.png", "rare" if patient % 10 == 3 else "usual", f"p{patient}"] for n, patient in enumerate(patients)]


def test_drawn_splits_keep_patients_whole_and_classes_in_proportion(tmp_path: Path) -> None:
    data = drawn(tmp_path, many(400), ("file", "label", "patient"))
    train, val, test = patients_of(data)
    assert not (train & val or train & test or val & test)
    for split, share in ((data.train, 0.7), (data.val, 0.15), (data.test, 0.15)):
        assert len(split) == pytest.approx(400 * share, abs=4)
        rare = sum(row[1] == "rare" for row in many(400))
        assert split.columns["label"].count("rare") == pytest.approx(rare * share, abs=4)
    assert data.notes[0].startswith("splits drawn with seed 0: patients as wholes")


def test_a_draw_follows_from_its_seed_and_not_from_the_order_of_rows(tmp_path: Path) -> None:
    head = ("file", "label", "patient")
    first = drawn(tmp_path, many(120), head)
    source = ImageTable(path=tmp_path / "images.csv", channels=1)
    (tmp_path / "images.csv").write_text("\n".join(",".join(row) for row in (head, *many(120)[::-1])))
    assert patients_of(load(source)) == patients_of(first)
    other = load(source.model_copy(update={"split_seed": 1}))
    assert patients_of(other) != patients_of(first)


def test_without_patients_images_are_drawn_class_by_class(tmp_path: Path) -> None:
    rows = [[f"{n}.png", "a" if n < 20 else "b"] for n in range(60)]
    data = drawn(tmp_path, rows, ("file", "label"), val_share=0.25, test_share=0.25)
    assert [split.labels_N.bincount().tolist() for split in (data.train, data.val, data.test)] == [
        [10, 20],
        [5, 10],
        [5, 10],
    ]
    assert data.notes[0].startswith("splits drawn with seed 0: images, since there is no column of patients")


def test_too_few_patients_for_three_splits_are_refused(tmp_path: Path) -> None:
    rows = [[f"{n}.png", "ab"[n % 2], f"p{n % 2}"] for n in range(8)]
    message = refusal(write(tmp_path, rows, ("file", "label", "patient")))
    assert "2 patients are too few to draw three splits: no image would be in" in message


def test_a_seed_that_the_generator_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="split_seed"):
        ImageTable(path=tmp_path, split_seed=2**63)


def test_shares_that_leave_nothing_for_train_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"wanted val_share \+ test_share below 1, got 0.5 \+ 0.5"):
        ImageTable(path=tmp_path, val_share=0.5, test_share=0.5)
