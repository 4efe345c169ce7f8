"""docs/extending.md: the tests of plug-ins build its package, install and run it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from rich.console import Console

import lethe
from lethe.plugins import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
BLOCK = re.compile(r"^```(?:python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST = 30


def test_there_is_a_part_of_each_family_in_fewer_than_thirty_lines(example_package: Path) -> None:
    modules = [path for path in (example_package / "lethe_example").glob("*.py") if path.name != "__init__.py"]
    assert {path.stem for path in modules} == FAMILIES.keys()
    lengths = {path.stem: len(path.read_text().splitlines()) for path in modules}
    assert max(lengths.values()) < LONGEST, lengths


def test_every_file_of_the_page_is_part_of_the_package(example_package: Path) -> None:
    files = {path.relative_to(example_package).as_posix() for path in example_package.rglob("*") if path.is_file()}
    modules = {f"lethe_example/{name}.py" for name in (*FAMILIES, "__init__")}
    assert files == {*modules, "pyproject.toml", "tests/test_contract.py"}
    assert len(BLOCK.findall(PAGE)) == len(files) + 1  # __init__.py is empty, and two on the page are no part of it


def test_each_family_is_in_the_table(example_package: Path) -> None:
    for name, family in FAMILIES.items():
        assert re.search(rf"^\| .* \| `{re.escape(family.group)}` \| `\w+_CHECKS` \|$", PAGE, re.MULTILINE), name


def test_the_network_by_import_is_trained_as_written(write_study: Callable[..., Path], tmp_path: Path) -> None:
    [module] = [block for block in BLOCK.findall(PAGE) if "class Patches" in block]
    assert len(module.splitlines()) < LONGEST
    (tmp_path / "mynets.py").write_text(module)
    [network] = re.findall(r"^```yaml\nnetwork: (.*)\n```$", PAGE, re.MULTILINE)
    data = [{"source": "synthetic", "train": 60, "val": 30, "test": 30, "size": 12, "classes": 2}]
    training = {"epochs": 1, "batch_size": 32, "lr": 0.05}
    methods = [{"name": "fine_tune", "epochs": 1, "batch_size": 32}]
    study = write_study(data=data, network=yaml.safe_load(network), training=training, methods=methods)
    finished = lethe.run(study, tmp_path / "results", local=True, console=Console(quiet=True))
    assert not finished.problems
    [row] = finished.query("select distinct network, network_package from confirmations").to_pylist()
    assert row == {"network": "mynets:Patches width 8 normalise none resize 24", "network_package": None}


def test_the_class_of_a_program_is_added_as_written() -> None:
    code = BLOCK.findall(PAGE)[-1] + "print(METHODS['gentle']().lr)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.0001\n"
