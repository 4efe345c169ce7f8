"""The base of everything a user can choose: a frozen, strictly checked set of named options.

A misspelt name, a wrong type and a value out of range are all reported at once, whether the options come from a study's
file or from a constructor in a notebook.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Options(BaseModel):
    """Named options, checked when made and never changed afterwards.

    Raises:
        pydantic.ValidationError: (a ``ValueError``) with every wrong option and its dotted key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class LaterOptions(Options):
    """Options of which some came later than results that are kept.

    Attributes:
        later: the options that came later. At their defaults, at which the numbers are what they were, what is written
            leaves them out, so that all that is named by it keeps its name.
    """

    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields, written = type(self).model_fields, write(self)
        unused = {name for name in self.later if getattr(self, name) == fields[name].default}
        return {name: value for name, value in written.items() if name not in unused}
