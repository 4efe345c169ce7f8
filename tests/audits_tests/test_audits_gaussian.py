"""The Gaussian unlearning score: its law for models that never saw the noise, and what an original does."""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import pytest
import torch
from scipy.stats import norm

from unlearning.audits import Evidence, GaussianScore
from unlearning.audits._gaussian import noise_scores
from unlearning.data import Planted

EvidenceOf = Callable[[str], Evidence]
EvidenceOfRequest = Callable[[str, str], Evidence]


def values(evidence: Evidence) -> dict[str, float]:
    return {name: value.value for name, value in GaussianScore().run(evidence)}


def planted_in(evidence: Evidence) -> Planted:
    assert evidence.planted is not None
    return evidence.planted


def test_the_gradient_is_that_of_the_loss_by_the_pixels(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    network, labels_N = evidence.networks.audited, evidence.audited.of("test").labels_N
    images_NCHW = evidence.images("test")
    gradients_NCHW = network.input_gradients(images_NCHW, labels_N)
    assert gradients_NCHW.shape == images_NCHW.shape
    model = network.restored().model.double().eval()
    pixels_NCHW = images_NCHW.double() / 255
    step_NCHW = torch.zeros_like(pixels_NCHW)
    step_NCHW[:, :, 5, 5] = 1e-6

    def losses(shift: float) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(pixels_NCHW + shift * step_NCHW), labels_N, reduction="none")

    with torch.no_grad():
        slopes_N = (losses(1) - losses(-1)) / 2e-6
    torch.testing.assert_close(gradients_NCHW[:, 0, 5, 5], slopes_N, rtol=1e-4, atol=1e-6)


def test_of_noise_that_a_model_never_saw_the_score_is_standard_normal(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    images_NCHW, labels_N = evidence.images("forget"), evidence.audited.of("forget").labels_N
    gradients_NCHW = evidence.networks.audited.input_gradients(images_NCHW, labels_N)
    random = torch.Generator().manual_seed(0)
    scores = torch.stack(
        [noise_scores(gradients_NCHW, 0.2 * torch.randn(images_NCHW.shape, generator=random)) for _ in range(200)]
    )
    z_200 = scores.mean(1) * sqrt(scores.shape[1])
    assert float(z_200.mean()) == pytest.approx(0, abs=0.2)
    assert float(z_200.std()) == pytest.approx(1, abs=0.15)
    assert float((2 * torch.special.ndtr(-z_200.abs()) < 0.05).double().mean()) < 0.1


def test_the_size_of_the_noise_and_of_the_gradient_do_not_count() -> None:
    random = torch.Generator().manual_seed(0)
    gradients_FCHW, noise_FCHW = torch.randn(2, 10, 1, 4, 4, generator=random, dtype=torch.float64)
    scores_F = noise_scores(gradients_FCHW, noise_FCHW)
    torch.testing.assert_close(noise_scores(7 * gradients_FCHW, 0.1 * noise_FCHW), scores_F)
    gradients_FCHW[3] = 0
    assert len(noise_scores(gradients_FCHW, noise_FCHW)) == 9


def test_an_original_leans_towards_the_noise_and_an_oracle_does_not(evidence_of_request: EvidenceOfRequest) -> None:
    original, oracle, hidden = (
        values(evidence_of_request("gaussian", row)) for row in ("original", "oracle", "hidden")
    )
    assert original["z"] < -4
    assert original["p"] < 1e-4
    assert abs(oracle["z"]) < 2.5
    assert hidden["p"] < 0.01


def test_z_and_p_follow_from_the_mean_and_the_number_of_canaries(evidence_of_request: EvidenceOfRequest) -> None:
    found = dict(GaussianScore().run(evidence_of_request("gaussian", "oracle")))
    count = found["mean"].n
    assert count == 40
    assert found["z"].value == pytest.approx(found["mean"].value * sqrt(count))
    assert found["p"].value == pytest.approx(2 * norm.sf(abs(found["z"].value)))


def test_another_noise_than_the_one_that_was_trained_on_is_not_found(evidence_of_request: EvidenceOfRequest) -> None:
    evidence = evidence_of_request("gaussian", "original")
    planted = planted_in(evidence)
    other_FCHW = torch.randn(planted.labels_F.shape[0], 1, 12, 12, generator=torch.Generator().manual_seed(5))
    assert abs(values(replace(evidence, planted=replace(planted, noise_FCHW=other_FCHW)))["z"]) < 2.5


def test_it_finds_nothing_where_no_noise_was_planted(
    evidence_of: EvidenceOf, evidence_of_request: EvidenceOfRequest
) -> None:
    assert values(evidence_of("original")) == {}
    assert values(evidence_of_request("confusion", "original")) == {}
