"""What every network must do, on small images of one and of three channels."""

import json
import pickle
from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearning.models import Network, Normalise

NetworkCheck = Callable[[Network], None]

_CLASSES: Final = 3
_SIZE: Final = 28


def survives_being_written_down_and_sent(network: Network) -> None:
    """Check that rows and other processes get the same network."""
    assert type(network).model_validate(json.loads(network.model_dump_json())) == network, "its JSON reads as another"
    assert pickle.loads(pickle.dumps(network)) == network, "its pickle reads as another one"


def begins_with_normalisation_and_gives_a_logit_for_each_class(network: Network) -> None:
    """Check the first module, and the shape and the values of the logits, for grey and for colour images."""
    for channels in (1, 3):
        model = network.build(channels, _CLASSES, seed=0)
        assert isinstance(model[0], Normalise), f"the first module is Normalise, got {type(model[0]).__name__}"
        logits_NK = model(_images(8, channels))
        assert logits_NK.shape == (8, _CLASSES), f"wanted logits {(8, _CLASSES)}, got {tuple(logits_NK.shape)}"
        assert logits_NK.isfinite().all(), "logits are not finite"


def draws_its_weights_from_the_seed_alone(network: Network) -> None:
    """Check that one seed gives the same weights, another one others, and torch's own generator is left alone."""
    before = torch.random.get_rng_state()
    first, again, other = (network.build(1, _CLASSES, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before), "building it moves torch's global generator"
    assert all(torch.equal(first[name], again[name]) for name in first), "one seed gives two networks"
    assert not all(torch.equal(first[name], other[name]) for name in first), "two seeds give one network"


def every_weight_gets_a_gradient(network: Network) -> None:
    """Check that training reaches all parameters."""
    model = network.build(1, _CLASSES, seed=0)
    labels_N = torch.arange(8) % _CLASSES
    cross_entropy(model(_images(8, 1)), labels_N).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not without, f"no gradient reaches {', '.join(without)}"


def treats_each_image_by_itself_when_it_evaluates(network: Network) -> None:
    """Check that an image's logits do not depend on those beside it, beyond rounding."""
    model = network.build(1, _CLASSES, seed=0).eval()
    images_NCHW = _images(8, 1)
    with torch.inference_mode():
        together, alone = model(images_NCHW), torch.cat([model(image[None]) for image in images_NCHW])
    assert torch.allclose(together, alone, atol=1e-4), "an image's logits depend on the rest of the batch"


def its_weights_can_be_saved_and_put_back(network: Network) -> None:
    """Check that the state dict holds all that decides the logits."""
    model, other = network.build(1, _CLASSES, seed=0).eval(), network.build(1, _CLASSES, seed=1).eval()
    other.load_state_dict(model.state_dict())
    with torch.inference_mode():
        assert torch.equal(model(_images(8, 1)), other(_images(8, 1))), "the state dict misses something"


NETWORK_CHECKS: Final[Sequence[NetworkCheck]] = (
    survives_being_written_down_and_sent,
    begins_with_normalisation_and_gives_a_logit_for_each_class,
    draws_its_weights_from_the_seed_alone,
    every_weight_gets_a_gradient,
    treats_each_image_by_itself_when_it_evaluates,
    its_weights_can_be_saved_and_put_back,
)
"""What every network must do; a narrow one is checked in a second."""


def _images(count: int, channels: int) -> Tensor:
    images_NCHW = torch.rand(count, channels, _SIZE, _SIZE, generator=torch.Generator().manual_seed(0))
    return images_NCHW.to(memory_format=torch.channels_last)
