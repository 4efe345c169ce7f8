"""A bundle's name in place of a list of audits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lethe.artifacts import ArtifactStore
from lethe.pipeline.plan import make_plan
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import StudyError, json_schema, left_out, read_study
from unlearning.audits import BUNDLES

WITHOUT = [{"kind": "random", "fraction": 0.2}]
WITH = [
    *WITHOUT,
    {"kind": "random", "fraction": 0.2, "control": True},
    {"kind": "confusion", "classes": [0, 1], "fraction": 0.2},
    {"kind": "gaussian", "fraction": 0.1},
]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_stands_for_its_audits_those_of_a_control_half_or_of_what_is_planted_where_there_is_any(
    write_study: Callable[..., Path], bundle: str
) -> None:
    audits = read_study(write_study(audits=bundle, forget=WITH)).audits
    assert audits == BUNDLES[bundle]
    without = read_study(write_study(audits=bundle, forget=WITHOUT)).audits
    assert without == tuple(one for one in audits if not (one.needs_control or one.needs_planted))
    assert len(without) < len(audits)


def test_a_larger_bundle_holds_the_smaller_ones() -> None:
    quick, standard, full = (set(audits) for audits in BUNDLES.values())
    assert quick < standard < full


def test_the_quick_bundle_trains_nothing(write_study: Callable[..., Path], tmp_path: Path) -> None:
    root = StorageRoot.at(tmp_path / "results")
    plan = make_plan(read_study(write_study(audits="quick", forget=WITH)), ArtifactStore(root), Store(root))
    assert len(plan.audits) == len(BUNDLES["quick"])
    assert all("adds no training" in line and "further" not in line for line in plan.audits)


def test_an_unknown_bundle_is_answered_with_the_known_ones(write_study: Callable[..., Path]) -> None:
    with pytest.raises(
        StudyError, match="audits: wanted a list of audits, or one of quick, standard, full, got 'quik'"
    ):
        read_study(write_study(audits="quik"))


@pytest.mark.parametrize(("audits", "valid"), [("full", True), ([{"name": "rmia"}], True), ("quik", False), (3, False)])
def test_the_schema_knows_bundles_and_lists(write_study: Callable[..., Path], audits: Any, valid: bool) -> None:
    content = yaml.safe_load(write_study().read_text()) | {"audits": audits}
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(content) == valid


@pytest.mark.parametrize("bundle", BUNDLES)
def test_what_a_bundle_lacks_without_a_control_half_can_be_named(write_study: Callable[..., Path], bundle: str) -> None:
    needing = [audit.name for audit in BUNDLES[bundle] if audit.needs_control]
    assert needing
    assert [one.name for one in left_out(read_study(write_study(audits=bundle, forget=WITHOUT)).audits)] == needing
    assert left_out(read_study(write_study(audits=bundle, forget=WITH)).audits) == ()
    assert left_out(BUNDLES[bundle][:1]) == left_out(()) == ()
