"""By what the model is judged, and whether that was fixed before anything was measured.

A study that is edited gets another specification. What counts is when its criteria were first recorded: the margin, the
audits with their options, and the seeds; another method or a longer search is no other criterion.
"""

from datetime import datetime

from lethe.delivery._delivered import Delivered
from lethe.delivery.certificate._document import AuditChoice, CriteriaSection
from lethe.errors import InputError
from lethe.results import Store, StudyRow, to_rows
from lethe.results.columns import specification
from lethe.results.views import LEVEL, POWER
from lethe.storage.hashing import digest
from lethe.study import Study, StudyError, read_text


def recorded_specification(delivered: Delivered) -> StudyRow:
    """Return the specification of the delivered study as the results have it.

    Raises:
        InputError: they have none; the study was not run as it is.
    """
    wanted = specification(delivered.study).specification_id
    for row in _specifications(delivered):
        if row.specification_id == wanted:
            return row
    raise InputError(f"the study {delivered.study.name} was not run as it is now: there is no specification {wanted}")


def criteria_section(delivered: Delivered, recorded: StudyRow, measured_at: datetime | None) -> CriteriaSection:
    """Return the criteria.

    Args:
        recorded: the specification.
        measured_at: when the first model that counts began to be measured.
    """
    study = delivered.study
    first = min([recorded, *(row for row in _specifications(delivered) if _judges_alike(row, study))], key=_started)
    return CriteriaSection(
        specification=recorded.specification_id,
        specification_sha256=digest(recorded.specification.encode()),
        recorded_at=first.started_at,
        first_confirmation_at=measured_at,
        fixed_before=measured_at is not None and first.started_at <= measured_at,
        margin=study.margin,
        level=LEVEL,
        power=POWER,
        tuning_seeds=list(study.seeds.tuning) if study.has_oracles else [],
        reporting_seeds=list(study.seeds.reporting),
        audits=[
            AuditChoice(name=one.name, version=one.version, options=one.model_dump(mode="json", exclude={"name"}))
            for one in study.audits
        ],
    )


def _specifications(delivered: Delivered) -> list[StudyRow]:
    return to_rows(Store(delivered.root).read("studies", delivered.study.name), StudyRow)


def _started(row: StudyRow) -> datetime:
    return row.started_at


def _judges_alike(row: StudyRow, study: Study) -> bool:
    try:
        other = read_text(row.specification, row.specification_id)
    except StudyError:
        return False
    return (other.margin, other.audits, other.seeds) == (study.margin, study.audits, study.seeds)
