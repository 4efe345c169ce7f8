"""Drawing train, val and test: whole patients, and of each class the wanted shares as far as patients allow."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import torch

from unlearning.data._base import SplitName
from unlearning.data._names import natural_key


def draw_splits(
    labels: Sequence[Collection[str]], patients: Sequence[str], shares: Mapping[SplitName, float], seed: int
) -> list[SplitName]:
    """Draw the split of each image.

    The largest patients come first, those of one size in a random order. Each goes where the classes of its images are
    farthest below their shares. The draw depends on patients, labels and seed, and not on the order of the images.

    Args:
        labels: the classes of each image: one, or of several labels those that it has.
        patients: whom each image is of; a name of its own for each image where this is not known.
        shares: of all images, of each split; they add up to 1.
        seed: of the draw.
    """
    classes_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for image_labels, patient in zip(labels, patients, strict=True):
        classes_of[patient].update(image_labels)
    totals = Counter(label for image_labels in labels for label in image_labels)
    missing = {split: {label: share * count for label, count in totals.items()} for split, share in shares.items()}
    chosen: dict[str, SplitName] = {}
    for patient in _in_order(classes_of, seed):
        counts = classes_of[patient]
        split = min(missing, key=lambda split: _misfit(counts, missing[split], totals))
        chosen[patient] = split
        for label, count in counts.items():
            missing[split][label] -= count
    return [chosen[patient] for patient in patients]


def _in_order(classes_of: Mapping[str, Counter[str]], seed: int) -> list[str]:
    names = sorted(classes_of, key=natural_key)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    return sorted((names[position] for position in order), key=lambda name: -classes_of[name].total())


def _misfit(counts: Counter[str], missing: Mapping[str, float], totals: Counter[str]) -> float:
    """Return by how much the squared distances to the wanted counts grow, relative to the sizes of the classes."""
    return sum(count * (count - 2 * missing[label]) / totals[label] for label, count in counts.items())
