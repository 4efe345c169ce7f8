"""Class folders by number keep the order of the numbers, so a class's position is its number."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from unlearning.data import Folder, ImageData, load
from unlearning.data._names import natural_key
from unlearning.data.forget import WholeClass, describe, select

NUMBERS = ("0", "1", "2", "10")


@pytest.fixture
def data(tmp_path: Path) -> ImageData:
    """Classes 0, 1, 2 and 10, of which each has one image a split, grey by its class and split."""
    for s, split in enumerate(("train", "val", "test")):
        for name in NUMBERS:
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            Image.new("L", (8, 8), 80 * s + int(name)).save(folder / "image.png")
    return load(Folder(path=tmp_path, size=8, channels=1))


def greys(data: ImageData, request_: WholeClass) -> list[int]:
    return data.train.images_NCHW[select(request_, data, seed=0).indices_F, 0, 0, 0].tolist()


def test_folders_named_by_numbers_are_classes_in_the_order_of_the_numbers(data: ImageData) -> None:
    assert data.class_names == NUMBERS
    assert data.train.images_NCHW[:, 0, 0, 0].tolist() == [0, 1, 2, 10]


def test_a_class_is_forgotten_by_its_number_as_position_or_by_its_name(data: ImageData) -> None:
    assert greys(data, WholeClass(class_index=2)) == [2]
    assert greys(data, WholeClass(class_index=3)) == [10]
    assert greys(data, WholeClass(class_name="10")) == [10]


def test_the_name_of_the_class_that_is_hit_is_described(data: ImageData) -> None:
    request_ = WholeClass(class_index=3)
    assert describe(request_, select(request_, data, seed=0), data)[0].endswith("by class: 3 (10) 1 of 1")


def test_a_position_that_is_another_classs_name_is_noted(data: ImageData) -> None:
    from_one = replace(data, class_names=("1", "2", "3", "10"))
    by_position, by_name, last = (
        select(request_, from_one, seed=0).notes
        for request_ in (WholeClass(class_index=1), WholeClass(class_name="1"), WholeClass(class_index=0))
    )
    assert by_position == ('class 1: class_index 1 is the class named 2; for the one named 1 write class: "1"',)
    assert by_name == last == ()


@pytest.mark.parametrize(
    "names",
    [
        ["0", "1", "2", "10", "11", "100"],
        ["T1", "T2", "T10", "t1"],
        ["grade 2 of 5", "grade 2 of 10", "grade 10 of 5"],
        ["a", "a-1", "a1", "a02", "a2", "a10", "ab"],
        ["-1", "1", "A", "a", "ä"],
        ["007", "7a", "08"],
    ],
)
def test_natural_order_differs_from_the_order_of_text_in_runs_of_digits_alone(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == names
