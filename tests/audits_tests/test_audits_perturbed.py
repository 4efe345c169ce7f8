"""Perturbed images: the noise, and what a model that has learnt images by heart gives away around them."""

from collections.abc import Callable

import pytest
import torch

from unlearning.audits import Evidence, Perturbed
from unlearning.audits._perturbed import with_noise
from unlearning.metrics import accuracy

EvidenceOf = Callable[[str], Evidence]


def found(evidence: Evidence, audit: Perturbed) -> dict[tuple[str, str | None], float]:
    return {(name, value.group): value.value for name, value in audit.run(evidence)}


def test_the_noise_has_the_wanted_deviation_and_is_cut_to_the_range_of_a_pixel() -> None:
    grey_NCHW = torch.full((300, 1, 16, 16), 128, dtype=torch.uint8)
    noisy_NCHW = with_noise(grey_NCHW, 0.05, torch.Generator().manual_seed(0))
    assert noisy_NCHW.dtype == torch.uint8
    assert float(noisy_NCHW.double().mean()) == pytest.approx(128, abs=0.1)
    assert float(noisy_NCHW.double().std()) == pytest.approx(0.05 * 255, rel=0.01)
    white_NCHW = with_noise(torch.full_like(grey_NCHW, 255), 0.05, torch.Generator().manual_seed(0))
    assert int(white_NCHW.max()) == 255
    assert float((white_NCHW == 255).double().mean()) == pytest.approx(0.5, abs=0.05)


def test_the_original_knows_the_neighbours_of_forgotten_images_and_the_oracle_does_not(evidence_of: EvidenceOf) -> None:
    original, oracle = (found(evidence_of(name), Perturbed()) for name in ("original", "oracle"))
    assert original[("advantage", "forget")] > oracle[("advantage", "forget")] + 0.2
    for one in (original, oracle):
        difference = one[("accuracy", "forget")] - one[("accuracy", "test")]
        assert one[("advantage", "forget")] == pytest.approx(difference)


def test_no_noise_to_speak_of_gives_the_accuracy_that_was_measured(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    values = found(evidence, Perturbed(sigma=1e-6, draws=1))
    assert values[("accuracy", "forget")] == pytest.approx(accuracy(evidence.audited.of("forget")))


def test_a_lot_of_noise_leaves_nothing_to_recognise(evidence_of: EvidenceOf) -> None:
    values = found(evidence_of("original"), Perturbed(sigma=10.0))
    assert values[("accuracy", "forget")] < 0.6


def test_a_model_that_answers_nothing_but_one_class_has_no_advantage_from_the_mix_of_classes(
    evidence_of: EvidenceOf,
) -> None:
    evidence = evidence_of("original")
    network = evidence.networks.audited
    for name in ("1.11.weight", "1.11.bias"):
        network.weights[name].zero_() if name.endswith("weight") else network.weights[name].copy_(torch.eye(3)[0])
    assert found(evidence, Perturbed(draws=1))[("advantage", "forget")] == pytest.approx(0, abs=1e-12)
