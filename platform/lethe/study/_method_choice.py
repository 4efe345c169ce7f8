"""A method of a study: which of its options are fixed, which are searched and over what, and which epoch counts."""

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationError, model_validator

from lethe.study._wording import explain, shown, unknown
from unlearning.methods import METHODS, Method
from unlearning.options import Options
from unlearning.ranges import Choices, Range


def _shape(value: object) -> str:
    return "choices" if isinstance(value, list | tuple | Choices) else "range"


DEFAULT: Final = "default"
"""What a study writes for the ranges that a method itself declares."""

Dimension = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_shape)]


Keep = Literal["last", "best", "rewind"]


class MethodChoice(Options):
    """A method of the study: its fixed options stand beside ``name``, the searched ones under ``search``.

    ``search: default`` searches the options that the method declares ranges for and that are not fixed, and
    ``default`` in place of a range takes the declared one. Both are replaced when a study is read.
    """

    name: str = Field(description="name of the method")
    fixed: dict[str, Any] = Field(default_factory=dict, description="options that are the same in every trial")
    search: dict[str, Dimension] = Field(default_factory=dict, description="options to search, each with its values")
    keep: Keep = Field(
        "last",
        description="epoch that counts: the `last`; the `best`, of the smallest mean gap on the tuning seeds, after "
        "which confirmations stop; or `rewind`: that to which each run returns by itself, whose error on the forget "
        "set is nearest to the last epoch's error on validation images of its classes",
    )
    _method: type[Method] = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: object) -> object:
        if not isinstance(value, dict) or "fixed" in value:
            return value
        own = {key: value[key] for key in ("name", "keep") if key in value}
        fixed = {key: option for key, option in value.items() if key not in (*own, "search")}
        return {**own, "fixed": fixed, "search": _searched(value.get("name"), fixed, value.get("search") or {})}

    @model_validator(mode="after")
    def _known(self) -> Self:
        self._method = METHODS[self.name]
        problems = [*self._unknown(), *self._both(), *self._out_of_bounds()]
        if problems:
            raise ValueError("\n".join(problems))
        if problem := self._unkept():
            raise ValueError(f"keep: {problem}")
        return self

    @property
    def method(self) -> type[Method]:
        """The class of the method; it travels with the choice, and a process that gets it looks no name up."""
        return self._method

    @property
    def example(self) -> Method:
        """The method at the first value of each searched option."""
        return self.at({name: self._ends(name)[0] for name in self.search})

    @property
    def options(self) -> dict[str, Any]:
        """Every option that is not searched, as JSON values: those of the file, and the defaults of the others."""
        return self.example.model_dump(mode="json", exclude={"name", *self.search})

    @property
    def changed(self) -> dict[str, Any]:
        """The fixed options that are not at their defaults, as JSON values."""
        fields = self.method.model_fields
        return {
            name: value
            for name, value in self.options.items()
            if name in self.fixed and getattr(self.example, name) != fields[name].default
        }

    @property
    def controls(self) -> dict[str, "MethodChoice"]:
        """The method's controls as methods to search: what a control fixes is not searched, all else as here.

        A control is left out that fixes nothing here, leaves nothing to search, or depends on the setting.
        """
        corners = self._corners()
        found: dict[str, MethodChoice] = {}
        for control in self.example.controls():
            fixes = _changes([(corner, corner.controls()[control]) for corner in corners])
            search = {name: dimension for name, dimension in self.search.items() if name not in (fixes or {})}
            if fixes and search:
                found[control] = MethodChoice(name=self.name, fixed=self.fixed | fixes, search=search)
        return found

    @property
    def longest(self) -> int:
        """The most epochs that a trial of the method can have."""
        return max(self._ends("epochs")) if "epochs" in self.search else self.example.epochs

    def faults(self, forgotten: int, images: int) -> list[str]:
        """Return what `Method.fault` says of the ends of what is searched, each once."""
        if self.method.fault is Method.fault:
            return []
        corners = product(*(self._ends(name) for name in self.search))
        found = (self.at(dict(zip(self.search, corner, strict=True))).fault(forgotten, images) for corner in corners)
        return list(dict.fromkeys(fault for fault in found if fault))

    def at(self, setting: dict[str, Any]) -> Method:
        """Make the method at a setting of its searched options."""
        return self.method(**self.fixed, **setting)

    def _corners(self) -> list[Method]:
        """Return the method at the first, second, ... value of all searched options at once."""
        ends = {name: self._ends(name) for name in self.search}
        count = max(map(len, ends.values()), default=1)
        return [self.at({name: values[n % len(values)] for name, values in ends.items()}) for n in range(count)]

    def _unknown(self) -> list[str]:
        valid = [name for name in self.method.model_fields if name != "name"]
        return [
            f"{name}: {unknown(name, valid, f'of {self.name}')}"
            for name in (*self.fixed, *self.search)
            if name not in valid
        ]

    def _unkept(self) -> str:
        """Return why there is no epoch to choose; empty where there is, or the last one counts."""
        if self.keep == "last":
            return ""
        if self.example.rewinds:
            return f"wanted last, since this setting of {self.name} returns to an epoch by itself, got {self.keep}"
        epochs, fewest = self.longest, 2 if self.keep == "best" else 1
        if epochs < fewest:
            return f"{self.keep} takes a trial of {fewest} or more epochs, got {epochs} of {self.name}; wanted last"
        return ""

    def _both(self) -> list[str]:
        return [f"{name}: given as fixed and under search; keep one" for name in self.fixed if name in self.search]

    def _out_of_bounds(self) -> list[str]:
        """Try the fixed options, and each end of each searched one, on the method itself."""
        fields = self.method.model_fields
        corners = {name: [value] for name, value in self.fixed.items()}
        corners |= {name: self._ends(name) for name in self.search}
        return [
            f"{name}: {_wrong(error)}"
            for name, values in corners.items()
            if name in fields
            for value in values
            if (error := _try(self.method, name, value))
        ]

    def _ends(self, name: str) -> list[Any]:
        """Return the choices, or the ends of the range, of a searched option."""
        dimension = self.search[name]
        if isinstance(dimension, Choices):
            return list(dimension.choices)
        whole = self.is_whole(name) and dimension.low.is_integer() and dimension.high.is_integer()
        return [int(end) if whole else end for end in (dimension.low, dimension.high)]

    def is_whole(self, name: str) -> bool:
        """Return whether an option of the method is a whole number."""
        field = self.method.model_fields.get(name)
        return field is not None and field.annotation is int


def _searched(name: object, fixed: Mapping[str, Any], search: object) -> object:
    """Replace the word `default`, for all options or for one, by the ranges that the method itself declares."""
    known = isinstance(name, str) and name in METHODS
    ranges = METHODS[str(name)].ranges if known else {}
    if search == DEFAULT:
        left = {option: values for option, values in ranges.items() if option not in fixed}
        if known and not left:
            raise ValueError(f"search: {name} has {_declared(ranges)}, none left to search; name options and ranges")
        return left
    if isinstance(search, str):
        raise ValueError(f"search: wanted a mapping of options, or {DEFAULT}, got {shown(search)}")
    if not isinstance(search, dict):
        return search
    asked = [option for option, values in search.items() if values == DEFAULT]
    lacking = [option for option in asked if known and option not in ranges]
    if lacking:
        raise ValueError("\n".join(f"search.{option}: {name} has {_declared(ranges)}" for option in lacking))
    kept = {option: values for option, values in search.items() if option not in asked}
    return {**search, **{option: ranges[option] for option in asked}} if known else kept


def _declared(ranges: Mapping[str, object]) -> str:
    return f"default ranges for {', '.join(ranges)} alone" if ranges else "no default ranges"


def _changes(pairs: list[tuple[Method, Method]]) -> dict[str, Any] | None:
    """Return the options that methods and their controls differ in, at the controls' values; None if these vary."""
    names = [
        name for name in type(pairs[0][0]).model_fields if any(getattr(a, name) != getattr(b, name) for a, b in pairs)
    ]
    values = {name: [getattr(control, name) for _, control in pairs] for name in names}
    if any(value != of[0] for of in values.values() for value in of):
        return None
    return {name: of[0] for name, of in values.items()}


def _try(method: type[Method], name: str, value: Any) -> ValidationError | None:
    try:
        method(**{name: value})
    except ValidationError as error:
        return error
    return None


def _wrong(error: ValidationError) -> str:
    return "; ".join(explain(item) for item in error.errors())
