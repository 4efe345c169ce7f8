"""Models with halves of their own: rules by hand, the authors' figures, and what is found by chance and in truth."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gaussian_kde, mannwhitneyu, norm

from unlearning.ensembles import attack_halves, lira_test, ratios, right_guesses
from unlearning.ensembles._array import Array
from unlearning.ensembles._held_out import Mask, log_kernel_densities

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")


def halves(models: int, candidates: int, seed: int = 0) -> Mask:
    random = np.random.default_rng(seed)
    return np.array([random.permutation(candidates) < candidates // 2 for _ in range(models)])


def scores(models: int, candidates: int, seed: int = 1) -> Array:
    """Of models that differ little from each other, of candidates that differ much."""
    random = np.random.default_rng(seed)
    return np.asarray(3 * random.standard_normal(candidates) + random.standard_normal((models, candidates)))


def test_ratios_of_64_models_are_those_of_the_authors_code_with_each_model_held_out() -> None:
    both = np.concatenate([REFERENCE["ulira/in"], REFERENCE["ulira/out"]])
    forgotten = np.repeat([True, False], 32)[:, None] & np.ones_like(both, dtype=bool)
    ours = 1 / (1 + np.exp(-ratios(both, forgotten)))
    assert ours[:32] == pytest.approx(REFERENCE["ulira/probability_leave_one_out"], abs=1e-12)


def test_a_ratio_is_that_of_gaussians_of_the_other_models_with_a_variance_that_all_candidates_share() -> None:
    values, forgotten = scores(5, 12), halves(5, 12)
    found = ratios(values, forgotten)
    for model, candidate in product(range(5), range(12)):
        others, lots = np.delete(values, model, 0), np.delete(forgotten, model, 0)
        densities = []
        for side in (lots, ~lots):
            groups = [others[:, u][side[:, u]] for u in range(12)]
            squares = sum(((group - group.mean()) ** 2).sum() for group in groups if len(group))
            freedom = sum(max(len(group) - 1, 0) for group in groups)
            mean = groups[candidate].mean() if len(groups[candidate]) else np.nan
            densities.append(norm.logpdf(values[model, candidate], mean, np.sqrt(squares / freedom)))
        assert found[model, candidate] == pytest.approx(densities[0] - densities[1], nan_ok=True)
    assert np.isnan(found).any() and not np.isnan(found).all()


def test_a_kernel_density_is_scipys_by_silvermans_rule() -> None:
    values = scores(40, 3)
    ours = log_kernel_densities(values, values, np.ones_like(values, dtype=bool))
    for model, candidate in product((0, 7, 39), range(3)):
        others = np.delete(values[:, candidate], model)
        to_population = np.sqrt((len(others) - 1) / len(others))
        kernels = gaussian_kde(others, lambda kde, to=to_population: kde.silverman_factor() * to)
        wanted = kernels.logpdf(values[model, candidate])[0] + np.log(2 * np.pi) / 2
        assert ours[model, candidate] == pytest.approx(wanted)


def test_the_auc_is_the_mean_over_models_of_mann_whitneys() -> None:
    values, forgotten = scores(6, 50), halves(6, 50)
    found, each = ratios(values, forgotten), []
    for own, lot in zip(found, forgotten, strict=True):
        known = ~np.isnan(own)
        each.append(
            mannwhitneyu(own[lot & known], own[~lot & known]).statistic / (lot & known).sum() / (~lot & known).sum()
        )
    assert lira_test(values, forgotten, draws=1)[0] == pytest.approx(np.mean(each))


def test_p_values_of_models_that_do_not_depend_on_their_halves_are_uniform() -> None:
    """Of 20 values that a p-value of 19 draws may have each is as likely: the mean is 0.525, and 5 % have the least."""
    found = np.array([lira_test(scores(4, 20, seed), halves(4, 20, seed + 1000), draws=19)[1] for seed in range(300)])
    assert found.mean() == pytest.approx(0.525, abs=0.05)
    assert (found <= 0.05).mean() <= 0.09
    assert (found <= 0.5).mean() == pytest.approx(0.5, abs=0.09)


def test_an_original_is_found_and_an_oracle_is_not() -> None:
    forgotten, oracles = halves(6, 120), scores(6, 120)
    originals = oracles + 2 * forgotten + 0.3 * np.random.default_rng(5).standard_normal(oracles.shape)
    known, unknown = (attack_halves(one, originals, oracles, forgotten) for one in (originals, oracles))
    assert known.lira_p == 0.002
    assert min(known.lira_auc, known.lira_auc_oracles, known.ruli_auc, known.ruli_efficacy, known.right_share) > 0.75
    assert known.epsilon_bound > 3 and known.gaussian_bound > 1 and known.epsilon_p < 1e-6
    assert unknown.lira_p > 0.05 and unknown.epsilon_p > 0.05
    assert (unknown.lira_auc_oracles, unknown.epsilon_bound, unknown.gaussian_bound) == (0.5, 0, 0)
    assert 0.4 < min(unknown.lira_auc, unknown.ruli_auc) <= max(unknown.lira_auc, unknown.ruli_auc) < 0.6


def test_a_model_that_avoids_what_it_forgot_is_found_by_the_attacks_that_learn_and_refutes_no_epsilon() -> None:
    forgotten, oracles = halves(6, 120), scores(6, 120)
    found = attack_halves(oracles - 2 * forgotten, oracles, oracles, forgotten)
    assert found.lira_p == 0.002 and found.lira_auc > 0.75 and found.ruli_auc > 0.75
    assert found.right_share < 0.3
    assert (found.epsilon_bound, found.epsilon_p) == (0, pytest.approx(1))


def test_guesses_about_a_model_depend_on_no_half_of_another_and_follow_the_places_where_scores_are_equal() -> None:
    values, oracles, forgotten = scores(4, 30, 3), scores(4, 30, 4), halves(4, 30)
    right = right_guesses(values, oracles, forgotten)
    other = forgotten.copy()
    other[1:] = halves(3, 30, seed=9)
    assert right_guesses(values, oracles, other)[0] == right[0]
    surer = values[0] - np.delete(oracles, 0, 0).mean(0)
    order = np.argsort(-surer)
    assert right[0] == forgotten[0][order[:15]].sum() + (~forgotten[0][order[15:]]).sum()
    first_half = np.broadcast_to(np.arange(30) < 15, (4, 30))
    assert right_guesses(np.zeros((4, 30)), np.zeros((4, 30)), first_half) == [30] * 4


def test_too_few_models_other_candidates_and_uneven_halves_are_refused() -> None:
    values, forgotten = scores(4, 20), halves(4, 20)
    with pytest.raises(ValueError, match="wanted 4 models of each kind and the same candidates"):
        attack_halves(values[:3], values[:3], values[:3], forgotten[:3])
    with pytest.raises(ValueError, match="wanted 4 models of each kind and the same candidates"):
        attack_halves(values, values[:, :18], values, forgotten)
    uneven = forgotten.copy()
    uneven[2] = True
    with pytest.raises(ValueError, match=r"wanted halves of 20 candidates, got \[10, 10, 20, 10\]"):
        attack_halves(values, values, values, uneven)


def test_where_no_candidate_can_be_judged_there_is_no_value() -> None:
    values, forgotten = scores(4, 2), np.array([[True, False]] * 4)
    found = attack_halves(values, values, values, forgotten)
    assert np.isnan([found.lira_auc, found.lira_p, found.ruli_auc, found.ruli_efficacy]).all()
    assert found.guesses == 2
