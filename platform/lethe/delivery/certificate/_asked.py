"""The answers of the results that a certificate is made of: the rows of views about one row of one scenario."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lethe.delivery._delivered import Delivered
from lethe.errors import InputError
from lethe.results import Results, to_rows
from lethe.results.views import VIEWS, AuditVerdictRow, ClinicalRow, CostRow, DetectionRow, LeaderboardRow

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowT = TypeVar("RowT", bound="DataclassInstance")


@dataclass(frozen=True)
class Asked:
    """What the results say of the delivered row, of originals and oracles, and of the delivered model.

    Attributes:
        row: the delivered row.
        lines: of the leaderboard, by row.
        audits: what each audit says of each row.
        detections: what each says of the delivered model alone.
        clinical: what a clinic sees of each row.
        delivered: the measures of the delivered model, by metric and class.
        costs: of the study's stages on this request.
        confirmed_at: when the first model that counts began to be measured.
    """

    row: str
    lines: Mapping[str, LeaderboardRow]
    audits: tuple[AuditVerdictRow, ...]
    detections: tuple[DetectionRow, ...]
    clinical: tuple[ClinicalRow, ...]
    delivered: Mapping[tuple[str, int | None], float | None]
    costs: tuple[CostRow, ...]
    confirmed_at: Any

    @property
    def line(self) -> LeaderboardRow:
        """The delivered row of the leaderboard."""
        return self.lines[self.row]

    def of_row(self, row: str) -> list[AuditVerdictRow]:
        """Return what the audits say of a row."""
        return [one for one in self.audits if one.row == row]


def ask(delivered: Delivered, specification: str) -> Asked:
    """Ask the results.

    Raises:
        InputError: the tables of the specification have no such row, or the delivered model has no confirmation.
    """
    results = Results(delivered.root, delivered.study.name, specification)
    scenario = _text(delivered.model.scenario.fingerprint)
    own = _text(delivered.confirmation_id)

    def of(row_type: type[RowT], name: str, where: str) -> tuple[RowT, ...]:
        assert VIEWS[name].row_type is row_type
        return tuple(to_rows(results.query(f"from {name} where {where}"), row_type))

    lines = {one.row: one for one in of(LeaderboardRow, "leaderboard", f"scenario = {scenario}")}
    if delivered.row not in lines:
        raise InputError(f"row '{delivered.row}': the table of {delivered.study.name} has {', '.join(lines) or 'none'}")
    measured = results.query(
        "select metric, class_index, value from measures "
        f"where unit_kind = 'confirmation' and unit_id = {own} and split is distinct from 'val'"
    ).to_pylist()
    if not measured:
        raise InputError(f"there is no confirmation {delivered.confirmation_id} of the delivered model in the results")
    began = results.query(
        "select min(started_at) as at from ("
        f"select started_at from compared where scenario = {scenario} "
        f"union all select started_at from confirmations where confirmation_id = {own})"
    ).to_pylist()
    return Asked(
        delivered.row,
        lines,
        of(AuditVerdictRow, "audit_verdicts", f"scenario = {scenario}"),
        of(DetectionRow, "detections", f"confirmation_id = {own}"),
        of(ClinicalRow, "clinical", f"scenario = {scenario}"),
        {(one["metric"], one["class_index"]): one["value"] for one in measured},
        of(CostRow, "cost", f"scenario = {scenario} or scenario is null"),
        began[0]["at"],
    )


def _text(value: str) -> str:
    """Write a text as SQL does."""
    quoted = value.replace("'", "''")
    return f"'{quoted}'"
