"""The sections `search` and `seeds`."""

from typing import Any

import pytest
from smallest_study import complaint_at, complaints, content

from lethe.study import StudyError, parse_study, read_text, write_study


def test_the_tuning_seeds_are_by_default_the_first_three_that_are_not_reported_on() -> None:
    for seeds, tuning in (({}, (0, 4, 5)), ({"reporting": [1, 2]}, (0, 3, 4)), ({"reporting": [0, 7]}, (1, 2, 3))):
        assert parse_study(content(seeds=seeds), "s").seeds.tuning == tuning


def test_options_of_a_search_that_do_not_go_together_are_refused() -> None:
    said = complaint_at("search", search={"seconds": 60.0, "early_stopping": {}})
    assert said.startswith("seconds counts trials in the order of their numbers, which early_stopping does not keep")
    with pytest.raises(StudyError, match=r"mean_plus_sd takes a standard deviation .*, and seeds\.tuning names one"):
        parse_study(content(search={"choose": "mean_plus_sd"}, seeds={"tuning": [0], "reporting": [1, 2]}), "s")


@pytest.mark.parametrize(
    "search", [{}, {"racing": None}, {"racing": {"first": 2}}, {"seconds": 60.0, "choose": "mean_plus_sd"}]
)
def test_the_race_and_its_budget_are_written_only_where_they_say_something(search: dict[str, Any]) -> None:
    study = parse_study(content(search=search), "s")
    text = write_study(study)
    assert read_text(text, "again") == study
    assert [name for name in ("racing", "seconds", "choose") if f"  {name}:" in text] == [
        name for name in ("racing", "seconds", "choose") if name in search
    ]


def test_a_study_never_reports_on_seeds_that_it_tuned_on() -> None:
    said = complaint_at("seeds", seeds={"tuning": [0, 1], "reporting": [1, 2]})
    assert said.startswith("tuning and reporting share the seeds [1]")


@pytest.mark.parametrize(("name", "seeds"), [("tuning", [0, 0]), ("reporting", [1, 2, 1])])
def test_a_seed_that_comes_twice_is_refused(name: str, seeds: list[int]) -> None:
    assert complaint_at("seeds", seeds={name: seeds} | ({"tuning": [9]} if name == "reporting" else {})) == (
        f"{name} names a seed twice: {seeds}"
    )


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"objectives": ["gap", "gap"]}, "objectives: names one twice: gap, gap"),
        ({"limits": {"compute": 0.1}}, "limits: compute is no objective of the search; objectives are gap"),
        ({"choose": "knee"}, "choose: knee is a point of the front of several objectives, got one"),
        (
            {"objectives": ["compute", "gap"], "choose": "mean_plus_sd"},
            "choose: mean_plus_sd wants gap as the first of objectives, got compute",
        ),
        (
            {"objectives": ["gap", "compute"], "early_stopping": {}},
            "early_stopping ranks trials by the gap alone; leave it or the other objectives out",
        ),
        (
            {"fused": True},
            "fused: wanted trials on several tuning seeds, and racing tries each setting on one at a time: set "
            "search.racing to null, or search.racing.first to 2 or more",
        ),
        (
            {"objectives": ["gap", "compte"]},
            "objectives.1: wanted 'gap', 'ua_gap', 'va_drop' or 'compute', got 'compte'",
        ),
    ],
    ids=["twice", "limit of none", "knee of one", "spread of another", "early stopping", "fused", "misspelt"],
)
def test_objectives_that_do_not_go_together_are_refused(search: dict[str, Any], said: str) -> None:
    [line] = complaints(search=search)
    assert line.removeprefix("search.").removeprefix("search: ").startswith(said)


@pytest.mark.parametrize("racing", [None, {"first": 1}, {"first": 2}])
def test_one_tuning_seed_leaves_nothing_to_fuse_or_spread(racing: dict[str, int] | None) -> None:
    search = {"fused": True, "racing": racing, "choose": "mean_plus_sd"}
    spread, fused = complaints(search=search, seeds={"tuning": [0], "reporting": [1, 2]})
    assert spread.startswith("search.choose: mean_plus_sd takes a standard deviation over tuning seeds")
    assert fused == (
        "search.fused: wanted several tuning seeds to train in one step, and seeds.tuning names one: name two or more, "
        "or set search.fused to false"
    )
    assert parse_study(content(search=search | {"racing": None}, seeds={"tuning": [0, 3], "reporting": [1, 2]}), "s")


def test_the_best_epoch_and_several_objectives_are_refused() -> None:
    [line] = complaints(methods=[{"name": "salun", "keep": "best"}], search={"objectives": ["gap", "compute"]})
    assert "keep: best is the epoch of the smallest gap, and search.objectives are gap, compute" in line


@pytest.mark.parametrize("seed", [2**53, -(2**53)])
def test_a_training_seed_that_no_row_holds_exactly_is_refused(seed: int) -> None:
    [line] = complaints(seeds={"tuning": [0], "reporting": [1, seed]})
    assert line.startswith("seeds.reporting.1: wanted a number ")
    assert parse_study(content(seeds={"tuning": [0], "reporting": [1, seed // 2]}), "study.yaml").seeds.reporting[1]
