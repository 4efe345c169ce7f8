"""The confirmed comparison: means, intervals, the noise floor, verdicts, contrasts, and whose table it is, by hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from itertools import combinations
from math import sqrt
from statistics import mean, stdev
from typing import Any

import pytest
from scipy.special import stdtr, stdtrit
from small_tables import ORACLES, board_of, lines_of, notes

from lethe.report import earlier_tables, leaderboard
from lethe.report._notes import notes_of
from lethe.report.page import render_page
from lethe.results import BoardRow, ConfirmationRow, Store, StudyRow, load, query
from lethe.results.views import ContrastRow

Confirm = Callable[..., None]
Make = Callable[..., Any]


def contrasts_of(store: Store) -> dict[tuple[str, str], ContrastRow]:
    return {(one.first, one.second): one for one in board_of(store).contrasts}


def half(values: list[float], share: float = 0.975) -> float:
    """Half an interval of the mean by Student's t."""
    return float(stdtrit(len(values) - 1, share)) * stdev(values) / sqrt(len(values))


def test_a_gap_is_the_mean_over_seeds_with_its_t_interval(store: Store, confirm: Confirm) -> None:
    gaps = [0.05, 0.06, 0.10]
    confirm("salun", gaps)
    line = lines_of(store)["salun"]
    assert (line.gap, line.gap_low, line.gap_high) == pytest.approx((0.07, 0.07 - half(gaps), 0.07 + half(gaps)))


def test_no_interval_ends_where_no_gap_can_lie(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.01, 0.02, 0.60))
    confirm("fine_tune", (0.98, 0.40, 0.99))
    lines = lines_of(store)
    assert lines["salun"].gap_low == 0
    assert lines["fine_tune"].gap_high == 1


def test_the_noise_floor_is_over_every_pair_of_oracles_with_a_jackknife_interval(
    store: Store, confirm: Confirm
) -> None:
    confirm("oracle", ORACLES[:4])
    confirm("oracle", ORACLES[4:], seeds=[9], role="tuning")
    line = lines_of(store)["oracle"]
    floor = mean(abs(a - b) for a, b in combinations(ORACLES, 2))
    without = [mean(abs(a - b) for a, b in combinations([x for x in ORACLES if x != one], 2)) for one in ORACLES]
    error = sqrt((len(without) - 1) / len(without) * sum((one - mean(without)) ** 2 for one in without))
    reach = float(stdtrit(4, 0.975)) * error
    assert (line.gap, line.noise_floor, line.noise_floor_seeds, line.seeds) == (
        pytest.approx(floor),
        pytest.approx(floor),
        5,
        4,
    )
    assert (line.gap_low, line.gap_high) == pytest.approx((max(0.0, floor - reach), floor + reach))


def test_the_excess_holds_a_model_and_its_own_oracle_against_the_oracles_of_the_other_seeds(
    store: Store, confirm: Confirm
) -> None:
    gaps = [0.05, 0.02, 0.09, 0.04, 0.03]
    confirm("oracle", ORACLES)
    confirm("salun", gaps)
    confirm("oracle", (0.15,), seeds=[9], role="tuning")
    oracles = [*ORACLES, 0.15]

    def excess_of(seeds: list[int]) -> float:
        pairs = [(one, other) for one in seeds if one < 5 for other in seeds if other != one]
        away = [abs(oracles[one] + gaps[one] - oracles[other]) for one, other in pairs]
        return mean(away) - mean(abs(oracles[one] - oracles[other]) for one, other in pairs)

    everything = list(range(6))
    excess = excess_of(everything)
    without = [excess_of([seed for seed in everything if seed != left_out]) for left_out in everything]
    error = sqrt(5 / 6 * sum((one - mean(without)) ** 2 for one in without))
    line = lines_of(store)["salun"]
    assert line.excess == pytest.approx(excess)
    reach = float(stdtrit(5, 0.975)) * error
    assert (line.excess_low, line.excess_high) == pytest.approx((excess - reach, excess + reach))
    assert line.excess_upper == pytest.approx(excess + float(stdtrit(5, 0.95)) * error)


def test_oracles_under_another_name_have_no_excess(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES)
    confirm("salun", [0.0] * 5)
    line = lines_of(store)["salun"]
    assert line.excess == pytest.approx(0, abs=1e-12)
    assert line.gap == pytest.approx(0, abs=1e-12)


def verdicts(store: Store) -> dict[str, str | None]:
    return {name: line.verdict for name, line in lines_of(store).items()}


def test_a_row_is_above_the_floor_equivalent_or_inconclusive(store: Store, confirm: Confirm) -> None:
    confirm("oracle", (0.000, 0.001, 0.002, 0.003, 0.004))
    confirm("original", (0.20, 0.21, 0.22, 0.20, 0.21))
    confirm("salun", (0.001, 0.002, 0.001, 0.002, 0.001))
    confirm("fine_tune", (0.040, 0.041, 0.042, 0.043, 0.044))
    confirm("random_label", (0.001, 0.08, 0.001, 0.12, 0.002))
    assert verdicts(store) == {
        "original": "above the floor",
        "oracle": None,
        "salun": "equivalent",
        "fine_tune": "above the floor",
        "random_label": "inconclusive",
    }
    assert "random_label: inconclusive against retraining; about " in notes(store)


def test_the_margin_of_the_study_decides_what_is_equivalent(store: Store, confirm: Confirm) -> None:
    for row, gaps in {"oracle": (0.0, 0.001, 0.002), "original": (0.2, 0.3, 0.2), "salun": (0.02, 0.0, -0.02)}.items():
        confirm(row, gaps, margin=0.0001)
    assert verdicts(store)["salun"] == "inconclusive"
    for row, gaps in {"oracle": (0.0, 0.001, 0.002), "original": (0.2, 0.3, 0.2), "salun": (0.02, 0.0, -0.02)}.items():
        confirm(row, gaps, margin=0.5, study="wide")
    [wide] = leaderboard(store.root, "wide")
    assert {line.row: line.verdict for line in wide.lines}["salun"] == "equivalent"


@pytest.mark.parametrize("margin", [0.01, 0.9])
def test_a_row_whose_gap_is_not_below_doing_nothing_is_never_equivalent(
    margin: float, store: Store, confirm: Confirm
) -> None:
    for row, gaps in {
        "oracle": (0.0, 0.001, 0.002),
        "original": (0.01, 0.01, 0.01),
        "salun": (0.0, 0.03, 0.005),
    }.items():
        confirm(row, gaps, margin=margin)
    assert verdicts(store)["salun"] != "equivalent"
    assert verdicts(store)["original"] != "equivalent"


def test_two_seeds_give_no_interval_no_verdict_and_no_contrast(store: Store, confirm: Confirm) -> None:
    """Two nearly equal numbers once gave "closer: -4.8 [-4.9, -4.6]"."""
    confirm("oracle", (0.01, 0.02))
    confirm("original", (0.120, 0.120))
    confirm("salun", (0.072, 0.0722))
    line = lines_of(store)["salun"]
    assert (line.gap_low, line.gap_high, line.excess_low, line.verdict) == (None, None, None, "too few seeds")
    contrast = contrasts_of(store)["salun", "original"]
    assert (contrast.low, contrast.p_holm, contrast.verdict) == (None, None, "too few seeds")
    assert "No verdict below three seeds" in notes(store)


def test_seeds_to_decide_are_those_at_which_the_spread_seen_would_decide(store: Store, confirm: Confirm) -> None:
    confirm("oracle", (0.0, 0.0, 0.0))
    confirm("original", (0.3, 0.3, 0.3))
    confirm("salun", (0.01, 0.03, 0.05))
    line = lines_of(store)["salun"]
    assert line.verdict == "inconclusive"
    without = [0.04, 0.03, 0.02]
    spread = 2 * stdev(without)
    needed = next(n for n in range(4, 100) if 0.03 - float(stdtrit(n - 1, 0.975)) * spread / sqrt(n) > 0)
    assert line.seeds_to_decide == needed


def test_each_scenario_and_each_study_has_its_own_board(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.1, 0.1))
    confirm("salun", (0.2, 0.2, 0.2), scenario="other", augmentation="flip")
    confirm("salun", (0.3, 0.3, 0.3), study="other")
    assert [board.title.split(", forget")[0] for board in leaderboard(store.root)] == [
        "other · bloodmnist, augmentation none",
        "s · bloodmnist, augmentation flip",
        "s · bloodmnist, augmentation none",
    ]
    assert len(leaderboard(store.root, "other")) == 1
    assert leaderboard(store.root, "nothing") == []


def test_boards_that_names_do_not_distinguish_say_which_scenario_they_are(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.1, 0.1), scenario="0123456789abcdef")
    confirm("salun", (0.2, 0.2, 0.2), scenario="fedcba9876543210")
    titles = [board.title for board in leaderboard(store.root)]
    assert [title.rpartition(" · ")[2] for title in titles] == ["scenario 01234567", "scenario fedcba98"]
    assert all("20 epochs, batch 64" in title for title in titles)


EARLIER = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_board_is_of_the_specification_that_was_run_last_and_names_the_others(
    store: Store, confirm: Confirm, make: Make
) -> None:
    confirm("salun", (0.5, 0.5, 0.5), specification_id="old0", run_at=EARLIER, setting='{"epochs": 3}')
    confirm("salun", (0.1, 0.1), specification_id="new0", setting='{"epochs": 1}')
    for name, epochs in (("old0", 3), ("new0", 1)):
        specification = f"name: s\nmethods: [{{name: salun, epochs: {epochs}}}]\n"
        store.append([make(StudyRow, specification_id=name, specification=specification)])
    line = lines_of(store)["salun"]
    assert (line.specification_id, line.seeds, line.gap) == ("new0", 2, pytest.approx(0.1))
    told = "with methods.salun.epochs 3 (shown: 1): lethe leaderboard --study s --specification old0"
    assert told in notes(store)
    [old] = leaderboard(store.root, "s", "old")
    assert {one.row: one.gap for one in old.lines} == {"salun": pytest.approx(0.5)}
    assert "methods.salun.epochs 1 (shown: 3)" in " ".join(notes_of(old))


def test_seeds_of_an_earlier_specification_stand_in_no_row_and_in_no_floor(store: Store, confirm: Confirm) -> None:
    """Reporting seeds 2 to 4 and then 5 and 6: the board once pooled five, and its floor compared within the groups."""
    confirm("oracle", (0.0, 0.1, 0.2), seeds=[2, 3, 4], specification_id="old", run_at=EARLIER)
    confirm("original", (0.3, 0.3, 0.3), seeds=[2, 3, 4], specification_id="old", run_at=EARLIER)
    confirm("oracle", (0.00, 0.05), seeds=[5, 6], specification_id="new")
    confirm("original", (0.4, 0.4), seeds=[5, 6], specification_id="new")
    lines = lines_of(store)
    assert lines["original"].reporting_seeds == [5, 6]
    assert lines["original"].gap == pytest.approx(0.4)
    assert lines["oracle"].gap == pytest.approx(0.05)


def test_a_seed_that_became_a_tuning_seed_leaves_every_row_but_counts_for_the_floor(
    store: Store, confirm: Confirm
) -> None:
    confirm("original", (0.9, 0.3, 0.3), specification_id="old", run_at=EARLIER)
    confirm("oracle", (0.30,), seeds=[1], role="tuning", specification_id="new")
    confirm("oracle", (0.00, 0.06), seeds=[2, 3], specification_id="new")
    confirm("original", (0.3, 0.3), seeds=[2, 3], specification_id="new")
    lines = lines_of(store)
    assert lines["original"].reporting_seeds == [2, 3]
    assert lines["oracle"].seeds == 2
    assert lines["oracle"].gap == pytest.approx((0.30 + 0.24 + 0.06) / 3)


def test_a_margin_that_was_changed_is_told_though_every_model_is_the_same(store: Store, confirm: Confirm) -> None:
    for name, run_at, margin in (("old0", EARLIER, 0.01), ("new0", datetime(2026, 11, 24, tzinfo=UTC), 0.2)):
        confirm("oracle", ORACLES[:3], specification_id=name, run_at=run_at, margin=margin)
        confirm("salun", (0.1, 0.1, 0.1), specification_id=name, run_at=run_at, margin=margin)
    assert [other.specification_id for other in board_of(store).others] == ["old0"]


def test_a_specification_without_a_table_yet_names_the_earlier_ones(store: Store, confirm: Confirm, make: Make) -> None:
    confirm("oracle", ORACLES[:3], specification_id="old0", run_at=EARLIER)
    store.append([make(BoardRow, specification_id="new0", confirmation_id="to-come")])
    assert leaderboard(store.root) == []
    [told] = earlier_tables(store.root, None, [])
    assert told.startswith("s: nothing is confirmed yet of the specification that was run last. Also stored")
    assert told.endswith("lethe leaderboard --study s --specification old0")
    assert told.partition("last. ")[2] in unescape(render_page(store.root, None).html)


def test_of_specifications_run_in_the_same_microsecond_one_has_the_board(store: Store, confirm: Confirm) -> None:
    for name in ("a", "b"):
        confirm("oracle", ORACLES, specification_id=name)
        confirm("original", (0.3, 0.3, 0.3, 0.3, 0.4), specification_id=name)
    board = board_of(store)
    assert {line.seeds for line in board.lines} == {5}
    assert [test.models for test in board.tests] == [5]


def test_a_scenario_whose_data_were_renamed_meanwhile_keeps_one_row(store: Store, confirm: Confirm) -> None:
    later = datetime(2026, 11, 24, tzinfo=UTC)
    confirm("oracle", ORACLES)
    confirm("salun", (0.1, 0.1, 0.1))
    confirm("salun", (0.1, 0.1), seeds=[4, 5], dataset="renamed", forget="other.csv", ended_at=later)
    line = lines_of(store)["salun"]
    assert (line.dataset, line.forget, line.seeds, line.gap) == ("renamed", "other.csv", 5, pytest.approx(0.1))
    assert len(board_of(store).lines) == 2


def test_results_of_before_boards_were_kept_are_read_and_fix_no_margin(
    store: Store, make: Make, confirm: Confirm
) -> None:
    for seed, gap in ((1, 0.1), (2, 0.1), (3, 0.1)):
        for row in ("original", "oracle", "salun"):
            values = {"row": row, "method": row, "training_seed": seed, "gap": gap, "ua": 0.2, "ra": 1.0, "ta": 1.0}
            store.append([make(ConfirmationRow, confirmation_id=f"{row}-{seed}", mia=0.5, **values)])
    line = lines_of(store)["salun"]
    assert (line.seeds, line.gap, line.margin, line.specification_id) == (3, pytest.approx(0.1), None, None)
    assert line.verdict == "inconclusive"
    assert "of a version that fixed no margin" in notes(store)


def test_a_row_that_is_not_whole_shows_no_means(store: Store, confirm: Confirm) -> None:
    confirm("original", (0.3, 0.3, 0.3))
    confirm("salun", (0.1, 0.2))
    line = lines_of(store)["salun"]
    assert (line.ua, line.ra, line.ta, line.mia, line.tow) == (None,) * 5


def test_of_early_rows_confirmed_again_the_newest_of_each_seed_and_the_longest_searchs_choice_count(
    store: Store, make: Make
) -> None:
    def add(name: str, seed: int, gap: float, **changes: object) -> None:
        row = {"row": "salun", "training_seed": seed, "gap": gap}
        store.append([make(ConfirmationRow, confirmation_id=name, **row | changes)])

    add("a1", 1, 0.5, setting='{"lr": 0.1}', tuning_trials=10)
    add("a2", 2, 0.5, setting='{"lr": 0.1}', tuning_trials=10)
    add("b1", 1, 0.1, setting='{"lr": 0.2}', tuning_trials=20)
    add("b2", 2, 0.3, setting='{"lr": 0.2}', tuning_trials=20)
    add("c2", 2, 0.2, setting='{"lr": 0.2}', tuning_trials=20, ended_at=datetime(2026, 12, 1, tzinfo=UTC))
    line = lines_of(store)["salun"]
    assert (line.setting, line.seeds, line.gap, line.tuning_trials) == ('{"lr": 0.2}', 2, pytest.approx(0.15), 20)


def test_contrasts_are_paired_by_seed_and_adjusted_within_their_family(store: Store, confirm: Confirm) -> None:
    gaps = {
        "original": (0.30, 0.20, 0.10, 0.25),
        "salun": (0.25, 0.16, 0.07, 0.20),
        "salun random mask": (0.24, 0.16, 0.08, 0.21),
        "fine_tune": (0.31, 0.20, 0.12, 0.24),
    }
    confirm("oracle", (0.01, 0.02, 0.06, 0.03))
    for row, values in gaps.items():
        confirm(row, values)
    found = contrasts_of(store)
    pairs = [
        ("fine_tune", "original"),
        ("fine_tune", "salun"),
        ("salun", "original"),
        ("salun", "salun random mask"),
    ]
    assert list(found) == pairs
    p = {}
    for first, second in pairs:
        differences = [a - b for a, b in zip(gaps[first], gaps[second], strict=True)]
        one = found[first, second]
        assert one.difference == pytest.approx(mean(differences))
        assert (one.low, one.high) == pytest.approx(
            (mean(differences) - half(differences), mean(differences) + half(differences))
        )
        p[first, second] = 2 * float(stdtr(3, -abs(mean(differences)) / (stdev(differences) / 2)))
        assert one.p == pytest.approx(p[first, second])
    larger, smaller = sorted((pairs[0], pairs[2]), key=lambda pair: -p[pair])
    adjusted = p | {smaller: 2 * p[smaller], larger: max(2 * p[smaller], p[larger])}
    assert {pair: one.p_holm for pair, one in found.items()} == pytest.approx(adjusted)
    assert {pair: (one.family, one.compared) for pair, one in found.items()} == {
        pairs[0]: ("doing nothing", 2),
        pairs[1]: ("methods", 1),
        pairs[2]: ("doing nothing", 2),
        pairs[3]: ("controls", 1),
    }
    assert {one.untuned for pair, one in found.items() if pair[1] == "salun random mask"} == {True}
    assert found["salun", "original"].verdict == "closer"


def test_one_contrast_below_five_percent_among_several_is_inconclusive(store: Store, confirm: Confirm) -> None:
    """README once read a p of .044 as a yes, one of several comparisons."""
    confirm("original", (0.300, 0.300, 0.300))
    confirm("salun", (0.270, 0.265, 0.248))
    confirm("salun density 1.0", (0.27, 0.25, 0.27))
    confirm("salun random mask", (0.27, 0.28, 0.24))
    confirm("fine_tune", (0.31, 0.28, 0.30))
    one = contrasts_of(store)["salun", "original"]
    assert one.p is not None and one.p < 0.05
    assert one.p_holm is not None and one.p_holm > 0.05
    assert one.verdict == "inconclusive"


def test_the_same_step_of_one_forgotten_image_on_each_seed_proves_nothing(store: Store, confirm: Confirm) -> None:
    """Values that are all alike have no spread of their own, and were once a p of 0 and an interval of no width."""
    step, few = 1 / (4 * 30), {"forget_images": 30}
    confirm("oracle", [0.0] * 3, **few)
    confirm("original", [0.1] * 3, **few)
    confirm("salun", [0.1 - step] * 3, **few)
    confirm("fine_tune", [step] * 3, **few)
    found = contrasts_of(store)
    near, far = found["salun", "original"], found["fine_tune", "original"]
    assert (near.difference, near.verdict) == (pytest.approx(-step), "inconclusive")
    assert near.low is not None and near.high is not None and near.low < -step < 0 < near.high
    assert far.verdict == "closer"
    lines = lines_of(store)
    assert (lines["fine_tune"].excess, lines["fine_tune"].verdict) == (pytest.approx(step), "inconclusive")
    assert lines["salun"].verdict == "above the floor"
    assert lines["salun"].gap_low is not None and lines["salun"].gap_low < 0.1 - step
    [ua] = query("select low, high from deviations where row = 'fine_tune' and metric = 'ua'", store.root).to_pylist()
    assert ua["low"] < 0 < ua["high"]


def test_methods_are_held_against_each_other_once(store: Store, confirm: Confirm) -> None:
    for row in ("salun", "fine_tune", "random_label", "original"):
        confirm(row, (0.1, 0.2, 0.3))
    pairs = {pair for pair in contrasts_of(store) if pair[1] != "original"}
    assert pairs == {("fine_tune", "random_label"), ("fine_tune", "salun"), ("random_label", "salun")}


def test_a_row_that_is_not_whole_has_no_contrast(store: Store, confirm: Confirm) -> None:
    confirm("original", (0.30, 0.20, 0.10))
    confirm("salun", (0.25, None, 0.07))
    confirm("fine_tune", (0.25, 0.25))
    assert contrasts_of(store) == {}


def test_the_joint_test_finds_what_differs_and_says_where_seeds_are_too_few(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES)
    confirm("original", (0.5, 0.52, 0.5, 0.51, 0.5))
    tests = {test.row: test for test in board_of(store).tests}
    assert (tests["original"].p, tests["original"].least_p) == (pytest.approx(2 / 252), pytest.approx(2 / 252))
    assert tests["original"].verdict == "differs"
    assert "original differs (p 0.0079)" in notes(store)
    confirm("oracle", ORACLES[:3], study="few")
    confirm("original", (0.5, 0.52, 0.5), study="few")
    [few] = leaderboard(store.root, "few")
    assert [test.verdict for test in few.tests] == ["too few seeds"]
    assert "too few seeds to decide; the smallest p that they allow is 0.10" in " ".join(notes_of(few))


def test_a_row_with_a_seed_that_diverged_has_no_joint_test_of_the_seeds_that_are_left(
    store: Store, confirm: Confirm
) -> None:
    confirm("oracle", ORACLES)
    confirm("salun", (0.01, 0.01, 0.01, 0.01, None), status="diverged")
    assert board_of(store).tests == ()
    assert "energy test" not in notes(store)


def test_deviations_are_signed_and_free_of_the_bias_of_absolute_values(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES[:3])
    confirm("salun", (-0.02, 0.00, 0.02))
    rows = {(row["row"], row["metric"]): row for row in load(store.root, "deviations").to_pylist()}
    ua = rows["salun", "ua"]
    assert (ua["difference"], ua["seeds"]) == (pytest.approx(0, abs=1e-12), 3)
    assert ua["high"] == pytest.approx(half([-0.02, 0.0, 0.02]))
    assert {row for row, _ in rows} == {"salun"}
