"""The clinical audit: its values on models that are made by hand, and what its options change."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from unlearning.audits import Clinical, audit_measures
from unlearning.metrics import Evaluation, Predictions, Split, Value

NAMES = ("benign", "melanoma", "carcinoma")
Key = tuple[str, int | None]


def deciding(
    decisions: list[int], labels: list[int] | None = None, sure: float = 2.0, val_sure: float = 2.0
) -> Evaluation:
    """A model with these decisions on the test images, whose labels are 0, 1, 2 in turn; on val it errs once."""
    labels_N = torch.tensor(labels) if labels else torch.arange(len(decisions)) % 3
    val_N = torch.arange(30) % 3
    wrong_N = torch.where(torch.arange(30) == 4, 2, val_N)
    logits: dict[Split, tuple[torch.Tensor, torch.Tensor]] = {
        "train": (torch.zeros(6, 3), torch.arange(6) % 3),
        "val": (val_sure * torch.nn.functional.one_hot(wrong_N, 3).float(), val_N),
        "test": (sure * torch.nn.functional.one_hot(torch.tensor(decisions), 3).float(), labels_N),
    }
    predictions = {split: Predictions(*one) for split, one in logits.items()}
    return Evaluation(predictions, torch.arange(2), torch.arange(2, 6), "test", seed=0)


RIGHT = [0, 1, 2] * 10


def changed(**decisions: int) -> list[int]:
    """The right decisions but at some places, such as ``i4=0``."""
    return [decisions.get(f"i{index}", right) for index, right in enumerate(RIGHT)]


def found(
    audit: Clinical,
    audited: Evaluation,
    oracle: Evaluation | None = None,
    others: tuple[Evaluation, ...] = (),
    original: Evaluation | None = None,
) -> dict[Key, Value]:
    oracle = oracle or deciding(RIGHT)
    compared = replace(audited, oracle=oracle, references=(oracle,))
    pools = {"oracles": others or (oracle,) * audit.oracles} if audit.oracles else {}
    measures = audit_measures(audit, compared, pools, original=original or deciding(RIGHT), class_names=NAMES)
    return {(one.metric.removeprefix("clinical_"), one.value.class_index): one.value for one in measures}


def test_sensitivity_and_specificity_of_each_class_have_wilsons_interval() -> None:
    values = found(Clinical(), deciding(changed(i1=0, i4=0)))
    assert values["sensitivity", 1] == Value(
        "test", 0.8, 10, 1, pytest.approx(0.490, abs=1e-3), pytest.approx(0.943, abs=1e-3)
    )  # type: ignore[arg-type]
    assert values["specificity", 0].value == 0.9
    assert values["sensitivity", 0].value == values["specificity", 1].value == 1.0
    assert values["worst_class_sensitivity", None].value == 0.8
    assert values["worst_class_sensitivity", None].n == 10


def test_a_class_without_test_images_has_no_sensitivity_and_breaks_nothing() -> None:
    labels = [0, 1] * 15
    audited, oracle = deciding(labels, labels), deciding(labels, labels)
    values = found(Clinical(critical=(2,)), audited, oracle)
    assert ("sensitivity", 2) not in values
    assert values["specificity", 2].value == 1.0
    assert ("auroc", None) not in values
    assert ("critical_sensitivity", None) not in values
    assert values["critical_specificity", None].value == 1.0
    assert values["noninferior", None].n == 30


def test_the_operating_point_is_the_originals_and_not_the_models_own() -> None:
    """On val both err alike; a model that is less sure than the original falls below the original's threshold."""
    same = found(Clinical(), deciding(RIGHT))
    timid = found(Clinical(), deciding(RIGHT, sure=1.0, val_sure=1.0))
    assert same["point_sensitivity", 0].value == 1.0
    assert timid["point_sensitivity", 0].value == 0.0
    assert timid["point_specificity", 0].value == 1.0
    assert timid["sensitivity", 0].value == 1.0
    own = found(Clinical(), deciding(RIGHT, sure=1.0, val_sure=1.0), original=deciding(RIGHT, val_sure=1.0))
    assert own["point_sensitivity", 0].value == 1.0


def test_a_sensitivity_that_is_asked_for_moves_the_operating_point() -> None:
    """The original misses one of ten melanomas on val, so that all are called only where everything is."""
    values = found(Clinical(sensitivity=1.0), deciding(changed(i1=0)))
    assert (values["point_sensitivity", 1].value, values["point_specificity", 1].value) == (1.0, 0.0)
    values = found(Clinical(sensitivity=0.9), deciding(changed(i1=0)))
    assert (values["point_sensitivity", 1].value, values["point_specificity", 1].value) == (0.9, 1.0)


def test_a_model_that_is_surer_than_the_original_has_a_temperature_ratio_above_one() -> None:
    values = found(Clinical(), deciding(RIGHT, val_sure=6.0))
    assert values["temperature_ratio", None].value == pytest.approx(3.0)
    assert values["temperature_ratio", None].group == "val"
    assert values["calibration_loss", None].value == pytest.approx(
        values["log_loss", None].value
        - found(Clinical(), deciding(RIGHT, sure=2.0 / values["temperature", None].value))["log_loss", None].value
    )


def test_flips_and_critical_flips_are_counted_against_the_oracle_and_the_churn_among_oracles() -> None:
    """Of 30 images the oracle calls 20 critical; the model misses two of these and errs once more."""
    audited = deciding(changed(i1=0, i2=0, i3=1))
    others = (deciding(changed(i0=1, i1=0)), deciding(RIGHT))
    values = found(Clinical(critical=("melanoma", 2), oracles=2), audited, others=others)
    assert values["flips", None].value == 100
    assert values["flips", None].low == pytest.approx(34.6, abs=0.1)
    assert values["churn", None].value == pytest.approx((2 + 0) / 2 * 1000 / 30)
    assert values["churn", None].low is None
    assert values["flips_beyond_churn", None].value == pytest.approx(((3 + 3) / 2 - 1) * 1000 / 30)
    assert values["critical_flips", None].value == pytest.approx(2000 / 30)
    assert values["critical_churn", None].value == pytest.approx((1 + 0) / 2 * 1000 / 30)
    assert values["critical_flips_beyond_churn", None].value == pytest.approx(((2 + 2) / 2 - 0.5) * 1000 / 30)


def test_a_flip_among_critical_classes_is_no_critical_one() -> None:
    values = found(Clinical(critical=(1, 2)), deciding(changed(i1=2, i2=1)))
    assert values["flips", None].value == pytest.approx(2000 / 30)
    assert values["critical_flips", None].value == 0


def test_without_critical_classes_or_other_oracles_nothing_is_said_of_them() -> None:
    values = found(Clinical(oracles=0), deciding(RIGHT))
    names = {name for name, _ in values}
    assert not [name for name in names if name.startswith(("critical", "cost"))]
    assert names.isdisjoint({"churn", "worst_third_sensitivity"})
    assert "flips" in names


def test_the_hardest_images_are_those_that_other_oracles_are_least_sure_of() -> None:
    """Other oracles err on ten images, and so does the model on four of these."""
    wrong = {f"i{index}": (index + 1) % 3 for index in range(10)}
    errs = {f"i{index}": (index + 1) % 3 for index in range(4)}
    values = found(Clinical(), deciding(changed(**errs)), others=(deciding(changed(**wrong)),))
    assert values["worst_third_sensitivity", None] == Value("test", 0.6, 10)


def test_a_loss_of_sensitivity_below_the_margin_is_shown_by_enough_images_alone() -> None:
    few = found(Clinical(critical=(1,), margin=0.1), deciding(RIGHT))
    assert few["sensitivity_difference", 1].value == 0
    assert few["noninferior", 1].value == few["noninferior", None].value == 0
    many, labels = [0, 1, 2] * 200, [0, 1, 2] * 200
    audited, oracle = (deciding(decisions, labels) for decisions in ([0, *[2] * 2, *many[3:]], many))
    values = found(Clinical(critical=(1,), margin=0.03), audited, oracle)
    assert values["sensitivity_difference", 1].value == pytest.approx(-1 / 200)
    assert [values["noninferior", k].value for k in (0, 1, 2, None)] == [1, 1, 1, 1]
    assert values["critical_noninferior", None].value == 1
    assert values["critical_sensitivity_difference", None] == replace(
        values["sensitivity_difference", 1], class_index=None
    )
    stricter = found(Clinical(critical=(1,), margin=0.02), audited, oracle)
    assert [stricter["noninferior", k].value for k in (0, 1, 2, None)] == [1, 0, 1, 0]


def test_an_oracle_is_compared_with_those_of_other_seeds_the_mean_over_them() -> None:
    oracle, others = deciding(RIGHT), (deciding(RIGHT), deciding(changed(i1=0, i4=0, i7=0, i10=0, i13=0)))
    compared = replace(oracle, oracle=oracle, references=others)
    measures = audit_measures(
        Clinical(critical=("melanoma",), oracles=0), compared, {}, original=oracle, class_names=NAMES
    )
    values = {(one.metric, one.value.class_index): one.value for one in measures}
    assert values["clinical_flips", None] == Value("test", pytest.approx(2500 / 30), 30)  # type: ignore[arg-type]
    assert values["clinical_sensitivity_difference", 1] == Value("test", pytest.approx(0.25), 10, 1)  # type: ignore[arg-type]
    assert values["clinical_noninferior", 1].value == 0.5


def test_the_difference_of_areas_is_taken_on_the_same_images_and_to_the_mean_of_several_oracles() -> None:
    """Two models that err on other images have areas as large, and a difference that images leave open."""
    audited, oracle = deciding(changed(i1=0, i4=0)), deciding(changed(i7=0, i10=0))
    values = found(Clinical(critical=("melanoma",), oracles=0), audited, oracle)
    assert values["auroc", 1].value < 1
    for name, class_index in (("auroc_difference", 1), ("critical_auroc_difference", None)):
        difference = values[name, class_index]
        assert (difference.value, difference.n) == (0, 30)
        assert difference.low == pytest.approx(-difference.high)  # type: ignore[operator]
        assert difference.high is not None
        assert difference.high > 0.05
    same = found(Clinical(oracles=0), audited, audited)
    assert (same["auroc_difference", None].value, same["auroc_difference", None].low) == (0, None)
    compared = replace(audited, oracle=audited, references=(deciding(RIGHT), audited))
    measures = audit_measures(Clinical(oracles=0), compared, {}, original=deciding(RIGHT), class_names=NAMES)
    half = {(one.metric, one.value.class_index): one.value.value for one in measures}
    assert half["clinical_auroc_difference", 1] == pytest.approx((values["auroc", 1].value - 1) / 2)


def with_columns(evaluation: Evaluation, **columns: list[str]) -> Evaluation:
    return replace(evaluation, columns={"test": {name: tuple(texts) for name, texts in columns.items()}})


def test_the_worst_group_is_the_one_of_the_column_that_the_study_names() -> None:
    """Of three scanners the middle one errs on four of ten images, three of which are critical."""
    scanners = [f"scanner {index // 10}" for index in range(30)]
    wrong = {"i10": 0, "i11": 0, "i13": 0, "i12": 1}
    audited = with_columns(deciding(changed(**wrong)), scanner=scanners)
    values = found(Clinical(group="scanner", critical=(1, 2)), audited)
    assert values["worst_group_sensitivity", None].value == 0.6
    assert values["worst_group_sensitivity", None].n == 10
    assert values["group_gap", None] == Value("test", pytest.approx(0.4), 30)  # type: ignore[arg-type]
    assert ("critical_worst_group_sensitivity", None) not in values
    sites = ["north", "south"] * 15
    values = found(Clinical(group=" Site ", critical=(1, 2)), with_columns(audited, site=sites))
    assert values["critical_worst_group_sensitivity", None].value == pytest.approx(0.8)
    assert values["critical_group_gap", None].value == pytest.approx(0.1)
    assert ("worst_group_sensitivity", None) not in found(Clinical(), audited)
    assert ("worst_group_sensitivity", None) not in found(
        Clinical(group="site"), with_columns(audited, site=["north"] * 25 + ["south"] * 5)
    )


def test_a_column_of_groups_that_the_data_lacks_is_refused() -> None:
    audited = with_columns(deciding(RIGHT), patient=["p"] * 30, scanner=["s"] * 30)
    with pytest.raises(ValueError, match="audit 'clinical': group: no column 'site'; the columns are patient, scanner"):
        found(Clinical(group="site"), audited)
    with pytest.raises(ValueError, match="group: no column 'site'; the columns are none"):
        found(Clinical(group="site"), deciding(RIGHT))


def test_where_patients_are_known_intervals_are_over_patients_and_values_stay() -> None:
    """Twelve images of each of fifty patients, who are decided alike; a patient in three is decided wrongly."""
    labels = [0, 1, 2] * 200
    decisions = [(label + 1) % 3 if index // 12 % 3 == 0 else label for index, label in enumerate(labels)]
    plain, oracle = deciding(decisions, labels), deciding(labels, labels)
    known = with_columns(plain, patient=[f"p{index // 12}" for index in range(600)])
    by_image, by_patient = (found(Clinical(critical=(1,), oracles=0), one, oracle) for one in (plain, known))
    assert by_image.keys() == by_patient.keys()
    for name, value in by_image.items():
        of_patients = by_patient[name]
        assert (of_patients.value, of_patients.n) == (value.value, value.n)
        assert (of_patients.low is None) == (value.low is None)
    for name in (("sensitivity", 1), ("auroc", 1), ("auroc", None), ("sensitivity_difference", 1), ("flips", None)):
        over_images, over_patients = by_image[name], by_patient[name]
        width, wider = (one.high - one.low for one in (over_images, over_patients))  # type: ignore[operator]
        assert wider > 1.5 * width


def test_costs_grow_with_what_a_miss_costs_for_a_model_that_misses() -> None:
    values = found(Clinical(critical=("melanoma",)), deciding(changed(i1=0, i4=0), sure=9.0))
    costs = [values[f"cost_{ratio}", None].value for ratio in (1, 5, 10, 20, 50)]
    assert costs == pytest.approx([0.2, 2 * 5 / 20, 1.0, 2.0, 5.0])


@pytest.mark.parametrize(
    ("critical", "problem"),
    [(("melanom",), "no class 'melanom'; the classes are 0 .benign., 1 .melanoma., 2 "), ((7,), "no class 7; ")],
)
def test_a_critical_class_that_the_data_lacks_is_refused(critical: tuple[str | int, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=f"audit 'clinical': critical: {problem}"):
        found(Clinical(critical=critical), deciding(RIGHT))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"critical": "melanoma"}, "valid tuple"),
        ({"critical": [-1]}, "greater than or equal to 0"),
        ({"critical": [True]}, "valid integer"),
        ({"sensitivity": 0.0}, "greater than 0"),
        ({"margin": 1.0}, "less than 1"),
        ({"oracles": -1}, "greater than or equal to 0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Clinical(**options)
