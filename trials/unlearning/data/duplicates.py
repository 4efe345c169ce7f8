"""Byte-identical images: which train images repeat an earlier one, and which other images are also in train.

Only exact repeats are found: two photographs of one patient are no duplicates here.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_AT_ONCE = 1024


def digest_of(image_CHW: NDArray[np.uint8]) -> bytes:
    """Hash the bytes of an image, in their order, with BLAKE2b: 16 bytes."""
    return hashlib.blake2b(np.ascontiguousarray(image_CHW).data, digest_size=16).digest()


def image_digests(images_NCHW: Tensor) -> list[bytes]:
    """Hash each image by `digest_of`, in threads; images that are mapped from a file are read chunk by chunk."""
    chunks = images_NCHW.split(_AT_ONCE)
    with ThreadPoolExecutor(min(32, os.cpu_count() or 1)) as threads:
        return list(chain.from_iterable(threads.map(_digests, chunks)))


def duplicates(digests_N: Sequence[bytes]) -> Tensor:
    """Find for each image the first image that is equal to it byte for byte.

    Args:
        digests_N: of the images.

    Returns:
        int64, (N,): the index of the first identical image, an image's own index where it repeats none.
    """
    first: dict[bytes, int] = {}
    return torch.tensor([first.setdefault(digest, n) for n, digest in enumerate(digests_N)])


def standing_in(train_N: Sequence[bytes], *others_N: Sequence[bytes]) -> list[Tensor]:
    """Find the images of other splits that are also in train, by the digests of all.

    Returns:
        For each of the other splits a mask, bool, (N,): True where train holds the same bytes.
    """
    known = set(train_N)
    return [torch.tensor([digest in known for digest in digests_N]) for digests_N in others_N]


def _digests(images_NCHW: Tensor) -> list[bytes]:
    return [digest_of(image_CHW) for image_CHW in images_NCHW.contiguous().numpy()]
