import unicodedata
from dataclasses import replace

import pytest
import torch

from unlearning.data import (
    DataError,
    RawData,
    Source,
    Split,
    SplitName,
    column_hashes,
    facts,
    load,
    with_distinct_names,
)


def source_of(raw: RawData) -> Source:
    class Given(Source):
        def read(self) -> RawData:
            return raw

    return Given()


def images(count: int, first: int = 0) -> torch.Tensor:
    """Images that differ from each other: image n is filled with ``first + n``."""
    return torch.arange(first, first + count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 4, 4).clone()


def split_of(count: int, first: int = 0) -> Split:
    return Split(images(count, first), torch.arange(count) % 2)


def source_with(**changed: Split) -> Source:
    splits: dict[SplitName, Split] = {"train": split_of(6), "val": split_of(4, 100), "test": split_of(4, 200)}
    splits.update(changed)  # type: ignore[arg-type]
    return source_of(RawData("toy", "binary-class", ("no", "yes"), splits, "test"))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(images(4, 100).float(), torch.zeros(4, dtype=torch.int64)), r"wanted uint8 images .*got float32 \(4, 1"),
        (
            Split(images(4, 100)[:, 0], torch.zeros(4, dtype=torch.int64)),
            r"wanted uint8 images .*got uint8 \(4, 4, 4\)",
        ),
        (Split(images(4, 100), torch.zeros(4)), r"wanted int64 labels \(N,\), got float32 \(4,\)"),
        (
            Split(images(4, 100), torch.zeros(3, dtype=torch.int64)),
            "wanted a label for each image, got 4 images, 3 lab",
        ),
        (Split(images(0), torch.zeros(0, dtype=torch.int64)), "wanted at least one image, got none"),
        (
            Split(images(4)[..., :0], torch.zeros(4, dtype=torch.int64)),
            r"wanted pixels in every image, got uint8 \(4",
        ),
        (Split(images(4, 100), torch.tensor([0, 1, 2, 0])), r"wanted labels in 0 \.\.\. 1, got 0 \.\.\. 2"),
        (Split(images(4, 100), torch.tensor([0, -1, 1, 0])), r"wanted labels in 0 \.\.\. 1, got -1 \.\.\. 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_source_split_wanted_and_got(split: Split, message: str) -> None:
    with pytest.raises(DataError, match=f"^toy, val: {message}"):
        load(source_with(val=split))


def test_splits_of_different_image_shapes_are_refused() -> None:
    wide = Split(torch.zeros(2, 1, 4, 6, dtype=torch.uint8), torch.tensor([0, 1]))
    with pytest.raises(DataError, match=r"toy: wanted one image shape .*'test': \(1, 4, 6\)"):
        load(source_with(test=wide))


def test_val_images_that_stand_in_train_are_dropped_with_their_labels_and_counted() -> None:
    data = load(source_with(val=Split(torch.cat([images(2), images(2, 100)]), torch.tensor([0, 0, 1, 0]))))
    assert data.dropped == {"val": 2, "test": 0}
    assert data.val.labels_N.tolist() == [1, 0]
    assert torch.equal(data.val.images_NCHW, images(2, 100))


def test_a_split_that_stands_in_train_altogether_is_refused() -> None:
    with pytest.raises(DataError, match="toy, test: all 3 images also stand in train"):
        load(source_with(test=split_of(3)))


def test_train_keeps_its_repeated_images_and_tells_the_first_of_each() -> None:
    train = Split(torch.cat([images(3), images(2)]), torch.tensor([0, 0, 1, 0, 0]))
    data = load(source_with(train=train))
    assert data.duplicate_of_N.tolist() == [0, 1, 2, 0, 1]
    assert data.duplicates == 2
    assert len(data.train) == 5


def test_the_content_hash_covers_images_labels_and_order_of_what_is_kept() -> None:
    plain = load(source_with()).content_hash
    pixel = split_of(4, 100)
    pixel.images_NCHW[0, 0, 0, 0] += 50
    label = Split(images(4, 100), torch.tensor([0, 1, 1, 1]))
    swapped = Split(images(4, 100).flip(0), split_of(4).labels_N)
    hashes = [load(source_with(val=split)).content_hash for split in (pixel, label, swapped)]
    assert len({plain, *hashes}) == 4
    with_dropped = Split(torch.cat([images(1), images(4, 100)]), torch.cat([torch.tensor([1]), split_of(4).labels_N]))
    assert load(source_with(val=with_dropped)).content_hash == plain


def test_fewer_than_two_classes_are_refused() -> None:
    raw = source_with().read()
    one_class = {name: Split(split.images_NCHW, split.labels_N * 0) for name, split in raw.splits.items()}
    with pytest.raises(DataError, match="toy: wanted at least two classes, got 1"):
        load(source_of(RawData("toy", raw.task, ("only",), one_class, "test")))


def test_the_content_hash_ignores_names() -> None:
    raw = source_with().read()
    renamed = RawData("other", raw.task, ("a", "b"), raw.splits, "val")
    assert load(source_of(renamed)).content_hash == load(source_of(raw)).content_hash


def labelled(*labels: int, first: int = 0) -> Split:
    return Split(images(len(labels), first), torch.tensor(labels))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((1, 2, 2, 1), r"got 1 \.\.\. 2; images per label: 1: 2, 2: 2; labels count from 0: subtract 1"),
        ((0, 1, 255), r"got 0 \.\.\. 255; images per label: 0: 1, 1: 1, 255: 1; .*'ignore', leave those images out"),
        ((0, 1, -1), r"got -1 \.\.\. 1; images per label: -1: 1, 0: 1, 1: 1; .*'ignore', leave those images out"),
        ((0, 2, 2), r"got 0 \.\.\. 2; images per label: 0: 1, 2: 2; number the classes 0 \.\.\. K-1 without gaps"),
    ],
)
def test_labels_that_are_no_classes_are_refused_with_their_counts_and_advice(
    labels: tuple[int, ...], message: str
) -> None:
    with pytest.raises(DataError, match=rf"^toy, train: wanted labels in 0 \.\.\. 1, {message}$"):
        load(source_with(train=labelled(*labels)))


def test_a_class_without_train_images_is_refused_with_the_images_of_each_class() -> None:
    with pytest.raises(
        DataError, match=r"toy, train: .*none of class 1 \(yes\); .*: 0 \(no\): 3, 1 \(yes\): 0; remove"
    ):
        load(source_with(train=labelled(0, 0, 0)))


def test_a_class_missing_in_val_or_test_is_noted_with_its_consequence() -> None:
    assert load(source_with()).notes == ()
    data = load(source_with(val=labelled(0, 0, first=100), test=labelled(1, first=200)))
    assert data.notes == (
        "val has no image of class 1 (yes): VA, which a search goes by, says nothing about it",
        "test has no image of class 0 (no): AUC has no value there, nor has the recall of such a class",
    )


def test_a_class_that_test_loses_because_its_images_stand_in_train_is_noted() -> None:
    test = Split(torch.cat([images(2), images(1, 200)]), torch.tensor([1, 1, 0]))
    assert "test has no image of class 1 (yes)" in load(source_with(test=test)).notes[0]


def test_what_was_read_is_described_with_its_shape_and_values() -> None:
    assert facts(load(source_with())) == (
        "toy: 6 train, 4 val, 4 test images of height 4, width 4 and 1 channel, values 0 ... 5, 2 classes; no "
        "duplicate training images",
    )


def test_train_images_that_repeat_another_under_another_label_are_named() -> None:
    train = Split(torch.cat([images(4), images(3)]), torch.tensor([0, 1, 0, 1, 0, 0, 0]))
    assert load(source_with(train=train)).notes == (
        "1 train image repeats another byte for byte under another label: image 5 of image 1",
    )
    named = {"file": tuple(f"{n}.png" for n in range(7))}
    others = {name: Split(split_of(4, first).images_NCHW, torch.arange(4) % 2, {"file": ("x",) * 4}) for name, first in
              (("val", 100), ("test", 200))}  # fmt: skip
    assert (
        load(source_with(train=Split(train.images_NCHW, train.labels_N, named), **others))
        .notes[0]
        .endswith("label: 5.png of 1.png")
    )


def test_data_sets_of_one_name_have_their_hashes_behind_it() -> None:
    first, second = load(source_with()), load(source_with(train=split_of(8)))
    other = load(source_of(replace(source_with().read(), name="other")))
    assert [data.name for data in with_distinct_names([first, other, second])] == [
        f"toy ({first.content_hash[:8]})",
        "other",
        f"toy ({second.content_hash[:8]})",
    ]


def test_class_names_come_in_unicodes_composed_form_and_must_differ_in_it() -> None:
    raw = source_with().read()
    composed = "\N{LATIN SMALL LETTER E WITH ACUTE}"
    decomposed = unicodedata.normalize("NFD", composed)
    named = RawData("toy", raw.task, (decomposed, "b"), raw.splits, "test")
    assert load(source_of(named)).class_names == (composed, "b")
    twice = RawData("toy", raw.task, (decomposed, composed), raw.splits, "test")
    with pytest.raises(DataError, match="toy: wanted a name of its own for each class"):
        load(source_of(twice))


def with_column(name: str = "patient", **columns: tuple[str, ...]) -> Source:
    """The toy data with a column in each split; images 0 and 100 stand in val."""
    val = Split(torch.cat([images(1), images(2, 100)]), torch.tensor([0, 1, 0]))
    splits = {"train": split_of(6), "val": val, "test": split_of(4, 200)}
    return source_with(
        **{split: Split(one.images_NCHW, one.labels_N, {name: columns[split]}) for split, one in splits.items()}
    )


def test_columns_go_with_their_images_when_some_are_dropped() -> None:
    data = load(with_column(train=("a",) * 6, val=("a", "b", "c"), test=("d",) * 4))
    assert data.val.columns == {"patient": ("b", "c")}
    assert data.val.to(torch.device("cpu")).columns == data.val.columns


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="toy, test: wanted a text of column patient for each image, got 4 images, 3"):
        load(with_column(train=("a",) * 6, val=("a", "b", "c"), test=("d",) * 3))


def test_a_column_that_a_split_lacks_is_refused() -> None:
    with pytest.raises(DataError, match=r"toy: wanted the same columns in all splits, got .*'test': \['site'\]"):
        load(source_with(test=Split(images(4, 200), torch.arange(4) % 2, {"site": ("a", "b", "b", "c")})))


def test_a_column_has_a_hash_of_its_own_which_its_texts_alone_decide() -> None:
    first, again, other = (
        load(with_column("site", train=("a",) * 6, val=("a", "b", "c"), test=tuple(site)))
        for site in ("abca", "abca", "abcb")
    )
    assert first.content_hash == other.content_hash
    assert column_hashes(first).keys() == {"site"}
    assert column_hashes(first) == column_hashes(again) != column_hashes(other)
