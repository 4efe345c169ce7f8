"""Names of places in the page that stay the same when the study grows, so that links to them do."""

import re
from typing import Final

from lethe.report.page._gather import ScenarioPart

_UNFIT: Final = re.compile(r"[^a-z0-9._-]+")


def anchor(scenario: ScenarioPart, row: str = "") -> str:
    """Return the place of a scenario, or of a row of its table: study/data/augmentation/request[/row].

    Two scenarios that these words do not tell apart have a part of the fingerprint in their names.
    """
    asked = scenario.asked
    parts = [asked.study, asked.dataset, asked.augmentation, asked.forget]
    if scenario.board and scenario.board.duplicate:
        parts.append(asked.scenario[:6])
    return "/".join(_slug(part) for part in (*parts, *([row] if row else [])))


def _slug(text: str) -> str:
    return _UNFIT.sub("-", text.lower().replace("%", "")).strip("-")
