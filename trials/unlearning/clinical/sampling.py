"""Which test images might have been drawn instead: 95 % intervals over images, or over patients where they are known.

Images of one patient are alike, so that many images of few patients say less than they seem to. Where the data names
patients, these are drawn with replacement, each with all images, and an interval holds the middle 95 % of what the
draws give. It is never shorter than that over images, which a bootstrap of few patients can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

from unlearning.clinical.differences import PairedCounts
from unlearning.clinical.intervals import Proportion
from unlearning.roc import Area, Placements

DRAWS: Final = 1000
"""Draws of patients."""

FEWEST_PATIENTS: Final = 10
"""Patients below which a bootstrap is too narrow, and no interval is made."""

Interval = tuple[float, float]


class ImageSampling:
    """Images are drawn one by one."""

    def of_share(self, hit_N: Tensor, of_N: Tensor) -> Interval | None:
        """Return Wilson's interval of the share of hits among some images, at least one; both bool, (N,)."""
        return Proportion(int((hit_N & of_N).sum()), int(of_N.sum())).interval

    def of_difference(self, first_N: Tensor, second_N: Tensor, of_N: Tensor) -> Interval | None:
        """Return Newcombe's interval of the first model's share of hits minus the second's; all bool, (N,)."""
        return PairedCounts.count(first_N[of_N], second_N[of_N]).interval

    def of_area(self, area: Area, placements_K: Sequence[Placements], positive_KN: Tensor) -> Interval | None:
        """Return DeLong's interval of an area, of the mean of several, or of a difference.

        Args:
            placements_K: of the areas whose mean it is.
            positive_KN: which images are the positives of each, bool.
        """
        return area.interval


@dataclass(frozen=True, eq=False)
class PatientSampling(ImageSampling):
    """Patients are drawn, each with all images.

    Areas are resampled by what each image adds to them (`Placements`), as in DeLong's variance.

    Source: Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society B 2007.

    Attributes:
        patient_N: for each image the number of its patient, int64.
        drawn_BP: how often each patient is drawn, float32.
    """

    patient_N: Tensor
    drawn_BP: Tensor

    @classmethod
    def of(cls, patients_N: Sequence[str], random: torch.Generator) -> Self:
        """Draw the patients that are named for each image; an image without a name is a patient of its own."""
        numbers = dict[str | int, int]()
        patient_N = [numbers.setdefault(name or image, len(numbers)) for image, name in enumerate(patients_N)]
        chosen_BP = torch.randint(len(numbers), (DRAWS, len(numbers)), generator=random)
        drawn_BP = torch.zeros(chosen_BP.shape).scatter_add_(1, chosen_BP, torch.ones(chosen_BP.shape))
        return cls(torch.tensor(patient_N), drawn_BP)

    def of_share(self, hit_N: Tensor, of_N: Tensor) -> Interval | None:
        """Return the interval of a share; where all or none are hits, Wilson's, in which a patient counts once."""
        patients, hits = self._patients(of_N), int((hit_N & of_N).sum())
        if hits in (0, int(of_N.sum())) and patients >= FEWEST_PATIENTS:
            return Proportion(patients if hits else 0, patients).interval
        return self._wider(super().of_share(hit_N, of_N), self._means(hit_N, of_N), patients)

    def of_difference(self, first_N: Tensor, second_N: Tensor, of_N: Tensor) -> Interval | None:
        """Return the interval of the first model's share of hits minus the second's."""
        draws_B = self._means(first_N.double() - second_N.double(), of_N)
        return self._wider(super().of_difference(first_N, second_N, of_N), draws_B, self._patients(of_N))

    def of_area(self, area: Area, placements_K: Sequence[Placements], positive_KN: Tensor) -> Interval | None:
        """Return the interval of an area, of the mean of several, or of a difference."""
        draws_B, patients = torch.zeros(DRAWS, dtype=torch.float64), len(self.drawn_BP.T)
        for placements, positive_N in zip(placements_K, positive_KN, strict=True):
            for side_S, of_N in ((placements.positives_P, positive_N), (placements.negatives_M, ~positive_N)):
                added_N = torch.zeros(len(of_N), dtype=torch.float64)
                added_N[of_N] = side_S - area.value / 2
                draws_B += self._means(added_N, of_N) / len(placements_K)
                patients = min(patients, self._patients(of_N))
        found = self._wider(super().of_area(area, placements_K, positive_KN), draws_B, patients)
        return found and (max(area.least, found[0]), min(1.0, found[1]))

    def _means(self, values_N: Tensor, of_N: Tensor) -> Tensor:
        """Return the mean of some images' values in each draw: float64, (B,), nan without such an image."""
        sums_P, counts_P = torch.zeros(2, self.drawn_BP.shape[1]).unbind()
        sums_P.index_add_(0, self.patient_N[of_N], values_N[of_N].float())
        counts_P.index_add_(0, self.patient_N[of_N], torch.ones(int(of_N.sum())))
        return (self.drawn_BP @ sums_P).double() / (self.drawn_BP @ counts_P).double()

    def _patients(self, of_N: Tensor) -> int:
        """Count the patients that some images are of."""
        return len(self.patient_N[of_N].unique())

    def _wider(self, of_images: Interval | None, draws_B: Tensor, patients: int) -> Interval | None:
        """Join the middle 95 % of the draws and the interval over images; None without the latter or with too few."""
        if of_images is None or patients < FEWEST_PATIENTS:
            return None
        ends = draws_B[~draws_B.isnan()].quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
        return min(of_images[0], float(ends[0])), max(of_images[1], float(ends[1]))
