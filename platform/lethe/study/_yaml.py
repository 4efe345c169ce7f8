"""YAML into plain values, within limits: endless nesting or growth and duplicate keys are refused.

PyYAML alone recurses as deep as the text nests, lets a few lines of aliases stand for billions of values, silently
takes the last of two equal keys, and reads ``1e-3`` as text. Here it is a number, as in YAML 1.2.
"""

import re
from typing import Any, Final

import yaml

from lethe.errors import LetheError

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 100_000


_INT64: Final = 1 << 63

_FLOAT: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$")
"""A number with a point or an exponent in YAML 1.2 (core schema, section 10.3.2); YAML 1.1 wants both."""


class YamlError(LetheError):
    """Text that is no YAML, or beyond the limits; the message says where and what was found."""


def read_yaml(text: str) -> Any:
    """Read one YAML document.

    Raises:
        YamlError: it is no YAML, has a key twice, nests deeper than `MAX_DEPTH` levels, or holds more than `MAX_VALUES`
            values, each counted as often as aliases repeat it.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise YamlError(f"is not YAML: {error}") from None
    except (ValueError, LookupError, AttributeError) as error:  # PyYAML's, of such as a month 13 or `!!int x`
        raise YamlError(f"is not YAML: a value does not fit its kind: {error}") from None


def write_yaml(content: Any, *, short_lists: bool = False) -> str:
    """Write plain values as YAML that `read_yaml` reads back as the same values.

    Args:
        short_lists: whether a list is written in one line, as in ``[1, 2]``.
    """
    return yaml.dump(content, Dumper=_ShortLists if short_lists else _Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which puts text in quotes that the loader would take for a number."""


class _ShortLists(_Dumper):
    """The same with lists in one line."""


_ShortLists.add_representer(
    list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which stops where the text nests too deep."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose what comes next, one level further down."""
        if self._depth > MAX_DEPTH:
            raise YamlError(f"nests deeper than {MAX_DEPTH} levels in line {self.line + 1}")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Read a whole number that a column of the results can hold."""
        value = int(super().construct_yaml_int(node))
        if not -_INT64 <= value < _INT64:
            raise YamlError(f"has a whole number outside 64 bits in line {_line(node)}")
        return value


for one in (_Loader, _Dumper):
    one.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _count(node: yaml.Node, counts: dict[int, int]) -> int:
    """Count the values of a node, those of an alias each time it occurs, and refuse keys that are there twice."""
    if id(node) in counts:
        if not counts[id(node)]:
            raise YamlError(f"holds itself, through an alias, in line {_line(node)}")
        return counts[id(node)]
    counts[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        count = 1 + sum(_count(key, counts) + _count(value, counts) for key, value in node.value)
    else:
        count = 1 + sum(_count(value, counts) for value in node.value if isinstance(node, yaml.SequenceNode))
    if count > MAX_VALUES:
        raise YamlError(f"holds more than {MAX_VALUES:,} values, through aliases or by itself, in line {_line(node)}")
    counts[id(node)] = count
    return count


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            name = key.tag, key.value
            if name in seen:
                raise YamlError(f"has the key {key.value!r} twice, in lines {seen[name]} and {_line(key)}")
            seen[name] = _line(key)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
