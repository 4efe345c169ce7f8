"""Image files to one array: decoded in parallel with a progress bar, brought to one size and number of channels.

Where a folder for it is named, the array is kept there by content and read from there the next time.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import PIL
import torch
from annotated_types import Interval
from PIL import Image, ImageOps
from pydantic import Field, model_validator
from torch import Tensor
from tqdm import tqdm

from unlearning.data._base import DataError, PathOption, Source, Task
from unlearning.data._depth import DeepRule
from unlearning.data._image_cache import cached, keep
from unlearning.data._images import Colour, Reading, read_image
from unlearning.data._limit import DEFAULT_LIMIT_GIB, LimitGib, check_limit
from unlearning.data._listed import listed

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
        description="folder in which decoded images are kept by content, for a fast second reading. It then has "
        "copies of images that somebody asked to be forgotten; by default nothing is kept",
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


def decode(
    where: Path, files: Sequence[Path], decoding: Decoding, limit_gib: float, cache: Path | None
) -> tuple[Array, list[str]]:
    """Decode files in parallel.

    Args:
        where: the folder or table that names them, for messages.
        files: the images.
        decoding: how.
        limit_gib: the most memory that they may take.
        cache: folder in which the array is kept by content; None keeps nothing.

    Returns:
        uint8, (N, C, H, W), and what is wrong with files, a sentence each; their images are zeros.

    Raises:
        DataError: the images take more than the limit, or the folder cannot be written to.
    """
    if decoding.size is not None:
        check_limit(where, len(files) * decoding.channels * decoding.size**2, limit_gib)
    with ThreadPoolExecutor(min(32, os.cpu_count() or 1)) as threads:
        how = (DECODER_VERSION, PIL.__version__, decoding)
        key, found = cached(cache, files, how, threads) if cache else (None, None)
        if found is not None:
            check_limit(where, found.size, limit_gib)
            return found, []
        decoded, problems = _decoded(where, files, decoding, limit_gib, threads)
    if cache and key and not problems:
        keep(cache, key, decoded)
    return decoded, problems


def as_tensor(images_NCHW: Array) -> Tensor:
    """Return images that may be written to, copied where they are mapped from a file."""
    return torch.from_numpy(images_NCHW if images_NCHW.flags.writeable else images_NCHW.copy())


def _decoded(
    where: Path, files: Sequence[Path], decoding: Decoding, limit_gib: float, threads: ThreadPoolExecutor
) -> tuple[Array, list[str]]:
    shape, problems = (0, 0, 0), list[str]()
    images_NCHW: Array | None = None
    by_size: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for n, pixels in enumerate(_in_parallel(files, decoding, threads)):
        if isinstance(pixels, DataError):
            problems.append(str(pixels))
            continue
        if images_NCHW is None:
            shape = pixels.shape
            check_limit(where, len(files) * pixels.size, limit_gib)
            images_NCHW = np.zeros((len(files), *shape), np.uint8)
        by_size[pixels.shape[2], pixels.shape[1]].append(str(files[n]))
        if pixels.shape == shape:
            images_NCHW[n] = pixels
    problems += _of_several_sizes(by_size)
    return np.zeros((len(files), *shape), np.uint8) if images_NCHW is None else images_NCHW, problems


def _in_parallel(
    files: Sequence[Path], decoding: Decoding, threads: ThreadPoolExecutor, chunk: int = 1024
) -> Iterator[Array | DataError]:
    """Yield the pixels of each file, or what is wrong with it; a chunk of files is in work at a time."""
    with tqdm(total=len(files), desc="reading images", unit="image", disable=None, leave=False) as bar:
        for start in range(0, len(files), chunk):
            for pixels in threads.map(lambda file: _pixels_or_error(file, decoding), files[start : start + chunk]):
                bar.update()
                yield pixels


def _pixels_or_error(file: Path, decoding: Decoding) -> Array | DataError:
    try:
        return decoding.pixels(file)
    except DataError as error:
        return error


def _of_several_sizes(by_size: dict[tuple[int, int], list[str]]) -> list[str]:
    """Name the images of other sizes than most; nothing where all are of one."""
    if len(by_size) < 2:
        return []
    ((width, height), usual), *others = sorted(by_size.items(), key=lambda entry: -len(entry[1]))
    wanted = f"wanted images of one size, got {len(by_size)} sizes; most, {len(usual):,}, are {width} x {height}"
    differing = [f"{w} x {h}: {listed(names)}" for (w, h), names in others]
    return [f"{wanted}; name a `size` that all are resized to, or leave out\n    " + listed(differing, "\n    ")]
