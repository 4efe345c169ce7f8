"""Groups: of classes, by names or positions, and of images, by how difficult they are or by a text for each."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from unlearning.data import class_positions


def positions(named: Sequence[str | int], class_names: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of classes, ascending.

    Args:
        named: names, or positions that count from 0; a number in quotes is a name.

    Raises:
        ValueError: as `problem_with` says.
    """
    if problem := problem_with(named, class_names):
        raise ValueError(problem)
    return tuple(sorted(index for one in named for index in class_positions(one, class_names)))


def problem_with(named: Sequence[str | int], class_names: Sequence[str]) -> str | None:
    """Return why these names and positions are no group of classes beside which others are left; None if they are."""
    classes = "the classes are " + ", ".join(f"{index} ({name})" for index, name in enumerate(class_names))
    found = [class_positions(one, class_names) for one in named]
    if unknown := [repr(one) for one, indices in zip(named, found, strict=True) if not indices]:
        return f"no class {', '.join(unknown)}; {classes}"
    indices = [index for some in found for index in some]
    if twice := sorted({index for index in indices if indices.count(index) > 1}):
        return f"class {', '.join(map(str, twice))} is named twice; {classes}"
    return f"wanted some of the classes, got all of them; {classes}" if len(indices) == len(class_names) else None


def thirds(difficulty_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices of the easiest, middle and most difficult third of images; ties in their order."""
    easiest, middle, hardest = difficulty_N.argsort(stable=True).tensor_split(3)
    return easiest, middle, hardest


def by_text(texts_N: Sequence[str], of_N: Tensor, fewest: int) -> dict[str, Tensor]:
    """Return which of some images are of each group, bool, (N,), by the groups' names in order.

    Args:
        texts_N: the group that each image is of; empty where that is not known.
        of_N: which images count, bool.
        fewest: of these images that a group must have to be here.
    """
    images = defaultdict[str, list[int]](list)
    for index, (text, counts) in enumerate(zip(texts_N, of_N.tolist(), strict=True)):
        if text and counts:
            images[text].append(index)
    nothing_N = torch.zeros_like(of_N)
    return {
        name: nothing_N.index_fill(0, torch.tensor(images[name]), True)
        for name in sorted(images)
        if len(images[name]) >= fewest
    }
