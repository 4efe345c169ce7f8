"""Families of interchangeable parts: the built-in ones, those of installed plug-ins, and those that a program adds.

A plug-in is a Python distribution with entry points in the group of a family, such as ``lethe.methods``. Entry points
are read when a family is first asked, and a plug-in is imported when its member is first used, so that one that is
broken disturbs nobody who does not use it.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Final, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import (
    CoreSchema,
    ErrorDetails,
    InitErrorDetails,
    PydanticCustomError,
    PydanticKnownError,
    core_schema,
)

from unlearning.errors import InputError
from unlearning.options import Options

Part = TypeVar("Part")
OptionsT = TypeVar("OptionsT", bound=Options)

_PYDANTIC_KINDS: Final = frozenset(get_args(core_schema.ErrorType))
"""The kinds of errors that pydantic makes anew by their name."""

DISTRIBUTION: Final = "lethe"
"""The distribution that brings the built-in members."""


class PluginError(InputError):
    """A plug-in that cannot be used; the message names the distribution, the entry point and what is wrong."""


class UnknownNameError(InputError, KeyError):
    """No member of a family has this name; the message lists those that there are, with the package of each."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Package:
    """A distribution that brings members of a family."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Family(Mapping[str, Part], ABC):
    """The members of a family, by name; iterating over the names imports no plug-in.

    Args:
        noun: what a member is called in messages, such as ``network``.
        group: the entry points' group, such as ``lethe.networks``.
        built_in: the members that ship with Lethe.
    """

    def __init__(self, noun: str, group: str, built_in: Mapping[str, Part]) -> None:
        self.noun, self.group = noun, group
        self._built_in = dict(built_in)
        self._added: dict[str, Part] = {}
        self._loaded: dict[str, Part] = {}

    @abstractmethod
    def _name(self, part: Part) -> str:
        """Return the name that a member says it has."""

    @abstractmethod
    def _fault(self, part: object) -> str | None:
        """Return why an object is no member of the family; None for a member."""

    def __getitem__(self, name: str) -> Part:
        """Return a member, whose plug-in is imported now if it was not before.

        Raises:
            UnknownNameError: there is none of this name.
            PluginError: the plug-in that brings it cannot be used.
        """
        if found := self._entries.get(name):
            return self._load(name, found)
        if name in self._built_in:
            return self._built_in[name]
        if name in self._added:
            return self._added[name]
        raise UnknownNameError(self._unknown(name))

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._added or name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter({**self._built_in, **self._added, **self._entries})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __eq__(self, other: object) -> bool:
        return self is other  # comparing the members, as mappings do, would import them

    def __hash__(self) -> int:
        return id(self)

    def add(self, part: Part) -> None:
        """Add a member that no installed distribution brings, such as a class of a notebook, for this process.

        A member that replaces one of the same module and name, as when a cell is run again, is taken instead of it.

        Raises:
            PluginError: it is no member of the family, or its name is taken.
        """
        if fault := self._fault(part):
            raise PluginError(f"cannot add {_shown(part)} to the {self.noun}s: {fault}")
        name = self._name(part)
        before = self._added.get(name)
        if name in self._built_in or name in self._entries:
            raise PluginError(f"cannot add {_shown(part)}: the {self.noun} {name!r} of {self.package(name)} exists")
        if before is not None and _shown(before) != _shown(part):
            raise PluginError(f"cannot add {_shown(part)}: the {self.noun} {name!r} is {_shown(before)} already")
        self._added[name] = part

    def package(self, name: str) -> Package | None:
        """Return the distribution that brings a member, without importing it; None for one that a program added.

        Raises:
            UnknownNameError: there is no member of this name.
        """
        if name in self._built_in:
            return _own_package()
        if name in self._entries:
            return _package(self._entries[name][0])
        if name in self._added:
            return None
        raise UnknownNameError(self._unknown(name))

    def package_of(self, part: Part) -> Package | None:
        """Return the distribution that a member comes from; None where no distribution brings it."""
        name = self._name(part)
        if self._built_in.get(name) == part:
            return self.package(name)
        if name in self._entries and self[name] == part:
            return self.package(name)
        return None

    def entry_point(self, name: str) -> EntryPoint | None:
        """Return the entry point that brings a member; None for one that no plug-in brings."""
        return self._entries[name][0] if name in self._entries else None

    def is_member(self, part: Part) -> bool:
        """Return whether a class or object is a member, or equal to one as a copy from another process is."""
        name = self._name(part)
        return name in self and self[name] == part

    def imported(self) -> dict[str, Part]:
        """Return the members that need no import: built-in, added, and those of plug-ins that were used before."""
        return {**self._built_in, **self._added, **self._loaded}

    def described(self) -> str:
        """Return the names of all members, with the package of each: ``a, b (lethe 0.1.0), c (lethe-more 2.0)``."""
        groups: dict[str, list[str]] = {}
        for name in self:
            groups.setdefault(str(self.package(name) or "added by this program"), []).append(name)
        return ", ".join(f"{', '.join(names)} ({package})" for package, names in groups.items())

    @cached_property
    def _entries(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=self.group):
            found.setdefault(entry.name, []).append(entry)
        return dict(sorted(found.items()))

    def _load(self, name: str, found: list[EntryPoint]) -> Part:
        entry = found[0]
        where = f"plug-in {_package(entry)}, entry point {entry.name} = {entry.value} in {self.group}"
        if name in self._built_in or len(found) > 1:
            others = [DISTRIBUTION] if name in self._built_in else [str(_package(other)) for other in found[1:]]
            raise PluginError(f"{where}: the name is taken by a {self.noun} of {', '.join(others)}; uninstall one")
        if name not in self._loaded:
            try:
                part = entry.load()
            except Exception as error:
                raise PluginError(f"{where}: cannot be imported: {type(error).__name__}: {_line(error)}") from error
            fault = self._fault(part)
            if fault is None and self._name(part) != name:
                fault = f"it calls itself {self._name(part)!r}, and its entry point must have the same name"
            if fault:
                raise PluginError(f"{where}: {fault}")
            self._loaded[name] = part
        return self._loaded[name]

    def _unknown(self, name: object) -> str:
        near = difflib.get_close_matches(name, self, n=1) if isinstance(name, str) else []
        the = f"did you mean {near[0]}? The" if near else "the"
        return f"unknown {self.noun} {name!r}; {the} {self.noun}s are {self.described()}"


class OptionsFamily(Family[type[OptionsT]]):
    """A family of `Options` classes, whose members a study names by the value of one option, the tag.

    It annotates the type of such an option: ``Annotated[Network, NETWORKS]`` reads a mapping with the tag as the member
    of that name, with all wrong options at once.

    Args:
        base: the class that all members derive from.
        tag: the option that names the member: a ``Literal`` with the name as its default.
        by_option: members that an option of their own name stands for, so that the tag may be left out.
    """

    def __init__(
        self,
        noun: str,
        group: str,
        built_in: Mapping[str, type[OptionsT]],
        *,
        base: type,
        tag: str = "name",
        by_option: Sequence[str] = (),
    ) -> None:
        super().__init__(noun, group, built_in)
        self.base, self.tag, self.by_option = base, tag, by_option

    def named_by(self, options: Mapping[Any, Any]) -> object:
        """Return the name of the member that options name, by the tag or by an option; None where they name none."""
        return options.get(self.tag, next((name for name in self.by_option if name in options), None))

    def validate(self, value: object) -> OptionsT:
        """Check options that name a member by the tag, or an instance of a member.

        Raises:
            ValueError: the tag is missing or names no member, or an option is wrong (`pydantic.ValidationError`, where
                the member's name stands in an error's location as that of a union's member does).
        """
        if isinstance(value, self.base):
            if not self.is_member(type(value)):  # type: ignore[arg-type]
                raise ValueError(f"{_shown(type(value))} is none of the {self.noun}s: {self.described()}; add it first")
            return value  # type: ignore[return-value]
        if not isinstance(value, Mapping):
            raise PydanticKnownError("model_attributes_type")
        name = self.named_by(value)
        if name is None and self.tag not in value:
            raise ValueError(f"{self.tag}: is needed; the {self.noun}s are {self.described()}")
        try:
            member = self[name] if isinstance(name, str) else None
        except ValueError as error:
            raise ValueError(f"{self.tag}: {error}") from error
        if member is None or not isinstance(name, str):
            raise ValueError(f"{self.tag}: {self._unknown(name)}")
        try:
            return member.model_validate({self.tag: name, **value})
        except ValidationError as error:
            errors = [_below(name, one) for one in error.errors()]
            raise ValidationError.from_exception_data(error.title, errors) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        members = [handler(member.__pydantic_core_schema__) for member in self.values()]
        return {"type": "object", "oneOf": members, **({} if self.by_option else {"required": [self.tag]})}

    def _name(self, part: type[OptionsT]) -> str:
        return str(part.model_fields[self.tag].default)

    def _fault(self, part: object) -> str | None:
        wanted = f"{self.base.__module__.partition('._')[0]}.{self.base.__name__}"
        if not (isinstance(part, type) and issubclass(part, Options) and issubclass(part, self.base)):
            return f"wanted a class that derives from {wanted}, got {_shown(part)}"
        abstract: frozenset[str] = getattr(part, "__abstractmethods__", frozenset())
        if abstract:
            return f"{part.__name__} lacks {', '.join(sorted(abstract))}, which every {wanted} has"
        tag = part.model_fields.get(self.tag)
        if tag is None or not isinstance(tag.default, str):
            return f'{part.__name__} lacks its name: {self.tag}: Literal["NAME"] = "NAME"'
        number = vars(part).get("version")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            return f"{part.__name__} lacks a version of its own, a whole number from 1: version: ClassVar[int] = 1"
        return None


def _below(name: str, error: ErrorDetails) -> InitErrorDetails:
    """Put a member's name before the location of an error in its options."""
    kind: str | PydanticCustomError = error["type"]
    if kind not in _PYDANTIC_KINDS:  # such as path_type, which pydantic's Python code raises
        kind = PydanticCustomError(error["type"], error["msg"])
    details = InitErrorDetails(type=kind, loc=(name, *error["loc"]), input=error["input"])
    if "ctx" in error:
        details["ctx"] = error["ctx"]
    return details


@cache
def _own_package() -> Package:
    """Return the distribution of the built-in members; reading its metadata takes milliseconds, and rows ask often."""
    return Package(DISTRIBUTION, version(DISTRIBUTION))


def _package(entry: EntryPoint) -> Package:
    assert entry.dist is not None  # every entry point that importlib.metadata finds has its distribution
    return Package(entry.dist.name, entry.dist.version)


def _shown(part: object) -> str:
    if isinstance(part, type):
        return f"{part.__module__}.{part.__qualname__}"
    return repr(part)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
