"""Folders that may become a results place, and those that hold another tool's files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lethe.cli import app
from lethe.results import Store, TrialRow
from lethe.results.ownership import check_ownership
from lethe.storage.root import StorageError, StorageRoot


def run(study: Path, folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["run", str(study), "--local", "--results", str(folder), *options])


@pytest.mark.parametrize(
    "names",
    [[], [".git", ".DS_Store", "lost+found", "study.yaml"], ["artifacts", "locks"], ["pool", "leases", "set-aside"]],
)
def test_a_folder_that_is_missing_empty_or_lethes_is_taken(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / "place" / name).mkdir(parents=True)
    check_ownership(StorageRoot.at(tmp_path / "place"))


def test_results_of_an_early_version_beside_other_files_are_taken(
    store: Store, make: Callable[..., Any], tmp_path: Path
) -> None:
    store.append([make(TrialRow)])
    store.root.write("notes.txt", b"mine")
    check_ownership(store.root)


def test_a_place_that_was_prepared_stays_lethes_whatever_is_put_there(tmp_path: Path) -> None:
    StorageRoot.at(tmp_path).prepared()
    (tmp_path / "notes.txt").touch()
    check_ownership(StorageRoot.at(tmp_path))


@pytest.mark.parametrize("where", ["folder", "memory://ownership-test"])
def test_a_place_with_files_of_something_else_is_refused_with_their_names(where: str, tmp_path: Path) -> None:
    root = StorageRoot.at(where if "://" in where else tmp_path / where)
    for number in range(7):
        root.write(f"other{number}/file", b"x")
    root.write("tables/figures.tex", b"x")
    with pytest.raises(
        StorageError, match=r"files of something else: other0, other1, .*, other4 and 2 more; .*--force"
    ):
        check_ownership(root)


def test_a_run_leaves_another_tools_folder_as_it_is_unless_it_is_forced(
    write_study: Callable[..., Path], tmp_path: Path
) -> None:
    study = write_study(data=[{"source": "npz", "path": "/nowhere/images.npz"}])
    folder = tmp_path / "tool"
    folder.mkdir()
    (folder / "model.bin").touch()
    done = run(study, folder)
    assert done.exit_code == 2
    assert "holds no results, but files of something else: model.bin" in done.output
    assert [path.name for path in folder.iterdir()] == ["model.bin"]
    assert "/nowhere/images.npz" in run(study, folder, "--force").output
    assert "/nowhere/images.npz" in run(study, folder).output
