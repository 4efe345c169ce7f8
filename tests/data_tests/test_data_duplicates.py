from pathlib import Path

import pytest
import torch

from unlearning.data import MedMNIST, load
from unlearning.data.duplicates import duplicates, image_digests, standing_in

SHARED = Path(__file__).parents[3] / "shared" / "data" / "medmnist"


def test_a_duplicate_is_told_by_the_index_of_the_first_identical_image() -> None:
    images_NCHW = torch.tensor([5, 7, 5, 9, 7, 5], dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 2, 2)
    assert duplicates(image_digests(images_NCHW)).tolist() == [0, 1, 0, 3, 1, 0]
    assert duplicates(image_digests(images_NCHW)).dtype == torch.int64


def test_images_that_differ_in_one_pixel_are_no_duplicates() -> None:
    images_NCHW = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    images_NCHW[1, 0, 27, 27] = 1
    assert duplicates(image_digests(images_NCHW)).tolist() == [0, 1]


def test_duplicates_are_found_in_a_view_that_is_not_contiguous() -> None:
    images_NHWC = torch.arange(12, dtype=torch.uint8).reshape(1, 2, 2, 3).repeat(2, 1, 1, 1)
    assert duplicates(image_digests(images_NHWC.permute(0, 3, 1, 2))).tolist() == [0, 0]


def test_images_of_other_splits_that_stand_in_train_are_marked() -> None:
    numbers = torch.arange(10, dtype=torch.uint8)[:, None, None, None]
    in_val, in_test = standing_in(*map(image_digests, (numbers[:5], numbers[3:7], numbers[7:])))
    assert in_val.tolist() == [True, True, False, False]
    assert not in_test.any()


def test_ninety_thousand_different_images_are_no_duplicates() -> None:
    images_NCHW = torch.zeros(90_000, 1, 28, 28, dtype=torch.uint8)
    images_NCHW[:, 0, 0, :4] = torch.arange(90_000, dtype=torch.int32).view(torch.uint8).reshape(-1, 4)
    assert torch.equal(duplicates(image_digests(images_NCHW)), torch.arange(90_000))


@pytest.mark.skipif(
    not (SHARED / "pneumoniamnist.npz").is_file(),
    reason="no official MedMNIST file in shared/data beside the repository",
)
def test_the_official_pneumoniamnist_has_eighteen_duplicates_in_train_and_eight_val_images_that_stand_in_train() -> (
    None
):
    data = load(MedMNIST(name="pneumoniamnist", root=SHARED, download=False))
    assert data.duplicates == 18
    assert data.dropped == {"val": 8, "test": 0}
    assert (len(data.train), len(data.val), len(data.test)) == (4708, 516, 624)
    assert data.class_names == ("normal", "pneumonia")
