import threading

import pytest
import torch
from torch import Tensor

from unlearning.data import Split, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, Streamed, part_of, placed
from unlearning.images import Images
from unlearning.models import CNN
from unlearning.saliency import saliency_scores
from unlearning.training import Recipe, Training

CPU = torch.device("cpu")


def numbered(count: int = 10) -> Tensor:
    return torch.arange(count, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 2, 2)


def streamed(images_NCHW: Tensor) -> Streamed:
    return Streamed(images_NCHW, CPU)


def train_split() -> Split:
    return load(Synthetic(train=150, val=30, test=30, size=12, classes=3)).train


def trained(images: Images, labels_N: Tensor) -> Training:
    """Two epochs of augmented views on most of the images, with a last batch that is smaller than the others."""
    training = Training(
        CNN(width=4).build(1, 3, seed=0),
        images,
        labels_N,
        torch.arange(len(labels_N))[torch.arange(len(labels_N)) % 7 != 0],
        recipe=Recipe(epochs=2, batch_size=32),
        augmentation=AUGMENTATIONS["standard"],
        seed=0,
    )
    for _ in range(2):
        training.advance()
    return training


def test_a_training_on_streamed_images_ends_at_the_same_bits() -> None:
    split = train_split()
    resident, other = (trained(images, split.labels_N) for images in (split.images_NCHW, streamed(split.images_NCHW)))
    assert resident.loss == other.loss
    for name, value in resident.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


def test_predictions_and_saliency_of_streamed_images_are_the_same_bits() -> None:
    split = train_split()
    model = CNN(width=4).build(1, 3, seed=0)
    engine = Engine(model, split.images_NCHW, augmentation=AUGMENTATIONS["none"], precision="float32")
    assert torch.equal(engine.predict(streamed(split.images_NCHW)), engine.predict(split.images_NCHW))
    chosen_M = torch.arange(0, 150, 2)
    images_MCHW, labels_M = split.images_NCHW[chosen_M], split.labels_N[chosen_M]
    resident = saliency_scores(model, images_MCHW, labels_M, batch_size=32)
    other = saliency_scores(model, Streamed(split.images_NCHW, CPU, chosen_M), labels_M, batch_size=32)
    assert all(torch.equal(resident[name], other[name]) for name in resident)


def test_batches_come_in_their_order_whatever_their_sizes() -> None:
    wanted = [torch.tensor(indices, dtype=torch.int64) for indices in ([3, 1], [9], [], [0, 0, 5, 2], [7])]
    found = [batch_BCHW[:, 0, 0, 0].tolist() for batch_BCHW in streamed(numbered()).batches(wanted)]
    assert found == [indices_B.tolist() for indices_B in wanted]
    assert list(streamed(numbered()).batches([])) == []


def test_batches_that_are_kept_are_not_written_over_by_later_ones() -> None:
    assert torch.equal(torch.cat([*streamed(numbered()).split(3)]), numbered())


def test_a_part_of_a_part_is_that_of_its_own_order() -> None:
    part = part_of(part_of(numbered(), torch.tensor([8, 6, 4, 2])), torch.tensor([3, 0]))
    assert part.shape == (2, 1, 2, 2)
    assert len(part) == 2
    assert part[torch.tensor([1, 0])][:, 0, 0, 0].tolist() == [8, 2]


def test_an_index_beyond_the_images_is_an_error_of_its_own_batch_and_ends_the_thread() -> None:
    before = threading.active_count()
    batches = streamed(numbered()).batches([torch.tensor([1]), torch.tensor([10])])
    assert len(next(batches)) == 1
    with pytest.raises(IndexError, match="10"):
        next(batches)
    assert threading.active_count() == before


def test_a_pass_that_is_left_early_leaves_no_thread() -> None:
    before = threading.active_count()
    batches = streamed(numbered()).split(1)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_images_for_a_network_on_the_cpu_stay_where_they_are() -> None:
    images_NCHW = numbered()
    assert placed(images_NCHW, CPU) is images_NCHW
