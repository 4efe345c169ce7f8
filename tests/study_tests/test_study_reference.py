"""What a person writes a study from: the page of all keys, the JSON schema, and the study that `lethe init` prints."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.errors import InputError
from lethe.study import Study, StudyError, json_schema, parse_study, read_options, read_study, template, template_names
from lethe.study.reference import study_page
from unlearning.data import SOURCES
from unlearning.data.augment import AUGMENTATIONS
from unlearning.methods import METHODS
from unlearning.models import NETWORKS

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

SMALL: dict[str, Any] = {
    "name": "small",
    "data": [{"source": "synthetic"}],
    "forget": [{"kind": "random", "fraction": 0.1}],
    "methods": [{"name": "salun", "search": {"lr": {"low": 1e-3, "high": 0.1}, "loop": ["mixed", "sequential"]}}],
}


def properties(schema: Any, where: str = "study") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every key of the schema: where it is, what is said of it, and whether it is required."""
    if isinstance(schema, list):
        for one in schema:
            yield from properties(one, where)
    elif isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield f"{where}.{name}", value, name in schema.get("required", [])
        for name, value in schema.items():
            yield from properties(value, f"{where}.{name}")


def test_the_page_is_that_of_the_models_of_today() -> None:
    written = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    assert written == study_page(), "python -m lethe.study.reference > docs/study.md"


def test_the_page_has_every_key_and_every_member_of_every_family() -> None:
    page = study_page()
    deeper = ("class", "class_index", "early_stopping", "grace_epochs", "hung_after_s", "density", "low")
    for name in (*Study.model_fields, *deeper):
        assert f"`{name}`" in page, name
    for family in (SOURCES, METHODS, NETWORKS, AUGMENTATIONS):
        assert all(f"{name}`" in page for name in family)
    for kind in ("one-cycle", "multi-step", "cosine", "constant", "random", "class", "indices"):
        assert f"`kind: {kind}`" in page
    assert "None |" not in page


def test_the_schema_is_a_schema_and_describes_every_key_with_its_default() -> None:
    VALIDATOR.check_schema(SCHEMA)
    keys = list(properties(SCHEMA))
    assert len(keys) > 100
    assert not [where for where, value, _ in keys if not value.get("description")]
    assert not [where for where, value, needed in keys if not (needed or "default" in value or ".search." in where)]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_schema_takes_every_study_that_we_ship(path: Path) -> None:
    VALIDATOR.validate(read_options(path))


@pytest.mark.parametrize(
    "changes",
    [
        {"epoks": 3},
        {"training": {"epochs": 0}},
        {"training": {"lr": "1e-3"}},
        {"network": {"name": "vgg"}},
        {"forget": [{"kind": "random", "fraction": 1.5}]},
        {"forget": []},
        {"methods": [{"name": "salun", "densty": 0.5}]},
        {"methods": [{"name": "fine_tune", "search": {"density": {"low": 0.1, "high": 0.5}}}]},
        {"methods": [{"name": "salun", "search": {"lr": {"low": 0.1}}}]},
        {"resources": {"trial": "aut"}},
    ],
    ids=str,
)
def test_schema_and_reader_refuse_the_same_mistakes(changes: dict[str, Any]) -> None:
    VALIDATOR.validate(SMALL)
    parse_study(SMALL, "small")
    assert not VALIDATOR.is_valid(SMALL | changes)
    with pytest.raises(StudyError):
        parse_study(SMALL | changes, "small")


@pytest.mark.parametrize("data", template_names())
def test_a_study_to_begin_with_is_valid_and_explains_itself(tmp_path: Path, data: str) -> None:
    done = CliRunner().invoke(app, ["init", "--data", data])
    assert done.exit_code == 0, done.output
    path = tmp_path / "study.yaml"
    path.write_text(done.output)
    study = read_study(path)
    assert data in (study.data[0].source, study.data[0].model_dump().get("name"))
    VALIDATOR.validate(read_options(path))
    missing = {name for name in Study.model_fields if f"\n{name}:" not in done.output}
    assert not missing
    assert max(map(len, done.output.splitlines())) <= 110


def test_a_study_of_unknown_data_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown data 'bloodmnst'; did you mean bloodmnist\? There are synthetic, "):
        template("bloodmnst")
    done = CliRunner().invoke(app, ["init", "--data", "nowhere"])
    assert done.exit_code == 2
    assert "unknown data 'nowhere'" in done.output


def test_the_schema_command_prints_json() -> None:
    done = CliRunner().invoke(app, ["schema"])
    assert json.loads(done.output) == SCHEMA


def test_the_versions_are_printed() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith("lethe 0.")
    assert all(f" {name} " in done.output for name in ("Python", "torch", "ray", "optuna"))
