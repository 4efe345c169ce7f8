"""Networks of timm and of torchvision, by the names that they have there; both are an extra of Lethe's.

Neither library is imported before a study names one of its networks, and none of their weights is downloaded.
"""

from abc import abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from unlearning.errors import InputError
from unlearning.families import Package
from unlearning.imported import Origin
from unlearning.models._external import ExternalNetwork

ModelName = Annotated[str, Field(description="the network's name in the library")]


class LibraryNetwork(ExternalNetwork):
    """A network by its name in a library that is installed, here and on all nodes.

    Attributes:
        library: the distribution, and the package that is imported.
    """

    library: ClassVar[str]

    model: ModelName

    @property
    def called(self) -> str:
        """Library and name."""
        return f"{self.library} {self.model}"

    def imported(self) -> ModuleType:
        """Import the library.

        Raises:
            InputError: it is not installed, is another version than the study was read with, or cannot be imported.
        """
        try:
            module = import_module(self.library)
        except ModuleNotFoundError as error:
            raise InputError(
                f"name: {self.library} needs {error.name}, which is not installed: pip install 'lethe[networks]'"
            ) from error
        except Exception as error:
            raise InputError(
                f"name: {self.library} {self._version()} cannot be imported: {type(error).__name__}: {error}; timm, "
                "torchvision and torch must be releases that fit one another"
            ) from error
        return module

    def find(self) -> Origin:
        """Look the name up in the library."""
        known = self.names(self.imported())
        if self.model not in known:
            near = get_close_matches(self.model, known, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise InputError(f"model: {self.library} {self._version()} has no network {self.model!r}{hint}")
        return Origin(Package(self.library, self._version()), None)

    @abstractmethod
    def names(self, library: ModuleType) -> Sequence[str]:
        """List the names of the library's networks."""

    @abstractmethod
    def create(self, library: ModuleType, channels: int, classes: int) -> nn.Module:
        """Build the network without weights that are not drawn."""

    def made(self, channels: int, classes: int) -> nn.Module:
        """Build the network, with the version of the library that the study was read with."""
        library = self.imported()
        if (here := Package(self.library, self._version())) != self._origin.package:
            raise InputError(f"wanted {self._origin.package}, with which the study was read, got {here}")
        return self.create(library, channels, classes)

    def _version(self) -> str:
        try:
            return version(self.library)
        except PackageNotFoundError:
            return "of no known version"


class Timm(LibraryNetwork):
    """A network of timm (PyTorch Image Models) by name, such as `vit_small_patch16_224`; its weights are drawn."""

    library: ClassVar[str] = "timm"

    name: Literal["timm"] = "timm"

    def names(self, library: ModuleType) -> Sequence[str]:
        """List timm's names."""
        return list(library.list_models())

    def create(self, library: ModuleType, channels: int, classes: int) -> nn.Module:
        """Build it for the channels of the images."""
        created: nn.Module = library.create_model(
            self.model, pretrained=False, in_chans=channels, num_classes=classes, **self.args
        )
        return created


class TorchVision(LibraryNetwork):
    """A classifier of torchvision by name, such as `resnet50`; its weights are drawn.

    Grey images are given to it as three equal channels.
    """

    library: ClassVar[str] = "torchvision"

    name: Literal["torchvision"] = "torchvision"

    def names(self, library: ModuleType) -> Sequence[str]:
        """List the names of torchvision's classifiers."""
        models = import_module("torchvision.models")
        return list(models.list_models(module=models))

    def create(self, library: ModuleType, channels: int, classes: int) -> nn.Module:
        """Build it, for images of three channels."""
        models = import_module("torchvision.models")
        created: nn.Module = models.get_model(self.model, weights=None, num_classes=classes, **self.args)
        if channels == 1:
            created.register_forward_pre_hook(_in_three_channels)
        return created


def _in_three_channels(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Repeat the one channel of grey images; the pre-hook of a network."""
    return (inputs[0].expand(-1, 3, -1, -1), *inputs[1:])
