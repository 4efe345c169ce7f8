"""A study: YAML read into checked options, spread out into scenarios and method searches."""

from lethe.study._model import Choices, MethodChoice, Range, Search, Seeds, Share, Study
from lethe.study._read import StudyError, parse_study, read_options, read_study, read_text
from lethe.study._scenarios import MethodSearch, Scenario, expand, method_versions, scenarios_of
from lethe.study._subset import Subset
from lethe.study._write import write_study

__all__ = [
    "Choices",
    "MethodChoice",
    "MethodSearch",
    "Range",
    "Scenario",
    "Search",
    "Seeds",
    "Share",
    "Study",
    "StudyError",
    "Subset",
    "expand",
    "method_versions",
    "parse_study",
    "read_options",
    "read_study",
    "read_text",
    "scenarios_of",
    "write_study",
]
