"""Rows and columns that are filled from a study, a question or a method."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lethe.fingerprint import fingerprint
from lethe.provenance import Provenance
from lethe.results.rows import SettingColumns, StudyRow
from lethe.study import Question, Study, write_study
from unlearning.engine import Precision
from unlearning.methods import Method


def specification(study: Study, rates: Mapping[Precision, float] | None = None) -> StudyRow:
    """Make the row of a study that is run now; where its results lie is left out, since a URI may hold credentials.

    Args:
        rates: images a second of training by precision, where they were measured to choose one.
    """
    text, here = write_study(study, without={"results"}), Provenance()
    return StudyRow(
        study=study.name,
        specification_id=fingerprint({"specification": text}),
        specification=text,
        lethe_version=here.lethe_version,
        code_version=here.code_version,
        images_per_second_float32=rates["float32"] if rates else None,
        images_per_second_bfloat16=rates["bfloat16"] if rates else None,
        started_at=datetime.now(UTC),
    )


def question_columns(study: str, question: Question) -> dict[str, Any]:
    """Fill the `QuestionColumns`."""
    return {
        "study": study,
        "dataset": question.dataset,
        "arm": question.arm,
        "network": _network(question),
        "precision": question.recipe.precision,
        "train_twins": question.train_twins,
        "val_dropped": question.dropped["val"],
        "test_dropped": question.dropped["test"],
        "question": question.fingerprint,
        "forget": question.request.label,
        "forget_kind": question.request.kind,
        "forget_fraction": len(question.forget.indices_F) / question.train_count,
        "forget_images": len(question.forget.indices_F),
        "forget_twins": question.forget.twins_added,
    }


def setting_columns(method: Method) -> dict[str, Any]:
    """Fill the `SettingColumns` but for the threshold; an option without a column of its own stands in the JSON."""
    options = method.model_dump(exclude={"name"})
    typed = {name: value for name, value in options.items() if name in SettingColumns.__dataclass_fields__}
    return {"method": method.name, "setting": method.model_dump_json(), **typed}


def _network(question: Question) -> str:
    options = question.network.model_dump()
    name = options.pop("name")
    return " ".join([name, *(f"{option} {value}" for option, value in options.items())])
