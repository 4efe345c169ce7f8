"""The views: what each answers by hand-made rows, and on a real study of two augmentations and two forget requests."""

import json
from collections.abc import Callable
from itertools import product
from math import sqrt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from lethe.pipeline.confirm import choose
from lethe.results import (
    VIEWS,
    ArtifactRow,
    CalibrationRow,
    ConfirmationRow,
    MeasureRow,
    QueryError,
    Store,
    TrialRow,
    load,
    query,
    save_query,
    to_rows,
)
from lethe.results.guide import EXAMPLES, data_model, examples, sources
from lethe.results.render import render
from lethe.results.schema import schema_of
from lethe.storage.root import StorageRoot
from lethe.study import Search

T_975_AT_2 = 4.302652729911275
"""Student's t, 97.5 %, two degrees of freedom, from a table."""


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_has_the_columns_that_are_documented(name: str, real: Path) -> None:
    answer = load(real, name)
    wanted = schema_of(VIEWS[name].row_type)
    assert [(field.name, field.type) for field in answer.schema] == [(field.name, field.type) for field in wanted]
    for field in wanted:
        assert field.nullable or not answer[field.name].null_count, field.name
    empty = ("audit_verdicts", "detections", "drift", "ensembles", "failures", "halves", "packings")
    assert len(answer) > 0 or name in empty


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_of_an_unfinished_study_is_empty_or_answers(
    name: str, store: Store, make: Callable[..., Any]
) -> None:
    store.append([make(ArtifactRow)])
    assert load(store.root, name).schema.names == schema_of(VIEWS[name].row_type).names


def test_the_chosen_setting_is_the_one_that_was_confirmed(real: Path) -> None:
    rows = to_rows(load(real, "trials"), TrialRow)
    chosen = load(real, "chosen").to_pylist()
    assert len(chosen) == 8
    assert all(row["current"] for row in chosen)
    confirmed = query(
        "select method_search, any_value(trial_id) trial_id from confirmed"
        " where row = method and method_search is not null group by method_search",
        real,
    )
    assert {row["method_search"]: row["trial_id"] for row in chosen} == dict(
        zip(*confirmed.to_pydict().values(), strict=True)
    )
    gaps = query(
        "select method_search, avg(gap) gap from confirmed where row = method group by method_search", real
    ).to_pydict()
    assert {row["method_search"]: row["confirmed_gap"] for row in chosen} == pytest.approx(
        {
            method_search: gap
            for method_search, gap in zip(gaps["method_search"], gaps["gap"], strict=True)
            if method_search
        }
    )
    for row in chosen:
        own = [trial for trial in rows if trial.method_search == row["method_search"]]
        assert min(trial.gap for trial in own if trial.gap is not None) == row["tuning_gap"]
        assert row["tuning_seconds"] == pytest.approx(sum(trial.seconds_total for trial in own))


def test_of_equal_gaps_the_earlier_trial_is_chosen_and_what_failed_never(
    store: Store, make: Callable[..., Any]
) -> None:
    gaps = {0: (0.3, "done"), 1: (None, "failed"), 2: (0.2, "done"), 3: (0.2, "done"), 4: (0.1, "stopped")}
    for number, (gap, status) in gaps.items():
        measures = {"gap": gap, "status": status, "ra": 1.0, "va": 1.0, "mia": 0.0}
        store.append([make(TrialRow, trial_id=f"t{number}", number=number, epochs_done=0, **measures)])
    [row] = load(store.root, "chosen").to_pylist()
    assert (row["trial_id"], row["tuning_trials"], row["tuning_seconds"]) == ("t2", 5, 27.5)


@pytest.fixture
def confirm_arm(confirm: Callable[..., None]) -> Callable[..., None]:
    """Records one row of a comparison with the gaps of an augmentation, on boards that differ in it alone."""

    def record(row: str, augmentation: str, gaps: tuple[float, ...], **changes: Any) -> None:
        confirm(row, gaps, **{"augmentation": augmentation, "scenario": augmentation} | changes)

    return record


def effects(store: Store) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["row"], row["metric"]): row for row in load(store.root, "augmentation").to_pylist()}


def test_the_effect_of_an_arm_is_paired_by_seed_with_its_interval(
    store: Store, confirm_arm: Callable[..., None]
) -> None:
    confirm_arm("original", "none", (0.30, 0.50, 0.40))
    confirm_arm("original", "standard", (0.20, 0.30, 0.25))
    confirm_arm("salun", "none", (0.10, 0.20, 0.15))
    confirm_arm("salun", "standard", (0.06, 0.08, 0.07))
    rows = effects(store)
    assert {metric for _, metric in rows} == {"gap", "gap_closed", "ua", "ra", "ta", "mia"}
    gap = rows["salun", "gap"]
    reach = T_975_AT_2 * sqrt((0.04**2 + 0.04**2) / 2) / sqrt(3)
    assert (gap["augmentation"], gap["against"], gap["seeds"]) == ("standard", "none", 3)
    assert (gap["mean"], gap["mean_against"]) == pytest.approx((0.07, 0.15))
    assert (gap["difference"], gap["low"], gap["high"]) == pytest.approx((-0.08, -0.08 - reach, -0.08 + reach))
    closed = rows["salun", "gap_closed"]
    assert (closed["mean"], closed["mean_against"]) == pytest.approx((0.18, 0.25))
    assert ("original", "gap_closed") not in rows
    assert gap["p_holm"] >= gap["p"]


def test_two_seeds_say_nothing_of_an_arm(store: Store, confirm_arm: Callable[..., None]) -> None:
    confirm_arm("salun", "none", (0.10, 0.20))
    confirm_arm("salun", "standard", (0.06, 0.16))
    gap = effects(store)["salun", "gap"]
    assert (gap["low"], gap["p"], gap["verdict"]) == (None, None, "too few seeds")


def test_an_arm_that_moves_each_seed_by_one_image_is_inconclusive(
    store: Store, confirm_arm: Callable[..., None], make: Callable[..., Any]
) -> None:
    """UA and MIA move in steps of one of the 20 forgotten images, TA in steps of one of 4 test images."""
    confirm_arm("salun", "none", (0.10, 0.10, 0.10), forget_images=20)
    confirm_arm("salun", "standard", (0.15, 0.15, 0.15), forget_images=20)
    for augmentation, seed in product(("none", "standard"), (1, 2, 3)):
        unit = {"unit_id": f"salun-{augmentation}-{seed}", "training_seed": seed}
        store.append([make(MeasureRow, **unit, metric=metric, n=n) for metric, n in (("ra", 1000), ("ta", 4))])
    found = effects(store)
    assert {metric: found["salun", metric]["verdict"] for metric in ("ua", "ta", "ra", "gap")} == {
        "ua": "inconclusive",
        "ta": "inconclusive",
        "ra": "lower",
        "gap": "higher",
    }
    ua = found["salun", "ua"]
    assert ua["high"] - ua["difference"] == pytest.approx(T_975_AT_2 / 20 / 3)


@pytest.mark.parametrize("identity", ["data_hash", "forget_hash", "recipe"])
def test_arms_are_compared_by_what_was_forgotten_from_what_and_how_never_by_names(
    identity: str, store: Store, confirm_arm: Callable[..., None]
) -> None:
    """Two recipes, two deletion files or two folders of one name were once joined crosswise: 8 seeds for 2."""
    for value, shift in (("one", 0.0), ("other", 0.3)):
        for augmentation, gaps in (("none", (0.10, 0.20, 0.12)), ("standard", (0.12, 0.17, 0.13))):
            moved = tuple(gap + shift for gap in gaps)
            confirm_arm("salun", augmentation, moved, scenario=f"{augmentation}-{value}", **{identity: value})
    gaps = [row for row in load(store.root, "augmentation").to_pylist() if row["metric"] == "gap"]
    assert [(row[identity], row["seeds"], row["verdict"]) for row in gaps] == [
        ("one", 3, "inconclusive"),
        ("other", 3, "inconclusive"),
    ]
    assert [row["difference"] for row in gaps] == pytest.approx([0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize(("known", "compared"), [(True, 2), (False, 0)])
def test_arms_of_two_scenarios_on_the_same_data_are_paired_one_to_one(
    known: bool, compared: int, store: Store, confirm_arm: Callable[..., None]
) -> None:
    """Scenarios with and without a control half were once joined crosswise: 12 seeds for 3."""
    for half, augmentation in product(("with", "without"), ("none", "standard")):
        alike = {"but_augmentation": half} if known else {}
        confirm_arm("salun", augmentation, (0.1, 0.2, 0.12), scenario=f"{augmentation}-{half}", **alike)
    gaps = [row for row in load(store.root, "augmentation").to_pylist() if row["metric"] == "gap"]
    assert [(row["scenario"], row["seeds"]) for row in gaps] == [("standard-with", 3), ("standard-without", 3)][
        :compared
    ]


def test_arms_of_different_forget_requests_are_never_compared(store: Store, confirm_arm: Callable[..., None]) -> None:
    confirm_arm("salun", "none", (0.10, 0.20), forget="random 10 %", forget_hash="a", scenario="a")
    confirm_arm("salun", "standard", (0.06, 0.08), forget="random 50 %", forget_hash="b", scenario="b")
    assert len(load(store.root, "augmentation")) == 0
    assert [row["scenario"] for row in load(store.root, "leaderboard").to_pylist()] == ["a", "b"]


@pytest.mark.parametrize("view", ["leaderboard", "contrasts", "sensitivity"])
def test_rows_of_before_precision_was_recorded_count_with_those_that_say_it(
    view: str, store: Store, make: Callable[..., Any]
) -> None:
    def add(row: str, seed: int, **changes: Any) -> None:
        values = {"row": row, "method": row, "scenario": "none", "training_seed": seed, "gap": 0.1}
        store.append([make(ConfirmationRow, confirmation_id=f"{row}-{seed}", **values | changes)])

    for row in ("oracle", "original"):
        add(row, 1)
        add(row, 2)
    add("salun", 1)
    store.append([make(TrialRow, trial_id="early", scenario="none", epochs_done=0)])
    early = load(store.root, view).to_pylist()
    assert {row["precision"] for row in early} <= {None}
    add("salun", 2, precision="float32")
    store.append([make(TrialRow, trial_id="later", scenario="none", epochs_done=0, precision="float32")])
    later = load(store.root, view).to_pylist()
    assert {row["precision"] for row in later} == {"float32"}


def test_the_noise_floor_of_an_arm_claims_no_interval(store: Store, confirm_arm: Callable[..., None]) -> None:
    confirm_arm("oracle", "none", (0.10, 0.20, 0.30))
    confirm_arm("oracle", "standard", (0.12, 0.22, 0.42))
    row = effects(store)["oracle", "gap"]
    assert (row["low"], row["p"], row["verdict"]) == (None, None, "no interval")


def test_the_cost_of_two_recipes_under_one_name_is_kept_apart(store: Store, make: Callable[..., Any]) -> None:
    for scenario, seconds in (("a", 10.0), ("b", 30.0)):
        store.append([make(TrialRow, trial_id=scenario, scenario=scenario, epochs_done=0, seconds_total=seconds)])
        made = {"artifact_id": scenario, "scenario": scenario, "forget": "random 10 %", "seconds_total": seconds}
        store.append([make(ArtifactRow, kind="oracle", **made)])
    rows = load(store.root, "cost").to_pylist()
    assert {(row["stage"], row["scenario"]): row["seconds"] for row in rows} == {
        ("oracles", "a"): 10.0,
        ("oracles", "b"): 30.0,
        ("search", "a"): 10.0,
        ("search", "b"): 30.0,
    }


def test_the_cost_adds_up_what_workers_held(store: Store, make: Callable[..., Any]) -> None:
    quarter = {"seconds_total": 8.0, "cpus": 2.0, "gpus": 0.25}
    for number in range(3):
        store.append([make(TrialRow, trial_id=f"t{number}", epochs_done=0, **quarter)])
    store.append([make(ArtifactRow, seconds_total=100.0, cpus=4.0, gpus=1.0)])
    store.append([make(ArtifactRow, artifact_id="old", kind="oracle", forget="random 10 %", seconds_total=50.0)])
    store.append([make(CalibrationRow, seconds_total=10.0, cpus=4.0, gpus=0.25)])
    rows = {row["stage"]: row for row in load(store.root, "cost").to_pylist()}
    shown = {
        stage: tuple(row[name] for name in ("units", "seconds", "cpu_seconds", "gpu_seconds"))
        for stage, row in rows.items()
    }
    assert list(shown) == ["originals", "oracles", "packing", "search"]
    assert shown["search"] == (3, 24.0, 48.0, 6.0)
    assert shown["originals"] == (1, 100.0, 400.0, 100.0)
    assert shown["oracles"] == (1, 50.0, None, None)
    assert shown["packing"] == (1, 10.0, 160.0, 10.0)


def test_the_cost_of_a_real_study_is_all_that_its_rows_took(real: Path) -> None:
    [total] = query("select sum(seconds) s, sum(cpu_seconds) c, sum(gpu_seconds) g from cost", real).to_pylist()
    parts = [
        query(f"select sum(seconds_total) s from {table}", real).to_pylist()[0]["s"]
        for table in ("trials", "confirmations", "artifacts")
    ]
    assert total["s"] == pytest.approx(sum(parts))
    assert total["c"] == pytest.approx(total["s"])
    assert total["g"] == 0


def test_the_grid_of_sensitivity_counts_every_new_setting_once(real: Path) -> None:
    [row] = query("select sum(trials) n, min(gap_best) best from sensitivity", real).to_pylist()
    [all_trials] = query("select count(*) n, min(gap) best from trials where copied_from is null", real).to_pylist()
    assert row == all_trials
    squares = query("select * from sensitivity where method = 'fine_tune'", real).to_pylist()
    assert {square["density_low"] for square in squares} == {None}


def test_the_grid_of_sensitivity_holds_its_ends(store: Store, make: Callable[..., Any]) -> None:
    for number, (lr, density) in enumerate(((0.01, 0.3), (0.0177, 0.39), (0.0178, 1.0), (None, None))):
        store.append([make(TrialRow, trial_id=f"t{number}", lr=lr, density=density, epochs_done=0)])
    squares = load(store.root, "sensitivity").to_pylist()
    shown = [(one["trials"], one["lr_low"], one["density_low"], one["density_high"]) for one in squares]
    assert shown == [
        (2, pytest.approx(10**-2), pytest.approx(0.3), pytest.approx(0.4)),
        (1, pytest.approx(10**-1.75), pytest.approx(0.9), pytest.approx(1.0)),
        (1, None, None, None),
    ]


def test_failures_name_what_diverged_or_failed_and_why(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, trial_id="good", epochs_done=0)])
    store.append([make(TrialRow, trial_id="bad", status="failed", cause="code", error="boom", epochs_done=0, losses=2)])
    store.append([make(ConfirmationRow, status="diverged")])
    rows = load(store.root, "failures").to_pylist()
    assert [(row["kind"], row["id"], row["cause"], row["error"], row["losses"]) for row in rows] == [
        ("trial", "bad", "code", "boom", 2),
        ("confirmation", "k0", None, None, None),
    ]


def test_one_study_alone_can_be_asked(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    store.append([make(TrialRow, study="other", trial_id="o0", epochs_done=0)])
    assert query("select count(*) n from trials", store.root, "other").to_pylist() == [{"n": 1}]
    assert len(load(store.root, "sensitivity", "other")) == 1


def test_results_load_as_arrow_pandas_and_polars(real: Path) -> None:
    import polars

    table = load(real, "leaderboard")
    assert isinstance(table, pa.Table)
    assert list(table.to_pandas()["row"]) == polars.from_arrow(table)["row"].to_list()  # type: ignore[call-overload, index]
    assert len(load(str(real))) == 40


def test_a_name_that_is_nothing_is_told_with_those_that_are(real: Path) -> None:
    with pytest.raises(QueryError, match=r"no table, view or saved query 'leader'; there are trials, .*leaderboard"):
        load(real, "leader")


def test_a_saved_query_is_a_view_and_may_rest_on_others(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    where = save_query("select trial_id, gap from trials; -- mine", "mine", store.root)
    assert Path(where).read_text() == "select trial_id, gap from trials\n"
    save_query("select count(*) n from mine", "counted", store.root)
    assert query("from counted", store.root).to_pylist() == [{"n": 1}]
    assert load(store.root, "mine").to_pylist() == [{"trial_id": "t0", "gap": 0.1}]
    save_query("select 7 as n", "mine", store.root)
    assert query("from mine", store.root).to_pylist() == [{"n": 7}]


@pytest.mark.parametrize(
    ("name", "sql", "told"),
    [
        ("leaderboard", "select 1", "the name of a table or view"),
        ("columns", "select 1", "the name of a table or view"),
        ("../x", "select 1", "made of a-z"),
        ("Mine", "select 1", "made of a-z"),
        ("mine", "select nope from trials", "nope"),
        ("mine", "select 1; select 2", "wanted one statement"),
        ("mine", "drop table trials", "wanted one statement"),
        ("mine", "from mine", "mine does not exist"),
        ("mine", "select * from read_text('/etc/passwd')", "disabled"),
    ],
)
def test_a_query_that_cannot_be_a_view_is_not_saved(
    name: str, sql: str, told: str, store: Store, make: Callable[..., Any]
) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    with pytest.raises((QueryError, ValueError), match=told):
        save_query(sql, name, store.root)
    assert not store.root.exists("queries")


def test_a_saved_file_that_was_tampered_with_reads_nothing_else(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    for sql in (b"select * from read_text('/etc/passwd')", b"select 1; create table t as select 2", b"from mine"):
        store.root.write("queries/mine.sql", sql)
        with pytest.raises(QueryError, match="the saved query 'mine' has no answer"):
            query("from mine", store.root)


def test_the_guide_lists_every_source_and_examples_that_answer(
    real: Path, store: Store, make: Callable[..., Any]
) -> None:
    listed = {source.name: source for source in sources(StorageRoot.at(real))}
    assert {*VIEWS, "trials", "epochs", "predictions", "studies"} <= listed.keys()
    assert all(source.meaning and source.columns for source in listed.values())
    assert [len(query(sql, real)) > 0 for sql in examples(StorageRoot.at(real))] == [True] * 3
    assert examples(StorageRoot.at(real)) == list(EXAMPLES[:3])
    store.append([make(ArtifactRow)])
    assert len(examples(store.root)) == 2
    save_query("select 1 as one", "mine", store.root)
    assert {source.name: source.kind for source in sources(store.root)}["mine"] == "saved query"


def test_an_answer_of_thousands_of_columns_is_written_in_every_format(real: Path) -> None:
    wide = query("select " + ", ".join(f"{number} as p{number}" for number in range(3000)), real)
    for form in ("csv", "json", "markdown", "latex", "table"):
        assert "p2999" in render(wide, form)  # type: ignore[arg-type]


def test_a_setting_of_thousands_of_options_is_kept_and_asked(store: Store, make: Callable[..., Any]) -> None:
    options = {f"option{number}": number for number in range(5000)}
    store.append([make(TrialRow, setting=json.dumps(options), epochs_done=0)])
    answer = query("select (setting ->> 'option4999')::int n from trials", store.root)
    assert answer.to_pylist() == [{"n": 4999}]


def test_the_choice_of_a_run_is_that_of_the_view(real: Path) -> None:
    rows = to_rows(load(real, "trials"), TrialRow)
    for best in load(real, "chosen").to_pylist():

        class OneCell:
            fingerprint = best["method_search"]
            trials = 5
            rounds = ((0,),)
            study = SimpleNamespace(search=Search(trials=5))

        chosen = choose(OneCell, rows)  # type: ignore[arg-type]
        assert chosen is not None
        assert (chosen.trial.trial_id, chosen.trials) == (best["trial_id"], best["tuning_trials"])


def test_the_page_of_the_data_model_is_as_it_would_be_written_now() -> None:
    page = Path(__file__).parents[2] / "docs" / "data_model.md"
    assert page.read_text() == data_model(), "python -m lethe.results.guide > docs/data_model.md"
