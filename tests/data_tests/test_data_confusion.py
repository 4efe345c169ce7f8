"""A request whose images carry the label of another class: which labels change, and what does not."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from unlearning.data import DataError, ImageData, RawData, Source, Split, Synthetic, load
from unlearning.data.forget import (
    AnyForgetRequest,
    Confusion,
    Gaussian,
    RandomShare,
    WholeClass,
    describe,
    plant,
    select,
)


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Synthetic(train=120, val=30, test=30, size=8, classes=3))


def planted(data: ImageData, request: AnyForgetRequest, seed: int = 0) -> ImageData:
    return plant(request, data, select(request, data, seed), seed)


def test_a_share_of_both_classes_gets_the_other_label_and_nothing_else_changes(data: ImageData) -> None:
    request = Confusion(classes=(0, 2), fraction=0.25)
    chosen, changed = select(request, data, 0), planted(data, request)
    before_F, after_F = data.train.labels_N[chosen.indices_F], changed.train.labels_N[chosen.indices_F]
    for index in (0, 2):
        assert int((before_F == index).sum()) == round(0.25 * int((data.train.labels_N == index).sum()))
    assert torch.equal(after_F, 2 - before_F)
    retained = chosen.retain_R
    assert torch.equal(changed.train.labels_N[retained], data.train.labels_N[retained])
    assert torch.equal(changed.train.images_NCHW, data.train.images_NCHW)
    for split in ("val", "test"):
        assert getattr(changed, split) is getattr(data, split)
    assert changed.planted is not None
    assert torch.equal(changed.planted.labels_F, before_F)


def test_other_labels_are_other_data(data: ImageData) -> None:
    request = Confusion(classes=(0, 2), fraction=0.25)
    hashes = [one.content_hash for one in (data, planted(data, request), planted(data, request, seed=1))]
    assert len(set(hashes)) == 3
    assert planted(data, request).content_hash == hashes[1]


@pytest.mark.parametrize("request_", [Confusion(classes=(0, 2), fraction=0.25), Gaussian(fraction=0.2)])
def test_columns_stay_with_the_images_in_which_something_is_planted(
    data: ImageData, request_: AnyForgetRequest
) -> None:
    sites = {"site": tuple("ab"[n % 2] for n in range(len(data.train)))}
    assert planted(replace(data, train=replace(data.train, columns=sites)), request_).train.columns == sites


def test_other_requests_plant_nothing(data: ImageData) -> None:
    for request in (RandomShare(fraction=0.2), WholeClass(class_index=1)):
        assert request.plants is None
        assert planted(data, request) is data


def test_what_was_planted_is_described(data: ImageData) -> None:
    request = Confusion(classes=("pattern 0", 1), fraction=0.5)
    assert request.label == 'confusion of "pattern 0" and 1, 50 %'
    *_, note = describe(request, select(request, data, 0), data)
    assert "20 images of pattern 0 are labelled pattern 1, and 20 of pattern 1 pattern 0" in note


class Repeated(Source):
    """Images of two classes, the first of which comes three times, once under the third class."""

    def read(self) -> RawData:
        raw = Synthetic(train=60, val=20, test=20, size=8, classes=3).read()
        train = raw.splits["train"]
        images_NCHW, labels_N = train.images_NCHW.clone(), train.labels_N.clone()
        labels_N[:3] = torch.tensor([0, 0, 2])
        images_NCHW[1:3] = images_NCHW[0]
        return RawData(
            raw.name, raw.task, raw.class_names, raw.splits | {"train": Split(images_NCHW, labels_N)}, "test"
        )


def test_duplicates_are_swapped_together_and_keep_a_label_of_another_class() -> None:
    data = load(Repeated())
    chosen_with_them = [
        seed
        for seed in range(20)
        if 0 in select(Confusion(classes=(0, 1), fraction=0.5), data, seed).indices_F.tolist()
    ]
    assert chosen_with_them
    changed = planted(data, Confusion(classes=(0, 1), fraction=0.5), chosen_with_them[0])
    assert changed.train.labels_N[:3].tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        (("pattern 0", 7), 'confusion of "pattern 0" and 7, 50 %: synthetic has no class 7; its classes are 0'),
        (("none", 1), "has no class 'none'"),
        (("pattern 1", 1), "both are class 1"),
    ],
)
def test_classes_that_are_not_there_or_the_same_are_refused(data: ImageData, classes: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        select(Confusion(classes=classes, fraction=0.5), data, 0)


@pytest.mark.parametrize(
    "options", [{"classes": [0]}, {"classes": [1, 1]}, {"classes": [0, 1, 2]}, {"classes": [0, 1], "fraction": 1.0}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Confusion.model_validate({"fraction": 0.5, **options})
