"""Distance of outputs: how far the probabilities of the forget set are from those of models that have not seen it."""

from collections.abc import Iterator, Mapping
from math import log
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from pydantic import Field
from torch import Tensor
from torch.special import entr

from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.metrics import Evaluation, Value


class OutputDistance(Audit):
    """Jensen-Shannon divergence and activation distance of probabilities on D_f, per image, averaged.

    To the paired oracle, and to oracles of other seeds: how far two oracles are from each other, in the row of the
    oracle, is the floor that no method needs to fall below. Of several labels an image, the divergence is the mean over
    the labels.

    Source: Chundawat et al., "Can bad teaching induce forgetting?" (AAAI 2023, arXiv 2205.08096), for both. Public code
    of the divergence also averages over classes, which makes it small for any model; here each image has a whole one.
    """

    name: Literal["output_distance"] = "output_distance"
    title: ClassVar[str] = "distance of outputs on the forget set"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Chundawat et al., Can bad teaching induce forgetting?, AAAI 2023"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "js_paired": Statistic("mean Jensen-Shannon divergence to the paired oracle", "bits", "lower", None),
        "js_other": Statistic("the same to oracles of other seeds", "bits", test="mean"),
        "l2_paired": Statistic("mean L2 distance of probabilities to the paired oracle's", "", "lower", None),
        "l2_other": Statistic("the same to oracles of other seeds", "", test=None),
    }
    oracles: Annotated[int, Ge(1), Field(description="oracles of other training seeds")] = 1

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The oracles of other seeds."""
        return {"oracles": ModelPool("retain", self.oracles)}

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Compare probabilities, image by image; an oracle's distance to itself is 0."""
        audited, oracles = evidence.audited, evidence.pools["oracles"]
        for name, distance_F, outputs in (
            ("js", jensen_shannon, forget_distribution),
            ("l2", activation_distance, forget_probabilities),
        ):
            own_FK = outputs(audited)
            if audited.oracle is not None:
                paired = float(distance_F(own_FK, outputs(audited.oracle)).mean())
                yield f"{name}_paired", Value("forget", paired, len(own_FK))
            others = [float(distance_F(own_FK, outputs(oracle)).mean()) for oracle in oracles]
            yield f"{name}_other", Value("forget", sum(others) / len(others), len(own_FK))


def jensen_shannon(first_NK: Tensor, second_NK: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of each pair of distributions, in bits: (N,), in [0, 1].

    It is H((p + q) / 2) - (H(p) + H(q)) / 2, the square of scipy's ``jensenshannon`` with base 2.
    """
    middle_NK = (first_NK + second_NK) / 2
    nats_N: Tensor = entr(middle_NK).sum(1) - (entr(first_NK).sum(1) + entr(second_NK).sum(1)) / 2
    return (nats_N / log(2)).clamp(0, 1)


def activation_distance(first_NK: Tensor, second_NK: Tensor) -> Tensor:
    """Return the Euclidean distance of each pair of probabilities: (N,), in [0, sqrt(2)] of one class an image."""
    distance_N: Tensor = (first_NK - second_NK).norm(dim=1)
    return distance_N


def forget_probabilities(model: Evaluation) -> Tensor:
    """Return a model's probabilities on D_f: float64, (F, K), on the CPU."""
    forget = model.of("forget")
    return forget.task.probabilities(forget.logits_NK.detach().cpu().double())


def forget_distribution(model: Evaluation) -> Tensor:
    """Return a model's predictions on D_f, each as one distribution (`LabelTask.distribution`): float64, (F, M)."""
    forget = model.of("forget")
    return forget.task.distribution(forget.logits_NK.detach().cpu().double())
