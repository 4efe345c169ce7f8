"""Looks up keys in the models of a study: which model holds a key, and which keys it has beside it.

A location is pydantic's: names, positions in lists, and between them the tags by which a union was resolved.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, Tag
from pydantic.fields import FieldInfo

from lethe.study._model import Study
from lethe.study._search_options import NamesFile
from unlearning.audits import AUDITS
from unlearning.data import SOURCES
from unlearning.families import OptionsFamily, PluginError
from unlearning.models import NETWORKS
from unlearning.ranges import Choices

Location = Sequence[int | str]

_FAMILIES: Final[dict[type, OptionsFamily[Any]]] = {family.base: family for family in (NETWORKS, SOURCES, AUDITS)}
"""The families whose members options name, by the base class used in annotations."""


def names_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a model as a study writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def field_of(model: type[BaseModel], key: object) -> FieldInfo | None:
    """Return the field of a key; None where the model has no such key."""
    fields = model.model_fields
    return next((field for name, field in fields.items() if key in (field.alias or name, name)), None)


def alternatives(annotation: Any) -> list[Any]:
    """Return the types that a value may have, None left out; one where the annotation is no union."""
    return [kind for kind, _ in _tagged(annotation)]


def chosen(annotation: Any, value: dict[Any, Any]) -> type[BaseModel] | None:
    """Return the model that a mapping is read as; None where it names none."""
    for base in _bases(annotation):
        try:
            return _FAMILIES[base].get(str(_FAMILIES[base].named_by(value)))
        except PluginError:
            return None  # reading the study says so
    models: list[type[BaseModel]] = [kind for kind in alternatives(annotation) if is_model(kind)]
    if len(models) == 1:
        return models[0]
    return next((model for model in models if _names_itself(model, value)), None)


def is_model(kind: Any) -> bool:
    """Return whether a type is a model of options; one that is written as a word has none."""
    return isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, RootModel)


def is_path(annotation: Any) -> bool:
    """Return whether a value names a file or folder."""
    return any(isinstance(kind, type) and issubclass(kind, Path) for kind in alternatives(annotation))


def suffixes(annotation: Any) -> tuple[str, ...]:
    """Return the suffixes by which a text, alone or in a list, is the name of a file."""
    if get_origin(annotation) is tuple:
        return suffixes(get_args(annotation)[0])
    marks = [one for one in get_args(annotation) if isinstance(one, NamesFile)]
    return marks[0].suffixes if marks else ()


def literals(annotation: Any) -> list[Any]:
    """Return the values that an annotation names one by one."""
    found: list[Any] = []
    for kind in alternatives(annotation):
        if get_origin(kind) is Literal:
            for value in get_args(kind):
                found += literals(value) or [value]
    return found


def discriminator_of(model: type[BaseModel]) -> tuple[str, str] | None:
    """Return the key by which a member of a family names itself, and its value; None for a model that is no member."""
    for name, field in model.model_fields.items():
        values = literals(field.annotation)
        if len(values) == 1 and field.default == values[0] and isinstance(values[0], str):
            return name, values[0]
    return None


def resolve(location: Location) -> tuple[list[int | str], list[Any]]:
    """Follow a location from the study down.

    Returns:
        The location without tags, and the types that the value there may have; none where the models end before it.
    """
    kinds: list[tuple[Any, str | None]] = [(Study, None)]
    kept: list[int | str] = []
    for part in location:
        tagged = [(kind, None) for kind, tag in kinds if tag == part and (len(kinds) > 1 or _lacks(kind, part))]
        if tagged:
            kinds = list(tagged)
            continue
        if kinds == [(Choices, None)]:  # written as the list that is its one field
            kinds = list(_below(Choices, part))
            continue
        kept.append(part)
        kinds = [below for kind, _ in kinds for below in _below(kind, part)]
    return kept, [kind for kind, _ in kinds]


def _lacks(kind: Any, key: object) -> bool:
    return is_model(kind) and field_of(kind, key) is None


def _below(kind: Any, part: int | str) -> Iterator[tuple[Any, str | None]]:
    if is_model(kind):
        field = field_of(kind, part)
        if field is not None:
            yield from _tagged(field.annotation)
    elif get_origin(kind) in (tuple, list) and isinstance(part, int):
        yield from _tagged(get_args(kind)[0])
    elif get_origin(kind) is dict:
        yield from _tagged(get_args(kind)[1])


def _tagged(annotation: Any, tag: str | None = None) -> Iterator[tuple[Any, str | None]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        kind, *metadata = get_args(annotation)
        own = next((one.tag for one in metadata if isinstance(one, Tag)), tag)
        yield from _tagged(kind, own)
    elif origin in (Union, UnionType):
        for kind in get_args(annotation):
            yield from _tagged(kind, tag)
    elif annotation in _FAMILIES:
        yield from ((member, name) for name, member in _FAMILIES[annotation].imported().items())
    elif annotation is not NoneType:
        if tag is None and is_model(annotation) and (named := discriminator_of(annotation)):
            tag = named[1]
        yield annotation, tag


def _bases(annotation: Any) -> list[type]:
    """Return the base class of a family, where an annotation is one."""
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return [kind] if kind in _FAMILIES else []


def _names_itself(model: type[BaseModel], value: dict[Any, Any]) -> bool:
    named = discriminator_of(model)
    return named is not None and value.get(named[0]) == named[1]
