"""Studies in files: those that we ship, what is none, and paths in them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from smallest_study import content, written

from lethe.study import Study, StudyError, parse_study, read_study

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_study_that_we_ship_can_be_read_and_bears_its_files_name(path: Path) -> None:
    study = read_study(path)
    assert isinstance(study, Study)
    assert study.name == path.stem


def test_there_are_studies_to_ship() -> None:
    assert "quickstart" in [path.stem for path in CONFIGS]


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b\n", "a list"), ("", "nothing"), ("words\n", "a str")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, kind: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(StudyError, match="wanted a mapping") as caught:
        read_study(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(f"got {kind}")


def test_a_file_that_is_not_yaml_is_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"is not YAML(.|\n)*line 2"):
        read_study(written(tmp_path, "name: a\ndata: ]\n"))


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere.yaml", "there is no such study"), (".", "wanted a regular file as study, got a folder")]
)
def test_a_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / name
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert str(caught.value) == f"{path}: {why}"


def test_an_arm_that_comes_twice_and_a_file_of_another_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="augmentations: named twice: none"):
        parse_study(content(augmentations=["none", "none"]), "study.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Zürich".encode("latin-1"))
    with pytest.raises(StudyError, match="is not UTF-8 text"):
        read_study(path)


def data_of(study: Study) -> list[Any]:
    return [getattr(source, "path", None) or getattr(source, "root", None) for source in study.data]


def test_paths_in_a_file_count_from_its_folder_and_those_of_overrides_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "studies"
    folder.mkdir()
    sources = [
        {"source": "folder", "path": "scans", "size": 28},
        {"source": "npz", "path": "/data/a.npz"},
        {"source": "npz", "path": "~/b.npz"},
        {"source": "medmnist", "name": "bloodmnist", "root": "../sets"},
        {"source": "table", "path": "images.csv", "cache": "kept"},
    ]
    asked = [
        {"kind": "indices", "file": "withdrawn.csv"},
        {"kind": "where", "column": "file", "values_file": "files.txt"},
    ]
    file = written(folder, yaml.safe_dump(content(data=sources, forget=asked)))
    study = read_study(file)
    assert data_of(study) == [
        folder / "scans",
        Path("/data/a.npz"),
        Path.home() / "b.npz",
        folder / "../sets",
        folder / "images.csv",
    ]
    assert study.data[4].cache == folder / "kept"  # type: ignore[union-attr]
    assert study.forget[0].file == folder / "withdrawn.csv"  # type: ignore[union-attr]
    assert study.forget[1].values_file == folder / "files.txt"  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    assert read_study(Path("studies/study.yaml")).data[0].path == Path("studies/scans")  # type: ignore[union-attr]
    changed = read_study(file, ["data.0.path=mine", "results=there"])
    assert data_of(changed)[0] == Path("mine")
    assert changed.results == "there"
