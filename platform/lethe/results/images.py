"""The table `images`: which file and patient each train image is, for those who may see it.

It is made for one command from the studies' own data and never stored: results hold an index of an image, and no name.
Data is known by its content hash, so no image is given the name of another.
"""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from lethe.errors import LetheError
from lethe.results.rows import ImageRow, StudyRow
from lethe.results.schema import schema_of, to_rows
from lethe.results.sql import Results
from lethe.results.store import ResultsWarning
from lethe.study import StudyError, data_by_hash, read_text
from unlearning.data import FILE, PATIENT, AnySource, DataError, ImageData, MedMNIST, Split, load


class UnnamedImagesError(LetheError):
    """Images that cannot be named, since the data that the rows were made from is not found."""


class UnnamedImagesWarning(ResultsWarning):
    """Predictions of scenarios that only earlier specifications ask for, whose images have no names."""


@dataclass(frozen=True)
class _Asked:
    study: str
    specification_id: str
    scenario: str
    data_hash: str


_ASKED: Final = "select distinct study, specification_id, scenario, data_hash from asked order by all"

_OTHERS: Final = """
select study, count(distinct scenario) as scenarios
from predictions anti join asked using (study, scenario) group by study order by study
"""


def images_of(results: Results) -> pa.Table:
    """Return an `ImageRow` for each train image of each scenario that the views show.

    Nothing is downloaded. Where there are predictions of other scenarios, an `UnnamedImagesWarning` says so.

    Raises:
        UnnamedImagesError: data of a study is not found, or is not what the rows were made from.
        QueryError: no results there.
    """
    asked = defaultdict[tuple[str, str], list[_Asked]](list)
    for one in to_rows(results.query(_ASKED), _Asked):
        asked[one.study, one.specification_id].append(one)
    recorded = {(row.study, row.specification_id): row for row in to_rows(results.load("studies"), StudyRow)}
    tables, problems = [schema_of(ImageRow).empty_table()], list[str]()
    for key, scenarios in asked.items():
        found, unread = _data_of(recorded.get(key))
        if all(one.data_hash in found for one in scenarios):
            tables += [_table(one, found[one.data_hash]) for one in scenarios]
        else:
            problems.append(_problem(scenarios[0].study, unread))
    if problems:
        advice = ["to ask about one study alone, name it by --study"] if len(asked) > 1 else []
        raise UnnamedImagesError("\n".join([*problems, *advice]))
    for row in results.query(_OTHERS).to_pylist():
        warnings.warn(UnnamedImagesWarning(_on_others(**row)), stacklevel=2)
    return pa.concat_tables(tables)


def load_here(source: AnySource) -> ImageData:
    """Load the data of a source without a download.

    Raises:
        DataError: it cannot be found or used.
    """
    return load(source.model_copy(update={"download": False}) if isinstance(source, MedMNIST) else source)


def _data_of(specification: StudyRow | None) -> tuple[dict[str, ImageData], list[str]]:
    """Return the data that a specification names, by its hash, as it is and as requests plant it; and what failed."""
    found, unread = dict[str, ImageData](), list[str]()
    try:
        study = read_text(specification.specification, specification.study) if specification else None
    except StudyError as error:
        return {}, [
            f"its specification cannot be read here (paths and modules count from the working directory): {error}"
        ]
    if study is None:
        return {}, ["its specification was not recorded"]
    for source in study.data:
        try:
            data = load_here(source)
            alone = study.model_copy(update={"data": (source,)})
            found |= data_by_hash(alone, {source: data})
        except (DataError, OSError) as error:
            unread.append(str(error))
    return found, unread


def _table(asked: _Asked, data: ImageData) -> pa.Table:
    train, nothing = data.train, [None] * len(data.train)
    columns = {
        "study": [asked.study] * len(train),
        "scenario": [asked.scenario] * len(train),
        "data_hash": [asked.data_hash] * len(train),
        "image": range(len(train)),
        "file": _texts(train, FILE),
        "patient": _texts(train, PATIENT),
        "class_index": nothing if data.labelling.several else train.labels_N.tolist(),
        "class_name": data.labelling.names(train.labels_N, data.class_names),
    }
    return pa.table(columns, schema=schema_of(ImageRow))


def _texts(train: Split, column: str) -> list[str | None]:
    return [text or None for text in train.columns.get(column, ("",) * len(train))]


def _problem(study: str, unread: Sequence[str]) -> str:
    changed = "the data that its specification names is not what the rows were made from; images or labels changed"
    return f"study {study}: its images cannot be named: {'; '.join(unread) or changed}"


def _on_others(study: str, scenarios: int) -> str:
    of = "1 scenario" if scenarios == 1 else f"{scenarios} scenarios"
    return (
        f"study {study}: predictions of {of} that only an earlier specification asks for are in no row of images; "
        "--specification names that one"
    )
