"""What a metric is computed from: a model's predictions, its forget and retain images, its oracle.

What several metrics need (the predictions of a group of images, their losses, the membership attack) is computed when
the first of them asks for it, and once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from unlearning.metrics._predictions import Predictions
from unlearning.metrics.membership import Attack, AttackClasses, Feature, draw_matched, draw_members, fit_attack
from unlearning.seeds import generator

Split = Literal["train", "val", "test"]
Group = Literal["forget", "retain", "control", "train", "val", "test"]
"""A set of images: D_f, D_r and the control half, which make up the train split, or a split."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model, ready to be measured.

    Attributes:
        predictions: by split; a search has none of test.
        forget_F, retain_R: indices into train, int64.
        nonmembers: the split that the membership attack takes its non-members from.
        attack_classes: of which classes the attack's members and non-members are.
        seed: of everything that a metric draws; a model and its oracle share it.
        control_C: indices into train of the images that no model was trained on, int64; mostly empty.
        unit_N: for each train image the first one of those that are forgotten, kept or left out together (duplicates):
            int64; None: each by itself.
        columns: what else is known of each image, by split and by name, a text an image; mostly empty.
        oracle: the paired oracle; None where there is nothing to compare with.
        references: the models that the gap is taken to: the paired oracle, or for an oracle those of the other seeds.
    """

    predictions: Mapping[Split, Predictions]
    forget_F: Tensor
    retain_R: Tensor
    nonmembers: Split
    seed: int
    oracle: "Evaluation | None" = None
    references: "tuple[Evaluation, ...]" = ()
    control_C: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    unit_N: Tensor | None = None
    columns: Mapping[Split, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    attack_classes: AttackClasses = "all"
    _groups: dict[Group, Predictions] = field(default_factory=dict, repr=False)
    _losses: dict[Group, Tensor] = field(default_factory=dict, repr=False)
    _attacks: dict[Feature, Attack] = field(default_factory=dict, repr=False)
    _called: dict[tuple[Feature, Group], Tensor] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> int:
        """The number of classes, K."""
        return self.predictions["train"].logits_NK.shape[1]

    @property
    def subsets(self) -> Mapping[Group, Tensor]:
        """The groups of train images: indices into train, int64."""
        return {"forget": self.forget_F, "retain": self.retain_R, "control": self.control_C}

    def of(self, group: Group) -> Predictions:
        """Return the predictions for a group of images.

        Raises:
            ValueError: the model was not evaluated on them.
        """
        if group not in self._groups:
            self._groups[group] = self._select(group)
        return self._groups[group]

    def losses(self, group: Group) -> Tensor:
        """Return the loss of each image of a group, float64, (N,): its cross-entropy (`unlearning.tasks`).

        Raises:
            ValueError: as `of`.
        """
        if group not in self._losses:
            predictions = self.of(group)
            self._losses[group] = predictions.task.losses(predictions.logits_NK.double(), predictions.labels_N)
        return self._losses[group]

    def attack_sides(self) -> tuple[Predictions, Predictions]:
        """Return the members and the non-members of the membership attack, equally many, the same for every model."""
        retain, nonmembers, random = self.of("retain"), self.of(self.nonmembers), generator(self.seed, "members")
        if self.attack_classes == "forgotten":
            return draw_matched(retain, nonmembers, self.of("forget"), random)
        return draw_members(retain, nonmembers, random)

    def called_nonmember(self, feature: Feature, group: Group = "forget") -> Tensor:
        """Return which images of a group the attack by a feature takes for non-members: bool, (N,), on the CPU.

        Raises:
            ValueError: as `of`.
        """
        if (feature, group) not in self._called:
            self._called[feature, group] = self._attack(feature).called_nonmember(self.of(group))
        return self._called[feature, group]

    def _attack(self, feature: Feature) -> Attack:
        if feature not in self._attacks:
            self._attacks[feature] = fit_attack(*self.attack_sides(), feature)
        return self._attacks[feature]

    def _select(self, group: Group) -> Predictions:
        if group in ("train", "val", "test") and group in self.predictions:
            return self.predictions[group]
        if group in self.subsets:
            return self.of("train").at(self.subsets[group])
        known = ", ".join(self.predictions)
        raise ValueError(f"the model was not evaluated on the split '{group}', only on {known}")
