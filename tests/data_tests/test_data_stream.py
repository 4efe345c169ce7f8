"""Requests that come one after another: what has been asked for after each of them."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from unlearning.data import DataError, ImageData, RawData, Source, Split, load
from unlearning.data.forget import AnyForgetRequest, ForgetSet, Stream, select


class Pairs(Source):
    """Sixty train images, of which 2n and 2n + 1 are duplicates; two classes by turns."""

    def read(self) -> RawData:
        held_out = Split(images(250, 251), torch.tensor([0, 1]))
        train = Split(images(*(n // 2 for n in range(60))), torch.tensor([n // 2 % 2 for n in range(60)]))
        return RawData("pairs", "multi-class", ("a", "b"), {"train": train, "val": held_out, "test": held_out}, "test")


def images(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.uint8)[:, None, None, None]


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Pairs())


def stream(**options: Any) -> Stream:
    found = TypeAdapter(AnyForgetRequest).validate_python({"kind": "stream", **options})
    assert isinstance(found, Stream)
    return found


def steps_of(request: Stream, data: ImageData) -> list[ForgetSet]:
    return [select(step, data, seed=3) for step in request.met]


def test_a_divided_request_is_withdrawn_in_equal_steps_of_whole_groups_of_duplicates(data: ImageData) -> None:
    request = stream(of={"kind": "random", "fraction": 0.5}, steps=5)
    steps = steps_of(request, data)
    assert [len(one.indices_F) for one in steps] == [6, 12, 18, 24, 30]
    for earlier, later in pairwise(steps):
        assert torch.isin(earlier.indices_F, later.indices_F).all()
    for one in steps:
        assert not torch.isin(data.duplicate_of_N[one.retain_R], data.duplicate_of_N[one.indices_F]).any()


def test_after_the_last_step_it_is_the_request_that_is_divided(data: ImageData) -> None:
    request = stream(of={"kind": "random", "fraction": 0.5}, steps=5)
    assert request.of is not None
    whole = select(request.of, data, seed=3).indices_F
    assert torch.equal(steps_of(request, data)[-1].indices_F, whole)
    assert torch.equal(select(request, data, seed=3).indices_F, whole)


def test_which_images_are_withdrawn_first_is_a_lot_that_repeats(data: ImageData) -> None:
    request = stream(of={"kind": "class", "class_index": 1}, steps=3)
    first = [select(request.met[0], data, seed).indices_F.tolist() for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]
    assert set(data.train.labels_N[torch.tensor(first[0])].tolist()) == {1}


def test_listed_requests_add_up_and_an_image_counts_for_the_first_that_asks_for_it(
    data: ImageData, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("0\n4\n")
    second.write_text("5\n10\n")
    request = stream(requests=[{"kind": "indices", "file": first}, {"kind": "indices", "file": second}])
    earlier, later = steps_of(request, data)
    assert earlier.indices_F.tolist() == [0, 1, 4, 5]
    assert later.indices_F.tolist() == [0, 1, 4, 5, 10, 11]
    own = later.after(earlier)
    assert own.indices_F.tolist() == [10, 11]
    assert own.control_C.tolist() == [0, 1, 4, 5]
    assert torch.equal(own.retain_R, later.retain_R)
    assert [step.label for step in request.met] == [
        "indices first.txt + indices second.txt, request 1 of 2",
        "indices first.txt + indices second.txt, requests 1-2 of 2",
    ]


def test_a_request_that_asks_for_nothing_new_is_refused(data: ImageData) -> None:
    request = stream(requests=[{"kind": "random", "fraction": 0.5}, {"kind": "class", "class_index": 1}])
    assert len(steps_of(request, data)) == 2
    twice = stream(requests=[{"kind": "class", "class_index": 1}] * 2)
    with pytest.raises(DataError, match="the last of them, class 1, asks for no image that those before it left"):
        steps_of(twice, data)


def test_more_steps_than_groups_of_duplicates_are_refused(data: ImageData) -> None:
    request = stream(of={"kind": "random", "fraction": 0.1}, steps=4)
    with pytest.raises(DataError, match="has 3 groups of byte-identical images; wanted at least one for each of the 4"):
        steps_of(request, data)


def test_a_class_may_be_taken_whole_only_where_a_request_asks_for_it(data: ImageData) -> None:
    assert stream(of={"kind": "class", "class_index": 1}, steps=2).takes_classes
    assert not stream(of={"kind": "random", "fraction": 0.1}, steps=2).takes_classes


RANDOM = {"kind": "random", "fraction": 0.1}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"of": RANDOM},
        {"steps": 3},
        {"requests": [RANDOM]},
        {"requests": [RANDOM, RANDOM], "steps": 2},
        {"requests": [RANDOM, RANDOM], "of": RANDOM, "steps": 2},
    ],
    ids=str,
)
def test_a_stream_is_either_a_list_or_a_request_that_is_divided(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="wanted a list `requests` of two or more, or `of`"):
        stream(**options)


def test_a_stream_keeps_no_control_half() -> None:
    with pytest.raises(ValidationError, match=r"keeps no control half.*random 10 % with control"):
        stream(of={**RANDOM, "control": True}, steps=2)
