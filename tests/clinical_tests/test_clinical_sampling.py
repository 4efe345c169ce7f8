"""Intervals over patients: they cover where those over images do not, and say nothing of few patients."""

import torch
from torch import Tensor

from unlearning.clinical import FEWEST_PATIENTS, ImageSampling, PatientSampling, Proportion, class_placements
from unlearning.roc import Area


def of(patients: list[str], seed: int = 0) -> PatientSampling:
    return PatientSampling.of(patients, torch.Generator().manual_seed(seed))


def test_the_interval_of_a_share_covers_it_where_images_of_a_patient_are_alike() -> None:
    """60 patients with 8 images each, whose hits a patient decides nearly alone; the true share is 0.7."""
    random = torch.Generator().manual_seed(0)
    sampling, everything_N = of([f"p{index // 8}" for index in range(480)]), torch.ones(480, dtype=torch.bool)
    covered_by_patients, covered_by_images = 0, 0
    for _ in range(400):
        of_patient_N = (torch.rand(60, generator=random) < 0.7).repeat_interleave(8)
        flipped_N = torch.rand(480, generator=random) < 0.1
        hit_N = torch.where(flipped_N, torch.rand(480, generator=random) < 0.7, of_patient_N)
        for found, which in ((sampling, "patients"), (ImageSampling(), "images")):
            low, high = found.of_share(hit_N, everything_N) or (0.0, 0.0)
            covered_by_patients += which == "patients" and low <= 0.7 <= high
            covered_by_images += which == "images" and low <= 0.7 <= high
    assert 0.92 * 400 <= covered_by_patients <= 0.98 * 400
    assert covered_by_images < 0.7 * 400


def drawn(random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores of 80 patients with 4 images of one label; most of a score is its patient's, positives are 1 higher."""
    labels_N = (torch.arange(320) // 4) % 2
    of_patient_N = torch.randn(80, generator=random).repeat_interleave(4)
    scores_N = labels_N + 0.9**0.5 * of_patient_N + 0.1**0.5 * torch.randn(320, generator=random)
    return scores_N.double(), labels_N


def test_the_interval_of_an_area_covers_it_where_images_of_a_patient_are_alike() -> None:
    random, sampling = torch.Generator().manual_seed(1), of([f"p{index // 4}" for index in range(320)])
    true = 0.5 * (1 + torch.erf(torch.tensor(0.5)).item())
    covered, widths = 0, 0.0
    for _ in range(300):
        scores_N, labels_N = drawn(random)
        _, found = class_placements(torch.stack([-scores_N, scores_N], dim=1), labels_N)
        assert found is not None
        low, high = sampling.of_area(found.area, [found], labels_N[None] == 1) or (0.0, 0.0)
        covered += low <= true <= high
        alone = found.area.interval or (0.0, 0.0)
        widths += (high - low) / (alone[1] - alone[0])
    assert 0.92 * 300 <= covered <= 0.98 * 300
    assert 1.7 < widths / 300 < 2.1


def test_of_patients_with_one_image_the_ends_are_about_those_over_images() -> None:
    random = torch.Generator().manual_seed(2)
    first_N, second_N, of_N = (torch.rand(400, generator=random) < share for share in (0.8, 0.75, 0.9))
    for found in (of([f"p{index}" for index in range(400)]), of([""] * 400)):
        ends = torch.tensor([found.of_share(first_N, of_N) or (), found.of_difference(first_N, second_N, of_N) or ()])
        images = ImageSampling()
        over_images = torch.tensor([images.of_share(first_N, of_N), images.of_difference(first_N, second_N, of_N)])
        assert torch.allclose(ends, over_images, atol=0.01)
        assert (ends[:, 0] <= over_images[:, 0]).all()
        assert (ends[:, 1] >= over_images[:, 1]).all()


def test_where_all_are_hits_a_patient_counts_as_one_image() -> None:
    sampling, everything_N = of([f"p{index // 10}" for index in range(200)]), torch.ones(200, dtype=torch.bool)
    assert sampling.of_share(everything_N, everything_N) == Proportion(20, 20).interval
    assert sampling.of_share(~everything_N, everything_N) == Proportion(0, 20).interval


def test_of_too_few_patients_or_without_any_variance_there_is_no_interval() -> None:
    patients = [f"p{index % (FEWEST_PATIENTS - 1)}" for index in range(100)]
    few, hit_N, everything_N = of(patients), torch.arange(100) < 60, torch.ones(100, dtype=torch.bool)
    assert few.of_share(hit_N, everything_N) is None
    assert few.of_share(everything_N, everything_N) is None
    assert few.of_difference(hit_N, everything_N, everything_N) is None
    many = of([f"p{index}" for index in range(100)])
    assert many.of_share(hit_N, torch.arange(100) < FEWEST_PATIENTS - 1) is None
    assert many.of_share(hit_N, everything_N) is not None
    assert many.of_area(Area(1.0, 0.0), [], torch.ones(0, 100, dtype=torch.bool)) is None


def test_the_same_seed_draws_the_same_patients() -> None:
    first, second, other = (of(["p", "q", "", "q"], seed).drawn_BP for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert (first.sum(1) == 3).all()
