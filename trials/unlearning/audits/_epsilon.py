"""Guessing which half was forgotten: a lower bound on how far unlearning is from retraining, as an epsilon."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Interval, MultipleOf
from pydantic import Field
from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.audits._scores import by_unit, scaled_confidence, units_of
from unlearning.guessing import Guesses, gaussian_bound, mean_bound, median_bound
from unlearning.metrics import Evaluation, Group, Value


class EpsilonBound(Audit):
    """A lower bound on epsilon, from guessing which of the two halves was forgotten.

    Each unit's score is the model's scaled confidence minus the mean of oracles, which have seen neither half. The
    highest scores are guessed to be of the forget set, the lowest of the control half. The bound is for the whole
    forget set and grows with the number of guesses: only bounds of the same number can be compared. A destroyed model
    betrays nothing, and its bound is 0; so read RA and TA beside it. 0 means that nothing was detected.

    Source: see `unlearning.guessing`.
    """

    name: Literal["epsilon"] = "epsilon"
    title: ClassVar[str] = "epsilon lower bound by guessing the half"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Auditing of unlearning algorithms, 2026; halved, with an exactly balanced half"
    needs_control: ClassVar[bool] = True
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "p": Statistic("chance of so many right guesses if the model ignores the lot", "", "higher", "p-value"),
        "bound": Statistic("epsilon that the guesses refute, by the exact test of one run", "", "lower", None),
        "mean_bound": Statistic("epsilon that the guesses refute, by the bound of the mean test", "", "lower", None),
        "gaussian_bound": Statistic("mu of Gaussian differential privacy that the guesses refute", "", "lower", None),
        "right": Statistic("share of the guesses that are right; one half by chance", test=None),
    }
    references: Annotated[int, Ge(1), Field(description="reference models: oracles of other training seeds")] = 4
    guesses: Annotated[
        int,
        Ge(2),
        MultipleOf(2),
        Field(description="how many of the images of both halves are guessed, half of them as forgotten; at most all"),
    ] = 100
    level: Annotated[
        float, Interval(gt=0, lt=0.5), Field(description="chance of a bound that is too large, of which 0.05 is usual")
    ] = 0.05

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The oracles."""
        return {"references": ModelPool("retain", self.references)}

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Guess and compare with the truth; nothing where the request has no control half."""
        audited, references = evidence.audited, evidence.pools["references"]
        if not len(audited.control_C):
            return
        forget_U, control_U = (_beside(references, audited, group) for group in ("forget", "control"))
        if len(forget_U) != len(control_U):
            raise ValueError(f"wanted halves of equally many units, got {len(forget_U)} and {len(control_U)}")
        law = Guesses(2 * len(forget_U), min(self.guesses, 2 * len(forget_U)))
        halves = audited.forget_F, audited.control_C
        names_M = torch.cat([units_of(indices_M, audited.unit_N) for indices_M in halves])
        right = _right(torch.cat([forget_U, control_U]), names_M, law.guesses)
        yield "p", Value("forget", law.tail([right]), law.guesses)
        yield "bound", Value("forget", median_bound(law, [right], self.level), law.guesses)
        yield "mean_bound", Value("forget", mean_bound(law, [right], self.level), law.guesses)
        yield "gaussian_bound", Value("forget", gaussian_bound(law, [right], self.level), law.guesses)
        yield "right", Value("forget", right / law.guesses, law.guesses)


def _beside(references: tuple[Evaluation, ...], audited: Evaluation, group: Group) -> Tensor:
    """Return how much surer than the references the model is of each unit of a group."""
    expected_RM = torch.stack([scaled_confidence(one.of(group)) for one in references])
    surer_M = scaled_confidence(audited.of(group)) - expected_RM.mean(0)
    return by_unit(surer_M, audited.subsets[group], audited.unit_N)


def _right(scores_M: Tensor, names_M: Tensor, guesses: int) -> int:
    """Count the right guesses about candidates whose first half was forgotten; names decide between equal scores."""
    by_name_M = names_M.argsort()
    order_M = by_name_M[scores_M[by_name_M].argsort(descending=True, stable=True)]
    was_forgotten_M = order_M < len(order_M) // 2
    named, unseen = was_forgotten_M[: guesses // 2], ~was_forgotten_M[-(guesses // 2) :]
    return int(named.sum() + unseen.sum())
