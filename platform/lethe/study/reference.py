"""The page that explains every key of a study's file, made from the models that check it.

``python -m lethe.study.reference > docs/study.md`` writes the page anew.
"""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from lethe.study._fields import alternatives, discriminator_of, is_model, literals
from lethe.study._model import Study
from unlearning.data.augment import AUGMENTATIONS
from unlearning.methods import METHODS, Method
from unlearning.ranges import Range

_WORDS: Final = {int: "whole number", float: "number", str: "text", bool: "true or false", Path: "path"}

_BOUNDS: Final = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))

_HEAD: Final = """# The study file

One YAML file says what a study does. `lethe init > study.yaml` writes one to begin with, and `lethe plan study.yaml`
checks it and shows what it would run. An unknown key, a wrong type and a value out of bounds are errors, and all errors
are listed at once. This page is written by `python -m lethe.study.reference`. `lethe schema` prints the same as JSON
Schema, from which editors complete keys: for VS Code's YAML extension write it to `study.schema.json`, and begin the
study with the line `# yaml-language-server: $schema=study.schema.json`.

- Numbers are those of YAML 1.2: `0.001`, `1e-3` and `1.0e-3` are the same. In quotes they are text.
- Paths of data and of lists of images count from the folder of the study file, `~` is the home folder. `results` counts
  from the working directory.
- Any key can be changed for one run: `lethe run study.yaml search.trials=40 data.0.size=64`. Positions in lists count
  from 0, values are YAML, and paths count from the working directory.
- D_f is the forget set, D_r the retain set, K the number of classes.
"""


def study_page() -> str:
    """Return the page of all keys, as Markdown."""
    sections = [_HEAD, _section("## All keys", Study)]
    for key, field in Study.model_fields.items():
        if key == "augmentations":
            sections.append(_augmentations())
        elif key == "methods":
            sections += _methods()
        else:
            sections += _below(key, field, 2)
    return "\n".join(sections)


def _below(key: str, field: FieldInfo, level: int) -> Iterator[str]:
    """Yield the sections of the models that a key may hold, and of those that they hold."""
    models = _models(field.annotation)
    if not models:
        return
    head = f"{'#' * level} {key}"
    if discriminator_of(models[0]) is None:
        first, *others = models
        yield _section(head, first)
        yield from _nested(key, first, level)
        for other in others:
            yield _section(f"{head} with `{_first_key(other)}`", other)
        return
    yield f"{head}\n\n{_sentence(field.description)}\n"
    shown: list[str] = []
    for model in models:
        name, value = discriminator_of(model) or ("", "")
        yield _section(f"{'#' * (level + 1)} `{name}: {value}`", model)
        further = [section for section in _nested(key, model, level + 1, models) if section not in shown]
        yield from further
        shown += further


def _first_key(model: type[BaseModel]) -> str:
    name, field = next(iter(model.model_fields.items()))
    return field.alias or name


def _nested(key: str, model: type[BaseModel], level: int, family: Sequence[type[BaseModel]] = ()) -> Iterator[str]:
    """Yield the sections of the models that the keys of a model may hold, but for those of its own family."""
    shown: list[type[BaseModel]] = [*family]
    for name, field in model.model_fields.items():
        models = _models(field.annotation)
        if models and models[0] not in shown:
            shown += models
            same = [other for other, one in model.model_fields.items() if _models(one.annotation) == models]
            yield from _below(" and ".join(f"{key}.{other}" for other in same or [name]), field, level + 1)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of a value, or of the entries of a list."""
    found: list[type[BaseModel]] = []
    for kind in alternatives(annotation):
        if is_model(kind):
            found.append(kind)
        elif get_origin(kind) is tuple:
            found += _models(get_args(kind)[0])
    return found


def _augmentations() -> str:
    rows = [f"| `{name}` | {_doc(type(one)).partition(chr(10))[0]} |" for name, one in AUGMENTATIONS.items()]
    return "\n".join(["## augmentations", "", "| name | meaning |", "|---|---|", *rows, ""])


def _methods() -> Iterator[str]:
    yield "## methods\n\n" + _METHODS
    for name, method in METHODS.items():
        yield _section(f"### `name: {name}`", method) + _ranges(method)
    yield _section("### A range to search", Range)


def _ranges(method: type[Method]) -> str:
    written = "; ".join(f"`{option}` {values}" for option, values in method.ranges.items())
    return f"\n`search: default`: {written}.\n" if written else ""


_METHODS: Final = """A list. Each entry has the `name` of a method, options that are fixed, and under `search`
options that are searched, each with a range or a list of choices:

    methods:
      - name: salun
        epochs: 3
        search:
          lr: {low: 1e-3, high: 1e-1, log: true}
          loop: [sequential, mixed]

`search: default` searches the ranges that the method itself declares, but for options that are fixed; this page and
`lethe methods NAME` list them. `default` in place of one range takes the declared one, as in `search: {lr: default,
loop: [sequential, mixed]}`. It is the same study as one in which the ranges are written out, and is kept so.

`keep` says which epoch counts: `last` (the default), `best` or `rewind`. `best` is the epoch of the smallest mean gap
on the tuning seeds; a confirmation runs the same schedule and stops after it. With `rewind` each run returns by itself,
without an oracle, to the epoch (0, the original, is one) whose error on D_f is nearest to the last epoch's error on
validation images of its classes, the rule of SCRUB+R; looking for it counts as time of unlearning. `best` takes trials
of two epochs or more, `rewind` of one or more: methods that edit the weights once have only the `last`.

An option that is neither fixed nor searched has its default. A range of an option that is a whole number proposes whole
numbers. [methods.md](methods.md) says what the methods do and where they come from.
"""


def _section(head: str, model: type[BaseModel]) -> str:
    lines = [head, "", _doc(model), "", "| key | type and bounds | default | meaning |", "|---|---|---|---|"]
    named = discriminator_of(model)
    for name, field in model.model_fields.items():
        if named is None or name != named[0]:
            key = field.alias or name
            lines.append(f"| `{key}` | {_type(field)} | {_default(field)} | {field.description} |")
    if lines[-1].startswith("|---"):
        lines[-2:] = ["It has no options."]
    return "\n".join([*lines, ""])


def _type(field: FieldInfo) -> str:
    return _described(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


def _described(annotation: Any, *, many: bool = False) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = _bounds(args[1:])
        return _described(args[0], many=many) + (f", {bounds}" if bounds else "")
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_described(one) for one in args if one is not NoneType))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in literals(annotation))
    if origin is tuple:
        return f"list of {_described(args[0], many=True)}"
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _described(annotation.model_fields["root"].annotation)
    word = _WORDS.get(annotation, "mapping")
    return f"{word}s" if many else word


def _bounds(metadata: tuple[Any, ...]) -> str:
    found: list[str] = []
    for one in metadata:
        for kind, name, sign in _BOUNDS:
            value = getattr(one, name, None) if isinstance(one, kind | Interval) else None
            if value is not None:
                found.append(f"{sign} {value:,}")
        if isinstance(one, FieldInfo):
            found += filter(None, [_bounds(tuple(one.metadata))])
        if isinstance(one, MinLen) and one.min_length:
            found.append(f"at least {one.min_length} {'entry' if one.min_length == 1 else 'entries'}")
        if isinstance(one, MaxLen):
            found.append(f"at most {one.max_length} characters")
    return ", ".join(found)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        named = discriminator_of(type(value))
        return f"`{{{named[0]}: {named[1]}}}`" if named else "as below"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _doc(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").replace("``", "`")


def _sentence(text: str | None) -> str:
    return f"{(text or '')[:1].upper()}{(text or '')[1:]}."


if __name__ == "__main__":
    print(study_page(), end="")
