"""A study on a user's own table of images, with a list of patients who withdrew."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from lethe.errors import LetheError
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import TABLES, load, query
from lethe.storage.root import StorageRoot
from lethe.study import read_study


@pytest.fixture
def ward(tmp_path: Path) -> dict[str, str | int]:
    """Write a table of 120 images of 40 patients."""
    random, rows = np.random.default_rng(0), ["file,label,patient"]
    (tmp_path / "ward").mkdir()
    for n in range(120):
        Image.fromarray(random.integers(0, 256, (12, 12), dtype=np.uint8)).save(tmp_path / "ward" / f"scan-{n}.png")
        rows.append(f"scan-{n}.png,{('healthy', 'ill')[n // 3 % 2]},patient-{n // 3:03}")
    (tmp_path / "ward" / "images.csv").write_text("\n".join(rows))
    return {"source": "table", "path": "ward/images.csv", "channels": 1}


def run(study: Path, results: Path) -> str:
    said = io.StringIO()
    with Progress(Console(file=said, width=1000)) as progress:
        StudyRun(read_study(study), StorageRoot.at(results), progress).run(local=True)
    return said.getvalue()


def test_a_run_says_what_a_list_selects_and_keeps_nothing_of_the_list(
    write_study: Callable[..., Path], tmp_path: Path, ward: dict[str, str | int]
) -> None:
    withdrawn = [f"patient-{number:03}" for number in (*range(8), 7, 900)]
    (tmp_path / "withdrawn.txt").write_text("\n".join(withdrawn))
    request = {"kind": "where", "column": "patient", "values_file": "withdrawn.txt", "allow_missing": True}
    study = write_study(
        data=[ward],
        forget=[request],
        methods=[{"name": "fine_tune", "epochs": 1, "batch_size": 32}],
        training={"epochs": 1, "batch_size": 32, "lr": 0.1},
    )
    said = run(study, tmp_path / "results")
    assert "images: splits drawn with seed 0: patients as wholes" in said
    assert "patient in withdrawn.txt: 10 lines name 9 values, of which 1 are of no image and" in said
    results = tmp_path / "results"
    asked = query("select distinct forget, forget_kind from confirmations where forget is not null", results)
    assert asked.to_pylist() == [{"forget": "patient in withdrawn.txt", "forget_kind": "where"}]
    [hashed] = query("select distinct forget_hash from boards", results)["forget_hash"].to_pylist()
    assert len(hashed) >= 20
    stored = "".join(str(load(results, table).to_pylist()) for table in TABLES)
    stored += "".join(path.read_bytes().decode("latin-1") for path in results.rglob("*") if path.is_file())
    assert "withdrawn.txt" in stored
    assert "patient-0" not in stored
    assert "scan-" not in stored


def test_a_list_with_a_line_that_names_nobody_ends_a_run_before_it_begins(
    write_study: Callable[..., Path], tmp_path: Path, ward: dict[str, str | int]
) -> None:
    (tmp_path / "withdrawn.txt").write_text("patient-001\npatient-900\n")
    request = {"kind": "where", "column": "patient", "values_file": "withdrawn.txt"}
    with pytest.raises(LetheError, match=r"1 of 2 values are no patient of any image(.|\n)*line 2: patient-900"):
        run(write_study(data=[ward], forget=[request]), tmp_path / "results")
