"""What a data set is, in sentences: how much was read in which shape, what repeats, what is left out or missing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from unlearning.data._base import ImageData, Split


def with_distinct_names(datasets: Sequence[ImageData]) -> list[ImageData]:
    """Return data sets for people to read about: those that share a name have their hash, as rows do, behind it."""
    times = Counter(data.name for data in datasets)
    return [
        replace(data, name=f"{data.name} ({data.content_hash[:8]})") if times[data.name] > 1 else data
        for data in datasets
    ]


def facts(data: ImageData) -> tuple[str, ...]:
    """Describe a data set in a line for its images and one for each note."""
    channels, height, width = data.train.images_NCHW.shape[1:]
    low, high = map(int, data.train.images_NCHW.aminmax())
    dropped = ", ".join(f"{count} {split}" for split, count in data.dropped.items() if count)
    counts = (
        f"{data.name}: {len(data.train)} train, {len(data.val)} val, {len(data.test)} test images of height {height}, "
        f"width {width} and {channels} channel{'' if channels == 1 else 's'}, values {low} ... {high}, "
        f"{_classes(data)}; {data.duplicates or 'no'} duplicate training "
        f"image{'' if data.duplicates == 1 else 's'}"
        + (f"; left out because train has them too: {dropped}" if dropped else "")
    )
    return (counts, *(f"{data.name}: {note}" for note in data.notes))


def _classes(data: ImageData) -> str:
    return _labels(data.train) if data.labelling.several else f"{data.classes} classes"


def _labels(train: Split) -> str:
    """Describe labels of which an image has any number."""
    counts_N = train.labels_N.sum(1)
    return (
        f"{train.labels_N.shape[1]} labels, of which a train image has {counts_N.double().mean():.1f} on average; "
        f"{int((counts_N == 0).sum())} have none"
    )
