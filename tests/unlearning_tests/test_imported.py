"""Code by ``package.module:attribute``: what is found and refused, what identifies it, what other processes load."""

import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unlearning.errors import InputError
from unlearning.families import Package
from unlearning.imported import Origin, load, locate, misfit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules, which Python forgets after the test."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield tmp_path
    forget(*(set(sys.modules) - before))


def forget(*names: str) -> None:
    for name in names:
        sys.modules.pop(name, None)


def origin(name: str, folder: Path) -> Origin:
    return locate(name, folder)[1]


def test_an_attribute_of_a_module_beside_a_study_or_of_an_installed_one_is_found(folder: Path) -> None:
    (folder / "own_code.py").write_text("class Box:\n    def lid(): return 7\n")
    assert locate("own_code:Box.lid", folder)[0]() == 7
    assert locate("pathlib:Path", folder)[0] is Path
    assert locate("pathlib:Path", None)[0] is Path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere_at_all:train", "there is no module nowhere_at_all; it is neither installed nor in "),
        ("own_code:train", "own_code has no train; it has fit"),
        ("own_code:RATE", "wanted a class or a function, got own_code:RATE, a float"),
        ("lacking_code:train", "lacking_code cannot be imported: No module named 'nowhere_at_all'"),
        ("broken_code:train", "broken_code cannot be imported: ZeroDivisionError: division by zero"),
        ("leaving_code:train", "leaving_code cannot be imported: SystemExit: 2"),
        ("sys:exit", "wanted a module with a source file, got sys without one"),
    ],
)
def test_what_cannot_be_found_is_one_error_with_the_reason(folder: Path, name: str, said: str) -> None:
    (folder / "own_code.py").write_text("RATE = 0.1\n\n\ndef fit(): ...\n")
    (folder / "lacking_code.py").write_text("import nowhere_at_all\n")
    (folder / "broken_code.py").write_text("1 / 0\n")
    (folder / "leaving_code.py").write_text("raise SystemExit(2)\n")
    with pytest.raises(InputError, match=re.escape(said)):
        locate(name, folder)


def test_code_of_a_distribution_is_identified_by_its_version(folder: Path) -> None:
    found = origin("pydantic.main:BaseModel", folder)
    assert found.package == Package("pydantic", sys.modules["pydantic"].VERSION)
    assert (found.code, found.files) == (str(found.package), {})


def test_code_beside_a_study_is_identified_by_its_files_and_those_that_they_import_from_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own_code.py").write_text("import math, random\n\n\ndef step():\n    from own_parts import step\n")
    (folder / "own_parts.py").write_text("def step(): ...\n")
    (folder / "other_code.py").write_text("1 / 0\n")
    (folder / "random.py").write_text("'Python finds its own first'\n")
    first = origin("own_code:step", folder)
    assert set(first.files) == {"own_code.py", "own_parts.py"}
    (folder / "other_code.py").write_text("2 / 0\n")
    assert origin("own_code:step", folder).code == first.code
    (folder / "own_parts.py").write_text("def step(): return 1\n")
    with pytest.raises(InputError, match=r"own_parts\.py has changed since this process imported it: start it anew"):
        locate("own_code:step", folder)
    monkeypatch.setattr("unlearning.imported._READ", {})  # as in another process
    forget("own_code", "own_parts")
    assert origin("own_code:step", folder).code != first.code


def test_all_of_a_package_counts_whatever_is_named_in_it(folder: Path) -> None:
    (folder / "own_package").mkdir()
    for name in ("__init__", "nets", "training"):
        (folder / "own_package" / f"{name}.py").write_text("def make(): ...\n")
    nets, training = origin("own_package.nets:make", folder), origin("own_package.training:make", folder)
    assert nets == training
    assert set(nets.files) == {"own_package/__init__.py", "own_package/nets.py", "own_package/training.py"}
    (folder / "own_package" / "training.py").write_text("def make(): return 1\n")
    with pytest.raises(InputError, match=r"training\.py has changed since this process imported it"):
        locate("own_package.nets:make", folder)


def test_two_modules_of_one_name_are_refused(folder: Path) -> None:
    for place in ("here", "there"):
        (folder / place).mkdir()
        (folder / place / "own_parts.py").write_text(f"'{place}'\n")
        (folder / place / f"own_{place}.py").write_text("from own_parts import __doc__\n\n\ndef make(): ...\n")
    (folder / "there" / "yaml.py").write_text("def make(): ...\n")
    locate("own_here:make", folder / "here")
    with pytest.raises(InputError, match=r"two modules own_parts: .*there/own_parts\.py, and .*here/own_parts\.py, "):
        locate("own_there:make", folder / "there")
    with pytest.raises(InputError, match=r"two modules yaml: .*there/yaml\.py, and .*; rename the first"):
        locate("yaml:make", folder / "there")


def test_another_process_loads_what_was_read_here_and_nothing_else_of_that_name(folder: Path) -> None:
    (folder / "own_code.py").write_text("def say():\n    from own_parts import word\n\n    return word\n")
    (folder / "own_parts.py").write_text("word = 'as it was read'\n")
    sent = pickle.dumps(origin("own_code:say", folder))
    (folder / "own_code.py").write_text("def say(): return 'another one'\n")
    (folder / "own_parts.py").unlink()
    program = (
        "import pickle, sys\n"
        "from unlearning.imported import load\n"
        "{}print(load('own_code:say', pickle.loads(sys.stdin.buffer.read()))())"
    )

    def printed(before: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-c", program.format(before)]
        return subprocess.run(command, input=sent, capture_output=True, check=False, cwd=folder)

    done = printed("")
    assert done.stdout.decode() == "as it was read\n", done.stderr.decode()
    refused = printed("import own_code\n")
    assert refused.returncode != 0
    assert "there are two modules own_code: the study's, and " in refused.stderr.decode()


def test_what_was_located_is_loaded_in_this_process(folder: Path) -> None:
    (folder / "own_code.py").write_text("def make(): ...\n")
    found, there = locate("own_code:make", folder)
    assert load("own_code:make", there) is found


def test_a_misfit_says_what_the_signature_is() -> None:
    def train(data: object, seed: int, lr: float = 0.1) -> None: ...

    assert misfit(train, None, 0, lr=1.0) is None
    assert misfit(train, None, 0, rate=1.0) == (
        "got an unexpected keyword argument 'rate'; it takes (data: object, seed: int, lr: float = 0.1) -> None"
    )
