"""The command that lists what a study can choose from, with packages: methods, networks, data, metrics and audits."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import console, fail, stderr

if TYPE_CHECKING:
    from unlearning.audits import Audit
    from unlearning.families import Family
    from unlearning.metrics import Metric

PartName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A method, network, data source, metric or audit, which is described."),
]


def methods(name: PartName = None) -> None:
    """List methods, networks, data sources, metrics and audits.

    These are the names that a study can use, with packages. With NAME, show its options: their values, defaults and
    meanings; for a metric or an audit, what it measures. Exit
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
            options = ", ".join(_options(family, part))
            table.add_row(*map(Text, (family.noun, name, str(package or ""), str(part.version), options)))
    out = console()
    out.print(table)
    out.print(Text("`lethe methods NAME` shows the values, defaults and meanings of the options."))
    if problems:
        stderr(*problems)
        raise typer.Exit(1)


def _show(name: str) -> None:
    from lethe.plugins import FAMILIES
    from unlearning.audits import AUDITS
    from unlearning.families import PluginError
    from unlearning.metrics import Metric

    found = [family for family in FAMILIES.values() if name in family]
    if not found:
        known = "\n".join(f"  {family.noun}s: {family.described()}" for family in FAMILIES.values())
        fail(f"there is no method, network, data source, metric or audit {name!r}; there are\n{known}")
    for family in found:
        try:
            part = family[name]
        except PluginError as error:
            fail(str(error), 1)
        table, meaning = _metric(part) if isinstance(part, Metric) else _class_of_options(family, part)
        out = console()
        package = family.package(name)
        out.print(Text(f"{family.noun} {name}, {package or 'added by a program'}: {meaning}"))
        out.print(table)
        if family is AUDITS:
            out.print(_statistics(part))


def _options(family: "Family[Any]", part: Any) -> list[str]:
    """Return the names of the options of a part, as a study writes them; a metric has none."""
    from unlearning.families import OptionsFamily

    if not isinstance(family, OptionsFamily):
        return []
    return [field.alias or name for name, field in part.model_fields.items() if name != family.tag]


def _class_of_options(family: "Family[Any]", part: Any) -> tuple[Table, str]:
    """Return a table of the options of a method, network, data source or audit, and its meaning."""
    from unlearning.methods import Method

    ranges = part.ranges if issubclass(part, Method) else {}
    table = Table("option", "values", "default", *(["search: default"] if ranges else []), "meaning", box=SIMPLE_HEAD)
    schema = part.model_json_schema()
    for option in _options(family, part):
        about = schema["properties"][option]
        default = "needed" if option in schema.get("required", ()) else _written(about.get("default"))
        searched = [str(ranges.get(option, ""))] if ranges else []
        table.add_row(*map(Text, (option, _values(about), default, *searched, about.get("description", ""))))
    return table, (part.__doc__ or "").strip().partition("\n")[0]


_TARGETS = {"oracle": "the oracle's value", "higher": "higher is better", "lower": "lower is better"}


def _statistics(audit: "type[Audit]") -> Table:
    """Return a table of what an audit may find, by the names that rows call it."""
    table = Table("measure", "unit", "target", "meaning", box=SIMPLE_HEAD)
    name = audit.model_fields["name"].default
    for statistic, about in audit.statistics.items():
        row = (f"{name}_{statistic}", about.unit or "none", _TARGETS[about.direction], about.meaning)
        table.add_row(*map(Text, row))
    return table


def _metric(metric: "Metric") -> tuple[Table, str]:
    """Return a table of what a metric measures, and its meaning."""
    facts = {
        "version": str(metric.version),
        "unit": metric.unit or "none",
        "target": _TARGETS[metric.direction],
        "images": ", ".join(metric.groups) or "of no single group",
        "by class": "yes" if metric.per_class else "no",
        "source": metric.source,
    }
    table = Table("property", "value", box=SIMPLE_HEAD)
    for fact in facts.items():
        table.add_row(*map(Text, fact))
    return table, metric.title


_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}


def _values(schema: dict[str, Any]) -> str:
    """Write a JSON schema of one option in words."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(map(_values, schema[key]))
    if "const" in schema or "enum" in schema:
        return ", ".join(_written(value) for value in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return f"list of {', '.join(map(_values, schema['prefixItems']))}"
    if schema.get("type") == "array":
        return f"list, each {_values(schema['items'])}"
    bounds = " ".join(f"{word} {schema[key]:g}" for key, word in _BOUNDS.items() if key in schema)
    return f"{_TYPES.get(schema.get('type', ''), 'mapping')} {bounds}".strip()


def _written(value: object) -> str:
    return "null" if value is None else str(value)
