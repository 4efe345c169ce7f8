import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import cross_entropy

from unlearning.data import Split, Synthetic, load

HOUSE = Path(__file__).parents[2]


def small(**options: Any) -> Synthetic:
    return Synthetic.model_validate({"train": 60, "val": 20, "test": 20, "size": 12} | options)


def pixels(split: Split) -> torch.Tensor:
    return (split.images_NCHW.float() - 128) / 50


def test_the_default_is_a_small_set_of_six_classes() -> None:
    data = load(Synthetic())
    assert data.train.images_NCHW.shape == (2000, 1, 28, 28)
    assert (len(data.val), len(data.test), data.classes, data.duplicates) == (400, 400, 6, 0)
    assert (data.name, data.task, data.nonmembers) == ("synthetic", "multi-class", "test")


def test_the_bytes_of_the_default_never_change() -> None:
    assert load(Synthetic()).content_hash == "753800196b6ec0c0e028ae0c09581133da525935d785174addc66209a89e00ad"


def test_another_seed_gives_other_images() -> None:
    assert load(small()).content_hash != load(small(seed=1)).content_hash


def test_the_train_images_do_not_depend_on_the_other_splits() -> None:
    assert torch.equal(load(small()).train.images_NCHW, load(small(val=7, test=30)).train.images_NCHW)


def test_classes_are_balanced_in_every_split() -> None:
    data = load(small(classes=4))
    assert data.train.labels_N.bincount().tolist() == [15] * 4
    assert data.test.labels_N.bincount().tolist() == [5] * 4


def test_label_noise_replaces_its_share_of_labels_in_every_split_and_leaves_the_images() -> None:
    clean, noisy = load(small()), load(small(label_noise=0.25))
    for before, after in ((clean.train, noisy.train), (clean.val, noisy.val), (clean.test, noisy.test)):
        assert int((before.labels_N != after.labels_N).sum()) == len(before) // 4
        assert torch.equal(before.images_NCHW, after.images_NCHW)


def test_the_shape_of_a_medmnist_set_can_be_taken() -> None:
    data = load(Synthetic(like="retinamnist"))
    assert (len(data.train), len(data.val), len(data.test)) == (1080, 120, 400)
    assert data.train.images_NCHW.shape[1:] == (3, 28, 28)
    assert (data.name, data.task, data.classes) == ("synthetic-retinamnist", "ordinal-regression", 5)


def test_a_share_makes_a_small_form_of_the_same_shape() -> None:
    data = load(Synthetic(like="pathmnist", share=0.01))
    assert (len(data.train), len(data.val), len(data.test), data.classes) == (900, 100, 72, 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"like": "pathmnist", "classes": 9, "train": 50}, "`like: pathmnist` sets classes, train as well"),
        ({"share": 0.5}, "`share` scales the counts of a set named by `like`"),
        ({"like": "mnist"}, "unknown MedMNIST set 'mnist' .*valid names"),
        ({"like": "chestmnist", "multi_label": True}, "`like: chestmnist` sets multi_label as well"),
        ({"classes": 1}, "greater than or equal to 2"),
        ({"label_noise": 1.0}, "less than 1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Synthetic.model_validate(options)


def test_a_small_network_separates_the_classes_far_above_chance() -> None:
    data = load(Synthetic(difficulty=0.4))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.AvgPool2d(4), nn.Flatten(), nn.Linear(49, 64), nn.ReLU(), nn.Linear(64, data.classes)
        )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        cross_entropy(network(pixels(data.train)), data.train.labels_N).backward()
        optimizer.step()
    with torch.no_grad():
        guesses_N = network(pixels(data.test)).argmax(1)
    accuracy = (guesses_N == data.test.labels_N).float().mean().item()
    assert accuracy > 3 / data.classes


def test_images_are_generated_without_torchvision_or_medmnist() -> None:
    code = (
        "import sys; from unlearning.data import Synthetic, load; load(Synthetic(train=9, val=9, test=9)); "
        "print({'torchvision', 'medmnist'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=HOUSE / "trials", capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "set()"
