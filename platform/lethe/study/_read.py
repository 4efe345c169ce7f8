"""Reads a study's YAML at the one boundary where text becomes a checked Study; nothing else reads YAML."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lethe.study._model import Study, number_hint
from lethe.study._yaml import YamlError, read_yaml
from unlearning.data import DataError
from unlearning.data._files import read_regular

STUDY_LIMIT_BYTES: Final = 1 << 20
"""A study's file is no larger."""

_UNION_TAGS = {"range", "choices", "share", "auto"}
MAX_PARTS: Final = 16
"""Of an override's dotted key."""

_SHOWN = 200
"""Characters of a wrong value that a message shows."""


class StudyError(Exception):
    """A study that cannot be read; the message has one line an error, each with its dotted place."""


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read and check a study.

    Args:
        path: the YAML file.
        overrides: ``KEY=VALUE``, with a dotted key (``search.trials=40``, ``data.0.size=64``) and a YAML value.

    Raises:
        StudyError: the file cannot be read, an override has no place, or any option is wrong; all errors at once.
    """
    return parse_study(read_options(path, overrides), str(path))


def read_options(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a study's options as they are written, unchecked.

    Args:
        path: the YAML file.
        overrides: as in `read_study`.

    Raises:
        StudyError: the file cannot be read, or an override has no place.
    """
    try:
        text = read_regular(path, STUDY_LIMIT_BYTES, "study").decode()
    except DataError as error:
        raise StudyError(str(error)) from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: is not UTF-8 text: {error}") from error
    content = _options(text, str(path))
    for override in overrides:
        _apply(content, override)
    return content


def read_text(text: str, origin: str) -> Study:
    """Read and check a study that is at hand as YAML, such as a specification that was kept.

    Raises:
        StudyError: it is no YAML, or any option is wrong; all errors at once.
    """
    return parse_study(_options(text, origin), origin)


def parse_study(content: Mapping[str, Any], origin: str) -> Study:
    """Check a study that has been read already.

    Raises:
        StudyError: any option is wrong; all errors at once, each with its dotted place.
    """
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        lines = [line for detail in error.errors() for line in _explain(detail)]
        count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
        raise StudyError("\n".join([f"{origin}: {count}", *(f"  {line}" for line in lines)])) from None


def _options(text: str, origin: str) -> dict[str, Any]:
    try:
        content = read_yaml(text)
    except YamlError as error:
        raise StudyError(f"{origin}: {error}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{origin}: wanted a mapping of options such as 'name:' and 'data:', got {_kind(content)}")
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise StudyError(f"{_shown(override)}: wanted KEY=VALUE, such as search.trials=40")
    try:
        value = read_yaml(text)
    except YamlError as error:
        raise StudyError(f"{_shown(override)}: the value {error}") from error
    *parents, last = key.split(".")
    if len(parents) >= MAX_PARTS:
        raise StudyError(f"{_shown(override)}: the key has more parts than the {MAX_PARTS} that any option has")
    root: Any = content
    for parent in parents:
        root = _step(root, parent, override)
    if isinstance(root, list):
        _step(root, last, override)
        root[int(last)] = value
    elif isinstance(root, dict):
        root[last] = value
    else:
        raise StudyError(f"{_shown(override)}: {_shown(parents[-1])} holds {_shown(root)}, which has no parts")


def _step(root: Any, part: str, override: str) -> Any:
    if isinstance(root, list):
        if part not in map(str, range(len(root))):
            raise StudyError(
                f"{_shown(override)}: wanted a position 0 ... {len(root) - 1} in a list, got {_shown(part)}"
            )
        return root[int(part)]
    if isinstance(root, dict):
        if root.get(part) is None:
            root[part] = {}
        return root[part]
    raise StudyError(f"{_shown(override)}: {_shown(part)} is sought in {_shown(root)}, which has no parts")


def _explain(detail: ErrorDetails) -> list[str]:
    root = _root(detail["loc"])
    got = detail["input"]
    if detail["type"] == "value_error":
        message = str(detail["msg"]).removeprefix("Value error, ")
        return [_inside(root, line) for line in message.splitlines()]
    if detail["type"] == "too_short" and len(got) >= detail["ctx"]["min_length"]:
        return []  # pydantic counts only the items that are right; the wrong ones are told by themselves
    if detail["type"] == "missing":
        return [f"{root}: is needed"]
    if detail["type"] == "extra_forbidden":
        return [f"{root}: no such option here"]
    if detail["type"] in ("float_type", "int_type") and isinstance(got, str):
        return [f"{root}: wanted a number, got the text {_shown(got)}{number_hint(got)}"]
    if told := _plainly(detail):
        return [f"{root}{told}"]
    shown = "" if isinstance(got, dict | list) else f", got {_shown(got)}"
    return [f"{root}: {_lower(str(detail['msg']))}{shown}"]


def _plainly(detail: ErrorDetails) -> str | None:
    """Say in Lethe's words what pydantic says in its own; None for what it says plainly."""
    got, context = detail["input"], detail.get("ctx", {})
    option = str(context.get("discriminator", "")).strip("'")
    match detail["type"]:
        case "union_tag_invalid":
            return f".{option}: wanted one of {context['expected_tags']}, got {_shown(context['tag'])}"
        case "union_tag_not_found" if isinstance(got, dict):
            return f".{option}: is needed"
        case "too_short":
            return f": wanted at least {context['min_length']}, got {len(got)}"
        case "tuple_type":
            return f": wanted a list, as in [1, 2], got {_shown(got)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f": wanted a mapping of options, got {_shown(got)}"
        case "string_pattern_mismatch":
            return f": wanted letters (a to z), digits and . _ -, beginning with a letter or digit, got {_shown(got)}"
        case _:
            return None


def _inside(root: str, line: str) -> str:
    """Join the place with a line that may begin with an option's own name."""
    if not root:
        return line
    name, colon, rest = line.partition(": ")
    return f"{root}.{name}: {rest}" if colon and name.replace("_", "").isalnum() else f"{root}: {line}"


def _root(location: tuple[int | str, ...]) -> str:
    """Name the dotted place as the file has it, without the union tags that pydantic puts between."""
    return ".".join(str(part) for part in _without_tags(location))


def _without_tags(location: tuple[int | str, ...]) -> list[int | str]:
    kept: list[int | str] = []
    for position, part in enumerate(location):
        before = location[position - 1] if position else None
        tagged_list = isinstance(before, int) and position >= 2 and location[position - 2] == "forget"
        tagged_field = before == "schedule"
        if not (tagged_list or tagged_field or part in _UNION_TAGS):
            kept.append(part)
    return kept


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kind(content: object) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"
