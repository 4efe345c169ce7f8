"""A given model whose recipe is not known, from its study to a delivery: everything says that nothing was compared."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lethe.results import load, query
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.views import VIEWS
from unlearning.models import CNN

LetheHere = Callable[..., tuple[int, str]]

STUDY: dict[str, Any] = {
    "name": "ward",
    "data": [{"source": "synthetic", "train": 120, "val": 60, "test": 60, "size": 12, "classes": 3}],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 4},
    "training": "none",
    "original": {"checkpoint": "model.pt"},
    "methods": [{"name": "fine_tune", "epochs": 1, "lr": 0.3}, {"name": "salun", "epochs": 1, "batch_size": 32}],
    "seeds": {"reporting": [1, 2, 3]},
    "audits": "quick",
}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, lethe_here: LetheHere) -> tuple[Path, str]:
    """A folder with the study and its results, and the output of the run."""
    folder = tmp_path_factory.mktemp("ward")
    torch.save(CNN(width=4).build(1, 3, 7)[1].state_dict(), folder / "model.pt")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    code, output = lethe_here("run", folder / "study.yaml", "--local", "--results", folder / "results")
    assert code == 0, output
    return folder, output


def test_methods_run_on_the_given_model_and_nothing_is_trained_or_searched(ward: tuple[Path, str]) -> None:
    results = ward[0] / "results"
    assert query("select distinct kind from artifacts order by kind", results)["kind"].to_pylist() == [
        "given_weights",
        "original",
        "saliency",
    ]
    assert query("from trials", results).num_rows == 0
    rows = query("from confirmed where row in ('fine_tune', 'salun')", results).to_pylist()
    assert len(rows) == 6
    assert len({row["model"] for row in rows}) == 6, "each seed is another draw"
    assert len({row["original"] for row in rows}) == 1
    for row in rows:
        assert all(row[name] is not None for name in ("ua", "ra", "va", "ta", "mia", "auc", "seconds_unlearn"))
        compared = ("oracle", "gap", "tow", "oracle_ua", "seconds_retrain", "retrain_share", "compute_share")
        assert all(row[name] is None for name in compared)


def test_the_table_has_the_measures_and_no_verdict(ward: tuple[Path, str], lethe_here: LetheHere) -> None:
    folder, output = ward
    assert NO_ORACLE in output
    code, printed = lethe_here("leaderboard", "--results", folder / "results", "--json")
    assert code == 0
    [table] = json.loads(printed[printed.index("{") :])["answer"]["tables"]
    assert table["headline"] == NO_ORACLE
    assert [row["row"] for row in table["rows"]][:3] == ["original", "fine_tune", "salun"]
    for row in table["rows"]:
        assert row["ua"] is not None
        assert not row["has_oracles"]
        assert row["status"] == "done"
        assert all(row[name] is None for name in ("gap", "noise_floor", "excess", "verdict", "seeds_to_decide"))
    printed = lethe_here("leaderboard", "--results", folder / "results")[1]
    assert re.search(r"row +UA +RA +TA +MIA +status", printed)
    assert "of one retraining" not in printed


def test_audits_have_values_and_no_verdict(ward: tuple[Path, str]) -> None:
    rows = query(
        "select audit, mean, verdict, overall, detected, p from audit_verdicts", ward[0] / "results"
    ).to_pylist()
    assert {row["audit"] for row in rows} == {"head_probe", "perturbed"}
    assert all(row["mean"] is not None for row in rows)
    assert all(row[name] is None for row in rows for name in ("verdict", "overall", "detected", "p"))
    assert query("from clinical where row = 'salun'", ward[0] / "results").num_rows > 0


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_answers(ward: tuple[Path, str], name: str) -> None:
    assert load(ward[0] / "results", name).num_columns > 0


def test_the_page_and_the_table_for_a_paper_say_so(
    ward: tuple[Path, str], lethe_here: LetheHere, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    report = ("report", "--results", ward[0] / "results", "-o", page, "--latex", tmp_path / "tex", "--no-images")
    assert lethe_here(*report)[0] == 0
    assert f'<p class="headline">{NO_ORACLE}</p>' in page.read_text()
    assert "Which measure makes the gap" not in page.read_text()
    assert ">status</button>" in page.read_text()
    assert not re.search(r">(gap|over the floor|of retraining)[^<]*</button>", page.read_text())
    [paper] = (tmp_path / "tex").glob("leaderboard-*.tex")
    assert NO_ORACLE in paper.read_text()
    assert "Noise floor" not in paper.read_text()
    assert "Means over 3 seeds (1, 2, 3)." in paper.read_text()
    assert "& MIA & Status & Time (s) & Trials" in paper.read_text()
    [clinical] = (tmp_path / "tex").glob("clinical-*.tex")
    assert "means over training seeds" in clinical.read_text()
    assert "difference" not in clinical.read_text()


def test_the_plan_says_what_can_run_and_that_nothing_is_left(ward: tuple[Path, str], lethe_here: LetheHere) -> None:
    code, output = lethe_here("plan", ward[0] / "study.yaml", "--results", ward[0] / "results", "--json")
    assert code == 0
    answer = json.loads(output[output.index("{") :])["answer"]
    [said] = [note for note in answer["notes"] if note.startswith(NO_ORACLE)]
    assert said.endswith("Audits that can run: clinical, head_probe, perturbed.")
    code, output = lethe_here("run", ward[0] / "study.yaml", "--local", "--results", ward[0] / "results")
    assert "Everything is there already: nothing to train, try or confirm." in output


def test_a_delivery_names_its_method_and_its_certificate_is_inconclusive(
    ward: tuple[Path, str], lethe_here: LetheHere, tmp_path: Path
) -> None:
    folder, out = ward[0], tmp_path / "out"
    deliver = ("deliver", "--study", "ward", "--results", folder / "results", "--out", out)
    code, output = lethe_here(*deliver)
    assert (code, out.exists()) == (2, False)
    assert "no method is the best; name one with --method: fine_tune, salun" in output
    code, output = lethe_here(*deliver, "--method", "salun")
    assert code == 0, output
    assert "Verdict: inconclusive." in output
    assert f"  {NO_ORACLE}\n" in output
    setting = yaml.safe_load((out / "setting.yaml").read_text())
    assert (setting["gap"], setting["why_no_gap"]) == (None, NO_ORACLE)
    said = json.loads((out / "certificate.json").read_text())
    assert {(one["verdict"], one["because"]) for one in said["judgements"]} == {("inconclusive", NO_ORACLE)}
    assert said["gap"]["noise_floor"] is None
    assert {row["gap"] for row in said["gap"]["rows"]} == {None}
    assert said["criteria"]["tuning_seeds"] == []
    assert any(limit.startswith(NO_ORACLE) for limit in said["limits"])
    page = (out / "certificate.html").read_text()
    assert f"<b>nothing</b>: {NO_ORACLE}" in page
    assert "trained again without the images, by" not in page
    assert lethe_here("verify", out)[0] == 0
    report = tmp_path / "report.html"
    assert lethe_here("report", "--results", folder / "results", "-o", report, "--no-images")[0] == 0
    assert re.search(r"Delivered: model \w{8} \(salun\), .*verdict: inconclusive", report.read_text())
    purge = ("purge", "--study", "ward", "--request", "random 20 %", "--results", folder / "results")
    listed = lethe_here(*purge)[1]
    assert "given weights: artifacts/given_weights" in listed
    assert "unlearned model: artifacts/unlearned_model" in listed.partition("Stays")[2]


def test_purge_lists_the_given_model_before_anything_was_delivered(tmp_path: Path, lethe_here: LetheHere) -> None:
    torch.save(CNN(width=2).build(1, 3, 7)[1].state_dict(), tmp_path / "model.pt")
    smallest = {"network": {"name": "cnn", "width": 2}, "methods": STUDY["methods"][:1], "audits": []}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY | smallest))
    assert lethe_here("run", tmp_path / "study.yaml", "--local", "--results", tmp_path / "results")[0] == 0
    purge = ("purge", "--study", "ward", "--request", "random 20 %", "--results", tmp_path / "results")
    listed = lethe_here(*purge)[1]
    assert "given model: artifacts/given_model" in listed
    assert "given weights: artifacts/given_weights" in listed
    deliver = ("deliver", "--study", "ward", "--results", tmp_path / "results", "--out", tmp_path / "out")
    code, output = lethe_here(*deliver)
    assert code == 0
    assert "fine_tune is the only method of the study." in output
