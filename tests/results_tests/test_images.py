"""Predictions with the files and patients of their images, for those who may see these."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from lethe.cli import app
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import ConfirmationRow, PredictionRow, Results, Store
from lethe.results.images import UnnamedImagesWarning, images_of
from lethe.storage.root import StorageRoot
from lethe.study import read_study

NAMED: Final = "from predictions join images using (study, scenario, image)"


def lethe(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "120"})


def make_ward(folder: Path) -> Path:
    """Write a table of 80 images of two classes and 20 patients."""
    random, lines = np.random.default_rng(0), ["file,label,split,patient"]
    folder.mkdir()
    for n in range(80):
        split = "train" if n < 48 else "val" if n < 64 else "test"
        pixels = (random.integers(0, 128, (8, 8)) + 120 * (n % 2)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"scan{n}.png")
        lines.append(f"scan{n}.png,{('healthy', 'ill')[n % 2]},{split},p{n // 4:02}")
    (folder / "images.csv").write_text("\n".join(lines))
    return folder / "images.csv"


@pytest.fixture(scope="session")
def ward_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that asks for the study leaves data and results, for the others."""
    return tmp_path_factory.mktemp("named") / "ward"


@pytest.fixture
def results(ward_folder: Path, write_study: Callable[..., Path]) -> Path:
    """A finished study of a table of images: two patients are to be forgotten, and swapped labels."""
    if not ward_folder.exists():
        table = make_ward(ward_folder)
        (ward_folder / "withdrawn.txt").write_text("p03\np07\n")
        study = write_study(
            data=[{"source": "table", "path": str(table), "channels": 1}],
            forget=[
                {"kind": "where", "column": "patient", "values_file": str(ward_folder / "withdrawn.txt")},
                {"kind": "confusion", "classes": ["healthy", "ill"], "fraction": 0.25},
            ],
            training={"epochs": 1, "batch_size": 16, "lr": 0.1},
            methods=[{"name": "fine_tune", "epochs": 1, "batch_size": 16, "lr": 0.01}],
        )
        with Progress(Console(quiet=True)) as progress:
            StudyRun(read_study(study), StorageRoot.at(ward_folder / "results"), progress).run(local=True)
    return ward_folder / "results"


def test_predictions_are_read_with_files_and_patients(results: Path) -> None:
    sql = f"select distinct scenario, file, patient, label, class_index, class_name {NAMED} order by file, scenario"
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    done = lethe("query", sql, "--names", "--format", "json", "--results", results)
    assert done.exit_code == 0, done.output
    assert done.stderr == "The answer can name files and patients: it is for those alone who may see these.\n"
    rows = json.loads(done.stdout)
    [withdrawn] = {row["scenario"] for row in rows if row["patient"] == "p03"} - {
        row["scenario"] for row in rows if row["patient"] not in ("p03", "p07")
    }
    of_patients = [row for row in rows if row["scenario"] == withdrawn]
    assert [row["file"] for row in of_patients] == [f"scan{n}.png" for n in (*range(12, 16), *range(28, 32))]
    assert {row["patient"] for row in of_patients} == {"p03", "p07"}
    for row in rows:
        truly_ill = int(row["file"].removeprefix("scan").removesuffix(".png")) % 2
        assert row["label"] == row["class_index"] == (truly_ill if row["scenario"] == withdrawn else 1 - truly_ill)
        assert row["class_name"] == ("healthy", "ill")[row["label"]]
    after = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert after == before
    assert not [path for path, content in after.items() if b"scan12" in content or b"p07" in content]


def test_without_names_no_query_reads_images(results: Path) -> None:
    done = lethe("query", f"select file {NAMED}", "--results", results)
    assert done.exit_code == 2
    assert "Table with name images does not exist" in done.output
    assert "With --names: images." in done.output
    for wrong, told in (
        (["from images", "--names", "--save", "mine"], "--names is for those who may see names"),
        (["--names"], "go with a query"),
        (["from trials", "--save", "images"], "'images' is the name of a table or view"),
        (["from trials", "--study", "tinny"], "no results of study tinny in"),
    ):
        done = lethe("query", *wrong, "--results", results)
        assert (done.exit_code, told in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("scan0.png,healthy", "scan0.png,ill", "is not what the rows were made from; images or labels changed"),
        ("scan0.png,", "gone.png,", "gone.png: there is no such image"),
    ],
)
def test_other_data_than_the_rows_were_made_from_is_refused(old: str, new: str, told: str, results: Path) -> None:
    table = results.parent / "images.csv"
    text = table.read_text()
    try:
        table.write_text(text.replace(old, new))
        done = lethe("query", f"select file {NAMED}", "--names", "--results", results)
    finally:
        table.write_text(text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "study tiny: its images cannot be named: " in done.output
    assert told in done.output


def test_rows_of_earlier_specifications_have_no_names_and_that_is_said(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(PredictionRow)])
    store.append([make(ConfirmationRow)])
    with pytest.warns(UnnamedImagesWarning, match="predictions of 1 scenario that only an earlier specification asks"):
        assert not len(images_of(Results(store.root)))
