"""What is said of a table: the notes below it, and what the terminal prints of it."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from small_tables import ORACLES, board_of, lines_of, notes

from lethe.report import Board, leaderboard, print_leaderboard
from lethe.report._notes import notes_of
from lethe.results import BoardRow, ConfirmationRow, Store, TrialRow, load, to_rows

Confirm = Callable[..., None]
Make = Callable[..., Any]


def printed(boards: list[Board], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    with console.capture() as capture:
        print_leaderboard(boards, console)
    return capture.get()


def test_a_floor_of_one_pair_has_no_interval_and_says_what_it_is_worth(store: Store, confirm: Confirm) -> None:
    confirm("oracle", (0.01, 0.03))
    line = lines_of(store)["oracle"]
    assert (line.gap, line.gap_low, line.noise_floor_seeds) == (pytest.approx(0.02), None, 2)
    assert "one pair of oracles; the spread of such a value is about 40 % of it" in notes(store)


def test_several_undecided_rows_share_a_note_with_the_seeds_that_each_wants(store: Store, confirm: Confirm) -> None:
    confirm("oracle", (0.0, 0.0, 0.0))
    confirm("original", (0.3, 0.3, 0.3))
    confirm("salun", (0.01, 0.03, 0.05))
    confirm("fine_tune", (0.0, 0.03, 0.06))
    lines = lines_of(store)
    wanted = ", ".join(f"{name} ({lines[name].seeds_to_decide})" for name in ("fine_tune", "salun"))
    assert f"what they seem: {wanted}." in notes(store)


def test_the_original_and_the_oracle_come_first_and_controls_follow_their_method_as_untuned(
    store: Store, confirm: Confirm
) -> None:
    for name in ("salun random mask", "salun density 1.0", "salun", "fine_tune", "original", "oracle"):
        confirm(name, (0.1, 0.2, 0.3))
    lines = lines_of(store)
    assert list(lines) == ["original", "oracle", "fine_tune", "salun", "salun density 1.0", "salun random mask"]
    assert [line.untuned for line in lines.values()] == [False] * 4 + [True] * 2
    text = printed(leaderboard(store.root), 120)
    assert "salun density 1.0, untuned" in text
    assert "salun - salun random mask (untuned)" in text
    assert "Untuned: salun density 1.0, salun random mask run at their method's learning rate" in " ".join(text.split())


def test_a_row_with_a_seed_that_diverged_has_no_gap_and_says_so(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.2))
    confirm("salun", (None,), seeds=[3], status="diverged")
    assert lines_of(store)["salun"].gap is None
    assert "diverged" in printed(leaderboard(store.root), 120)


def test_a_row_that_waits_for_seeds_has_no_gap_and_says_how_many_it_has(store: Store, confirm: Confirm) -> None:
    confirm("original", (0.3, 0.3, 0.3))
    confirm("salun", (0.1, 0.2))
    line = lines_of(store)["salun"]
    assert (line.gap, line.verdict, line.status, line.seeds, line.seeds_wanted) == (None, None, "incomplete", 2, 3)
    assert "2 of 3 seeds" in printed(leaderboard(store.root), 120)


def test_the_table_says_which_seeds_it_is_over(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.1, 0.2), seeds=[4, 7, 9], tuning_seeds=[0, 2])
    text = printed(leaderboard(store.root), 120)
    assert "Means over 3 training seeds (4, 7, 9); settings were chosen on seeds 0, 2." in text


def test_confirmations_that_no_table_holds_are_counted(store: Store, make: Make, confirm: Confirm) -> None:
    store.append([make(ConfirmationRow, confirmation_id="early", training_seed=1, gap=0.1)])
    confirm("original", (0.1, 0.2, 0.3))
    assert "1 confirmation of an earlier version of Lethe, stored under this name, is in no table" in notes(store)


def test_a_search_that_goes_on_is_named(store: Store, confirm: Confirm, make: Make) -> None:
    choose(store, make, 0.19)
    confirm("salun", (0.2, 0.25, 0.237), method_search="c", trial_id="t0", tuning_trials=1, planned_trials=7)
    assert "Search of salun: 1 of 7 trials has ended, so its row may still change." in notes(store)


def test_a_method_none_of_whose_trials_finished_is_told_of(store: Store, confirm: Confirm, make: Make) -> None:
    confirm("oracle", ORACLES)
    awaited = make(BoardRow, confirmation_id=None, method_search="c")
    store.append([*to_rows(store.read("boards", "s"), BoardRow), awaited])
    store.append([make(TrialRow, status="diverged", gap=None)])
    assert "Search of salun: none of 1 trial finished" in notes(store)


def test_a_search_is_told_of_as_far_as_the_specification_that_is_shown_asks_for_it(
    store: Store, confirm: Confirm, make: Make
) -> None:
    for number, gap in enumerate((0.1, 0.2, 0.05)):
        choose(store, make, gap, trial_id=f"t{number}", number=number, dataset="ab"[number % 2])
    confirm("salun", (0.1, 0.1, 0.1), method_search="c", trial_id="t0", tuning_trials=2, planned_trials=2)
    [search] = board_of(store).searches
    assert (search.trials, search.best_trial) == (2, "t0")


def test_the_floor_names_tuning_seeds_only_where_it_has_any(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES[:4])
    assert "every pair of 4 oracles." in notes(store)
    confirm("oracle", ORACLES[4:], seeds=[9], role="tuning")
    assert "every pair of 5 oracles, of tuning seeds too." in notes(store)


def choose(store: Store, make: Make, gap: float, **changes: object) -> None:
    values = {"trial_id": "t0", "method_search": "c", "epochs_done": 0, "status": "done", "gap": gap}
    store.append([make(TrialRow, **values | {"ra": 1.0, "va": 1.0, "mia": 0.0} | changes)])


def test_a_setting_that_does_not_carry_over_is_named_with_both_gaps(store: Store, confirm: Confirm, make: Make) -> None:
    choose(store, make, 0.058)
    confirm("salun", (0.2, 0.25, 0.237), method_search="c", trial_id="t0", tuning_trials=1, planned_trials=1)
    [chosen] = load(store.root, "chosen").to_pylist()
    assert (chosen["tuning_gap"], chosen["confirmed_gap"], chosen["confirmed_seeds"]) == (
        pytest.approx(0.058),
        pytest.approx(0.229),
        3,
    )
    assert (
        "a gap of 5.8 on the tuning seeds 0, 1, chosen from 1 setting, and of 22.9 on the reporting seeds. More tuning "
        "seeds"
    ) in notes(store)


def test_a_search_with_a_budget_of_seconds_names_it(store: Store, confirm: Confirm, make: Make) -> None:
    choose(store, make, 0.19, seconds_total=55.0)
    confirm("salun", (0.2, 0.25), method_search="c", trial_id="t0", planned_trials=1, planned_seconds=60.0)
    assert "Each search might take 60 s of trials: salun 55 s." in notes(store)


def test_a_larger_gap_whose_interval_holds_the_tuning_gap_is_not_called_lost(
    store: Store, confirm: Confirm, make: Make
) -> None:
    choose(store, make, 0.05)
    confirm("salun", (0.02, 0.12, 0.25), method_search="c", trial_id="t0", tuning_trials=1, planned_trials=1)
    assert "carry over" not in notes(store)


def test_a_setting_that_carries_over_is_not_complained_of(store: Store, confirm: Confirm, make: Make) -> None:
    choose(store, make, 0.19)
    confirm("salun", (0.2, 0.25, 0.237), method_search="c", trial_id="t0", tuning_trials=1, planned_trials=1)
    assert "carry over" not in notes(store)


def test_a_forget_set_of_a_few_images_is_named_with_its_steps(store: Store, confirm: Confirm) -> None:
    confirm("original", (0.1, 0.2, 0.3), forget_images=4)
    assert "Only 4 images are to be forgotten: UA and MIA move in steps of 25.0 points" in notes(store)


def test_nonmembers_of_the_validation_split_are_named(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.1, 0.1), mia_nonmembers="val")
    assert "the search used that split too" in notes(store)
    confirm("salun", (0.1, 0.1, 0.1), mia_nonmembers="test", study="other")
    [other] = leaderboard(store.root, "other")
    assert "validation split" not in " ".join(notes_of(other))


def test_an_attack_on_forgotten_classes_is_named(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.1, 0.1), attack_classes="forgotten")
    assert "MIA: members and non-members are drawn in the forget set's mix of classes" in notes(store)
    confirm("salun", (0.1, 0.1, 0.1), study="other")
    [other] = leaderboard(store.root, "other")
    assert "mix of classes" not in " ".join(notes_of(other))


NEAR = (0.010, 0.012, 0.011, 0.010, 0.012)

LEVELS = {"salun": 0.0, "scrub": 0.001, "fine_tune": 0.10, "entropy_forgetting": 0.20}


def confirm_several(confirm: Confirm, **changes: Any) -> None:
    """Two methods that are hardly apart and two that are far behind, and controls of the first."""
    confirm("oracle", ORACLES)
    confirm("original", (0.40, 0.42, 0.40, 0.41, 0.40))
    for number, (name, level) in enumerate(LEVELS.items()):
        noise = NEAR[number:] + NEAR[:number]
        confirm(name, [level + one for one in noise], compute_share=0.4 / 2**number, **changes)
    confirm("salun random mask", [0.1 + one for one in NEAR], compute_share=0.4)


def test_of_three_methods_and_more_ranks_sum_up_how_they_compare(store: Store, confirm: Confirm) -> None:
    confirm_several(confirm)
    text = printed(leaderboard(store.root), 120)
    rows = re.findall(r"^ *(\d \[\d, \d\]) +(\w+) .*?\]?  ([\d, ]*)$", text, re.MULTILINE)
    assert [(rank, name, closer.strip()) for rank, name, closer in rows] == [
        ("1 [1, 2]", "salun", "3, 4"),
        ("2 [1, 2]", "scrub", "3, 4"),
        ("3 [3, 3]", "fine_tune", "4"),
        ("4 [4, 4]", "entropy_forgetting", ""),
    ]
    assert "salun - salun random mask (untuned)" in text
    assert "fine_tune - salun" not in text


def test_it_is_said_which_hypotheses_are_adjusted_together(store: Store, confirm: Confirm) -> None:
    confirm_several(confirm)
    text = " ".join(printed(leaderboard(store.root), 120).split())
    assert "each question by itself: 4 methods against doing nothing, 6 pairs of methods, 1 control:" in text


def test_two_methods_have_their_contrasts_listed_and_no_ranks(store: Store, confirm: Confirm) -> None:
    for name in ("original", "salun", "fine_tune"):
        confirm(name, (0.1, 0.2, 0.3))
    text = printed(leaderboard(store.root), 120)
    assert "fine_tune - salun: +0.0" in text
    assert "rank [95 %]" not in text


def test_the_front_of_gap_and_cost_is_named(store: Store, confirm: Confirm) -> None:
    confirm_several(confirm)
    assert "no other method has less of both than salun (gap 1.1, 40.0 %); scrub (gap 1.2, 20.0 %); fine" in notes(
        store
    )


def test_ranks_over_the_tables_of_a_study_are_printed_after_its_last(store: Store, confirm: Confirm) -> None:
    for scenario in ("q1", "q2"):
        for row, gap in {"salun": 0.1, "scrub": 0.2, "fine_tune": 0.3}.items():
            confirm(row, (gap, gap, gap), scenario=scenario, dataset=scenario)
    text = printed(leaderboard(store.root), 120)
    assert text.count("s · ranks over 2 tables") == 1
    assert re.findall(r"^ (\w+) +1.0 +1 +1 +2 of 2$", text.replace(" \n", "\n"), re.MULTILINE) == ["salun"]


def test_optimism_is_shown_beside_the_gap_that_was_tuned(store: Store, confirm: Confirm, make: Make) -> None:
    choose(store, make, 0.05, training_seeds=[0], va=0.85, ua=0.25, ra=0.85)
    confirm("salun", (0.10, 0.10, 0.13), method_search="c", trial_id="t0", tuning_trials=1, planned_trials=1)
    [board] = leaderboard(store.root)
    assert len(board.optimism) == 1
    text = printed([board], 120)
    [line] = [one for one in text.splitlines() if one.strip().startswith("salun ") and "5.0" in one]
    assert "11.0 [6.7, 15.3]" in line
    assert "+6.0 [+1.7, +10.3]" in line


def test_unequal_budgets_are_noted_with_who_had_least_and_most(store: Store, confirm: Confirm, make: Make) -> None:
    for method, search, count in (("salun", "c1", 4), ("fine_tune", "c2", 2)):
        for number in range(count):
            values = {"trial_id": f"{search}-{number}", "number": number, "setting": f'{{"lr": {number}}}'}
            choose(store, make, 0.1 + number, method=method, method_search=search, **values)
        confirm(method, (0.1, 0.1, 0.2), method_search=search, trial_id=f"{search}-0", planned_trials=count)
    assert (
        "Unequal budgets, by more than a factor of 1.5: settings from 2 (fine_tune) to 4 (salun); runs from 4 "
        "(fine_tune) to 8 (salun); seconds from 11 (fine_tune) to 22 (salun)."
    ) in notes(store)


def test_equal_budgets_are_not_noted(store: Store, confirm: Confirm, make: Make) -> None:
    for method in ("salun", "fine_tune"):
        choose(store, make, 0.1, method=method, method_search=method, trial_id=method)
        confirm(method, (0.1, 0.1, 0.2), method_search=method, trial_id=method, planned_trials=1)
    assert len(board_of(store).budgets) == 2
    assert "budgets" not in notes(store)


@pytest.mark.parametrize("width", [100, 120])
def test_the_print_fits_the_terminal_and_cuts_no_number(width: int, store: Store, confirm: Confirm) -> None:
    measures = {"ua": 0.9876, "ra": 0.9988, "ta": 0.9123, "mia": 0.8765}
    cost = {"seconds_unlearn": 123.4, "compute_share": 0.125, "tuning_trials": 50, "tuning_seconds": 4321.0}
    confirm("oracle", (0.01, 0.02, 0.03))
    confirm("original", (0.30, 0.31, 0.32), **measures)
    for name in ("salun", "salun density 1.0", "salun random mask"):
        confirm(name, (0.1, 0.2, 0.25), trial_id="s-0123-0014", **measures, **cost)
    for name in ("entropy_forgetting", "weight_distortion"):
        confirm(name, (0.5, 0.6, 0.4), **measures, **cost)
    text = printed(leaderboard(store.root), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for shown in ("oracle", "floor)", "18.3 [0.0, 37.3]", "98.8", "12.5 %", "50 trials in 4321 s", "s-0123-0014"):
        assert shown in text
    assert text.count("s-0123-0014") == 1
    assert "95 % interval over seeds" in " ".join(text.split())
