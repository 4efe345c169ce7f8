from typing import get_args

import pytest
import torch
from torch import Tensor

from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.seeds import generator

PADDING = 4
VIEWS = [(down, across, flip) for down in range(9) for across in range(9) for flip in (False, True)]


def noise(count: int = 40, channels: int = 1, height: int = 7, width: int = 5) -> Tensor:
    """Images without a black pixel, of which no two views are alike."""
    shape = (count, channels, height, width)
    return torch.randint(1, 256, shape, generator=generator(0, "noise"), dtype=torch.uint8)


def view(image_CHW: Tensor, down: int, across: int, flip: bool) -> Tensor:
    """One crop and flip, pixel by pixel."""
    _, height, width = image_CHW.shape
    seen = torch.zeros_like(image_CHW)
    for y in range(height):
        for x in range(width):
            from_y, from_x = y + down - PADDING, x + across - PADDING
            if 0 <= from_y < height and 0 <= from_x < width:
                seen[:, y, width - 1 - x if flip else x] = image_CHW[:, from_y, from_x]
    return seen


def which_view(image_CHW: Tensor, seen_CHW: Tensor) -> list[tuple[int, int, bool]]:
    return [chosen for chosen in VIEWS if torch.equal(view(image_CHW, *chosen), seen_CHW)]


def augmented(images_NCHW: Tensor, seed: int = 0, augmentation: AugmentationName = "standard") -> Tensor:
    count = len(images_NCHW)
    return AUGMENTATIONS[augmentation].apply(
        images_NCHW, AUGMENTATIONS[augmentation].draw(count, generator(seed, "augment"))
    )


def test_every_arm_that_a_study_may_name_exists() -> None:
    assert tuple(AUGMENTATIONS) == get_args(AugmentationName)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_is_one_crop_and_flip_of_its_own_zero_padded_self(channels: int) -> None:
    images_NCHW = noise(12, channels)
    for image_CHW, seen_CHW in zip(images_NCHW, augmented(images_NCHW), strict=True):
        assert which_view(image_CHW, seen_CHW)


def test_crops_and_flips_are_spread_over_all_that_are_possible() -> None:
    """A picture with one bright pixel in its middle tells by where it is found which view was taken."""
    images_NCHW = torch.zeros(4000, 1, 9, 9, dtype=torch.uint8)
    images_NCHW[:, :, 4, 4] = 255
    roots = augmented(images_NCHW).flatten(1).argmax(1)
    assert set(roots.tolist()) == set(range(81))
    left_NCHW = torch.zeros(4000, 1, 1, 20, dtype=torch.uint8)
    left_NCHW[..., 10:] = 255
    bright_left = augmented(left_NCHW.expand(-1, -1, 9, -1).contiguous())[:, 0, 4].float()
    flipped = bright_left[:, :6].mean(1) > bright_left[:, -6:].mean(1)
    assert 0.45 < float(flipped.float().mean()) < 0.55


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_type_stay_and_the_images_given_are_left_alone(augmentation: AugmentationName, channels: int) -> None:
    images_NCHW = noise(channels=channels)
    before = images_NCHW.clone()
    seen_NCHW = augmented(images_NCHW, augmentation=augmentation)
    assert seen_NCHW.shape == images_NCHW.shape
    assert seen_NCHW.dtype == torch.uint8
    assert torch.equal(images_NCHW, before)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_a_sample_gets_the_same_view_in_whatever_batch_it_comes(augmentation: AugmentationName) -> None:
    images_NCHW = noise()
    drawn_ND = AUGMENTATIONS[augmentation].draw(len(images_NCHW), generator(0, "augment"))
    whole = AUGMENTATIONS[augmentation].apply(images_NCHW, drawn_ND)
    for indices_B in (torch.tensor([3]), torch.tensor([5, 5, 2]), torch.arange(len(images_NCHW)).flip(0)):
        assert torch.equal(
            AUGMENTATIONS[augmentation].apply(images_NCHW[indices_B], drawn_ND[indices_B]), whole[indices_B]
        )


def test_the_layout_of_the_images_does_not_matter() -> None:
    images_NCHW = noise(channels=3)
    channels_last = images_NCHW.contiguous(memory_format=torch.channels_last)
    assert torch.equal(augmented(channels_last), augmented(images_NCHW))


def test_a_seed_gives_its_views_again_and_another_seed_gives_others() -> None:
    images_NCHW = noise()
    assert torch.equal(augmented(images_NCHW, seed=1), augmented(images_NCHW, seed=1))
    assert not torch.equal(augmented(images_NCHW, seed=1), augmented(images_NCHW, seed=2))


def test_the_arm_none_gives_the_images_as_they_are() -> None:
    images_NCHW = noise()
    assert torch.equal(augmented(images_NCHW, augmentation="none"), images_NCHW)
