"""What every data source must do."""

import json
import pickle
from collections.abc import Callable, Sequence
from typing import Final

import torch
from pydantic import ValidationError

from unlearning.data import SEVERAL, Source, load

SourceCheck = Callable[[Source], None]


def survives_being_written_down_and_sent(source: Source) -> None:
    """Check that a source is hashable, and that rows and other processes get the same one."""
    assert type(source).model_validate(json.loads(source.model_dump_json())) == source, "its JSON reads as another one"
    assert {pickle.loads(pickle.dumps(source)): 1}[source] == 1


def refuses_a_misspelt_option(source: Source) -> None:
    """Check that an unknown option is an error."""
    try:
        type(source).model_validate(source.model_dump() | {"no_such_option": 28})
    except ValidationError:
        return
    raise AssertionError("an unknown option was taken")


def loads_uint8_images_with_labels_in_range(source: Source) -> None:
    """Check types, shapes and labels of the three splits."""
    data = load(source)
    for split in (data.train, data.val, data.test):
        images_NCHW, labels_N = split.images_NCHW, split.labels_N
        assert images_NCHW.dtype == torch.uint8, f"wanted uint8 images, got {images_NCHW.dtype}"
        assert images_NCHW.is_contiguous(), "wanted contiguous images"
        assert images_NCHW.shape[1:] == data.train.images_NCHW.shape[1:], "wanted one image shape in all splits"
        assert labels_N.dtype == torch.int64, f"wanted int64 labels, got {labels_N.dtype}"
        if data.task == SEVERAL:
            assert labels_N.shape == (len(images_NCHW), data.classes), "wanted a 0 or 1 for each label of an image"
            assert labels_N.unique().tolist() == [0, 1], "wanted 0 and 1 for the labels of an image"
            continue
        assert labels_N.shape == (len(images_NCHW),), "wanted one label an image"
        assert 0 <= int(labels_N.min()) <= int(labels_N.max()) < data.classes, f"labels beyond 0 ... {data.classes - 1}"


def knows_each_column_of_each_image(source: Source) -> None:
    """Check that all splits have the same columns, of one text an image, under lower-case names."""
    data = load(source)
    for split in (data.train, data.val, data.test):
        assert split.columns.keys() == data.train.columns.keys(), "wanted the same columns in all splits"
        for name, texts_N in split.columns.items():
            assert name and name == name.strip().casefold(), f"wanted a column's name in lower case, got {name!r}"
            assert len(texts_N) == len(split), f"column {name}: wanted a text an image"
            assert all(isinstance(text, str) for text in texts_N), f"column {name}: wanted text"


def has_no_val_or_test_image_in_train(source: Source) -> None:
    """Check that val and test hold no image of train."""
    data = load(source)
    train = {image.numpy().tobytes() for image in data.train.images_NCHW}
    held_out = torch.cat([data.val.images_NCHW, data.test.images_NCHW])
    assert train.isdisjoint(image.numpy().tobytes() for image in held_out), "a held-out image stands in train"


def loads_the_same_bytes_twice(source: Source) -> None:
    """Check that loading twice gives the same hash."""
    first, second = load(source), load(source)
    assert first.content_hash == second.content_hash, "two readings differ"
    assert torch.equal(first.train.images_NCHW, second.train.images_NCHW)
    assert torch.equal(first.test.labels_N, second.test.labels_N)


def has_a_name_and_a_name_for_each_class(source: Source) -> None:
    """Check what reports call the data and its classes."""
    data = load(source)
    assert data.name, "the data set has no name"
    assert all(data.class_names), "a class has no name"
    assert len(set(data.class_names)) == data.classes >= 2, "wanted at least two classes, each with a name of its own"


SOURCE_CHECKS: Final[Sequence[SourceCheck]] = (
    survives_being_written_down_and_sent,
    refuses_a_misspelt_option,
    loads_uint8_images_with_labels_in_range,
    knows_each_column_of_each_image,
    has_no_val_or_test_image_in_train,
    loads_the_same_bytes_twice,
    has_a_name_and_a_name_for_each_class,
)
"""What every data source must do; each reads it once or twice."""
