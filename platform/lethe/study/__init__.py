"""A study: YAML read into checked options, expanded into scenarios and method searches."""

from lethe.study._bundles import applies, left_out
from lethe.study._expand import data_by_hash, expand, planted_data
from lethe.study._given import Given, hash_of, read_given
from lethe.study._method_choice import Keep, MethodChoice
from lethe.study._model import Resources, Seeds, Study
from lethe.study._partition import Partition
from lethe.study._read import StudyError, parse_study, read_options, read_study, read_text, study_of
from lethe.study._scenarios import AT_ONCE, MethodSearch, Prior, Scenario, method_versions, scenarios_of
from lethe.study._schema import json_schema
from lethe.study._search_options import Objective, Search
from lethe.study._settings import ChosenSetting, read_settings, write_settings
from lethe.study._subset import Subset
from lethe.study._taken import described
from lethe.study._template import template, template_names
from lethe.study._without_oracle import audits_without_oracle
from lethe.study._write import write_study
from lethe.study._yaml import YamlError, read_yaml, write_yaml
from unlearning.ranges import Choices, Range

__all__ = [
    "AT_ONCE",
    "Choices",
    "ChosenSetting",
    "Given",
    "Keep",
    "MethodChoice",
    "MethodSearch",
    "Objective",
    "Partition",
    "Prior",
    "Range",
    "Resources",
    "Scenario",
    "Search",
    "Seeds",
    "Study",
    "StudyError",
    "Subset",
    "YamlError",
    "applies",
    "audits_without_oracle",
    "data_by_hash",
    "described",
    "expand",
    "hash_of",
    "json_schema",
    "left_out",
    "method_versions",
    "parse_study",
    "planted_data",
    "read_given",
    "read_options",
    "read_settings",
    "read_study",
    "read_text",
    "read_yaml",
    "scenarios_of",
    "study_of",
    "template",
    "template_names",
    "write_settings",
    "write_study",
    "write_yaml",
]
