"""docs/extending.md: its package is the one that the tests of plug-ins build, install and run."""

import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "extending.md").read_text()
EXAMPLE = TESTS / "plugins_tests" / "example_package"
BLOCK = re.compile(r"^```(?:python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^`([\w/]+\.\w+)`[^\n]*:\n\n```(?:python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST = 30


def test_the_pages_files_are_those_of_the_example_package() -> None:
    on_the_page = dict(NAMED.findall(PAGE))
    files = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml") and path.name != "__init__.py"]
    assert on_the_page == {path.relative_to(EXAMPLE).as_posix(): path.read_text() for path in files}


def test_each_part_takes_fewer_than_thirty_lines() -> None:
    lengths = {name: len(text.splitlines()) for name, text in NAMED.findall(PAGE)}
    assert len(lengths) == 6
    assert max(lengths.values()) < LONGEST, lengths


def test_the_class_of_a_program_is_added_as_written() -> None:
    code = BLOCK.findall(PAGE)[-1] + "print(METHODS['gentle']().lr)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.0001\n"
