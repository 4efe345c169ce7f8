from lethe.cli._parts import _values
from unlearning.methods import Scrub


def test_a_list_of_numbers_is_described_by_its_elements() -> None:
    about = Scrub.model_json_schema()["properties"]["decay_after"]
    assert _values(about) == "list, each whole number from 1"
