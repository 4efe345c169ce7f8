"""A request for the images that a condition in SQL holds for."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from unlearning.data._base import DataError, ImageData
from unlearning.data._text import shortened
from unlearning.data.forget._base import Asked, ForgetRequest
from unlearning.data.forget._columns import HELD_OUT, LABEL, columns_of, note_on_held_out

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class Query(ForgetRequest):
    """The train images that a condition holds for, in DuckDB's SQL over the columns of the data.

    A column of whole numbers is a ``bigint`` and one of decimal numbers a ``double``; one with a leading zero anywhere
    is text, as all others are. An empty text is ``null``. The condition is kept with the results as it is written, so
    people who withdrew are better listed in a file, as the request ``where`` does.
    """

    kind: Literal["query"] = "query"
    sql: str = Field(description="the condition, such as `site = 'B' and age > 60`; `label` is the class", min_length=1)

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"where {shortened(' '.join(self.sql.split()))}"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Find the images that the condition holds for.

        Raises:
            DataError: DuckDB refuses the condition, or it has another answer each time.
        """
        splits = {split: columns_of(getattr(data, split), data) for split in ("train", *HELD_OUT)}
        columns = {name: [text for one in splits.values() for text in one[name]] for name in splits["train"]}
        matches_N = torch.zeros(sum(len(one[LABEL]) for one in splits.values()), dtype=torch.bool)
        matches_N[self._matches(columns, data.name)] = True
        train_N, *held_out = matches_N.split([len(one[LABEL]) for one in splits.values()])
        counts = {split: int(found.sum()) for split, found in zip(HELD_OUT, held_out, strict=True)}
        return Asked(train_N.nonzero().flatten(), note_on_held_out(self.label, counts))

    def _matches(self, columns: Mapping[str, Sequence[str]], dataset: str) -> list[int]:
        """Return the positions for which the condition is true, in order."""
        import duckdb  # takes a tenth of a second, and workers ask nothing

        types = {name: _type(texts) for name, texts in columns.items()}
        try:
            with duckdb.connect() as database:
                _fill(database, columns, types)
                question = f'select "#position" from images where (\n{self.sql}\n) order by 1'
                if len(database.extract_statements(question)) != 1:
                    raise DataError(f"forget {self.label}: wanted one condition, got several statements")
                first, second = (database.execute(question).fetchall() for _ in range(2))
        except duckdb.Error as error:
            known = ", ".join(f"{name} ({kind})" for name, kind in types.items())
            raise DataError(
                f"forget {self.label}: DuckDB refuses the condition on {dataset}: {str(error).splitlines()[0]}; the "
                f"columns are {known}"
            ) from error
        if first != second:
            raise DataError(f"forget {self.label}: wanted the same images each time, got others at a second asking")
        return [position for (position,) in first]


def _type(texts: Sequence[str]) -> str:
    known = [text for text in texts if text]
    if known and all(map(WHOLE.fullmatch, known)):
        return "bigint"
    return "double" if known and all(map(DECIMAL.fullmatch, known)) else "varchar"


def _fill(database: Any, columns: Mapping[str, Sequence[str]], types: Mapping[str, str]) -> None:
    """Make the table ``images``, after which the database reaches no file and no network."""
    given = {f"c{n}": np.array(texts, dtype=object) for n, texts in enumerate(columns.values())}
    database.register("given", {"#position": np.arange(len(given["c0"])), **given})
    named = [f"nullif({one}, '')::{types[name]} as {_quoted(name)}" for one, name in zip(given, columns, strict=True)]
    database.execute(f'create table images as select "#position", {", ".join(named)} from given')
    database.unregister("given")
    database.execute("set enable_external_access = false; set lock_configuration = true")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
