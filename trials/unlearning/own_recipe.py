"""Models that are trained by a function of the user's: which function, with which arguments, and what it returned."""

import inspect
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, JsonValue, PrivateAttr, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor, nn

from unlearning.data._base import PathOption
from unlearning.engine import Precision
from unlearning.errors import InputError, UnlearningError
from unlearning.families import Package
from unlearning.imported import ImportName, Origin, load, locate, misfit
from unlearning.no_recipe import NoRecipe
from unlearning.options import Options
from unlearning.training import Recipe

OWN_RECIPE_VERSION: Final = 1
"""Raised when the same function of a user's comes to be called otherwise, so that older artifacts are not reused."""

SHOWN: Final = 3
"""Names of a state dict that a message shows."""


class TrainingFunctionError(UnlearningError):
    """A training function of a user's that raised, or returned no weights of the network; the message says where."""


class OwnRecipe(Options):
    """Originals, oracles and all other models are trained by a function of your own, in a worker.

    It is called as `train(data, seed, **args)` and returns the network's state dict ([extending.md](extending.md)).
    Models are known by the function's name and arguments and by the version of its distribution, or else by a hash of
    its source files.
    """

    import_: Annotated[ImportName, Field(alias="import", description="the function, as `package.module:function`")]
    folder: PathOption | None = Field(
        None,
        description="where the module may lie; it is put at the end of `sys.path`. By default the folder of the study "
        "file",
    )
    args: dict[str, JsonValue] = Field({}, description="keyword arguments of the function")
    precision: Annotated[
        Precision, Field(description="floating-point format of what follows a training: logits, methods, audits")
    ] = "float32"
    _origin: Origin = PrivateAttr()

    @model_serializer(mode="wrap")
    def _as_written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {("import" if name == "import_" else name): value for name, value in write(self).items()}

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        try:
            function, self._origin = locate(self.import_, self.folder)
        except InputError as error:
            raise ValueError(f"import: {error}") from error
        if fault := misfit(function, None, 0, **self.args):
            raise ValueError(f"import: {self.import_} cannot be called as train(data, seed, **args): {fault}")
        return self

    @property
    def recipe(self) -> "OwnRecipe":
        """This."""
        return self

    @property
    def function(self) -> Callable[..., object]:
        """The function, imported in this process."""
        return load(self.import_, self._origin)

    @property
    def train(self) -> Callable[[Any, int], object]:
        """The function, with its arguments."""
        return partial(self.function, **self.args)

    @property
    def package(self) -> Package | None:
        """The distribution that brings the function; None where it comes from files beside a study."""
        return self._origin.package

    @property
    def origin(self) -> Origin:
        """What brings the function."""
        return self._origin

    @property
    def title(self) -> str:
        """The recipe in words."""
        args = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"trained by {self.import_}({args}) of {self.code}"

    @property
    def code(self) -> str:
        """What identifies the code: the distribution with its version, or the digest of the files."""
        return self._origin.code


AnyRecipe = Recipe | OwnRecipe | NoRecipe
"""How the models of a study come to be; of `NoRecipe` there is only the one that is given."""


def checked(result: object, network: nn.Module, name: str) -> dict[str, Tensor]:
    """Return what a training function returned as a state dict of the network, on the CPU.

    Args:
        name: of the function, for messages.

    Raises:
        TrainingFunctionError: it is no state dict of the network: other names, shapes or types, or not finite.
    """
    wanted = network.state_dict()
    if not isinstance(result, Mapping):
        raise TrainingFunctionError(f"{name}: wanted the network's state dict, got {type(result)}")
    if lacking := [one for one in wanted if one not in result]:
        raise TrainingFunctionError(f"{name}: the state dict that it returned lacks {_listed(lacking)}")
    if strange := [one for one in result if one not in wanted]:
        raise TrainingFunctionError(f"{name}: the network has no {_listed(strange)}, which the state dict has")
    for one, there in wanted.items():
        if (fault := _fault(result[one], there)) is not None:
            raise TrainingFunctionError(f"{name}: {one} of the state dict: {fault}")
    return {one: result[one].detach().to("cpu", there.dtype).clone() for one, there in wanted.items()}


def raised(error: BaseException, function: Callable[..., object], name: str) -> TrainingFunctionError:
    """Return the error of a training function that raised, with the last line of its own file that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = code.co_filename if code is not None else None  # a worker may have the function without its file
    frame = next((one for one in reversed(frames) if one.filename == own), frames[-1])
    line = f": {frame.line}" if frame.line else ""
    where = f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}{line}"
    return TrainingFunctionError(f"{name}: {type(error).__name__}: {' '.join(str(error).split())} ({where})")


def _fault(value: object, there: Tensor) -> str | None:
    if not isinstance(value, Tensor):
        return f"wanted a tensor, got {type(value)}"
    if value.shape != there.shape:
        return f"wanted the shape {tuple(there.shape)}, got {tuple(value.shape)}"
    if value.is_floating_point() != there.is_floating_point():
        return f"wanted {there.dtype}, got {value.dtype}"
    if not value.isfinite().all():
        return f"{int((~value.isfinite()).sum())} of {value.numel()} numbers are not finite"
    return None


def _listed(names: list[Any]) -> str:
    further = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + further
