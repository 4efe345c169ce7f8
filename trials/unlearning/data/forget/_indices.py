"""A request for the train images that a file lists."""

import re
from array import array
from collections.abc import Iterator
from typing import Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from unlearning.data._base import DataError, ImageData, PathOption
from unlearning.data._text import shortened
from unlearning.data.forget._base import Asked, ForgetRequest
from unlearning.data.forget._lists import ImageList, read_list

NUMBER: Final = re.compile(r"([0-9]{1,18})(\.0)?")
"""An index, with the decimal that a spreadsheet or data frame may write behind it."""

NUMBER_WITHOUT_COMMAS: Final = re.compile(r"([0-9]{1,18})([.,]0)?")
"""The same in a table whose columns no comma separates."""


class Indices(ForgetRequest):
    """The train images that a file lists: text with one index a line, or a table with a column ``index``.

    An index is a position in train, counted from 0, in the source's own order: that of the array ``train_images`` in
    MedMNIST's files and other archives; in a folder class by class, and sorted by file name within a class. In text,
    blank lines and everything after a # are left out. A table is a .csv or .tsv file as a spreadsheet writes it; where
    it has a column ``split``, ``set``, ``subset``, ``fold`` or ``partition``, this must be ``train`` in every row. An
    index that comes twice counts once.
    """

    kind: Literal["indices"] = "indices"
    file: PathOption = Field(
        description="text file, or a .csv or .tsv file with a column `index`: positions in train in its source's "
        "order, counted from 0"
    )

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"indices {self.file.name}"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Read the file's indices.

        Raises:
            DataError: the file cannot be read, a line holds no index of a train image, or rows are of other splits.
        """
        count, listed = len(data.train), read_list(self.file)
        wanted = f"wanted an index of a train image of {data.name}, 0 ... {count - 1}"
        lines_M, indices_M = self._numbers(listed, wanted)
        if (outside_M := indices_M >= count).any():
            first = int(outside_M.nonzero()[0])
            raise DataError(
                f"{self.file}:{lines_M[first]}: {wanted}, got '{indices_M[first]}'{_suspicion(indices_M, count)}"
            )
        return Asked(indices_M, tuple(self._notes(indices_M, listed.assumed)))

    def _numbers(self, listed: ImageList, wanted: str) -> tuple[Tensor, Tensor]:
        """Read the entries as numbers.

        Returns:
            The entries' lines and numbers: int64, (M,), both.
        """
        number = NUMBER if listed.separator in (None, ",") else NUMBER_WITHOUT_COMMAS
        lines, indices = array("q"), array("q")
        for line, text in listed.entries:
            found = number.fullmatch(text)
            if not found:
                raise DataError(f"{self.file}:{line}: {wanted}, got {shortened(text)!r}; {_advice(listed)}")
            lines.append(line)
            indices.append(int(found[1]))
        return torch.tensor(lines, dtype=torch.int64), torch.tensor(indices, dtype=torch.int64)

    def _notes(self, indices_M: Tensor, assumed: str | None) -> Iterator[str]:
        if not len(indices_M):
            return
        low, high = int(indices_M.min()), int(indices_M.max())
        repeated = len(indices_M) - len(indices_M.unique())
        yield (
            f"{self.file}: {len(indices_M):,} rows, {repeated:,} of them repeated; indices {low} ... {high}, counted "
            "from 0"
        )
        if low == 1:
            yield f"{self.file}: 1 occurs and 0 never does; if the list counts from 1, subtract 1 from each index"
        if assumed:
            yield f"{self.file}: not UTF-8, read as {assumed}; the indices are the same in both"


def _suspicion(indices_M: Tensor, count: int) -> str:
    """Return the advice for a list that seems to count from 1; empty for any other."""
    if indices_M.min() == 0 or indices_M.max() != count:
        return ""
    return f"; 0 never occurs and {count} is the largest, as if the list counted from 1: subtract 1 from each index"


def _advice(listed: ImageList) -> str:
    if listed.separator is None:
        return "text has one whole number a line; a table with a column index is a .csv or .tsv file"
    return "write whole numbers, without separators of thousands and without exponents"
