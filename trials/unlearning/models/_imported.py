"""A network of the user's own, by the module and the name of what builds it."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from torch import nn

from unlearning.data._base import PathOption
from unlearning.errors import InputError
from unlearning.imported import ImportName, Origin, asked_for, load, locate, misfit
from unlearning.models._external import ExternalNetwork


class Imported(ExternalNetwork):
    """A network that a function or class of an importable module builds, which may lie beside the study file.

    It is called with `args`, and with `channels` and `classes` where its signature has them.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: Literal["import"] = "import"
    import_: Annotated[
        ImportName,
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
        if fault := misfit(build, **self._arguments(build, 1, 2)):
            raise InputError(f"args: {fault}")
        return origin

    def made(self, channels: int, classes: int) -> nn.Module:
        """Import and call it."""
        build = load(self.import_, self._origin)
        return build(**self._arguments(build, channels, classes))  # type: ignore[no-any-return]

    def _arguments(self, build: Callable[..., Any], channels: int, classes: int) -> dict[str, Any]:
        return self.args | asked_for(build, self.args, {"channels": channels, "classes": classes})
