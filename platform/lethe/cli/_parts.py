"""The command that lists what a study can choose from: methods, networks and data sources, with their packages."""

from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import console, fail, stderr

PartName = Annotated[
    str | None, typer.Argument(metavar="NAME", help="A method, network or data source, whose options are shown.")
]


def methods(name: PartName = None) -> None:
    """List methods, networks and data sources, with packages.

    These are the names that a study can use. With NAME, show its options: their values, defaults and meanings. Exit
    code 0: all can be used; 1: a plug-in cannot be used (the message says why); 2: there is no such name.
    """
    if name is None:
        _list_all()
    else:
        _show(name)


def _list_all() -> None:
    from lethe.plugins import FAMILIES
    from unlearning.families import PluginError

    table = Table("kind", "name", "package", "version", "options", box=SIMPLE_HEAD)
    problems = []
    for family in FAMILIES.values():
        for name in family:
            try:
                part = family[name]
            except PluginError as error:
                problems.append(str(error))
                continue
            package = family.package(name)
            options = ", ".join(option for option in part.model_fields if option != family.tag)
            version = str(part.version)
            table.add_row(*map(Text, (family.noun, name, str(package or ""), version, options)))
    out = console()
    out.print(table)
    out.print(Text("`lethe methods NAME` shows the values, defaults and meanings of the options."))
    if problems:
        stderr(*problems)
        raise typer.Exit(1)


def _show(name: str) -> None:
    from lethe.plugins import FAMILIES
    from unlearning.families import PluginError

    found = [family for family in FAMILIES.values() if name in family]
    if not found:
        known = "\n".join(f"  {family.noun}s: {family.described()}" for family in FAMILIES.values())
        fail(f"there is no method, network or data source {name!r}; there are\n{known}")
    for family in found:
        try:
            part = family[name]
        except PluginError as error:
            fail(str(error), 1)
        table = Table("option", "values", "default", "meaning", box=SIMPLE_HEAD)
        schema = part.model_json_schema()
        for option, about in schema["properties"].items():
            if option != family.tag:
                default = "needed" if option in schema.get("required", ()) else _written(about.get("default"))
                table.add_row(*map(Text, (option, _values(about), default, about.get("description", ""))))
        out = console()
        meaning = (part.__doc__ or "").strip().splitlines()[0] if part.__doc__ else ""
        package = family.package(name)
        out.print(Text(f"{family.noun} {name}, {package or 'added by a program'}: {meaning}"))
        out.print(table)


_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}


def _values(schema: dict[str, Any]) -> str:
    """Write a JSON schema of one option in words."""
    if "anyOf" in schema:
        return " or ".join(map(_values, schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return ", ".join(_written(value) for value in schema.get("enum", [schema.get("const")]))
    bounds = " ".join(f"{word} {schema[key]:g}" for key, word in _BOUNDS.items() if key in schema)
    return f"{_TYPES.get(schema.get('type', ''), 'mapping')} {bounds}".strip()


def _written(value: object) -> str:
    return "null" if value is None else str(value)
