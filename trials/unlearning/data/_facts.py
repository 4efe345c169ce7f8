"""What a data set is, in sentences: how much was read in which shape, what repeats, what is left out or missing."""

from unlearning.data._base import ImageData


def facts(data: ImageData) -> tuple[str, ...]:
    """Describe a data set in a line for its images and one for each note."""
    channels, height, width = data.train.images_NCHW.shape[1:]
    low, high = int(data.train.images_NCHW.min()), int(data.train.images_NCHW.max())
    dropped = ", ".join(f"{count} {split}" for split, count in data.dropped.items() if count)
    counts = (
        f"{data.name}: {len(data.train)} train, {len(data.val)} val, {len(data.test)} test images of height {height}, "
        f"width {width} and {channels} channel{'' if channels == 1 else 's'}, values {low} ... {high}, "
        f"{data.classes} classes; {data.duplicates or 'no'} duplicate training "
        f"image{'' if data.duplicates == 1 else 's'}"
        + (f"; left out because train has them too: {dropped}" if dropped else "")
    )
    return (counts, *(f"{data.name}: {note}" for note in data.notes))
