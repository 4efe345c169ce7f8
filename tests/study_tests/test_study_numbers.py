"""Numbers as YAML has them and as people write them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from smallest_study import complaint_at, content, searching, small_file, written

from lethe.study import Range, StudyError, parse_study, read_study, read_text, write_study


@pytest.mark.parametrize(
    ("root", "options"),
    [
        ("training.lr", {"training": {"lr": "1e-3"}}),
        ("methods.0.search.lr.low", searching(lr={"low": "1e-3", "high": 0.1})),
    ],
    ids=["training", "range"],
)
def test_a_number_that_yaml_read_as_text_is_told_as_such_with_the_right_spelling(
    root: str, options: dict[str, Any]
) -> None:
    said = complaint_at(root, **options)
    assert said == "wanted a number, got the text '1e-3' (YAML reads a number only without quotes: 1e-3)"


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "1.e-3", ".1e-2", "0.001", "1.0e-3", "+1e-3"])
def test_a_number_is_read_in_every_spelling_of_yaml_1_2(tmp_path: Path, number: str) -> None:
    override = f"methods.0.search.lr={{low: {number}, high: 0.1}}"
    study = read_study(small_file(tmp_path), [override])
    assert study.methods[0].search["lr"] == Range(low=1e-3, high=0.1)
    path = written(tmp_path, yaml.safe_dump(content()) + f"training: {{lr: {number}}}\n")
    assert read_study(path).training.lr == 1e-3


@pytest.mark.parametrize("text", ["1e-3", "12e4", ".5e1"])
def test_text_in_quotes_that_looks_like_a_number_stays_text(tmp_path: Path, text: str) -> None:
    with pytest.raises(StudyError, match=r"training\.lr: wanted a number, got the text"):
        read_study(small_file(tmp_path), [f"training.lr='{text}'"])
    study = read_study(small_file(tmp_path), [f"forget=[{{kind: class, class: '{text}'}}]"])
    assert study.forget[0].label == f'class "{text}"'
    assert read_text(write_study(study), "written") == study


def test_a_text_that_is_no_number_gets_no_advice_on_spelling() -> None:
    assert complaint_at("search.trials", search={"trials": "many"}) == "wanted a number, got the text 'many'"


def test_a_number_as_text_among_a_methods_options_is_told_as_such() -> None:
    with pytest.raises(StudyError, match=r"methods\.0\.lr: .*without quotes: 1e-3"):
        parse_study(content(methods=[{"name": "salun", "lr": "1e-3"}]), "study.yaml")
