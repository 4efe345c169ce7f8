"""What a clinic sees, in the view, on the page and in LaTeX; and nothing where no study asks for it."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lethe.report import write_latex
from lethe.report._clinical import clinics_of
from lethe.report.page import render_page
from lethe.results import MeasureRow, PredictionRow, Results, Store, load

Measured = Callable[..., None]


@pytest.fixture
def measured(store: Store, make: Callable[..., Any]) -> Measured:
    """Records the statistics of a row, each a value a seed from 1 on, in the units that the fixture `confirm` names.

    A statistic of a class is named with it, as in ``point_sensitivity 1``. A row's measures are recorded at once.

    Args:
        ends: of the interval over images, by statistic.
    """

    def record(
        row: str, statistics: dict[str, list[float]], ends: dict[str, tuple[float, float]] | None = None, **changes: Any
    ) -> None:
        for seed in (1, 2, 3):
            rows = []
            for name, values in statistics.items():
                statistic, _, class_index = name.partition(" ")
                unit = {"unit_id": f"{row}-q-{seed}", "training_seed": seed, "split": "test", "version": 1}
                unit |= {"audit": "clinical"}
                unit |= {"metric": f"clinical_{statistic}", "class_index": int(class_index) if class_index else None}
                low, high = (ends or {}).get(name, (None, None))
                unit |= {"value": values[seed - 1], "low": low, "high": high}
                rows.append(make(MeasureRow, **unit | changes))
            store.append(rows)

    return record


SALUN = {
    "worst_class_sensitivity": [0.6, 0.61, 0.65],
    "point_sensitivity 1": [0.6, 0.61, 0.65],
    "flips_beyond_churn": [40.0, 44.0, 48.0],
    "critical_flips_beyond_churn": [-3.0, -2.0, 4.0],
    "cost_50": [0.3, 0.3, 0.3],
}


@pytest.fixture
def seen(store: Store, confirm: Callable[..., None], measured: Measured) -> Store:
    """Results of three rows on three seeds, whose method loses sensitivity and decides otherwise than oracles."""
    for row in ("original", "oracle", "salun"):
        confirm(row, (0.01, 0.02, 0.03))
    measured("original", {"worst_class_sensitivity": [0.9, 0.9, 0.9]})
    measured("oracle", {"worst_class_sensitivity": [0.8, 0.82, 0.84], "flips_beyond_churn": [0.0, 0.0, 0.0]})
    measured("salun", SALUN, low=0.1, high=0.95)
    return store


def text_of(html: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split()).replace("\N{MINUS SIGN}", "-")


def test_the_view_holds_both_intervals_and_the_difference_to_the_paired_oracle(seen: Store) -> None:
    rows = load(seen.root, "clinical").to_pylist()
    assert [one["row"] for one in rows if one["statistic"] == "worst_class_sensitivity"] == [
        "original",
        "oracle",
        "salun",
    ]
    [salun] = [one for one in rows if (one["row"], one["statistic"]) == ("salun", "worst_class_sensitivity")]
    assert (salun["seeds"], salun["image_low"], salun["image_high"]) == (3, pytest.approx(0.1), pytest.approx(0.95))
    assert salun["mean"] == pytest.approx(0.62)
    assert salun["difference"] == pytest.approx(-0.2)
    assert salun["difference_low"] < -0.2 < salun["difference_high"] < 0
    assert salun["low"] < 0.62 < salun["high"]
    [oracle] = [one for one in rows if (one["row"], one["statistic"]) == ("oracle", "worst_class_sensitivity")]
    assert oracle["difference"] is None
    assert {one["class_index"] for one in rows if one["statistic"] == "point_sensitivity"} == {1}


def test_the_total_interval_adds_the_variances_over_seeds_and_over_images(seen: Store) -> None:
    """Of three seeds the standard error is sd / sqrt 3 and t 4.303; images reach from 0.1 to 0.95 on every seed."""
    rows = load(seen.root, "clinical").to_pylist()
    [salun] = [one for one in rows if (one["row"], one["statistic"]) == ("salun", "worst_class_sensitivity")]
    of_seeds = 4.3027 * np.std([0.6, 0.61, 0.65], ddof=1) / 3**0.5
    assert salun["high"] - salun["mean"] == pytest.approx(of_seeds, rel=1e-4)
    assert salun["mean"] - salun["total_low"] == pytest.approx((of_seeds**2 + 0.52**2) ** 0.5, rel=1e-4)
    assert salun["total_high"] - salun["mean"] == pytest.approx((of_seeds**2 + 0.33**2) ** 0.5, rel=1e-4)
    [oracle] = [one for one in rows if (one["row"], one["statistic"]) == ("oracle", "worst_class_sensitivity")]
    assert oracle["low"] is not None
    assert oracle["total_low"] is oracle["total_high"] is None


def test_a_mean_has_no_interval_over_images_where_a_seed_has_none(
    store: Store, confirm: Callable[..., None], make: Callable[..., Any]
) -> None:
    """On the third seed the worst group is another one, of too few patients for an interval."""
    confirm("salun", (0.01, 0.02, 0.03))
    for seed, value, low, high in ((1, 0.9, 0.85, 0.95), (2, 0.9, 0.85, 0.95), (3, 0.4, None, None)):
        unit = {"unit_id": f"salun-q-{seed}", "training_seed": seed, "split": "test", "version": 1}
        rate = {"metric": "clinical_worst_group_sensitivity", "value": value, "low": low, "high": high}
        store.append([make(MeasureRow, **unit, **rate)])
    [salun] = load(store.root, "clinical").to_pylist()
    assert (salun["seeds"], salun["mean"]) == (3, pytest.approx(2.2 / 3))
    assert salun["low"] is not None
    assert [salun[end] for end in ("image_low", "image_high", "total_low", "total_high")] == [None] * 4


def test_models_of_a_dose_have_the_same_intervals(
    seen: Store, confirm: Callable[..., None], measured: Measured
) -> None:
    confirm("dose", (0.0, 0.0, 0.0), role="dose")
    measured("dose", {"auroc": [0.9, 0.9, 0.91]}, {"auroc": (0.85, 0.95)})
    [dose] = [one for one in load(seen.root, "clinical").to_pylist() if one["row"] == "dose"]
    assert (dose["image_low"], dose["image_high"]) == (pytest.approx(0.85), pytest.approx(0.95))
    assert dose["total_low"] < dose["low"] < dose["mean"] < dose["high"] < dose["total_high"]


def test_an_area_stands_beside_its_paired_difference_whose_interval_counts_images_too(
    store: Store, confirm: Callable[..., None], measured: Measured
) -> None:
    """Over seeds alone the difference is clear of 0; with the images that happened to be tested it is not."""
    for row in ("original", "oracle", "salun"):
        confirm(row, (0.01, 0.02, 0.03))
    measured("oracle", {"auroc": [0.9, 0.9, 0.9], "auroc 1": [0.9, 0.9, 0.9]})
    areas, differences = [0.88, 0.88, 0.881], [-0.02, -0.02, -0.019]
    measured(
        "salun",
        {"auroc": areas, "auroc 1": areas, "auroc_difference": differences, "auroc_difference 1": differences},
        {"auroc_difference": (-0.05, 0.01), "auroc_difference 1": (-0.021, -0.018)},
    )
    clinic = clinics_of(Results(store.root))["s", "q"]
    [table], [by_class] = clinic.tables, clinic.by_class
    [oracle], [of_all] = (line.cells for line in table.lines)
    assert (of_all.text, of_all.difference, of_all.excludes_zero) == ("88.0", "-2.0", False)
    assert of_all.beside == "-2.0 [-5.0, +1.0]"
    assert oracle.beside == ""
    assert (by_class.shown.statistic, by_class.heads) == ("auroc", ("class 1",))
    assert by_class.lines[1].cells[0].beside == "-2.0 [-2.2, -1.7]"
    assert by_class.lines[1].cells[0].excludes_zero


def test_only_statistics_that_some_row_has_are_columns_and_intervals_say_what_excludes_zero(seen: Store) -> None:
    clinic = clinics_of(Results(seen.root))["s", "q"]
    of_all, of_critical = clinic.tables
    assert [one.heading for one in of_all.columns] == ["worst class", "flips beyond churn"]
    assert [one.statistic for one in of_critical.columns] == ["critical_flips_beyond_churn"]
    original, oracle, salun = of_all.lines
    assert (original.name, oracle.name, salun.name) == ("original (do nothing)", "oracle (noise floor)", "salun")
    worst, beyond = salun.cells
    assert (worst.text, worst.difference, worst.excludes_zero) == ("62.0", "-20.0", True)
    assert worst.beside.startswith("-20.0 [-22.")
    assert (beyond.text, beyond.difference, beyond.excludes_zero) == ("+44.0", "", True)
    assert beyond.beside == "[+34.1, +53.9]"
    assert (oracle.cells[0].beside, oracle.cells[1].beside) == ("", "")
    assert original.cells[1].value is None
    assert of_critical.lines[2].cells[0].excludes_zero is False


def test_differences_that_are_alike_but_for_rounding_exclude_nothing(seen: Store, measured: Measured) -> None:
    measured("salun", {"worst_class_sensitivity": [0.7, 0.72, 0.74]})
    [table] = clinics_of(Results(seen.root))["s", "q"].tables
    cell = {line.row: line.cells[0] for line in table.lines}["salun"]
    assert (cell.beside, cell.excludes_zero) == ("-10.0", False)
    original, _, salun = (
        one for one in load(seen.root, "clinical").to_pylist() if one["statistic"] == "worst_class_sensitivity"
    )
    assert (salun["difference_low"], salun["difference_high"]) == (None, None)
    assert (original["low"], original["total_low"]) == (None, None)


def test_the_page_has_a_section_with_class_names_where_they_are_known(
    seen: Store, make: Callable[..., Any], measured: Measured
) -> None:
    measured("salun", SALUN | {"point_sensitivity 2": [0.5, 0.5, 0.5]})
    seen.append(
        [
            make(
                PredictionRow,
                scenario="q",
                confirmation_id="salun-q-1",
                row="salun",
                label=1,
                label_name="mole <b>",
                predicted=1,
                predicted_name="mole <b>",
            )
        ]
    )
    html = render_page(seen.root, None).html
    text = text_of(html)
    section = text.partition("What a clinic sees")[2]
    assert "salun 62.0 -20.0 [-22." in section
    assert "The critical classes, at the operating point of the original" in section
    assert "row mole <b> class 2" in section
    assert "mole <b>" not in html


def test_latex_has_a_file_of_it_with_what_excludes_zero_in_bold(seen: Store, tmp_path: Path) -> None:
    paths = write_latex(seen.root, None, tmp_path)
    assert [path.name for path in paths] == ["leaderboard-s-q.tex", "clinical-s-q.tex"]
    of_all, of_critical, _ = paths[1].read_text(encoding="utf-8").split("\\end{table}")
    assert "& Worst class & Flips beyond churn \\\\" in of_all
    assert "salun & 62.0 (\\textbf{$-$20.0}) & \\textbf{$+$44.0} \\\\" in of_all
    assert "oracle (noise floor) & 82.0 & $+$0.0 \\\\" in of_all
    assert "salun & $-$0.3 \\\\" in of_critical


def test_without_the_audit_no_page_and_no_table_speaks_of_a_clinic(
    store: Store, confirm: Callable[..., None], tmp_path: Path
) -> None:
    confirm("original", (0.3, 0.31, 0.32))
    assert load(store.root, "clinical").num_rows == 0
    assert "clinic sees" not in render_page(store.root, None).html
    assert [path.name for path in write_latex(store.root, None, tmp_path)] == ["leaderboard-s-q.tex"]
