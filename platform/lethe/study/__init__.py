"""A study: YAML read into checked options, spread out into scenarios and method searches."""

from lethe.study._model import Choices, MethodChoice, Range, Resources, Search, Seeds, Study
from lethe.study._read import StudyError, parse_study, read_options, read_study, read_text
from lethe.study._scenarios import ArtifactKey, ArtifactKind, MethodSearch, Scenario, expand, scenarios_of
from lethe.study._write import write_study

__all__ = [
    "ArtifactKey",
    "ArtifactKind",
    "Choices",
    "MethodChoice",
    "MethodSearch",
    "Range",
    "Resources",
    "Scenario",
    "Search",
    "Seeds",
    "Study",
    "StudyError",
    "expand",
    "parse_study",
    "read_options",
    "read_study",
    "read_text",
    "scenarios_of",
    "write_study",
]
