"""A study: YAML read into checked options, expanded into scenarios and method searches."""

from lethe.study._model import Choices, Keep, MethodChoice, Objective, Range, Resources, Search, Seeds, Study
from lethe.study._read import StudyError, parse_study, read_options, read_study, read_text, study_of
from lethe.study._scenarios import MethodSearch, Scenario, expand, method_versions, scenarios_of
from lethe.study._schema import json_schema
from lethe.study._subset import Subset
from lethe.study._template import template, template_names
from lethe.study._write import write_study
from lethe.study._yaml import write_yaml

__all__ = [
    "Choices",
    "Keep",
    "MethodChoice",
    "MethodSearch",
    "Objective",
    "Range",
    "Resources",
    "Scenario",
    "Search",
    "Seeds",
    "Study",
    "StudyError",
    "Subset",
    "expand",
    "json_schema",
    "method_versions",
    "parse_study",
    "read_options",
    "read_study",
    "read_text",
    "scenarios_of",
    "study_of",
    "template",
    "template_names",
    "write_study",
    "write_yaml",
]
