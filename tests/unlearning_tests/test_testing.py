"""The contract suites find what breaks a contract, and need no test framework."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import pytest
import torch
from annotated_types import Ge
from torch import nn

from unlearning.data import RawData, Source, Split, Synthetic
from unlearning.methods import FineTune, UnlearningContext
from unlearning.models import Network
from unlearning.testing import METHOD_CHECKS, NETWORK_CHECKS, SOURCE_CHECKS


def broken(checks: Any, member: Any) -> set[str]:
    """Names the checks that a member fails."""
    found = set()
    for check in checks:
        try:
            check(member)
        except AssertionError:
            found.add(check.__name__)
    return found


class Unseeded(FineTune):
    """Draws from a generator that the operating system seeds."""

    name: Literal["unseeded"] = "unseeded"  # type: ignore[assignment]

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        for loss in super().unlearn(context, seed):
            with torch.no_grad():
                for parameter in context.model.parameters():
                    random = torch.Generator()
                    random.seed()
                    parameter += 0.1 * torch.randn(parameter.shape, generator=random)
            yield loss


class Short(FineTune):
    """Ends before its epochs do."""

    name: Literal["short"] = "short"  # type: ignore[assignment]

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        for loss in super().unlearn(context, seed):
            yield loss
            return


def test_a_method_that_draws_from_no_seed_is_found() -> None:
    assert broken(METHOD_CHECKS, Unseeded(epochs=1, batch_size=64)) >= {
        "repeats_bit_for_bit_in_a_model_that_was_used_before",
        "repeats_bit_for_bit_with_augmented_views",
    }


def test_a_method_that_ends_early_is_found() -> None:
    assert "gives_its_epochs_in_order_with_finite_losses_and_logits" in broken(METHOD_CHECKS, Short(epochs=2))


class Mixing(Network):
    """Centres its logits over the batch, has a weight that it does not use, and draws from a seed of its own."""

    name: Literal["mixing"] = "mixing"
    version: ClassVar[int] = 1
    width: Annotated[int, Ge(1)] = 4

    def body(self, channels: int, classes: int) -> nn.Module:
        torch.manual_seed(0)
        return Centred(channels, classes)


class Centred(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(channels, classes)
        self.unused = nn.Linear(1, 1)

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        logits_NK: torch.Tensor = self.head(images_NCHW.mean((2, 3)))
        return logits_NK - logits_NK.mean(0)


def test_a_network_that_mixes_images_wastes_weights_and_ignores_the_seed_is_found() -> None:
    assert broken(NETWORK_CHECKS, Mixing()) == {
        "draws_its_weights_from_the_seed_alone",
        "every_weight_gets_a_gradient",
        "treats_each_image_by_itself_when_it_evaluates",
    }


class Restless(Source):
    """Returns other images at each reading."""

    source: Literal["restless"] = "restless"
    version: ClassVar[int] = 1

    def read(self) -> RawData:
        raw = Synthetic(train=30, val=12, test=12, classes=3, size=8).read()
        noisy = torch.randint_like(raw.splits["train"].images_NCHW, 256)
        train = Split(noisy, raw.splits["train"].labels_N)
        return RawData(raw.name, raw.task, raw.class_names, raw.splits | {"train": train}, raw.nonmembers)


def test_a_source_that_changes_between_readings_is_found() -> None:
    assert broken(SOURCE_CHECKS, Restless()) == {"loads_the_same_bytes_twice"}


@pytest.mark.parametrize("module", ["unlearning", "unlearning.testing"])
def test_importing_needs_no_test_framework(module: str) -> None:
    code = f"import sys, {module}; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
