"""What all sources have in common that read image files: their options, and how a file becomes pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from annotated_types import Interval
from PIL import Image, ImageOps
from pydantic import Field, model_validator

from unlearning.data._base import PathOption, Source, Task
from unlearning.data._depth import DeepRule
from unlearning.data._images import Colour, Reading, read_image
from unlearning.data._limit import DEFAULT_LIMIT_GIB, LimitGib

DECODER_VERSION = 1
"""Raised by hand when the same file and options come to give other pixels: cached arrays are then not used."""

Array = np.ndarray[Any, np.dtype[np.uint8]]
Resize = Literal["stretch", "pad", "crop"]


class ImageFiles(Source):
    """What all sources have in common that read image files."""

    path: PathOption = Field(description="folder or table that names the images")
    size: Annotated[int, Interval(ge=8, le=512)] | None = Field(
        None, description="side length that images are resized to, pixels; by default all must be of one size already"
    )
    resize: Resize = Field(
        "stretch",
        description="how they are resized (bicubic): `stretch` does not keep the aspect ratio; `pad` does and fills "
        "the square with black; `crop` does and cuts the longer side about its middle",
    )
    channels: Literal[1, 3] = Field(3, description="1 for greyscale, 3 for colour")
    deep: Literal["refuse", "bits", "image"] = Field(
        "refuse",
        description="16-bit greyscale PNG and TIFF: `bits` scales the values 0 ... 2^bits - 1 to 0 ... 255, and a "
        "larger one is an error, as are images of 8 bits; `image` scales each image's own range",
    )
    bits: Annotated[int, Interval(ge=9, le=16)] = Field(16, description="bits that the values of `deep: bits` take")
    window: Literal["file", "image"] = Field(
        "file",
        description="greyscale DICOM: `file` scales the values in the file's own window to 0 ... 255; `image` each "
        "image's own range",
    )
    window_ends: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        None,
        description="greyscale DICOM: the values, after rescale slope and intercept, that become 0 and 255, such as "
        "[-160, 240]; by default `window` decides",
    )
    background: Colour | None = Field(
        None, description="colour that transparent pixels are laid over; by default images that have any are refused"
    )
    cache: PathOption | None = Field(
        None,
        description="folder in which decoded images are kept by content and mapped from: they are read fast a second "
        "time, and may be more than the memory holds. It then has copies of images that somebody asked to be "
        "forgotten; by default nothing is kept",
    )
    name: str | None = Field(None, description="what reports call it; by default the name of the folder or file")
    task: Task | None = Field(None, description="by default binary-class for two classes, else multi-class")
    nonmembers: Literal["val", "test"] = Field("test", description="split of the non-members")
    limit_gib: LimitGib = DEFAULT_LIMIT_GIB

    @property
    def decoding(self) -> "Decoding":
        """How a file becomes pixels."""
        deep = None if self.deep == "refuse" else DeepRule(self.deep, self.bits)
        mode: Literal["L", "RGB"] = "L" if self.channels == 1 else "RGB"
        return Decoding(Reading(mode, self.background, deep, self.window_ends or self.window), self.size, self.resize)

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.window_ends and self.window_ends[0] >= self.window_ends[1]:
            raise ValueError(f"window_ends: wanted a lower and a higher value, got {self.window_ends}")
        return self

    def task_of(self, classes: int) -> Task:
        """Return the task for so many classes."""
        return self.task or ("binary-class" if classes == 2 else "multi-class")


@dataclass(frozen=True)
class Decoding:
    """How a file becomes pixels: how it is read, and the size that it is brought to; None leaves it."""

    reading: Reading
    size: int | None
    resize: Resize

    @property
    def channels(self) -> int:
        """1 for greyscale, 3 for colour."""
        return 1 if self.reading.mode == "L" else 3

    def pixels(self, file: Path) -> Array:
        """Decode a file: uint8, (C, H, W).

        Raises:
            DataError: it is not as `read_image` wants it.
        """
        image = self._resized(read_image(file, self.reading))
        pixels_HWC = np.asarray(image).reshape(image.height, image.width, self.channels)
        return pixels_HWC.transpose(2, 0, 1)

    def _resized(self, image: Image.Image) -> Image.Image:
        if self.size is None:
            return image
        size, bicubic = (self.size, self.size), Image.Resampling.BICUBIC
        match self.resize:
            case "stretch":
                return image.resize(size, bicubic)
            case "pad":
                return ImageOps.pad(image, size, bicubic)
            case "crop":
                return ImageOps.fit(image, size, bicubic)
