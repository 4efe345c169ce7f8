"""Changes to a study by KEY=VALUE on the command line."""

from pathlib import Path
from typing import Any

import pytest
from smallest_study import small_file

from lethe.study import StudyError, read_study
from unlearning.data import Synthetic


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("search.trials=40", lambda study: study.search.trials == 40),
        ("data.0.size=64", lambda study: study.data == (Synthetic(size=64),)),
        ("data.0={source: synthetic, size: 32}", lambda study: study.data == (Synthetic(size=32),)),
        ("augmentations=[none, standard]", lambda study: study.augmentations == ("none", "standard")),
        ("seeds.reporting=[4, 5]", lambda study: study.seeds.reporting == (4, 5)),
        ("methods.0.search.lr={low: 0.1, high: 0.2}", lambda study: "lr" in study.methods[0].search),
        ("training.schedule.kind=constant", lambda study: study.training.schedule.factor(0.9) == 1),
        ("results=s3://bucket/a=b", lambda study: study.results == "s3://bucket/a=b"),
    ],
)
def test_an_override_changes_one_place(tmp_path: Path, override: str, read: Any) -> None:
    path = small_file(tmp_path)
    assert not read(read_study(path))
    assert read(read_study(path, [override]))


def test_overrides_apply_in_their_order(tmp_path: Path) -> None:
    study = read_study(small_file(tmp_path), ["search.trials=3", "search.trials=5", "search.window=2"])
    assert (study.search.trials, study.search.window) == (5, 2)


@pytest.mark.parametrize(
    ("override", "wrong"),
    [
        ("search.trials", "wanted KEY=VALUE, such as search.trials=40"),
        ("=3", "wanted KEY=VALUE"),
        ("search.trials=[1", "the value is not YAML"),
        ("data.1.size=64", "wanted a position 0 ... 0 in a list, got '1'"),
        ("data.first.size=64", "wanted a position 0 ... 0 in a list, got 'first'"),
        ("data.1={source: synthetic}", "wanted a position 0 ... 0 in a list, got '1'"),
        ("name.first=a", "'name' holds 'small', which has no parts"),
        ("name.first.letter=a", "'first' is sought in 'small', which has no parts"),
    ],
)
def test_an_override_without_a_place_or_a_value_is_told_back(tmp_path: Path, override: str, wrong: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(small_file(tmp_path), [override])
    assert str(caught.value).startswith(repr(override))
    assert wrong in str(caught.value)


def test_a_misspelt_override_is_told_like_a_misspelt_option(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="serch: no such option here"):
        read_study(small_file(tmp_path), ["serch.trials=3"])
