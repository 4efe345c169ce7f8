"""Normalisation, size and logits, which all networks have."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from unlearning.errors import InputError
from unlearning.models import CNN, Logits, Normalise, Statistics

IMAGES_NCHW = torch.randint(0, 256, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def first(network: CNN, channels: int = 1) -> Normalise:
    module = network.build(channels, 2, seed=0)[0]
    assert isinstance(module, Normalise)
    module.fit(IMAGES_NCHW.expand(-1, channels, -1, -1))
    return module


def test_images_are_normalised_by_the_data_by_given_numbers_or_not_at_all() -> None:
    pixels_NCHW = IMAGES_NCHW.float() / 255
    by_data = first(CNN())(pixels_NCHW)
    assert abs(float(by_data.mean())) < 1e-5
    assert torch.equal(first(CNN(normalise="none"))(pixels_NCHW), pixels_NCHW)
    given = first(CNN(normalise=Statistics(mean=(0.5,), std=(0.25,))))(pixels_NCHW)
    assert torch.equal(given, (pixels_NCHW - 0.5) / 0.25)


def test_images_are_enlarged_bilinearly() -> None:
    row = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 1, 2, 2)
    larger = Normalise(1, size=4)(row)
    assert torch.allclose(larger[0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]).expand(4, 4))


def test_statistics_must_fit_the_channels() -> None:
    with pytest.raises(InputError, match="normalise: wanted mean and std of 3 channels, as the images have, got 1"):
        CNN(normalise=Statistics(mean=(0.5,), std=(0.25,))).build(3, 2, seed=0)
    with pytest.raises(ValidationError, match="std: wanted 2 numbers, as in mean, got 1"):
        CNN.model_validate({"normalise": {"mean": [0.5, 0.5], "std": [0.25]}})


def test_options_at_their_defaults_leave_a_networks_name_as_it_was() -> None:
    assert CNN(width=4).model_dump(mode="json") == {"name": "cnn", "width": 4}
    assert CNN(width=4).title == "cnn width 4"
    other = CNN(width=4, normalise=Statistics(mean=(0.5,), std=(0.25,)), resize=16)
    assert other.title == "cnn width 4 normalise 0.5/0.25 resize 16"
    assert CNN.model_validate_json(other.model_dump_json()) == other


@pytest.mark.parametrize("shape", [(5, 1), (5,)], ids=str)
def test_one_logit_for_two_classes_trains_as_binary_cross_entropy(shape: tuple[int, ...]) -> None:
    z = torch.linspace(-3, 3, 5).requires_grad_()
    labels_N = torch.tensor([0, 1, 1, 0, 1])
    logits_NK = Logits(2)(z.view(shape))
    loss, wanted = cross_entropy(logits_NK, labels_N), binary_cross_entropy_with_logits(z, labels_N.float())
    assert torch.allclose(loss, wanted)
    gradients = [torch.autograd.grad(one, z)[0] for one in (loss, wanted)]
    assert torch.allclose(*gradients)
    assert torch.equal(logits_NK.argmax(1), (z > 0).long())


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 1), (5, 1, 1)], ids=str)
def test_any_other_output_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=rf"wanted an output of \(N, 2\), .* got \({', '.join(map(str, shape))}\)"):
        Logits(2)(torch.zeros(shape))
    with pytest.raises(InputError, match="got dict, which is no tensor"):
        Logits(2)({"logits": torch.zeros(5, 2)})


def test_a_network_of_the_user_keeps_the_names_of_its_weights() -> None:
    class Named(CNN):
        def body(self, channels: int, classes: int) -> nn.Module:
            return nn.ModuleDict({"stem": nn.Conv2d(channels, 2, 3), "head": nn.Linear(2, classes)})

    names = Named().build(1, 2, seed=0).state_dict()
    assert [name for name in names if not name.startswith("0.")] == [
        "1.stem.weight", "1.stem.bias", "1.head.weight", "1.head.bias"
    ]  # fmt: skip
