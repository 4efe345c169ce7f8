import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unlearning import imported
from unlearning.errors import LetheError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that Python finds, and forgets after the test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def forget(*names: str) -> None:
    for name in names:
        del sys.modules[name]


def test_an_attribute_of_a_module_is_loaded_by_its_name(folder: Path) -> None:
    (folder / "own_code.py").write_text("class Box:\n    lid = 7\n")
    assert imported.load("own_code:Box.lid") == 7
    assert imported.load("pathlib:Path") is Path


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("own_code", "wanted package.module:attribute, got 'own_code'"),
        ("own code:train", "wanted package.module:attribute, got 'own code:train'"),
        ("own_code:", "wanted package.module:attribute, got 'own_code:'"),
        ("nowhere_at_all:train", "nowhere_at_all cannot be imported: ModuleNotFoundError: No module named"),
        ("own_code:train", "the module own_code has no train; it has fit"),
        ("broken_code:train", "broken_code cannot be imported: ZeroDivisionError: division by zero"),
        ("leaving_code:train", "leaving_code cannot be imported: SystemExit: 2"),
    ],
)
def test_what_cannot_be_loaded_is_one_error_with_the_reason(folder: Path, spec: str, said: str) -> None:
    (folder / "own_code.py").write_text("def fit(): ...\n")
    (folder / "broken_code.py").write_text("1 / 0\n")
    (folder / "leaving_code.py").write_text("raise SystemExit(2)\n")
    with pytest.raises(LetheError, match=re.escape(said)):
        imported.load(spec)


def test_code_that_pip_installed_is_identified_by_distribution_and_version() -> None:
    found = imported.identity("pydantic.main:BaseModel")
    assert found == {"distribution": "pydantic", "version": sys.modules["pydantic"].VERSION}


def test_code_beside_a_study_is_identified_by_its_source_and_that_of_what_it_imports_from_there(folder: Path) -> None:
    (folder / "own_code.py").write_text("from own_parts import step\nimport math\n")
    (folder / "own_parts.py").write_text("def step(): ...\n")
    (folder / "other_code.py").write_text("1 / 0\n")
    first = imported.identity("own_code:step")
    assert first.keys() == {"source_sha256"}
    assert set(imported.sources("own_code:step")) == {"own_code.py", "own_parts.py"}
    (folder / "other_code.py").write_text("2 / 0\n")
    assert imported.identity("own_code:step") == first
    (folder / "own_parts.py").write_text("def step(): return 1\n")
    forget("own_code", "own_parts")
    assert imported.identity("own_code:step") != first


def test_code_of_a_package_is_identified_by_all_of_the_package(folder: Path) -> None:
    (folder / "own_package").mkdir()
    for name in ("__init__", "train", "parts"):
        (folder / "own_package" / f"{name}.py").write_text("def train(): ...\n")
    first = imported.identity("own_package.train:train")
    assert set(imported.sources("own_package.train:train")) == {
        "own_package/__init__.py",
        "own_package/train.py",
        "own_package/parts.py",
    }
    (folder / "own_package" / "parts.py").write_text("def train(): return 1\n")
    assert imported.identity("own_package.train:train") != first


def test_code_without_a_source_file_is_refused() -> None:
    with pytest.raises(imported.ImportedError, match="wanted a module with a source file"):
        imported.identity("sys:exit")
