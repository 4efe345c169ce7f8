"""From a source to data that is ready for training: arrays checked, repeated images accounted for, content hashed.

Nothing is repaired: arrays that do not fit are refused, and the only images left out are val and test images that are
also in train, since an image that a model was trained on says nothing about unseen data.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from unlearning.data._base import FILE, SEVERAL, DataError, ImageData, RawData, Source, Split, SplitName
from unlearning.data._image_cache import part_kept
from unlearning.data._labels import check_labels, notes_on_absent_classes
from unlearning.data._listed import listed
from unlearning.data.duplicates import duplicates, image_digests, standing_in


def load(source: Source) -> ImageData:
    """Read a source, check it, drop the val and test images that are also in train, and hash what is left.

    Raises:
        DataError: the data cannot be found, fetched or used; the message says what, where and what to do.
    """
    raw = _with_composed_names(source.read())
    _check(raw)
    train, val, test = (raw.splits[name] for name in get_args(SplitName))
    digests = [raw.digests.get(name) or image_digests(raw.splits[name].images_NCHW) for name in get_args(SplitName)]
    in_val, in_test = standing_in(*digests)
    kept_val, kept_test = _without(raw.name, "val", val, in_val), _without(raw.name, "test", test, in_test)
    duplicate_of_N = duplicates(digests[0])
    return ImageData(
        name=raw.name,
        task=raw.task,
        class_names=raw.class_names,
        train=train,
        val=kept_val,
        test=kept_test,
        duplicate_of_N=duplicate_of_N,
        dropped={"val": int(in_val.sum()), "test": int(in_test.sum())},
        nonmembers=raw.nonmembers,
        content_hash=content_hash((train, kept_val, kept_test)),
        notes=(
            *raw.notes,
            *_notes_on_two_labels(train, duplicate_of_N),
            *notes_on_absent_classes(raw.class_names, kept_val, kept_test),
        ),
    )


def content_hash(splits: Iterable[Split]) -> str:
    """Hash the shapes and bytes of the splits' images and labels, in their order, with SHA-256 (hex)."""
    digest = hashlib.sha256()
    for split in splits:
        for array in (split.images_NCHW, split.labels_N):
            digest.update(f"{array.dtype} {tuple(array.shape)}\n".encode())
            digest.update(array.contiguous().numpy().data)
    return digest.hexdigest()


def column_hashes(data: ImageData) -> dict[str, str]:
    """Hash the texts of each column over the three splits, in their order, with SHA-256 (hex), by the column's name."""
    splits = (data.train, data.val, data.test)
    return {
        name: hashlib.sha256(json.dumps([split.columns.get(name) for split in splits]).encode()).hexdigest()
        for name in dict.fromkeys(name for split in splits for name in split.columns)
    }


def _with_composed_names(raw: RawData) -> RawData:
    """Bring class names to Unicode's composed form (NFC), in which equal names are equal text."""
    return replace(raw, class_names=tuple(unicodedata.normalize("NFC", name) for name in raw.class_names))


def _notes_on_two_labels(train: Split, duplicate_of_N: Tensor) -> tuple[str, ...]:
    """Return a sentence on the train images that repeat another under another label; nothing where there are none."""
    differs_N = (train.labels_N != train.labels_N[duplicate_of_N]).reshape(len(train), -1).any(1)
    differing = differs_N.nonzero().flatten().tolist()
    if not differing:
        return ()
    places = train.columns.get(FILE, [f"image {n}" for n in range(len(train))])
    pairs = listed([f"{places[n]} of {places[int(duplicate_of_N[n])]}" for n in differing])
    images = "1 train image repeats" if len(differing) == 1 else f"{len(differing):,} train images repeat"
    return (f"{images} another byte for byte under another label: {pairs}",)


def _without(name: str, split_name: SplitName, split: Split, in_train: Tensor) -> Split:
    if in_train.all():
        raise DataError(f"{name}, {split_name}: all {len(split)} images also stand in train; wanted unseen images")
    if not in_train.any():
        return split
    return split.only(~in_train) if split.mapped is None else part_kept(split, ~in_train)


def _check(raw: RawData) -> None:
    for split_name, split in raw.splits.items():
        for wanted, got, holds in _demands(split, len(raw.class_names) if raw.task == SEVERAL else None):
            if not holds:
                raise DataError(f"{raw.name}, {split_name}: wanted {wanted}, got {got}")
    if len({frozenset(split.columns) for split in raw.splits.values()}) > 1:
        columns = {split_name: sorted(split.columns) for split_name, split in raw.splits.items()}
        raise DataError(f"{raw.name}: wanted the same columns in all splits, got {columns}")
    check_labels(raw.name, raw.class_names, raw.splits)
    shapes = {split_name: tuple(split.images_NCHW.shape[1:]) for split_name, split in raw.splits.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{raw.name}: wanted one image shape (C, H, W) in all splits, got {shapes}")
    if len(raw.class_names) < 2:
        raise DataError(f"{raw.name}: wanted at least two classes, got {len(raw.class_names)}")
    if len(set(raw.class_names)) < len(raw.class_names) or not all(raw.class_names):
        raise DataError(f"{raw.name}: wanted a name of its own for each class, got {listed(raw.class_names)}")


def _demands(split: Split, several: int | None) -> Iterable[tuple[str, str, bool]]:
    """Yield what a split must fulfil, as (wanted, got, holds); a later demand presumes the earlier ones.

    Args:
        several: how many labels there are where an image may have several; None where it has one class.
    """
    images, labels = split.images_NCHW, split.labels_N
    yield "uint8 images (N, C, H, W)", _form(images), images.dtype == torch.uint8 and images.ndim == 4
    form = "(N,)" if several is None else f"(N, {several}), one column for each label (task: {SEVERAL})"
    fits = labels.ndim == 1 if several is None else labels.shape[1:] == (several,)
    yield f"int64 labels {form}", _form(labels), labels.dtype == torch.int64 and fits
    yield "a label for each image", f"{len(images)} images, {len(labels)} labels", len(images) == len(labels)
    for name, texts_N in split.columns.items():
        yield (
            f"a text of column {name} for each image",
            f"{len(labels)} images, {len(texts_N)}",
            len(texts_N) == len(labels),
        )
    yield "at least one image", "none", len(images) > 0
    yield "pixels in every image", _form(images), images.numel() > 0


def _form(array: Tensor) -> str:
    return f"{str(array.dtype).removeprefix('torch.')} {tuple(array.shape)}"
