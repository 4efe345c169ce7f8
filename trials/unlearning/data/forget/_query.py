"""A request for the images that a condition in SQL holds for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from unlearning.data._base import DataError, ImageData
from unlearning.data._listed import listed
from unlearning.data._text import shortened
from unlearning.data.forget._base import Asked, ForgetRequest
from unlearning.data.forget._columns import HELD_OUT, LABEL, columns_of, note_on_held_out

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
WITH_COMMA = re.compile(r"-?(0|[1-9][0-9]{0,17})(,[0-9]+)?")
THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}(,[0-9]{3})*")

QUOTED = re.compile(r"'((?:[^']|'')*)'")
"""A text in a condition; a quote in it is written twice."""


class Query(ForgetRequest):
    """The train images that a condition holds for, in DuckDB's SQL over the columns of the data.

    A column of whole numbers is a ``bigint`` and one of decimal numbers a ``double``, with decimal points or, in the
    whole column, commas; one with a leading zero anywhere is text, as all others are, and so is one whose commas may as
    well part thousands. An empty text is ``null``. The condition is kept with the results as it is written, so
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
        forms = {name: _form(texts) for name, texts in columns.items()}
        matches_N = torch.zeros(sum(len(one[LABEL]) for one in splits.values()), dtype=torch.bool)
        matches_N[self._matches(columns, forms, data.name)] = True
        train_N, *held_out = matches_N.split([len(one[LABEL]) for one in splits.values()])
        counts = {split: int(found.sum()) for split, found in zip(HELD_OUT, held_out, strict=True)}
        return Asked(
            train_N.nonzero().flatten(),
            (*self._notes(columns, forms), *note_on_held_out(self.label, counts)),
        )

    def _notes(self, columns: Mapping[str, Sequence[str]], forms: Mapping[str, "_Form"]) -> Iterator[str]:
        """Yield sentences on numbers with commas, and on texts of the condition that no image has."""
        for name, form in forms.items():
            if form.commas and name in self.sql.casefold():
                read = "decimal numbers" if form.type == "double" else "text, since they may part thousands as well"
                yield f"{self.label}: commas in the column {name} were read as {read}"
        known = {text for texts in columns.values() for text in texts}
        texts = dict.fromkeys(text.replace("''", "'") for text in QUOTED.findall(self.sql))
        if unknown := [shortened(text) for text in texts if text and "%" not in text and text not in known]:
            yield f"{self.label}: no image has {listed(unknown)} in any column; case and spaces count"

    def _matches(self, columns: Mapping[str, Sequence[str]], forms: Mapping[str, "_Form"], dataset: str) -> list[int]:
        """Return the positions for which the condition is true, in order."""
        import duckdb  # takes a tenth of a second, and workers ask nothing

        try:
            with duckdb.connect() as database:
                _fill(database, columns, forms)
                question = f'select "#position" from images where (\n{self.sql}\n) order by 1'
                if len(database.extract_statements(question)) != 1:
                    raise DataError(f"forget {self.label}: wanted one condition, got several statements")
                first, second = (database.execute(question).fetchall() for _ in range(2))
        except duckdb.Error as error:
            known = ", ".join(f"{name} ({form.type})" for name, form in forms.items())
            raise DataError(
                f"forget {self.label}: DuckDB refuses the condition on {dataset}: {str(error).splitlines()[0]}; the "
                f"columns are {known}"
            ) from error
        if first != second:
            raise DataError(f"forget {self.label}: wanted the same images each time, got others at a second asking")
        return [position for (position,) in first]


@dataclass(frozen=True)
class _Form:
    """What the texts of a column are: their type in DuckDB, and whether they are numbers with commas."""

    type: Literal["bigint", "double", "varchar"]
    commas: bool = False


def _form(texts: Sequence[str]) -> _Form:
    known = [text for text in texts if text]
    if not known:
        return _Form("varchar")
    if all(map(WHOLE.fullmatch, known)):
        return _Form("bigint")
    if all(map(DECIMAL.fullmatch, known)):
        return _Form("double")
    if not all(map(WITH_COMMA.fullmatch, known)):
        return _Form("varchar")
    return _Form("varchar" if all(map(THOUSANDS.fullmatch, known)) else "double", commas=True)


def _fill(database: Any, columns: Mapping[str, Sequence[str]], forms: Mapping[str, _Form]) -> None:
    """Make the table ``images``, after which the database reaches no file and no network."""
    given = {f"c{n}": np.array(texts, dtype=object) for n, texts in enumerate(columns.values())}
    database.register("given", {"#position": np.arange(len(given["c0"])), **given})
    named = [f"{_value(one, forms[name])} as {_quoted(name)}" for one, name in zip(given, columns, strict=True)]
    database.execute(f'create table images as select "#position", {", ".join(named)} from given')
    database.unregister("given")
    database.execute("set enable_external_access = false; set lock_configuration = true")


def _value(column: str, form: _Form) -> str:
    text = f"replace({column}, ',', '.')" if form.commas and form.type == "double" else column
    return f"nullif({text}, '')::{form.type}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
