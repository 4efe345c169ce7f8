"""The options of a given classifier and of the delivery."""

from pathlib import Path
from typing import Any

import pytest

from lethe.study import StudyError, expand, parse_study, read_study, read_text, write_study
from unlearning.data import DataError, Synthetic, load

SOURCE = Synthetic(train=60, val=20, test=20, size=12, classes=3)

STUDY: dict[str, Any] = {
    "name": "s",
    "data": [SOURCE.model_dump(exclude_none=True)],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "training": {"precision": "float32"},
    "methods": [{"name": "fine_tune"}],
    "seeds": {"tuning": [0], "reporting": [3, 4]},
}


def test_the_first_reporting_seed_is_delivered_or_the_one_that_is_named() -> None:
    assert parse_study(STUDY, "s").production_seed == 3
    assert parse_study(STUDY | {"deliver": {"seed": 4}}, "s").production_seed == 4
    with pytest.raises(StudyError, match=r"deliver: seed: wanted one of the reporting seeds \[3, 4\], got 0"):
        parse_study(STUDY | {"deliver": {"seed": 0}}, "s")


def test_a_specification_without_them_is_the_one_that_it_was(tmp_path: Path) -> None:
    text = write_study(parse_study(STUDY, "s"))
    assert "original" not in text
    assert "deliver" not in text
    with_both = parse_study(STUDY | {"original": {"checkpoint": "a.pt"}, "deliver": {"seed": 4}}, "s")
    assert read_text(write_study(with_both), "s") == with_both


def test_the_checkpoint_lies_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(write_study(parse_study(STUDY | {"original": {"checkpoint": "a.pt"}}, "s")))
    original = read_study(tmp_path / "s.yaml").original
    assert original is not None
    assert original.checkpoint == tmp_path / "a.pt"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"kind": "random", "fraction": 0.2, "control": True}, "keeps a control half that no original has seen"),
        ({"kind": "gaussian", "fraction": 0.1}, "changes train images"),
    ],
)
def test_requests_that_a_given_model_cannot_have_been_trained_for_are_refused(
    request_: dict[str, Any], said: str
) -> None:
    data = {SOURCE: load(SOURCE)}
    alone = STUDY | {"forget": [request_]}
    expand(parse_study(alone, "s"), data)
    with pytest.raises(DataError, match=said):
        expand(parse_study(alone | {"original": {"checkpoint": "a.pt"}}, "s"), data)
