"""The table `calibrations` by the name that it had before version 6 of the schema."""

from typing import Final

from lethe.results.rows import CalibrationRow
from lethe.results.views._base import View

PACKINGS: Final = View(
    "The table `calibrations`, by the name that it had in an early version.", CalibrationRow, "from calibrations"
)
