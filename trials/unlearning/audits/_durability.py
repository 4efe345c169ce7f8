"""Durability: whether what was forgotten comes back by what happens to every deployed model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

import torch
from annotated_types import Gt
from pydantic import Field

from unlearning.audits._accuracy import share_right
from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, Statistic
from unlearning.audits._treatments import estimate_batch_norm, round_to_bfloat16, round_to_int8
from unlearning.engine import Engine, part_of
from unlearning.metrics import Group, Value, accuracy
from unlearning.seeds import derive, generator, seeded

_AFTER: Final[Mapping[str, str]] = {
    "bfloat16": "its weights are rounded to bfloat16",
    "int8": "its weights are rounded to int8",
    "batch_norm": "batch-norm statistics are estimated anew on the retain set",
    "training": "one more epoch of training on the retain set",
}
_GROUPS: Final[tuple[Group, ...]] = ("forget", "retain", "test")


class Durability(Audit):
    """Accuracy on D_f, D_r and test after each of four treatments, and how much of that on D_f comes back by it.

    Sources: quantisation restores what language models had unlearned: Zhang et al., "Catastrophic failure of LLM
    unlearning via quantization", ICLR 2025 (arXiv 2410.16454); fine-tuning on D_r: arXiv 2505.22310.
    """

    name: Literal["durability"] = "durability"
    title: ClassVar[str] = "durability of forgetting"
    version: ClassVar[int] = 2
    source: ClassVar[str] = "Zhang et al., Catastrophic failure of LLM unlearning via quantization, ICLR 2025"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        name: statistic
        for treatment, phrase in _AFTER.items()
        for name, statistic in (
            (f"{treatment}_accuracy", Statistic(f"accuracy after {phrase}", test=None)),
            (
                f"{treatment}_regained",
                Statistic(f"accuracy on D_f after {phrase}, minus before", test="mean"),
            ),
        )
    }
    looks_at: ClassVar[LooksAt] = "recovery"
    needs_network: ClassVar[bool] = True
    needs_oracle: ClassVar[bool] = False
    lr: Annotated[float, Gt(0), Field(description="learning rate of the further epoch, which falls to zero")] = 0.01

    @property
    def training_epochs(self) -> int:
        """The one further epoch."""
        return 1

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Treat the audited weights in each way, and measure."""
        before = accuracy(evidence.audited.of("forget"))
        treatments: dict[str, Callable[[Evidence], Engine]] = {
            "bfloat16": _in_bfloat16,
            "int8": _in_int8,
            "batch_norm": _with_new_statistics,
            "training": self._trained,
        }
        for name, treat in treatments.items():
            engine = treat(evidence)
            after = {
                group: share_right(engine, evidence.images(group), evidence.audited.of(group).labels_N)
                for group in _GROUPS
            }
            for group, share in after.items():
                yield f"{name}_accuracy", Value(group, share, len(evidence.audited.of(group)))
            yield f"{name}_regained", Value("forget", after["forget"] - before, len(evidence.audited.forget_F))

    def _trained(self, evidence: Evidence) -> Engine:
        audited, seed = evidence.audited, derive(evidence.seed, "training")
        [engine] = evidence.networks.audited.trained_further(
            audited.retain_R, audited.of("train").labels_N, epochs=1, lr=self.lr, seed=seed
        )
        return engine


def _in_bfloat16(evidence: Evidence) -> Engine:
    engine = evidence.networks.audited.restored()
    round_to_bfloat16(engine.model)
    return engine


def _in_int8(evidence: Evidence) -> Engine:
    engine = evidence.networks.audited.restored()
    round_to_int8(engine.model)
    return engine


def _with_new_statistics(evidence: Evidence) -> Engine:
    network, images_RCHW = evidence.networks.audited, evidence.images("retain")
    order_R = torch.randperm(len(images_RCHW), generator=generator(evidence.seed, "batches"))
    engine = network.restored()
    with seeded(derive(evidence.seed, "network"), engine.device):
        estimate_batch_norm(engine, part_of(images_RCHW, order_R), network.recipe.batch_size)
    return engine
