"""Reads a study's YAML at the one boundary where text becomes a checked Study; nothing else reads YAML."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lethe.errors import LetheError
from lethe.study._fields import Location, discriminator_of, is_model, names_of, resolve
from lethe.study._method_choice import MethodChoice
from lethe.study._model import Study
from lethe.study._paths import beside, in_folder
from lethe.study._wording import explain, nearest, shown, unknown
from lethe.study._write import write_study
from lethe.study._yaml import YamlError, read_yaml
from unlearning.data import DataError
from unlearning.data._files import read_regular
from unlearning.methods import METHODS
from unlearning.ranges import Range

STUDY_LIMIT_BYTES: Final = 1 << 20
"""Largest size of a study's file."""

MAX_PARTS: Final = 16
"""Most parts of an override's dotted key."""

RENAMED: Final = {"arms": "augmentations"}
"""Keys by their names in earlier versions of Lethe, whose specifications are kept with their results."""


class StudyError(LetheError):
    """A study that cannot be read; the message has one line for each error, with its dotted key."""


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read and check a study.

    Relative paths of data and lists of images count from the file's folder, those in overrides from the working
    directory; ``results`` counts from the working directory in both.

    Args:
        path: the YAML file.
        overrides: ``KEY=VALUE``, with a dotted key (``search.trials=40``, ``data.0.size=64``) and a YAML value.

    Raises:
        StudyError: the file cannot be read, an override names no option, or any option is wrong; all errors at once.
    """
    return parse_study(read_options(path, overrides), str(path))


def read_options(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a study's options as they are written, unchecked, but with the paths that `read_study` explains.

    Code that the study imports may lie in the folder of the file.

    Args:
        path: the YAML file.
        overrides: as in `read_study`.

    Raises:
        StudyError: the file cannot be read, or an override names no option.
    """
    try:
        text = read_regular(path, STUDY_LIMIT_BYTES, "study").decode()
    except DataError as error:
        raise StudyError(str(error)) from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: is not UTF-8 text: {error}") from error
    options = _changed(beside(_options(text, str(path)), path.parent), overrides)
    return in_folder(options, path.parent)


def study_of(study: Study | Mapping[str, Any] | str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read and check a study in whatever form it comes.

    Args:
        study: the path of a file; YAML text, which has a line break; options by name; or a study that is checked
            already. Relative paths in anything but a file count from the working directory.
        overrides: as in `read_study`.

    Raises:
        StudyError: it cannot be read, an override names no option, or any option is wrong; all errors at once.
    """
    if isinstance(study, Study):
        if not overrides:
            return study
        return parse_study(_changed(_options(write_study(study), study.name), overrides), study.name)
    if isinstance(study, Mapping):
        return parse_study(_changed(deepcopy(dict(study)), overrides), "the study")
    if isinstance(study, str) and "\n" in study:
        return parse_study(_changed(_options(study, "the study"), overrides), "the study")
    return read_study(Path(study), overrides)


def _changed(content: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        _apply(content, override)
    return content


def read_text(text: str, origin: str) -> Study:
    """Read and check a study from YAML text, such as a stored specification.

    Keys may have the names of earlier versions of Lethe. Relative paths count from the working directory.

    Raises:
        StudyError: it is no YAML, or any option is wrong; all errors at once.
    """
    content = {RENAMED.get(key, key): value for key, value in _options(text, origin).items()}
    return parse_study(content, origin)


def parse_study(content: Mapping[str, Any], origin: str) -> Study:
    """Check a study that has been read already.

    Raises:
        StudyError: any option is wrong; all errors at once, each with its dotted key.
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
        raise StudyError(f"{shown(override)}: wanted KEY=VALUE, such as search.trials=40")
    try:
        value = read_yaml(text)
    except YamlError as error:
        raise StudyError(f"{shown(override)}: the value {error}") from error
    *parents, last = key.split(".")
    if len(parents) >= MAX_PARTS:
        raise StudyError(f"{shown(override)}: the key has more parts than the {MAX_PARTS} that any option has")
    root: Any = content
    for parent in parents:
        root = _step(root, parent, override)
    if isinstance(root, list):
        _step(root, last, override)
        root[int(last)] = value
    elif isinstance(root, dict):
        root[last] = value
    else:
        raise StudyError(f"{shown(override)}: {shown(parents[-1])} holds {shown(root)}, which has no parts")


def _step(root: Any, part: str, override: str) -> Any:
    if isinstance(root, list):
        if part not in map(str, range(len(root))):
            raise StudyError(f"{shown(override)}: wanted a position 0 ... {len(root) - 1} in a list, got {shown(part)}")
        return root[int(part)]
    if isinstance(root, dict):
        if root.get(part) is None:
            root[part] = {}
        return root[part]
    raise StudyError(f"{shown(override)}: {shown(part)} is sought in {shown(root)}, which has no parts")


def _explain(detail: ErrorDetails) -> list[str]:
    location, kinds = resolve(detail["loc"])
    key = ".".join(map(str, location))
    got, kind, context = detail["input"], detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return [_inside(key, line) for line in explain(detail).splitlines()]
    if kind == "too_short" and len(got) >= context["min_length"]:
        return []  # pydantic counts only the entries that are right; the wrong ones have messages of their own
    if kind == "missing":
        return [f"{key}: is needed"]
    if kind == "extra_forbidden":
        return [f"{key}: {_unknown(detail['loc'])}"]
    if kind == "union_tag_not_found" and isinstance(got, dict):
        return [f"{key}.{_discriminator(context)}: is needed; wanted one of {_tags(kinds)}"]
    if kind == "union_tag_invalid":
        return [f"{key}.{_discriminator(context)}: {explain(detail)}"]
    also = " or a mapping of options" if kind == "literal_error" and any(map(is_model, resolve(location)[1])) else ""
    return [f"{key}: {explain(detail, also)}{_advice(detail, kinds)}"]


def _unknown(location: Location) -> str:
    """Return the message for an unknown key, with the valid ones."""
    *above, name = location
    _, kinds = resolve(above)
    valid = [one for kind in kinds if is_model(kind) for one in names_of(kind)]
    if name in RENAMED and RENAMED[str(name)] in valid:
        return f"is called {RENAMED[str(name)]} now"
    return unknown(name, valid)


def _discriminator(context: Mapping[str, Any]) -> str:
    return str(context.get("discriminator", "")).strip("'")


def _tags(kinds: Sequence[Any]) -> str:
    named = [named[1] for kind in kinds if is_model(kind) and (named := discriminator_of(kind))]
    return ", ".join(map(repr, named))


def _advice(detail: ErrorDetails, kinds: Sequence[Any]) -> str:
    """Return how to write a mapping where something else was found; empty for any other error."""
    got = detail["input"]
    if detail["type"] not in ("model_attributes_type", "model_type"):
        return ""
    if Range in kinds:
        return "; write a range as {low: 0.1, high: 0.9}, and choices as a list"
    named = _members(kinds)
    if not isinstance(got, str):
        return ""
    return f"; write {{{named[got]}: {got}}}" if got in named else nearest(got, named)


def _members(kinds: Sequence[Any]) -> dict[str, str]:
    """Return the members of the families that are allowed at a key, each with the key that names it."""
    members = {named[1]: named[0] for kind in kinds if is_model(kind) and (named := discriminator_of(kind))}
    return dict.fromkeys(METHODS, "name") if MethodChoice in kinds else members


def _inside(key: str, line: str) -> str:
    """Join a key with a message that may begin with an option's own name."""
    if not key:
        return line
    name, colon, rest = line.partition(": ")
    return f"{key}.{name}: {rest}" if colon and name.replace("_", "").isalnum() else f"{key}: {line}"


def _kind(content: object) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"
