"""The base of everything a user can choose: a frozen, strictly checked set of named options.

A misspelt name, a wrong type and a value out of range are all reported at once, whether the options come from a study's
file or from a constructor in a notebook.
"""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Named options, checked when made and never changed afterwards.

    Raises:
        pydantic.ValidationError: (a ``ValueError``) with every wrong option and its dotted key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
