"""Whole runs of the tiny study in this process: what they leave in the store, and how they go on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report import leaderboard, print_leaderboard
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import read_study
from unlearning.data import Synthetic

WriteStudy = Callable[..., Path]
NUMBERS = (
    "select number, lr, density, threshold, ua, ra, va, mia, gap, status from trials order by method_search, number"
)


def run(study: Path, results: Path) -> tuple[list[str], str]:
    """Runs a study; gives its problems and what was printed."""
    console = Console(width=120, record=True, quiet=False, file=(results.parent / "out.txt").open("w"))
    with Progress(console) as progress:
        study_run = StudyRun(read_study(study), StorageRoot.at(results), progress)
        study_run.run(local=True)
    console.file.close()
    return study_run.problems, console.export_text()


def rows(sql: str, results: Path) -> list[dict[str, Any]]:
    answer: pa.Table = query(sql, results)
    records: list[dict[str, Any]] = answer.to_pylist()
    return records


def test_a_run_fills_four_consistent_tables(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    problems, _ = run(write_study(), results)
    assert problems == []
    [trials] = rows("select count(*) n, count(distinct number) m, min(gap) best, count(ta) ta from trials", results)
    assert (trials["n"], trials["m"], trials["ta"]) == (5, 5, 0)
    assert trials["best"] >= 0
    epochs = rows("select t.gap t, e.gap e from trials t join epochs e using (trial_id) where e.epoch = 2", results)
    assert len(epochs) == 5
    assert all(row["t"] == row["e"] for row in epochs)
    kinds = {row["kind"]: row["n"] for row in rows("select kind, count(*) n from artifacts group by kind", results)}
    assert kinds == {"original": 3, "oracle": 3, "saliency": 3}
    confirmed = rows("select row, count(*) n from confirmations group by row", results)
    expected = {"original", "oracle", "salun", "salun density 1.0", "salun random mask"}
    assert {row["row"]: row["n"] for row in confirmed} == dict.fromkeys(expected, 2) | {"oracle": 3}
    [chosen] = rows("select distinct trial_id from confirmations where row = 'salun'", results)
    [best] = rows("select trial_id from trials order by gap, number limit 1", results)
    assert chosen == best
    threshold_of_control = rows("select threshold from confirmations where row = 'salun random mask'", results)
    assert all(row["threshold"] is None for row in threshold_of_control)


def test_the_work_of_a_row_is_counted_in_images_that_no_machine_changes(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    """128 of 160 images are retained for 3 epochs; SalUn's 2 epochs see all, and its scores 32 images once."""
    results = tmp_path / "results"
    run(write_study(search={"trials": 1}), results)
    found = rows("select distinct row, images_unlearn, images_retrain, compute_share from confirmations", results)
    wanted = {
        "original": 0,
        "oracle": 384,
        "salun": 352,
        "salun density 1.0": 320,
        "salun random mask": 320,
    }
    assert {row["row"]: row["images_unlearn"] for row in found} == wanted
    assert len(found) == len(wanted)
    assert all(row["images_retrain"] == 384 for row in found)
    assert all(row["compute_share"] == row["images_unlearn"] / 384 for row in found)


def test_every_confirmed_row_says_what_the_attack_can_tell_and_how_each_class_fares(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    run(write_study(search={"trials": 1}, forget=[{"kind": "class", "class_index": 1}]), results)
    found = rows("select row, ua, mia, mia_balanced_accuracy, ua_per_class, mia_per_class from confirmations", results)
    assert len(found) == 11
    for row in found:
        assert 0 < row["mia_balanced_accuracy"] < 1
        assert row["ua_per_class"] == [None, pytest.approx(row["ua"]), None]
        assert row["mia_per_class"] == [None, pytest.approx(row["mia"]), None]


def test_reporting_seeds_never_meet_a_tuning_trial(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run(write_study(), results)
    reported = rows("select distinct original, oracle from confirmed", results)
    tuned = rows("select distinct unnest(originals) o, unnest(oracles) r from trials", results)
    assert not {row["original"] for row in reported} & {row["o"] for row in tuned}
    assert not {row["oracle"] for row in reported} & {row["r"] for row in tuned}


def test_measuring_every_epoch_changes_no_number_and_runs_nothing_again(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    usual, every = {"trials": 3, "window": 2}, {"trials": 3, "window": 2, "curves": True}
    run(write_study(search=usual), tmp_path / "usual")
    run(write_study(search=every), tmp_path / "every")
    assert rows(NUMBERS, tmp_path / "usual") == rows(NUMBERS, tmp_path / "every")
    measured = "select distinct epoch from epochs where gap is not null and ra is not null order by epoch"
    assert rows(measured, tmp_path / "usual") == [{"epoch": 2}]
    assert rows(measured, tmp_path / "every") == [{"epoch": 1}, {"epoch": 2}]
    [empty] = rows("select count(*) n, sum(seconds_evaluate) s from epochs where epoch = 1", tmp_path / "usual")
    assert empty == {"n": 3, "s": 0.0}
    assert "nothing to train, try or confirm" in run(write_study(search=every), tmp_path / "usual")[1]


def test_a_second_run_does_nothing_and_shows_the_same_table(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run(write_study(), results)
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()}
    _, said = run(write_study(), results)
    assert "nothing to train, try or confirm" in said
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()} == before


def test_more_trials_extend_a_finished_study_as_if_planned_from_the_start(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    run(write_study(search={"trials": 3, "window": 2}), tmp_path / "extended")
    run(write_study(search={"trials": 6, "window": 2}), tmp_path / "extended")
    run(write_study(search={"trials": 6, "window": 2}), tmp_path / "whole")
    assert rows(NUMBERS, tmp_path / "extended") == rows(NUMBERS, tmp_path / "whole")
    [cost] = rows("select distinct tuning_trials from confirmations where row = 'salun'", tmp_path / "whole")
    assert cost == {"tuning_trials": 6}


def test_a_corrupt_artifact_is_set_aside_trained_again_and_told(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run(write_study(), results)
    broken = sorted((results / "artifacts" / "trained_model").glob("*/weights-*.safetensors"))[0]
    content = broken.read_bytes()
    broken.write_bytes(content[:-1])
    problems, said = run(write_study(), results)
    assert problems == []
    assert "broken original" in said or "broken oracle" in said
    assert "was moved to quarantine as" in said
    assert broken.parent.is_dir()
    again = sorted(broken.parent.glob("weights-*.safetensors"))
    assert again[0].read_bytes() == content


def test_a_diverging_setting_is_a_result_and_the_search_goes_on(write_study: WriteStudy, tmp_path: Path) -> None:
    method = {"name": "fine_tune", "epochs": 2, "batch_size": 32, "search": {"lr": [1.0e30, 0.01]}}
    results = tmp_path / "results"
    run(write_study(methods=[method]), results)
    found = rows("select status, count(*) n, count(gap) gaps from trials group by status order by status", results)
    assert [row["status"] for row in found] == ["diverged", "done"]
    assert sum(row["n"] for row in found) == 5
    assert found[0]["gaps"] == 0
    assert len(rows("select * from confirmations where row = 'fine_tune'", results)) == 2


def test_a_setting_that_raises_counts_as_a_failure_of_its_own_and_is_not_tried_again(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    """Batch normalisation of a single image whose last feature map is a single pixel raises."""
    study = write_study(
        data=[{"source": "synthetic", "train": 160, "val": 80, "test": 80, "size": 8, "classes": 3}],
        network={"name": "resnet18", "width": 4},
        methods=[{"name": "fine_tune", "epochs": 1, "search": {"batch_size": [1, 32]}}],
    )
    results = tmp_path / "results"
    problems, _ = run(study, results)
    every = "select * from trials order by number"
    found = rows(every, results)
    failed = [row for row in found if row["status"] == "failed"]
    assert 0 < len(failed) < len(found) == 5
    assert {(row["cause"], row["losses"]) for row in failed} == {("code", 0)}
    assert all("Expected more than 1 value per channel when training" in row["error"] for row in failed)
    [problem] = problems
    assert problem.startswith(f"{len(failed)} trials failed; the first, {failed[0]['trial_id']}: ValueError: Expected")
    assert len(rows("select * from confirmations where row = 'fine_tune' and status = 'done'", results)) == 2
    assert "nothing to train, try or confirm" in run(study, results)[1]
    assert rows(every, results) == found


def test_a_repeated_setting_is_answered_from_the_store(write_study: WriteStudy, tmp_path: Path) -> None:
    method = {"name": "salun", "epochs": 2, "batch_size": 32, "search": {"relabel": ["any", "other"]}}
    results = tmp_path / "results"
    run(write_study(methods=[method]), results)
    found = rows("select relabel, gap, copied_from, seconds_total from trials order by number", results)
    first = [row for row in found if row["copied_from"] is None]
    assert len(found) == 5
    assert len(first) == 2
    by_label = {row["relabel"]: row["gap"] for row in first}
    assert all(row["gap"] == by_label[row["relabel"]] for row in found)
    assert all(row["seconds_total"] == 0 for row in found if row["copied_from"])


def test_a_method_without_a_search_is_tried_once(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    methods = [{"name": "nothing"}, {"name": "gradient_ascent", "epochs": 1, "batch_size": 32}]
    problems, _ = run(write_study(methods=methods), results)
    assert problems == []
    found = rows("select method, gap, original_gap from trials order by method", results)
    assert [row["method"] for row in found] == ["gradient_ascent", "nothing"]
    assert found[1]["gap"] == found[1]["original_gap"]


def test_the_shapes_of_the_three_sets_with_both_arms_and_two_requests(write_study: WriteStudy, tmp_path: Path) -> None:
    sets = ["pathmnist", "organamnist", "bloodmnist"]
    shares = {"pathmnist": 0.002, "organamnist": 0.005, "bloodmnist": 0.015}
    study = write_study(
        data=[{"source": "synthetic", "like": name, "share": shares[name], "size": 12} for name in sets],
        augmentations=["none", "standard"],
        forget=[{"kind": "random", "fraction": 0.1}, {"kind": "random", "fraction": 0.5}],
        training={"epochs": 1, "batch_size": 64},
        search={"trials": 2},
    )
    results = tmp_path / "results"
    problems, _ = run(study, results)
    assert problems == []
    [counts] = rows(
        "select count(*) n, count(distinct method_search) method_searches, count(distinct scenario) q from trials",
        results,
    )
    assert counts == {"n": 24, "method_searches": 12, "q": 12}
    originals = rows("select count(*) n from artifacts where kind = 'original'", results)
    assert originals == [{"n": 3 * 2 * 3}]


def test_the_leaderboard_fits_a_terminal_and_names_floor_and_controls(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run(write_study(), results)
    console = Console(width=120, record=True, file=(tmp_path / "board.txt").open("w"))
    print_leaderboard(leaderboard(StorageRoot.at(results)), console)
    console.file.close()
    text = console.export_text()
    for name in ("original (do nothing)", "oracle (noise floor)", "salun density 1.0", "salun random mask"):
        assert name in text
    assert "…" not in text
    assert leaderboard(StorageRoot.at(results), "another") == []


def test_the_journal_opens_as_an_optuna_storage(write_study: WriteStudy, tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    results = tmp_path / "results"
    run(write_study(), results)
    storage = JournalStorage(JournalFileBackend(str(results / "optuna" / "tiny.journal")))
    [summary] = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=summary.study_name, storage=storage).trials
    stored = rows("select setting, gap from trials order by number", results)
    assert [trial.value for trial in trials] == [row["gap"] for row in stored]
    assert [trial.params["lr"] for trial in trials] == [json.loads(row["setting"])["lr"] for row in stored]


def test_other_forget_requests_run_and_what_they_hit_is_said(write_study: WriteStudy, tmp_path: Path) -> None:
    listed = tmp_path / "withdrawn.txt"
    listed.write_text("3\n5\n8 # consent withdrawn\n5\n")
    requests = [{"kind": "class", "class_index": 1}, {"kind": "indices", "file": str(listed)}]
    problems, said = run(write_study(forget=requests, search={"trials": 1}), tmp_path / "results")
    assert problems == []
    hit = [line for line in said.splitlines() if line.startswith("synthetic, forget")]
    [by_class, by_list] = hit
    assert by_class.startswith("synthetic, forget class 1: ")
    assert by_class.partition("by class: ")[2].startswith("1 (")
    assert by_list.startswith("synthetic, forget indices withdrawn.txt: 3 of 160 train images, 0 of them added as ")
    assert f"{listed}: 4 rows, 1 of them repeated; indices 3 ... 8, counted from 0" in said


def test_repeated_images_are_counted_in_the_rows(write_study: WriteStudy, tmp_path: Path) -> None:
    splits = Synthetic(train=120, val=40, test=40, size=12, classes=3).read().splits
    arrays = {f"{name}_images": split.images_NCHW[:, 0].numpy() for name, split in splits.items()}
    arrays |= {f"{name}_labels": split.labels_N.numpy() for name, split in splits.items()}
    arrays["train_images"][7] = arrays["train_images"][3]
    arrays["val_images"][0] = arrays["train_images"][3]
    np.savez(tmp_path / "mine.npz", **arrays)
    (tmp_path / "withdrawn.txt").write_text("3\n5\n")
    data, request_ = {"source": "npz", "path": str(tmp_path / "mine.npz")}, {"kind": "indices"}
    study = write_study(
        data=[data], forget=[request_ | {"file": str(tmp_path / "withdrawn.txt")}], search={"trials": 1}
    )
    _, said = run(study, tmp_path / "results")
    assert "1 duplicate training image; left out because train has them too: 1 val" in said
    counts = "train_duplicates, val_dropped, test_dropped, forget_images, forget_duplicates"
    for table in ("trials", "confirmations", "artifacts where kind = 'oracle'"):
        found = rows(f"select distinct {counts} from {table}", tmp_path / "results")
        assert [tuple(row.values()) for row in found] == [(1, 1, 0, 3, 1)]


def test_the_specification_that_is_kept_continues_its_study(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run(write_study(), results)
    [kept] = rows("select specification from studies", results)
    copy = tmp_path / "copy.yaml"
    copy.write_text(kept["specification"])
    assert "Everything is there already" in run(copy, results)[1]
    assert rows("select count(*) n from studies", results) == [{"n": 1}]


def test_more_tuning_seeds_race_the_best_settings_of_a_finished_study_and_run_no_other_again(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    results, choice = tmp_path / "results", {"name": "fine_tune", "epochs": 1, "batch_size": 32}
    choice["search"] = {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}}
    run(write_study(methods=[choice]), results)
    before = rows("select * from trials order by number", results)
    problems, _ = run(write_study(methods=[choice], seeds={"tuning": [0, 3], "reporting": [1, 2]}), results)
    assert problems == []
    assert rows("select * from trials where round = 0 order by number", results) == before
    raced = rows("select number, training_seeds, len(originals) models from trials where round > 0", results)
    assert [(row["training_seeds"], row["models"]) for row in raced] == 2 * [([3], 1)]
    best = sorted(before, key=lambda row: (row["gap"], row["number"]))[:2]
    assert {row["number"] for row in raced} == {row["number"] for row in best}
    [chosen] = rows("select * from chosen", results)
    tried = rows("select * from tried_settings where runs = 2 order by gap, number", results)
    assert chosen["trial_id"] == tried[0]["trial_id"]
    assert chosen["tuning_gap"] == tried[0]["gap"] == pytest.approx(sum(tried[0]["gap_per_seed"]) / 2)
    assert (chosen["tuning_seeds"], chosen["rivals"], chosen["settings"]) == ([0, 3], 2, 5)
    [line] = rows("select tuning_trials, tuning_raced, trial_id from leaderboard where row = 'fine_tune'", results)
    assert line == {"tuning_trials": 7, "tuning_raced": 2, "trial_id": chosen["trial_id"]}
    second, said = run(write_study(methods=[choice], seeds={"tuning": [0, 3], "reporting": [1, 2]}), results)
    assert second == []
    assert "nothing to train, try or confirm" in said
