"""Byte-identical images: which train images repeat an earlier one, and which other images are also in train.

Only exact repeats are found: two photographs of one patient are no duplicates here.
"""

import hashlib

import torch
from torch import Tensor


def duplicates(images_NCHW: Tensor) -> Tensor:
    """Find for each image the first image that is equal to it byte for byte.

    Returns:
        int64, (N,): the index of the first identical image, an image's own index where it repeats none.
    """
    first: dict[bytes, int] = {}
    return torch.tensor([first.setdefault(digest, n) for n, digest in enumerate(_digests(images_NCHW))])


def standing_in(train_NCHW: Tensor, *others_NCHW: Tensor) -> list[Tensor]:
    """Find the images of other splits that are also in train.

    Returns:
        For each of the other splits a mask, bool, (N,): True where train holds the same bytes.
    """
    known = set(_digests(train_NCHW))
    return [torch.tensor([digest in known for digest in _digests(images)]) for images in others_NCHW]


def _digests(images_NCHW: Tensor) -> list[bytes]:
    rows = images_NCHW.contiguous().flatten(1).numpy()
    return [hashlib.blake2b(row, digest_size=16).digest() for row in rows]
