"""Lists of images to forget, as spreadsheets and people write them: read as they are meant, or refused with advice."""

import os
from pathlib import Path

import pytest

from unlearning.data import DataError, ImageData, Synthetic, load
from unlearning.data.forget import Indices, select
from unlearning.data.forget._lists import LIMIT_BYTES


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Synthetic(train=100, val=20, test=20, size=8))


def chosen(path: Path, data: ImageData) -> list[int]:
    return select(Indices(file=path), data, seed=0).indices_F.tolist()


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "index\n12\n5\n",
        "patient,index\nA,12\nB,5\n",
        "patient;index\r\nA;12\r\nB;5\r\n",
        "sep=;\r\npatient;index\r\nA;12\r\nB;5\r\n",
        "SEP=|\npatient|index\nA|12\nB|5\n",
        "patient\tindex\nA\t12\nB\t5\n",
        "patient,Index\nA,12\nB,5\n",
        "born, where;Index\nMay, Ulm;12\nJune, Bonn;5\n",
        "patient, index \nA, 12 \nB, 5\n",
        "INDEX,score\n12.0,0.5\n5.0,\n",
        "index;score\n12,0;0,5\n5,0;\n",
        "index,patient\n12,A\n5,B\n,\n,\n",
        "index,\n12,\n5,\n",
        "index,patient\n12,A\n\n5\n\n",
        '"patient";"index"\n"Müller; Anna";"12"\n"B ""the second""";"5"\n',
        "patient,index\rA,12\rB,5\r",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_table_is_read_as_spreadsheets_write_it(tmp_path: Path, data: ImageData, text: str, encoding: str) -> None:
    assert chosen(written(tmp_path / "list.csv", text, encoding), data) == [5, 12]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_of_either_byte_order_is_read_with_its_mark(tmp_path: Path, data: ImageData, encoding: str) -> None:
    assert chosen(written(tmp_path / "list.txt", "\ufeff12\r\n5\r\n", encoding), data) == [5, 12]


def test_a_file_ending_in_tsv_is_a_table_and_text_may_have_decimals_of_zero(tmp_path: Path, data: ImageData) -> None:
    assert chosen(written(tmp_path / "list.TSV", "index\tsite\n12\tA\n5\tB\n"), data) == [5, 12]
    assert chosen(written(tmp_path / "list.txt", "12.0\n5\n"), data) == [5, 12]


@pytest.mark.parametrize("column", ["split", "Set", "subset", " fold ", "data_split"])
def test_rows_of_other_splits_are_refused_with_their_counts(tmp_path: Path, data: ImageData, column: str) -> None:
    rows = "3,train\n5,val\n7,Test\n8,val\n9,\n"
    with pytest.raises(DataError, match=r"of 5 rows the column \w+ says 2 x val, 1 x Test, 1 x an empty cell; keep"):
        chosen(written(tmp_path / "list.csv", f"index,{column}\n{rows}"), data)


def test_rows_that_are_all_of_train_are_read_with_their_split(tmp_path: Path, data: ImageData) -> None:
    assert chosen(written(tmp_path / "list.csv", "split,index\ntrain,3\nTraining,5\n"), data) == [3, 5]


def test_folds_by_number_are_refused_since_no_number_means_train(tmp_path: Path, data: ImageData) -> None:
    with pytest.raises(DataError, match="column fold says 1 x 0, 1 x 1; keep the rows of train, with fold train or"):
        chosen(written(tmp_path / "list.csv", "index,fold\n3,0\n5,1\n"), data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('patient,index\n"A,1\nB,2\nC",3\nD,4\n', r"list\.csv:2: wanted one row a line, .* ends in line 4"),
        ('patient,index\nA,1\n"B,2\nC,3\n', r"list\.csv:3: wanted one row a line, .*unexpected end of data"),
        ('patient,index\n"A"x,1\n', r"list\.csv:2: wanted one row a line"),
        ("index,Index\n3,4\n", "wanted exactly one column named index, got the columns index, index"),
        ("index, index \n3,3\n", "wanted exactly one column named index, got the columns index, index"),
        ("patient,index\nMüller, Anna,3\n", r"list\.csv:2: wanted at most 2 cells as in the head, got 3"),
        ("patient;number\nA;3\n", "wanted exactly one column named index.* got the columns patient, number"),
        ("index\n1.000\n", r"list\.csv:2: .*got '1\.000'; write whole numbers, without separators of thousands"),
        ("index;x\n1,000;\n", r"list\.csv:2: .*got '1,000'; write whole numbers"),
        ("index\n1e1\n", r"list\.csv:2: .*got '1e1'; write whole numbers, .*without exponents"),
        (f"index\n{'1' * 5000}\n", r"list\.csv:2: .*got '1{60} \.\.\.'"),
        ("sep=;\nindex\n3\n100\n", r"list\.csv:4: .*got '100'"),
    ],
)
def test_a_table_that_may_mean_something_else_is_refused_with_its_line(
    tmp_path: Path, data: ImageData, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        chosen(written(tmp_path / "list.csv", text), data)


def test_a_table_in_a_text_file_is_refused_with_the_ending_that_it_wants(tmp_path: Path, data: ImageData) -> None:
    with pytest.raises(DataError, match=r"list\.txt:1: .*got 'index;site'; .* a table .* is a \.csv or \.tsv file"):
        chosen(written(tmp_path / "list.txt", "index;site\n3;A\n"), data)


def test_a_list_in_latin_1_is_noted(tmp_path: Path, data: ImageData) -> None:
    path = written(tmp_path / "list.csv", "index,patient\n5,Jörg\n", "latin-1")
    assert f"{path}: not UTF-8, read as Latin-1; the indices are the same in both" in (
        select(Indices(file=path), data, seed=0).notes
    )


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.xlsx"])
def test_a_workbook_or_utf_16_without_its_mark_is_refused_with_advice(
    tmp_path: Path, data: ImageData, name: str
) -> None:
    with pytest.raises(DataError, match=r"got NUL characters, .*; save it as CSV in UTF-8"):
        chosen(written(tmp_path / name, "index\n5\n", "utf-16-le"), data)


@pytest.mark.timeout(20)
def test_a_list_that_is_no_regular_file_or_too_large_is_refused_at_once(tmp_path: Path, data: ImageData) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with (tmp_path / "sparse.csv").open("wb") as file:
        file.truncate(3 << 30)
    for path, message in (
        (tmp_path / "pipe.csv", "wanted a regular file as list of images to forget, got a pipe"),
        (Path("/dev/zero"), "wanted a regular file as list of images to forget, got a device"),
        (tmp_path / "sparse.csv", f"wanted a list of images to forget of at most {LIMIT_BYTES:,} bytes"),
    ):
        with pytest.raises(DataError, match=message):
            chosen(path, data)
