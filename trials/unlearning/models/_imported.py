"""A network of the user's own, by the module and the name of what builds it."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator
from torch import nn

from unlearning.data._base import PathOption
from unlearning.errors import InputError
from unlearning.models._external import ExternalNetwork
from unlearning.models._located import Origin, asked_for, attribute_of, locate, misfit


class Imported(ExternalNetwork):
    """A network that a function or class of an importable module builds, which may lie beside the study file.

    It is called with `args`, and with `channels` and `classes` where its signature has them.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: Literal["import"] = "import"
    import_: Annotated[
        str,
        Field(
            alias="import",
            description="module and name, as in `mypkg.nets:build`, of a function that returns a `torch.nn.Module`, "
            "or of such a class",
        ),
    ]
    folder: PathOption | None = Field(
        None,
        description="where the module may lie; it is put at the end of `sys.path`. By default the folder of the study "
        "file",
    )

    @property
    def called(self) -> str:
        """Module and name."""
        return self.import_

    @property
    def identity(self) -> dict[str, object]:
        """Its options; where the module lies is none of them."""
        return {name: value for name, value in super().identity.items() if name != "folder"}

    def find(self) -> Origin:
        """Import the module and check that `args` fit what is called."""
        try:
            build, origin = locate(self.import_, self.folder)
        except InputError as error:
            raise InputError(f"import: {error}") from error
        if fault := misfit(build, self._arguments(build, 1, 2)):
            raise InputError(f"args: {fault}")
        return origin

    def made(self, channels: int, classes: int) -> nn.Module:
        """Import and call it; in another process the sources that were read with the study are what is imported."""
        module, _, attribute = self.import_.partition(":")
        if self._origin.sources and module.partition(".")[0] not in sys.modules:
            self._origin.sources.provide()
        build = attribute_of(import_module(module), attribute)
        return build(**self._arguments(build, channels, classes))  # type: ignore[no-any-return]

    def _arguments(self, build: Callable[..., Any], channels: int, classes: int) -> dict[str, Any]:
        return self.args | asked_for(build, self.args, {"channels": channels, "classes": classes})

    @field_validator("import_", mode="after")
    @classmethod
    def _is_a_module_and_a_name(cls, value: str) -> str:
        module, colon, name = value.partition(":")
        if not colon or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
            raise ValueError(f"wanted a module and a name, as in mypkg.nets:build, got {value!r}")
        if module.partition(".")[0] == "__main__":
            raise ValueError("wanted a module that other processes can import, got __main__, the program that runs")
        return value
