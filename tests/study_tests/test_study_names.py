"""Names of data sources, classes, methods, augmentations, networks, and of the study itself."""

from pathlib import Path
from typing import Any

import pytest
from smallest_study import complaint_at, content

from lethe.storage.root import StorageRoot
from lethe.study import Study, parse_study
from unlearning.data import SOURCES
from unlearning.data.augment import AUGMENTATIONS
from unlearning.methods import METHODS, SalUn
from unlearning.models import NETWORKS


def test_a_class_to_forget_is_named_by_a_text_or_a_position_and_else_refused_at_its_place() -> None:
    by_name = parse_study(content(forget=[{"kind": "class", "class": "10"}]), "study.yaml").forget[0]
    assert by_name.label == 'class "10"'
    said = complaint_at("forget.0.class", forget=[{"kind": "class", "class": 10}])
    assert said.startswith("wanted the class's name in quotes")
    said = complaint_at("forget.0", forget=[{"kind": "class"}])
    assert said == "wanted either class (a name) or class_index (a position, counted from 0), got neither"


def test_an_unknown_data_source_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("data.0.source", data=[{"source": "medmist"}])
    assert said.startswith("unknown data source 'medmist'; did you mean medmnist? The data sources are medmnist, ")
    assert all(name in said for name in SOURCES)


def test_an_unknown_medmnist_set_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("data.0.name", data=[{"source": "medmnist", "name": "bloodmist"}])
    assert "'bloodmist'" in said
    assert "bloodmnist" in said
    assert "pathmnist" in said


def test_an_unknown_method_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("methods.0", methods=[{"name": "salum"}])
    assert said.startswith("unknown method 'salum'; did you mean salun? The methods are salun, ")
    assert all(name in said for name in METHODS)


@pytest.mark.parametrize(
    "method",
    [{"name": "salun", "densty": 0.5}, {"name": "salun", "search": {"densty": {"low": 0.1, "high": 0.5}}}],
    ids=["fixed", "searched"],
)
def test_an_unknown_option_of_a_method_is_answered_with_its_options(method: dict[str, Any]) -> None:
    said = complaint_at("methods.0.densty", methods=[method])
    assert all(name in said for name in SalUn.model_fields if name != "name")


def test_an_unknown_arm_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("augmentations.0", augmentations=["nome"])
    assert all(repr(name) in said for name in (*AUGMENTATIONS, "nome"))


def test_an_unknown_network_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("network.name", network={"name": "vgg"})
    assert said.startswith("unknown network 'vgg'; the networks are ")
    assert all(name in said for name in NETWORKS)


def test_a_name_that_leaves_no_room_for_those_of_its_files_is_refused(tmp_path: Path) -> None:
    """The longest file is a confirmation's, while it is written: a file system takes 255 bytes."""
    assert "at most 160 characters" in complaint_at("name", name="x" * 205)
    longest = Study.model_validate(content(name="x" * 160)).name
    StorageRoot.at(tmp_path).write(f"{longest}-12345678-12345678-{2**63}.parquet", b"")
