"""Writes docs/api.md, the reference of what is called from Python, from the docstrings.

python docs/api_reference.py > docs/api.md
"""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

PUBLIC: Final = {
    "lethe": ("run", "FinishedStudy", "plan", "PlannedStudy", "forget", "deliver", "Delivery", "load", "query"),
    "lethe.study": ("study_of", "read_study", "write_study", "json_schema", "template"),
    "lethe.results": ("Results", "save_query", "compact", "copy_tables"),
    "lethe.report": ("leaderboard", "Board", "print_leaderboard", "write_latex"),
}
"""What a user calls, by module; everything else is for Lethe itself and may change with any release."""

HEAD: Final = """# Lethe from Python

What a script or notebook can call; everything else may change with any release. Tables come as `pyarrow.Table`, which
has `.to_pandas()` and which `polars.from_arrow` reads. [data_model.md](data_model.md) describes tables and views,
[study.md](study.md) the keys of a study. This page is written by `python docs/api_reference.py > docs/api.md`.
"""

SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns):$", re.MULTILINE)


def page() -> str:
    """Return the page, as Markdown."""
    sections = [HEAD]
    for name, public in PUBLIC.items():
        module = importlib.import_module(name)
        sections.append(f"## {name}\n\n{markdown(inspect.getdoc(module) or '')}\n")
        sections += [part for one in public for part in _entry(f"{name}.{one}", getattr(module, one))]
    errors = markdown(inspect.getdoc(importlib.import_module("lethe.errors")) or "")
    return "\n".join([*sections, f"## Exceptions\n\n{errors}\n"])


def markdown(docstring: str) -> str:
    """Return a docstring in Google's style as Markdown: its sections as lists, literals in single backticks."""
    text, *sections = SECTION.split(docstring.replace("``", "`"))
    parts = [text.strip()]
    for title, content in zip(sections[::2], sections[1::2], strict=True):
        body, rest = _split(content)
        parts.append(f"*{title}*\n\n{_listed(body)}" if title != "Returns" else f"*{title}*\n\n{body}")
        parts += [rest] if rest else []
    return "\n\n".join(parts)


def _entry(name: str, value: object) -> Iterator[str]:
    definition = _definition(value)
    yield f"### {name}\n"
    yield f"```python\n{_signature(definition)}\n```\n"
    yield f"{markdown(inspect.getdoc(value) or '')}\n"
    if isinstance(definition, ast.ClassDef):
        for method in definition.body:
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_") and ast.get_docstring(method):
                yield f"- `{_called(method)}`: {_first_line(method)}"
        yield ""


def _signature(definition: ast.AST) -> str:
    """Return how something is called as its source has it, since Python's versions print types differently."""
    match definition:
        case ast.FunctionDef(name=name, args=arguments, returns=returns):
            shown = ast.unparse(arguments).removeprefix("self, ").removeprefix("cls, ")
            shown = "" if shown in ("self", "cls") else shown
            result = f" -> {ast.unparse(returns)}" if returns else ""
            return f"{name}({shown}){result}"
        case ast.ClassDef(name=name, body=body):
            made = next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
            if made:
                return f"{name}{_signature(made).removeprefix('__init__').removesuffix(' -> None')}"
            fields = [one for one in body if isinstance(one, ast.AnnAssign)]
            if any("dataclass" in ast.unparse(one) for one in definition.decorator_list):
                return f"{name}({', '.join(ast.unparse(one) for one in fields)})"
            return f"class {name}({', '.join(map(ast.unparse, definition.bases))})"
    raise TypeError(f"wanted a function or class, got {type(definition).__name__}")


def _called(method: ast.FunctionDef) -> str:
    """Return how a method is called, or how a property is read."""
    is_property = any("property" in ast.unparse(one) for one in method.decorator_list)
    return _signature(method).replace("()", "", 1) if is_property else _signature(method)


def _definition(value: object) -> ast.FunctionDef | ast.ClassDef:
    module = inspect.getmodule(value)
    if module is None:
        raise TypeError(f"wanted something with a module, got {value!r}")
    name = getattr(value, "__name__", "")
    return next(
        one
        for one in ast.walk(_source(module))
        if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == name and one.col_offset == 0
    )


@cache
def _source(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def _split(content: str) -> tuple[str, str]:
    """Split what follows a section's title into the section, which is indented, and the text after it."""
    lines = content.strip("\n").splitlines()
    end = next((at for at, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return textwrap.dedent("\n".join(lines[:end])).strip(), "\n".join(lines[end:]).strip()


def _listed(body: str) -> str:
    entries = re.split(r"\n(?=\S)", body)
    found = [entry.partition(": ") for entry in entries]
    return "\n".join(f"- `{name}`: {' '.join(rest.split())}" if rest else f"- {name}" for name, _, rest in found)


def _first_line(definition: ast.FunctionDef) -> str:
    return (ast.get_docstring(definition) or "").partition("\n")[0].replace("``", "`")


if __name__ == "__main__":
    print(page(), end="")
