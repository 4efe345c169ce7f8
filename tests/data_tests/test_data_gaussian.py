"""A request whose images are trained on with noise of their own: which images change, and by how much."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from lethe.execution.shared_data import SharedData
from unlearning.data import ImageData, Synthetic, load
from unlearning.data.forget import Gaussian, describe, plant, select

REQUEST = Gaussian(fraction=0.25, sigma=0.1)


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Synthetic(train=120, val=30, test=30, size=16, classes=3))


@pytest.fixture(scope="module")
def changed(data: ImageData) -> ImageData:
    return plant(REQUEST, data, select(REQUEST, data, 0), 0)


def test_only_the_drawn_images_change_by_the_noise_that_is_kept(data: ImageData, changed: ImageData) -> None:
    chosen, planted = select(REQUEST, data, 0), changed.planted
    assert len(chosen.indices_F) == 30
    assert planted is not None
    assert planted.images_FCHW is not None
    assert planted.noise_FCHW is not None
    assert torch.equal(planted.images_FCHW, data.train.images_NCHW[chosen.indices_F])
    assert torch.equal(changed.train.images_NCHW[chosen.retain_R], data.train.images_NCHW[chosen.retain_R])
    assert torch.equal(changed.train.labels_N, data.train.labels_N)
    wanted_FCHW = (planted.images_FCHW / 255 + planted.noise_FCHW).clamp(0, 1)
    noisy_FCHW = changed.train.images_NCHW[chosen.indices_F] / 255
    torch.testing.assert_close(noisy_FCHW, wanted_FCHW, atol=0.5 / 255 + 1e-6, rtol=0)
    assert float(planted.noise_FCHW.std()) == pytest.approx(0.1, rel=0.05)
    assert changed.val is data.val
    assert changed.test is data.test


def test_it_is_other_data_that_follows_from_the_seed(data: ImageData, changed: ImageData) -> None:
    again, other = (plant(REQUEST, data, select(REQUEST, data, 0), seed) for seed in (0, 1))
    assert changed.content_hash == again.content_hash
    assert torch.equal(changed.train.images_NCHW, again.train.images_NCHW)
    assert len({data.content_hash, changed.content_hash, other.content_hash}) == 3


def test_workers_find_what_was_planted(data: ImageData, changed: ImageData) -> None:
    shared = SharedData([data, changed])
    assert shared[data.content_hash].planted is None
    found, planted = shared[changed.content_hash].planted, changed.planted
    assert found is not None
    assert planted is not None
    assert found.noise_FCHW is not None
    assert planted.noise_FCHW is not None
    assert torch.equal(found.noise_FCHW, planted.noise_FCHW)
    assert torch.equal(found.labels_F, planted.labels_F)


def test_it_says_what_it_plants(data: ImageData) -> None:
    assert (REQUEST.label, REQUEST.plants) == ("random 25 % with noise 0.1", "noise")
    *_, note = describe(REQUEST, select(REQUEST, data, 0), data)
    assert "30 images have noise of their own" in note


@pytest.mark.parametrize("options", [{"sigma": 0.0}, {"sigma": 2.0}, {"fraction": 1.0}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gaussian.model_validate({"fraction": 0.1, **options})
