"""Whether labels fit the classes: every class has train images, and no label is outside of 0 ... K-1.

Images are counted per label that occurs, never by a table as long as the largest label, which may be any number.
"""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from unlearning.data._base import DataError, Split, SplitName
from unlearning.data._listed import listed


def check_labels(name: str, class_names: Sequence[str], splits: Mapping[SplitName, Split]) -> None:
    """Check the labels of every split against the classes.

    Raises:
        DataError: a label names no class, or a class has no train image; the message shows the images per label.
    """
    for split_name, split in splits.items():
        counts, classes = count_labels(split.labels_N), len(class_names)
        if min(counts) < 0 or max(counts) >= classes:
            raise DataError(
                f"{name}, {split_name}: wanted labels in 0 ... {classes - 1}, got {min(counts)} ... {max(counts)}; "
                f"images per label: {_shown(counts)}{_advice(counts)}"
            )
    counts = count_labels(splits["train"].labels_N)
    if empty := [k for k in range(len(class_names)) if k not in counts]:
        per_class = [f"{k} ({class_name}): {counts.get(k, 0)}" for k, class_name in enumerate(class_names)]
        raise DataError(
            f"{name}, train: wanted images of every class, got none of {_named(empty, class_names)}; images per class: "
            f"{listed(per_class)}; remove such a class or add images"
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


def _absent(class_names: Sequence[str], split: Split) -> list[int]:
    counts = count_labels(split.labels_N)
    return [k for k in range(len(class_names)) if k not in counts]


def _named(labels: Sequence[int], class_names: Sequence[str]) -> str:
    return f"class{'' if len(labels) == 1 else 'es'} {listed([f'{k} ({class_names[k]})' for k in labels])}"


def _shown(counts: Mapping[int, int]) -> str:
    return listed([f"{label}: {count}" for label, count in counts.items()])


def _advice(counts: Mapping[int, int]) -> str:
    low, high = min(counts), max(counts)
    if low == 1 and high == len(counts):
        return "; labels count from 0: subtract 1"
    if 255 in counts or low < 0:
        return "; if a label such as 255 or -1 means 'ignore', leave those images out"
    return "; number the classes 0 ... K-1 without gaps" if high >= len(counts) else ""
