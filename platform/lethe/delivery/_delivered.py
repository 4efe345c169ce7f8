"""An unlearned model that is about to leave: which one it is, and the files of its folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lethe.artifacts import Model, UnlearnedModel
from lethe.storage.root import StorageRoot
from lethe.study import Study


@dataclass(frozen=True)
class Delivered:
    """A delivery, before its certificate is written.

    Attributes:
        root: the results that have the rows of the study and its artifacts.
        study: as it was run, with its specification recorded.
        model: the model that is delivered; its `start` is the production original.
        row: the row of the table that the setting is of, such as `salun`.
        confirmation_id: of the delivered model's own row, of role `production`.
        folder: where the files are written; it gets its final name once it is complete.
        files: SHA-256 in hex of each file that is there, by its name in the folder.
    """

    root: StorageRoot
    study: Study
    model: UnlearnedModel
    row: str
    confirmation_id: str
    folder: Path
    files: Mapping[str, str]


def ancestors(model: UnlearnedModel) -> Iterator[Model]:
    """Yield what a model was made from, and what that was made from, to the one that was trained or given."""
    start = model.start
    yield start
    if isinstance(start, UnlearnedModel):
        yield from ancestors(start)
