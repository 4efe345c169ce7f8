"""Whether labels fit the classes: every class has train images, and no label is outside of 0 ... K-1.

Images are counted per label that occurs, never by a table as long as the largest label, which may be any number. Where
an image may have several labels, each is 0 or 1, and in train some images have it and others lack it.
"""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from unlearning.data._base import DataError, Split, SplitName
from unlearning.data._listed import listed
from unlearning.tasks import task_of


def check_labels(name: str, class_names: Sequence[str], splits: Mapping[SplitName, Split]) -> None:
    """Check the labels of every split against the classes.

    Raises:
        DataError: a label names no class, a class has no train image, or of several labels an image one is had by all
            train images; the message shows the images per label.
    """
    if task_of(splits["train"].labels_N).several:
        _check_several(name, class_names, splits)
        return
    for split_name, split in splits.items():
        counts, classes = count_labels(split.labels_N), len(class_names)
        if min(counts) < 0 or max(counts) >= classes:
            raise DataError(
                f"{name}, {split_name}: wanted labels in 0 ... {classes - 1}, got {min(counts)} ... {max(counts)}; "
                f"images per label: {_shown(counts)}{_advice(counts)}"
            )
    counts = count_labels(splits["train"].labels_N)
    if empty := [k for k in range(len(class_names)) if k not in counts]:
        raise DataError(
            f"{name}, train: wanted images of every class, got none of {_named(empty, class_names)}; images per class: "
            f"{_per_class(counts, class_names)}; remove such a class or add images"
        )


def _check_several(name: str, class_names: Sequence[str], splits: Mapping[SplitName, Split]) -> None:
    for split_name, split in splits.items():
        values = count_labels(split.labels_N.flatten())
        if not values.keys() <= {0, 1}:
            raise DataError(
                f"{name}, {split_name}: wanted 0 or 1 for each label of an image, got {min(values)} ... {max(values)}; "
                "decide what other values, such as -1 for uncertain, are to mean"
            )
        counts = _counts(split, class_names)
        if all(count in (0, len(split)) for count in counts.values()):
            raise DataError(
                f"{name}, {split_name}: wanted a label that some images have and others lack, without which nothing "
                f"can be ranked, got none; images per label: {_per_class(counts, class_names)}"
            )
    counts, size = _counts(splits["train"], class_names), len(splits["train"])
    if constant := [k for k, count in counts.items() if count in (0, size)]:
        raise DataError(
            f"{name}, train: wanted images with and without every label, got all or none of {size} with "
            f"{_named(constant, class_names)}; images per label: {_per_class(counts, class_names)}; leave such a label "
            "out or add images"
        )


def notes_on_absent_classes(class_names: Sequence[str], val: Split, test: Split) -> Iterator[str]:
    """Yield a sentence for each of val and test that lacks a class, with what follows for the measures."""
    if absent := _absent(class_names, val):
        yield f"val has no image of {_named(absent, class_names)}: VA, which a search goes by, says nothing about it"
    if absent := _absent(class_names, test):
        yield (
            f"test has no image of {_named(absent, class_names)}: AUC has no value there, nor has the recall of such a "
            "class"
        )


def count_labels(labels_N: Tensor) -> dict[int, int]:
    """Count the images of each label that occurs, in the order of the labels."""
    labels_K, counts_K = labels_N.unique(return_counts=True)
    return dict(zip(labels_K.tolist(), counts_K.tolist(), strict=True))


def _counts(split: Split, class_names: Sequence[str]) -> dict[int, int]:
    return dict(enumerate(task_of(split.labels_N).count_per_class(split.labels_N, len(class_names))))


def _absent(class_names: Sequence[str], split: Split) -> list[int]:
    return [k for k, count in _counts(split, class_names).items() if not count]


def _named(labels: Sequence[int], class_names: Sequence[str]) -> str:
    return f"class{'' if len(labels) == 1 else 'es'} {listed([f'{k} ({class_names[k]})' for k in labels])}"


def _shown(counts: Mapping[int, int]) -> str:
    return listed([f"{label}: {count}" for label, count in counts.items()])


def _per_class(counts: Mapping[int, int], class_names: Sequence[str]) -> str:
    return listed([f"{k} ({class_name}): {counts.get(k, 0)}" for k, class_name in enumerate(class_names)])


def _advice(counts: Mapping[int, int]) -> str:
    low, high = min(counts), max(counts)
    if low == 1 and high == len(counts):
        return "; labels count from 0: subtract 1"
    if 255 in counts or low < 0:
        return "; if a label such as 255 or -1 means 'ignore', leave those images out"
    return "; number the classes 0 ... K-1 without gaps" if high >= len(counts) else ""
