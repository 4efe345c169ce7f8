"""A study: YAML read into checked options, spread out into questions and cells."""

from lethe.study._cells import ArtefactKey, ArtefactKind, Cell, Question, expand, questions_of
from lethe.study._model import Choices, MethodChoice, Range, Search, Seeds, Share, Study
from lethe.study._read import StudyError, parse_study, read_options, read_study, read_text
from lethe.study._write import write_study

__all__ = [
    "ArtefactKey",
    "ArtefactKind",
    "Cell",
    "Choices",
    "MethodChoice",
    "Question",
    "Range",
    "Search",
    "Seeds",
    "Share",
    "Study",
    "StudyError",
    "expand",
    "parse_study",
    "questions_of",
    "read_options",
    "read_study",
    "read_text",
    "write_study",
]
