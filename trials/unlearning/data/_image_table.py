"""A table of images: a row a file, with its label and, where they are known, its split, its patient and anything else.

All rows are checked, and all that is wrong is reported at once; nothing is repaired or left out.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, get_args

import torch
from annotated_types import Interval
from pydantic import Field, model_validator
from torch import Tensor

from unlearning.data._base import FILE, PATIENT, SEVERAL, DataError, PathOption, RawData, Split, SplitName
from unlearning.data._decode import ImageFiles
from unlearning.data._decoded import Decoded, decode
from unlearning.data._draw_splits import draw_splits
from unlearning.data._listed import listed
from unlearning.data._names import PATIENT_COLUMN, SPLIT_COLUMN, natural_key
from unlearning.data._tables import Table, read_table
from unlearning.tasks import NO_LABEL

LABEL, SPLIT = "label", "split"

SPLITS: Mapping[str, SplitName] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What the column of the split may say, in any case."""

_YES_OR_NO: Mapping[str, bool] = {
    **dict.fromkeys(("1", "1.0", "true"), True),
    **dict.fromkeys(("0", "0.0", "false"), False),
}
"""What a column of a label may say, in any case."""

Share = Annotated[float, Interval(gt=0, lt=1)]

SHORTENED = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+[0-9]+")
"""How a spreadsheet writes a number of more than eleven digits where nobody says that it is text."""


class ImageTable(ImageFiles):
    """Images that a .csv, .tsv or .parquet file lists, a row each, with their labels; paths count from its folder.

    Where an image may have any number of labels, they are in one column, with a separator (`label_separator`), or each
    has a column of its own, of 0 and 1 (`label_columns`); the column `label` is then the names joined by " + ".
    Classes are the labels in natural order, 2 before 10. Names of columns are compared without case. A column of the
    split (``train``, ``val``, ``test``) decides where there is one; else the splits are drawn: patients as wholes where
    there is a column of the patient, else images, and of each class its share as far as possible. Forget requests can
    name all columns, those of a site or a scanner too.
    """

    later: ClassVar[tuple[str, ...]] = ("label_columns", "label_separator", "no_label")
    source: Literal["table"] = "table"
    path: PathOption = Field(description="the table: .csv or .tsv as a spreadsheet writes it, or .parquet")
    file_column: str = Field(FILE, description="column of the images' files, relative to the table's folder")
    label_column: str = Field(LABEL, description="column of the classes' names")
    label_columns: Annotated[tuple[str, ...], Field(strict=False, min_length=2)] | None = Field(
        None, description="columns of 0 and 1, one for each label, where an image has any number of them"
    )
    label_separator: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="what separates several labels in `label_column`, such as a comma; by default an image has one",
    )
    no_label: str = Field(
        "No Finding", description="what `label_column` says of an image without any of several labels"
    )
    split_column: str | None = Field(None, description="column of the splits; by default `split`, where there is one")
    patient_column: str | None = Field(None, description="column of the patients; by default `patient`, likewise")
    val_share: Share = Field(0.15, description="share of the images for val, where splits are drawn")
    test_share: Share = Field(0.15, description="share of the images for test, where splits are drawn")
    split_seed: Annotated[int, Interval(ge=0, lt=2**63)] = Field(0, description="seed of the draw of the splits")
    patients_in_several_splits: bool = Field(
        False, description="accept a patient with images in two splits, which makes unseen images look like seen ones"
    )

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError(
                f"wanted val_share + test_share below 1, got {self.val_share:g} + {self.test_share:g}, which leaves "
                "nothing for train"
            )
        return self

    @model_validator(mode="after")
    def _says_once_what_the_labels_are(self) -> Self:
        if self.label_columns and self.label_separator:
            raise ValueError("wanted label_columns or label_separator, got both")
        several = [*(self.label_columns or ()), *filter(None, [self.label_separator])]
        if several and self.task not in (None, SEVERAL):
            raise ValueError(f"several labels an image are the task {SEVERAL!r}, got {self.task!r}")
        if self.task == SEVERAL and not several:
            raise ValueError(f"the task {SEVERAL!r} takes label_columns or label_separator, got neither")
        return self

    def read(self) -> RawData:
        """Read the table and its images.

        Raises:
            DataError: the table cannot be read or lacks a column; or anything is wrong with rows or images: all of it
                is named, the first of each kind and how many there are.
        """
        rows = self._rows()
        labels = self._labels(rows)
        problems = [*self._problems_of_labels(rows), *_problems_of_rows(rows, labels)]
        patients = rows.columns.get(PATIENT)
        given = SPLIT in rows.columns
        splits = _given_splits(rows) if given else [] if problems else self._drawn_splits(rows, labels, patients)
        if given and patients and not self.patients_in_several_splits:
            problems += _patients_across(patients, splits)
        order = _by_split(splits) or range(len(rows))  # an order of rows in which each split is one piece of the images
        files = [self.path.parent / rows.columns[FILE][row] for row in order if rows.columns[FILE][row]]
        decoded = decode(self.path, files, self.decoding, self.limit_gib, self.cache)
        if not isinstance(decoded, Decoded):
            problems.append(_kind("image cannot be used", "images cannot be used", decoded))
        if problems or not isinstance(decoded, Decoded):
            raise DataError("\n  ".join([f"{self.path}: {len(rows):,} rows", *problems]))
        drawn = () if given else (self._note_on_draw(patients),)
        notes = (*rows.notes, *_notes_on_unused(rows), *_notes_on_case(rows, labels), *drawn)
        return self._raw_data(rows, labels, splits, decoded, notes)

    def image_files(self) -> list[Path]:
        """Return the images' files, in the order of the table.

        Raises:
            DataError: the table cannot be read or lacks a column.
        """
        return self._files(self._rows())

    def _rows(self) -> Table:
        """Read the table; what the options name is found under the known names too: file, label, split, patient."""
        named = {
            FILE: self.file_column,
            LABEL: None if self.label_columns else self.label_column,
            SPLIT: self.split_column,
            PATIENT: self.patient_column,
        }
        wanted = {name: (column or name).strip().casefold() for name, column in named.items()}
        table = read_table(self.path, tuple(wanted.values()))
        columns, problems = dict(table.columns), list[str]()
        if self.label_columns:
            problems += _unfit_label_columns(self.label_columns, table)
            columns[LABEL] = ("",) * len(table)
        for name, column in wanted.items():
            if self.label_columns and name == LABEL:
                continue
            if column in table.columns:
                columns[name] = table.columns[column]
                if column != name and name in table.columns:
                    problems.append(f"{name}_column is {column}, and there is a column {name} too; rename one")
            elif named[name] is not None:
                problems.append(f"there is no column {column}, which {name}_column names")
        if problems:
            raise DataError(
                "\n  ".join([f"{self.path}: its columns are {listed([*table.columns]) or 'none'}", *problems])
            )
        for name in columns.keys() - {FILE, wanted[FILE]}:
            columns[name] = tuple(unicodedata.normalize("NFC", text) for text in columns[name])
        read = Table(table.path, columns, table.places, table.notes)
        if self.label_columns:
            columns[LABEL] = tuple(" + ".join(names) or NO_LABEL for names in self._labels(read))
        return read

    def _labels(self, rows: Table) -> list[tuple[str, ...]]:
        """Return the labels of each row: one, or of several labels those that it has."""
        if self.label_columns:
            cells = [[_YES_OR_NO.get(text.casefold()) for text in rows.columns[_key(c)]] for c in self.label_columns]
            return [
                tuple(name.strip() for name, has in zip(self.label_columns, row, strict=True) if has)
                for row in zip(*cells, strict=True)
            ]
        if self.label_separator is None:
            return [(text,) for text in rows.columns[LABEL]]
        return [tuple(part for part in row if not self._is_no_label(part)) for row in self._parts(rows)]

    def _parts(self, rows: Table) -> list[tuple[str, ...]]:
        """Return what stands between the separators in the label column of each row, each once."""
        cells = ([part.strip() for part in text.split(self.label_separator)] for text in rows.columns[LABEL])
        return [tuple(dict.fromkeys(filter(None, row))) for row in cells]

    def _is_no_label(self, part: str) -> bool:
        return part.casefold() == unicodedata.normalize("NFC", self.no_label.strip()).casefold()

    def _problems_of_labels(self, rows: Table) -> Iterator[str]:
        """Yield cells that say neither yes nor no, or both that there is no label and one."""
        if self.label_separator is not None:
            both = [
                f"{place}: {listed(row)}"
                for place, row in zip(rows.places, self._parts(rows), strict=True)
                if len(row) > 1 and any(map(self._is_no_label, row))
            ]
            if both:
                says = f"says {self.no_label} beside a label; decide which holds"
                yield _kind(f"row {says}", f"rows {says.replace('says', 'say')}", both)
        for name in self.label_columns or ():
            texts = zip(rows.places, rows.columns[_key(name)], strict=True)
            if unfit := [f"{place}: {text or 'nothing'}" for place, text in texts if text.casefold() not in _YES_OR_NO]:
                yield _kind(
                    f"cell of {name} is neither 0 nor 1; decide what it is to mean",
                    f"cells of {name} are neither 0 nor 1; decide what they are to mean",
                    unfit,
                )

    def _files(self, rows: Table) -> list[Path]:
        """Return the files of the rows that name one."""
        return [self.path.parent / name for name in rows.columns[FILE] if name]

    def _drawn_splits(
        self, rows: Table, labels: Sequence[tuple[str, ...]], patients: Sequence[str] | None
    ) -> list[SplitName]:
        shares: dict[SplitName, float] = {
            "train": 1 - self.val_share - self.test_share,
            "val": self.val_share,
            "test": self.test_share,
        }
        known = [names or (NO_LABEL,) for names in labels]
        splits = draw_splits(known, patients or rows.columns[FILE], shares, self.split_seed)
        if empty := [split for split in shares if split not in splits]:
            count, one = len(set(patients or rows.columns[FILE])), "patient" if patients else "image"
            of = f"1 {one} is" if count == 1 else f"{count} {one}s are"
            raise DataError(
                f"{self.path}: {of} too few to draw three splits: no image would be in {listed(empty)}; "
                "name the splits in a column split, or raise val_share and test_share"
            )
        return splits

    def _note_on_draw(self, patients: Sequence[str] | None) -> str:
        of = "patients as wholes" if patients else "images, since there is no column of patients"
        return f"splits drawn with seed {self.split_seed}: {of}; a row more or less may change them all"

    def _raw_data(
        self,
        rows: Table,
        labels: Sequence[tuple[str, ...]],
        of_row: Sequence[SplitName],
        decoded: Decoded,
        notes: tuple[str, ...],
    ) -> RawData:
        class_names = tuple(sorted({name for names in labels for name in names}, key=natural_key))
        if self.label_columns:
            class_names = tuple(name.strip() for name in self.label_columns)
        several = self.label_columns or self.label_separator
        labels_N = _indicators(labels, class_names) if several else _positions(labels, class_names)
        splits, digests, end = dict[SplitName, Split](), dict[SplitName, Sequence[bytes]](), 0
        for split in get_args(SplitName):
            kept = [one == split for one in of_row]
            columns = {name: tuple(compress(texts_N, kept)) for name, texts_N in rows.columns.items()}
            first, end = end, end + sum(kept)
            splits[split], digests[split] = decoded.split(first, end, labels_N[torch.tensor(kept)], columns)
        name, task = self.name or self.path.stem, SEVERAL if several else self.task_of(len(class_names))
        return RawData(name, task, class_names, splits, self.nonmembers, notes, digests)


def _key(column: str) -> str:
    return column.strip().casefold()


def _unfit_label_columns(named: Sequence[str], table: Table) -> Iterator[str]:
    """Yield what is wrong with the names of label columns."""
    if lacking := [name for name in named if _key(name) not in table.columns]:
        yield f"there is no column {listed(lacking)}, which label_columns names"
    if len({_key(name) for name in named}) < len(named):
        yield f"label_columns names a column twice: {listed(named)}"
    if LABEL in table.columns:
        yield f"label_columns make up the column {LABEL}, and there is such a column too; rename it"


def _positions(labels: Sequence[tuple[str, ...]], class_names: Sequence[str]) -> Tensor:
    position = {name: k for k, name in enumerate(class_names)}
    return torch.tensor([position[label] for (label,) in labels])


def _indicators(labels: Sequence[tuple[str, ...]], class_names: Sequence[str]) -> Tensor:
    return torch.tensor([[int(name in names) for name in class_names] for names in labels])


def _problems_of_rows(rows: Table, labels_of: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield what is wrong with rows by themselves, a kind each."""
    for name in filter(rows.columns.__contains__, (FILE, LABEL, SPLIT, PATIENT)):
        if empty := [place for place, text in zip(rows.places, rows.columns[name], strict=True) if not text]:
            yield _kind(f"row has no {name}", f"rows have no {name}", empty, ", ")
    named, labels = _rows_of_files(rows), rows.columns[LABEL]
    twice = [(file, found) for file, found in named.items() if len(found) > 1]
    two_labels = [_shown(file, found, rows) for file, found in twice if len({labels[row] for row in found}) > 1]
    one_label = [_shown(file, found, rows) for file, found in twice if len({labels[row] for row in found}) == 1]
    if windows := [file for file in named if "\\" in file and os.sep != "\\"]:
        yield _kind("file is named with \\, here wanted /", "files are named with \\, here wanted /", windows)
    if two_labels:
        yield _kind("file is named with two labels", "files are named with two labels", two_labels)
    if one_label:
        yield _kind("file is named twice", "files are named twice", one_label)
    if SPLIT in rows.columns:
        texts = zip(rows.places, rows.columns[SPLIT], strict=True)
        if unknown := [f"{place}: {text}" for place, text in texts if text and text.casefold() not in SPLITS]:
            yield _kind("split is none of train, val, test", "splits are none of train, val, test", unknown)
    patients = zip(rows.places, rows.columns.get(PATIENT, ()), strict=False)
    if shortened := [f"{place}: {text}" for place, text in patients if SHORTENED.fullmatch(text)]:
        advice = " by a spreadsheet, so that several may have become one; format the column as text"
        yield _kind(f"patient number was shortened{advice}", f"patient numbers were shortened{advice}", shortened)
    if len(classes := sorted({name for names in labels_of for name in names})) < 2:
        yield f"wanted at least two classes, got {listed(classes) or 'none'}"


def _notes_on_unused(rows: Table) -> Iterator[str]:
    """Yield a sentence on columns that seem to name splits or patients where no column is used for these."""
    for name, looks in ((PATIENT, PATIENT_COLUMN), (SPLIT, SPLIT_COLUMN)):
        if name not in rows.columns and (alike := [one for one in rows.columns if looks.fullmatch(one)]):
            columns, are = f"column{'' if len(alike) == 1 else 's'} {listed(alike)}", "is" if len(alike) == 1 else "are"
            yield f"{columns} {are} not used as {name}; if {name}s are named there, set {name}_column: {alike[0]}"


def _notes_on_case(rows: Table, labels: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a sentence on labels and one on patients that differ in case alone, and so may be meant as one."""
    for name in filter(rows.columns.__contains__, (LABEL, PATIENT)):
        written: defaultdict[str, set[str]] = defaultdict(set)
        for text in (one for names in labels for one in names) if name == LABEL else rows.columns[name]:
            written[text.casefold()].add(text)
        if alike := [" and ".join(sorted(texts)) for texts in written.values() if len(texts) > 1]:
            yield f"{name}s that differ in case alone count as several: {listed(alike)}"


def _rows_of_files(rows: Table) -> dict[str, list[int]]:
    """Return the rows that name each file, in one way of writing its path."""
    named: dict[str, list[int]] = {}
    for row, file in enumerate(rows.columns[FILE]):
        if file:
            named.setdefault(os.path.normpath(file), []).append(row)
    return named


def _shown(file: str, found: Iterable[int], rows: Table) -> str:
    return f"{file}: {listed([f'{rows.places[row]} ({rows.columns[LABEL][row]})' for row in found])}"


def _given_splits(rows: Table) -> list[SplitName]:
    """Return the split of each row; what is none counts as train until it is refused."""
    return [SPLITS.get(text.casefold(), "train") for text in rows.columns[SPLIT]]


def _by_split(splits: Sequence[SplitName]) -> list[int]:
    """Return the rows, those of train first and those of test last, else in their order."""
    return sorted(range(len(splits)), key=lambda row: get_args(SplitName).index(splits[row]))


def _patients_across(patients: Sequence[str], splits: Sequence[SplitName]) -> Iterator[str]:
    found: defaultdict[str, set[SplitName]] = defaultdict(set)
    for patient, split in zip(patients, splits, strict=True):
        if patient:
            found[patient].add(split)
    order = get_args(SplitName)
    across = [
        f"{patient}: {', '.join(split for split in order if split in of_patient)}"
        for patient, of_patient in found.items()
        if len(of_patient) > 1
    ]
    if across:
        advice = "; accept this by patients_in_several_splits: true"
        yield _kind(f"patient is in two splits{advice}", f"patients are in two splits or more{advice}", across)


def _kind(one: str, several: str, found: Sequence[str], separator: str = "\n    ") -> str:
    """Return a kind of error with the first of those found."""
    return f"{len(found):,} {one if len(found) == 1 else several}\n    {listed(found, separator)}"
