"""IDI: InfoNCE written out, known information, the layers, and the lines of oracle, original and hidden model."""

from collections.abc import Callable
from math import log

import pytest
import torch
from torch import Tensor

from unlearning.audits import IDI, Evidence
from unlearning.audits._idi import information, information_difference, know_more
from unlearning.audits._logistic import fit_probe

EvidenceOf = Callable[[str], Evidence]
EvidenceOfRequest = Callable[[str, str], Evidence]


def sides(count: int) -> Tensor:
    return torch.arange(count) % 2


def features(count: int, shift: float, seed: int = 0) -> Tensor:
    """One Gaussian number an image, whose mean is the shift for side 1 and minus it for side 0; and one of noise."""
    drawn_M2 = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn_M2 + shift * (2 * sides(count)[:, None] - 1) * torch.tensor([1.0, 0.0])


def test_the_estimate_is_infonce_of_the_critics_on_the_images_that_they_were_not_fitted_to() -> None:
    features_M2, side_M = features(80, 0.7), sides(80)
    first_M = torch.arange(80) // 2 % 2 == 0
    terms = list[Tensor]()
    for fitted_M in (first_M, ~first_M):
        critic = fit_probe(features_M2[fitted_M], side_M[fitted_M])
        held_M = side_M[~fitted_M]
        scores_M2 = (features_M2[~fitted_M] - critic.mean_D) / critic.scale_D @ critic.weights_DK + critic.bias_K
        scores_MM = scores_M2[:, held_M]  # f(z of the row, y of the column)
        terms += [scores_MM.diagonal() - scores_MM.exp().mean(1).log()]
    assert information(features_M2, side_M) == pytest.approx(float(torch.cat(terms).mean()), abs=1e-12)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_of_gaussians_it_is_near_their_mutual_information(shift: float) -> None:
    """log 2 minus the mean entropy of the side given z, by numbers: two Gaussians at -shift and shift."""
    z_M = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    density_M = 0.5 * sum(torch.exp(-((z_M - sign * shift) ** 2) / 2) for sign in (-1, 1)) / (2 * torch.pi) ** 0.5
    share_M = torch.sigmoid(2 * shift * z_M)
    entropy_M = torch.special.entr(share_M) + torch.special.entr(1 - share_M)
    exact = log(2) - float(torch.trapezoid(density_M * entropy_M, z_M))
    assert information(features(4000, shift), sides(4000)) == pytest.approx(exact, abs=0.02)


def test_features_that_say_nothing_have_no_information_even_where_there_are_more_of_them_than_images() -> None:
    noise_MD = torch.randn(60, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert information(noise_MD, sides(60)) == 0


def test_the_difference_counts_only_layers_that_know_more_than_the_oracles() -> None:
    assert information_difference([0.5, 0.1, 0.3], [0.2, 0.4, 0.3]) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("originals", "more"),
    [
        ([[0.3, 0.2, 0.1]], True),
        ([[0.3, 0.1, 0.1]], False),
        ([[0.2, 0.2, 0.4], [0.2, 0.1, 0.1]], True),
        ([[0.6, 0.0, 0.0]], True),
        ([[0.5, 0.0, 0.0]], False),
    ],
)
def test_originals_that_know_more_in_one_layer_and_less_in_another_know_no_more(
    originals: list[list[float]], more: bool
) -> None:
    assert know_more(originals, [0.2, 0.2, 0.1]) is more


def values(evidence: Evidence, audit: IDI | None = None) -> dict[str, float]:
    return {name: value.value for name, value in (audit or IDI()).run(evidence)}


def test_a_hidden_original_is_found_and_an_oracle_is_not(evidence_of_request: EvidenceOfRequest) -> None:
    original, oracle, hidden = (values(evidence_of_request("class", row)) for row in ("original", "oracle", "hidden"))
    assert original["index"] == pytest.approx(1, abs=0.4)
    assert oracle["index"] < 0.5 * original["index"]
    assert oracle["information"] < original["information"]
    assert hidden == original


def test_of_a_random_request_there_is_no_index_and_no_test(evidence_of: EvidenceOf) -> None:
    assert values(evidence_of("original")).keys() == {"difference"}


def test_layers_end_with_the_penultimate_features_and_are_averaged_over_pixels(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    network, images_NCHW = evidence.networks.audited, evidence.images("test")
    layers = network.layer_features(images_NCHW, 3)
    assert [layer.shape for layer in layers] == [(80, 8), (80, 16), (80, 32)]
    torch.testing.assert_close(layers[-1], network.features(images_NCHW))
    assert len(network.layer_features(images_NCHW, 9)) == 4
    first_ND = network.layer_features(images_NCHW, 4)[0]
    pixels_N = images_NCHW.double().mean((1, 2, 3))
    assert torch.corrcoef(torch.stack([first_ND[:, 0], pixels_N]))[0, 1] == pytest.approx(1)


def test_more_layers_know_at_least_as_much(evidence_of_request: EvidenceOfRequest) -> None:
    one, three = (values(evidence_of_request("class", "original"), IDI(layers=layers)) for layers in (1, 3))
    assert one["information"] < three["information"]
