"""A request for the images whose column has one of the values of a list: withdrawn patients, file names, sites."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

import torch
from pydantic import Field

from unlearning.data._base import DataError, ImageData, PathOption
from unlearning.data._listed import listed
from unlearning.data._text import shortened
from unlearning.data.forget._base import Asked, ForgetRequest
from unlearning.data.forget._columns import HELD_OUT, column_of, note_on_held_out
from unlearning.data.forget._values import Values, read_values


class Where(ForgetRequest):
    """The train images whose column has a value that a file lists, such as those of withdrawn patients.

    Values are compared as text, as they are written. The list stays in its file: results have its name, and a hash of
    the positions of the images that it selects.
    """

    kind: Literal["where"] = "where"
    column: str = Field(description="column of the data, such as patient, file or site; `label` is the class")
    values_file: PathOption = Field(
        description="list of values: text with one a line, or .csv, .tsv or .xlsx with a head"
    )
    values_column: str | None = Field(
        None, description="column of the list that has the values; by default it is called as that of the data"
    )
    allow_missing: bool = Field(False, description="accept values that no image has")

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"{self.column} in {self.values_file.name}"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Find the images of the list's values.

        Raises:
            DataError: the list cannot be read, the data has no such column, or no image has some value.
        """
        column = _name(self.column)
        listed_values = read_values(self.values_file, _name(self.values_column or self.column))
        rows_of: defaultdict[str, list[int]] = defaultdict(list)
        for row, text in enumerate(column_of(data.train, data, column)):
            rows_of[text].append(row)
        wanted = listed_values.place_of.keys()
        held_out = {split: column_of(getattr(data, split), data, column) for split in HELD_OUT}
        elsewhere = wanted & set(chain(*held_out.values())) - rows_of.keys()
        missing = [value for value in wanted if value not in rows_of and value not in elsewhere]
        if missing and not self.allow_missing:
            raise DataError(self._refusal(missing, listed_values, rows_of))
        indices = [row for value in wanted if value in rows_of for row in rows_of[value]]
        counts = {split: sum(text in wanted for text in texts) for split, texts in held_out.items()}
        notes = (*self._notes(listed_values, missing, elsewhere), *note_on_held_out(self.label, counts))
        return Asked(torch.tensor(indices, dtype=torch.int64), notes)

    def _refusal(self, missing: list[str], values: Values, present: Iterable[str]) -> str:
        shown = listed([f"{values.place_of[value]}: {shortened(value)}" for value in missing], "\n  ")
        example = ", ".join(shortened(value) for value in sorted(filter(None, present))[:3])
        return (
            f"{self.values_file}: {len(missing):,} of {len(values.place_of):,} values are no {self.column} of any "
            f"image; correct them, or accept this by allow_missing: true. The column has "
            f"values such as {example}\n  {shown}"
        )

    def _notes(self, values: Values, missing: list[str], elsewhere: set[str]) -> Iterator[str]:
        yield (
            f"{self.label}: {values.count:,} lines name {len(values.place_of):,} values, of which {len(missing):,} are "
            f"of no image and {len(elsewhere):,} of images of val or test alone"
        )
        yield from values.notes


def _name(column: str) -> str:
    return column.strip().casefold()
