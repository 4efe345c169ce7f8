"""Networks whose code neither Lethe nor the class of a plug-in brings, and the weights of a file to begin with."""

import json
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any, Self

import torch
from pydantic import Field, PrivateAttr, field_validator, model_validator
from torch import nn

from unlearning.data._base import PathOption
from unlearning.errors import InputError
from unlearning.families import Package
from unlearning.imported import Origin
from unlearning.models._base import Network
from unlearning.models._pretrained import digest_of, load_into


class ExternalNetwork(Network):
    """A network that a callable of another package or module builds."""

    args: Annotated[dict[str, Any], Field(description="arguments by name: numbers, texts, lists and mappings")] = {}  # noqa: RUF012
    pretrained: PathOption | None = Field(
        None,
        description="file of weights that trainings begin with, safetensors or a state dict of `torch.save`; a last "
        "layer of another size is drawn from the seed. On a cluster all nodes must see it under this path",
    )
    _origin: Origin = PrivateAttr()
    _file: tuple[Path, str] | None = PrivateAttr(None)

    @abstractmethod
    def find(self) -> Origin:
        """Return what brings the code, once it is known that it can be called with these options.

        Raises:
            InputError: it cannot; the message begins with the option that is wrong.
        """

    @abstractmethod
    def made(self, channels: int, classes: int) -> nn.Module:
        """Call what builds the network.

        Raises:
            InputError: it cannot be imported here.
        """

    @property
    @abstractmethod
    def called(self) -> str:
        """What the network is called: what stands before its arguments in a title."""

    @property
    def package(self) -> Package | None:
        """The distribution that brings the code; None where it comes from files beside a study."""
        return self._origin.package

    @property
    def origin(self) -> Origin:
        """What brings the code."""
        return self._origin

    @property
    def code(self) -> str:
        """What identifies the code: the distribution with its version, or the digest of the files."""
        return self._origin.code

    @property
    def title(self) -> str:
        """How rows name the network: by what it is called, with its arguments."""
        options = self.model_dump(include={"normalise", "resize"})
        file = {"pretrained": self.pretrained.name} if self.pretrained else {}
        return " ".join([self.called, *self._written({**self.args, **file, **options})])

    @property
    def identity(self) -> dict[str, object]:
        """Its options; a file of weights counts by its content."""
        options = self.model_dump(mode="json", exclude={"pretrained"})
        return options | ({"pretrained": self._file[1]} if self._file else {})

    def body(self, channels: int, classes: int) -> nn.Module:
        """Build the network, with the weights of the file if there is one."""
        body = self._called(channels, classes)
        if self._file:
            load_into(body, self._weights_file)
        return body

    def notes(self, channels: int, classes: int) -> tuple[str, ...]:
        """Return which weights of a file are not used."""
        if self.pretrained is None:
            return ()
        with torch.random.fork_rng(devices=[]):
            drawn = load_into(self._called(channels, classes), self._weights_file)
        begins = f"Trainings begin with the weights of {self.pretrained}"
        return (f"{begins}; drawn anew, since the file has none of their size: {', '.join(drawn) or 'none'}.",)

    @field_validator("args", mode="after")
    @classmethod
    def _can_be_written(cls, args: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(json.loads(json.dumps(args, allow_nan=False)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"wanted values that JSON can write, {error}") from error

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        problems = []
        try:
            self._origin = self.find()
        except InputError as error:
            problems.append(str(error))
        if self.pretrained is not None:
            try:
                self._file = (self.pretrained.absolute(), digest_of(self.pretrained))
            except InputError as error:
                problems.append(f"pretrained: {error}")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def _weights_file(self) -> Path:
        """The file of weights, which must be the one that the study was read with."""
        assert self._file is not None
        path, digest = self._file
        if not path.is_file():
            raise InputError(f"pretrained: no {path} on {gethostname()}; all nodes must see it under this path")
        if digest_of(path) != digest:
            raise InputError(f"pretrained: {path} on {gethostname()} is another file than the study was read with")
        return path

    def _called(self, channels: int, classes: int) -> nn.Module:
        return called_by(self.called, lambda: self.made(channels, classes))


def called_by(name: str, build: Callable[[], Any]) -> nn.Module:
    """Return what a callable of somebody else builds.

    Raises:
        InputError: it raises, or returns no module of torch.
    """
    try:
        body = build()
    except InputError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise InputError(f"{name} raised {type(error).__name__}: {said}") from error
    if not isinstance(body, nn.Module):
        raise InputError(f"wanted {name} to return a torch.nn.Module, got {type(body).__name__}")
    return body
