import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.cli._parts import _values
from unlearning.data import SOURCES, ImageTable
from unlearning.methods import Scrub


@pytest.mark.parametrize("name", SOURCES)
def test_every_data_source_is_shown_with_all_its_options(name: str) -> None:
    done = CliRunner().invoke(app, ["methods", name], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert all(f" {option} " in done.output for option in SOURCES[name].model_fields)


def test_a_pair_of_numbers_is_described_as_a_pair() -> None:
    about = ImageTable.model_json_schema()["properties"]["window_ends"]
    assert _values(about) == "list of number, number or null"


def test_a_list_of_numbers_is_described_by_its_elements() -> None:
    about = Scrub.model_json_schema()["properties"]["decay_after"]
    assert _values(about) == "list, each whole number from 1"
