"""Several models against oracles: figures of the authors' public code, and what is found of models alike or unlike."""

from pathlib import Path

import numpy as np
import pytest

from unlearning.ensembles import (
    compare,
    forgetting_quality,
    held_out_ratios,
    image_epsilons,
    klom,
    likelihood_ratio,
    margins,
)
from unlearning.ensembles._array import Array

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")


def figures(name: str) -> Array:
    return np.asarray(REFERENCE[name])


def test_klom_is_that_of_the_authors_code_with_its_last_bin_closed() -> None:
    ours = klom(figures("klom/margins_unlearned"), figures("klom/margins_oracle"))
    assert ours == pytest.approx(figures("klom/score_last_bin_closed"), abs=1e-12)
    assert np.abs(ours - figures("klom/score")).max() > 0.7


def test_epsilons_and_quality_are_those_of_the_authors_code_with_exact_thresholds() -> None:
    chosen = figures("neurips/sample_index").astype(int)
    unlearned, oracles = (figures(f"neurips/conf_{kind}")[:24, chosen] for kind in ("unlearned", "oracle"))
    ours = image_epsilons(unlearned, oracles)
    assert ours == pytest.approx(figures("neurips/epsilon_exact_thresholds"), abs=1e-12)
    assert (ours >= figures("neurips/epsilon") - 1e-6).all()
    assert forgetting_quality(unlearned, oracles) == 0.09375


def test_likelihood_ratios_are_those_of_the_authors_code_and_of_models_held_out() -> None:
    unlearned, oracles = figures("ulira/in"), figures("ulira/out")
    ours = likelihood_ratio(unlearned, unlearned, oracles)
    assert ours == pytest.approx(figures("ulira/probability"), abs=1e-12)
    held_out, _ = held_out_ratios(unlearned, oracles)
    assert held_out == pytest.approx(figures("ulira/probability_leave_one_out"), abs=1e-12)


def test_a_margin_is_the_logit_less_the_log_sum_exp_of_the_others_up_to_the_precision_of_float32() -> None:
    logits = np.array([2.0, 0.5, -1.0])
    probability = np.exp(logits) / np.exp(logits).sum()
    assert margins(probability[:1]) == pytest.approx([2.0 - np.log(np.exp(0.5) + np.exp(-1.0))])
    assert margins(np.array([0.0, 1.0])) == pytest.approx([-16.6, 16.6], abs=0.1)


def confidences(models: int, shift: float, seed: int) -> Array:
    """Of 60 images, some of them easier than others."""
    random = np.random.default_rng(seed)
    logits = np.linspace(-2, 2, 60) + 0.5 * random.standard_normal((models, 60)) + shift
    return np.asarray(1 / (1 + np.exp(-logits)))


def test_models_like_the_oracles_are_at_the_floor_and_others_are_not() -> None:
    oracles = confidences(20, 0.0, 0)
    alike, unlike = (compare(confidences(20, shift, 1), oracles) for shift in (0.0, 1.5))
    assert 0.4 < alike.lira_auc < 0.6 < 0.95 < unlike.lira_auc
    assert unlike.klom > 2 * alike.klom
    assert unlike.klom_p95 > alike.klom_p95 > alike.klom
    assert unlike.quality < alike.quality


def test_separated_scores_have_no_bound_and_the_lowest_quality() -> None:
    unlearned, oracles = np.array([[1.0], [2.0], [3.0]]), np.array([[4.0], [5.0], [6.0]])
    assert image_epsilons(unlearned, oracles).tolist() == [np.inf]
    assert forgetting_quality(unlearned, oracles) == 2.0**-12


def test_equal_scores_show_nothing() -> None:
    same = np.full((4, 3), 0.7)
    assert image_epsilons(same, same).tolist() == [0.0] * 3
    assert forgetting_quality(same, same) == 1.0
    assert klom(same, same).tolist() == [0.0] * 3
    assert compare(same, same).lira_auc == 0.5


@pytest.mark.parametrize(("models", "images"), [(2, 60), (3, 59)])
def test_two_models_or_other_images_are_refused(models: int, images: int) -> None:
    with pytest.raises(ValueError, match="wanted 3 models of each kind and the same images"):
        compare(confidences(models, 0.0, 0)[:, :images], confidences(3, 0.0, 1))
