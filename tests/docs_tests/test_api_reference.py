"""docs/api.md is what the docstrings say today."""

import importlib.util
from pathlib import Path
from types import ModuleType

import lethe

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "api_reference.py"


def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("api_reference", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_docstrings_of_today() -> None:
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == script().page(), "python docs/api_reference.py > docs/api.md"


def test_the_page_has_every_name_that_the_package_gives() -> None:
    page = script().page()
    assert all(f"### lethe.{name}\n" in page for name in lethe.__all__ if name != "LetheError")
    assert "\n    LetheError\n" in page


DOCSTRING = """Return a ``thing``.

Args:
    size: of it,
        in pixels.
    name: what it is called.

Raises:
    E: no.
"""


def test_sections_of_a_docstring_become_lists() -> None:
    assert script().markdown(DOCSTRING).split("\n\n") == [
        "Return a `thing`.",
        "*Args*",
        "- `size`: of it, in pixels.\n- `name`: what it is called.",
        "*Raises*",
        "- `E`: no.",
    ]
