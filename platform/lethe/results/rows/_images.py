"""Rows that are made for a query that asks for names, and that no file ever holds."""

from dataclasses import dataclass
from typing import Annotated

from lethe.results.schema import Column


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """A train image of a scenario: its file, patient and class. Read by queries with `--names`, and never stored."""

    study: Annotated[str, Column("", "name of the study")]
    scenario: Annotated[str, Column("", "fingerprint of the scenario")]
    data_hash: Annotated[str, Column("", "hash of the images and labels")]
    image: Annotated[int, Column("", "index of the image in the train split")]
    file: Annotated[str | None, Column("", "its file, as the data names it; null where the data does not")]
    patient: Annotated[str | None, Column("", "whom it is of; null where the data does not say")]
    class_index: Annotated[int | None, Column("", "its class, from 0; null where an image has any number of labels")]
    class_name: Annotated[
        str, Column("", "name of its class; of several labels the names joined by ' + ', '(no label)' without any")
    ]
