"""What a view is: SQL over the tables and other views, and the meaning of each of its columns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from lethe.results.schema import Column

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class View:
    """A named query.

    Attributes:
        meaning: what it answers, a sentence.
        row_type: a row of the answer, as the types of the tables are written; its fields are the columns, in order.
        sql: may name tables, views, and ``student_t(n)``: the 97.5 % quantile of Student's t for n values.
    """

    meaning: str
    row_type: "type[DataclassInstance]"
    sql: str


PRECISION = Column("", "precision of training and unlearning; null in results of an early version")


@dataclass(frozen=True, kw_only=True)
class QuestionOf:
    """Which question a row of a view is about."""

    study: Annotated[str, Column("", "name of the study")]
    dataset: Annotated[str, Column("", "name of the data set")]
    arm: Annotated[str, Column("", "augmentation arm")]
    network: Annotated[str, Column("", "network")]
    precision: Annotated[str | None, PRECISION]
    forget: Annotated[str, Column("", "forget request, as reports call it")]
    question: Annotated[str, Column("", "fingerprint of the question; rows of different questions are never averaged")]


def half_width(values: str) -> str:
    """Write the SQL of half a 95 % interval of the mean of a group's values (Student's t); null for fewer than two."""
    return f"case when count(*) > 1 then student_t(count(*)) * stddev_samp({values}) / sqrt(count(*)) end"


PRECISION_OF_QUESTION = "max(precision) over (partition by question) as precision"
"""SQL: the precision of a question, for its rows of an early version too, which do not say it."""

QUESTION = "study, dataset, arm, network, precision, forget, question"
