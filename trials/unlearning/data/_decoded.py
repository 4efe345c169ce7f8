"""Image files to one array: decoded in parallel with a progress bar, all that is wrong with them reported at once.

Where a folder for it is named, the array is written there by content, few images at a time, and mapped from there.
"""

import math
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import PIL
from torch import Tensor
from tqdm import tqdm

from unlearning.data._base import DataError, Split
from unlearning.data._decode import DECODER_VERSION, Array, Decoding
from unlearning.data._image_cache import Kept, keeping, kept, key_of
from unlearning.data._limit import check_limit
from unlearning.data._listed import listed
from unlearning.data.duplicates import digest_of
from unlearning.data.mapped import MappedImages, shared_tensor

THREADS: Final = min(32, os.cpu_count() or 1)

GROUP: Final = 32
"""Files that a thread decodes before it hands them over; one by one, threads would mostly wait for each other."""


@dataclass(frozen=True)
class Decoded:
    """The images of files.

    Attributes:
        images_NCHW: uint8, (N, C, H, W).
        digests: of each image, as `unlearning.data.duplicates` computes them.
        mapped: the file that they are mapped from; None where they are in memory.
    """

    images_NCHW: Array
    digests: Sequence[bytes]
    mapped: MappedImages | None

    def split(
        self, first: int, end: int, labels_N: Tensor, columns: Mapping[str, tuple[str, ...]]
    ) -> tuple[Split, Sequence[bytes]]:
        """Return the images from ``first`` up to and without ``end`` as a split, not copied, and their digests."""
        mapped = self.mapped and self.mapped.part(first, end)
        images_NCHW = shared_tensor(self.images_NCHW[first:end])
        return Split(images_NCHW, labels_N, columns, mapped), self.digests[first:end]


def decode(
    where: Path, files: Sequence[Path], decoding: Decoding, limit_gib: float, cache: Path | None
) -> Decoded | list[str]:
    """Decode files in parallel.

    Args:
        where: the folder or table that names them, for messages.
        files: the images.
        decoding: how.
        limit_gib: the most memory that they may take.
        cache: folder in which the array is kept by content, and mapped from; None keeps nothing.

    Returns:
        The images, or what is wrong with files, a sentence each.

    Raises:
        DataError: the images take more than the limit, or the folder cannot be written to.
    """
    if decoding.size is not None:
        check_limit(where, len(files) * decoding.channels * decoding.size**2, limit_gib)
    with ThreadPoolExecutor(THREADS) as threads:
        pictures = _in_parallel(files, decoding, threads)
        key = key_of(files, (DECODER_VERSION, PIL.__version__, decoding), threads) if cache and files else None
        if not (cache and key):
            return _in_memory(where, files, pictures, limit_gib)
        if found := kept(cache, key):
            check_limit(where, math.prod(found.mapped.shape), limit_gib)
            return _mapped(found)
        with keeping(cache, key, len(files)) as writer:
            checked = _Checked(where, files, limit_gib)
            for image_CHW, digest in checked.images(pictures):
                writer.write(image_CHW, digest)
    return checked.all_problems() or _mapped(writer.kept)


def _mapped(found: Kept) -> Decoded:
    return Decoded(found.mapped.opened(), found.digests, found.mapped)


def _in_memory(
    where: Path, files: Sequence[Path], pictures: Iterable["Picture | DataError"], limit_gib: float
) -> Decoded | list[str]:
    checked, digests = _Checked(where, files, limit_gib), list[bytes]()
    images_NCHW: Array = np.zeros(0, np.uint8)
    for image_CHW, digest in checked.images(pictures):
        if not digests:
            images_NCHW = np.zeros((len(files), *image_CHW.shape), np.uint8)
        images_NCHW[len(digests)] = image_CHW
        digests.append(digest)
    return checked.all_problems() or Decoded(images_NCHW, digests, None)


Picture = tuple[Array, bytes]
"""The pixels of a file, uint8, (C, H, W), and their digest."""


class _Checked:
    """What is found in decoding files, in their order."""

    def __init__(self, where: Path, files: Sequence[Path], limit_gib: float) -> None:
        self._where, self._files, self._limit_gib = where, files, limit_gib
        self._problems = list[str]()
        self._by_size: defaultdict[tuple[int, int], list[str]] = defaultdict(list)

    def images(self, pictures: Iterable[Picture | DataError]) -> Iterator[Picture]:
        """Yield the pictures up to the first that cannot be used, and look at the others too.

        Raises:
            DataError: all together take more than the limit.
        """
        for file, picture in zip(self._files, pictures, strict=True):
            if isinstance(picture, DataError):
                self._problems.append(str(picture))
                continue
            image_CHW, _ = picture
            if not self._by_size:
                check_limit(self._where, len(self._files) * image_CHW.size, self._limit_gib)
            self._by_size[image_CHW.shape[2], image_CHW.shape[1]].append(str(file))
            if not self._problems and len(self._by_size) == 1:
                yield picture

    def all_problems(self) -> list[str]:
        """Return what is wrong with files, a sentence each."""
        return [*self._problems, *_of_several_sizes(self._by_size)]


def _in_parallel(
    files: Sequence[Path], decoding: Decoding, threads: ThreadPoolExecutor
) -> Iterator[Picture | DataError]:
    """Yield the pixels of each file, or what is wrong with it; some groups of files are in work at a time."""
    at_work = deque[Future[list[Picture | DataError]]]()

    def next_done() -> list[Picture | DataError]:
        group = at_work.popleft().result()
        bar.update(len(group))
        return group

    with tqdm(total=len(files), desc="reading images", unit="image", disable=None, leave=False) as bar:
        for start in range(0, len(files), GROUP):
            at_work.append(threads.submit(_pictures, files[start : start + GROUP], decoding))
            if len(at_work) > 2 * THREADS:
                yield from next_done()
        while at_work:
            yield from next_done()


def _pictures(files: Sequence[Path], decoding: Decoding) -> list[Picture | DataError]:
    return [_picture_or_error(file, decoding) for file in files]


def _picture_or_error(file: Path, decoding: Decoding) -> Picture | DataError:
    try:
        image_CHW = decoding.pixels(file)
    except DataError as error:
        return error
    return image_CHW, digest_of(image_CHW)


def _of_several_sizes(by_size: dict[tuple[int, int], list[str]]) -> list[str]:
    """Name the images of other sizes than most; nothing where all are of one."""
    if len(by_size) < 2:
        return []
    ((width, height), usual), *others = sorted(by_size.items(), key=lambda entry: -len(entry[1]))
    wanted = f"wanted images of one size, got {len(by_size)} sizes; most, {len(usual):,}, are {width} x {height}"
    differing = [f"{w} x {h}: {listed(names)}" for (w, h), names in others]
    return [f"{wanted}; name a `size` that all are resized to, or leave out\n    " + listed(differing, "\n    ")]
