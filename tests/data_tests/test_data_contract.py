"""What every source must fulfil, asked of a small instance of each."""

import pickle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from unlearning.data import SOURCES, AnySource, Folder, MedMNIST, Npz, Source, SplitName, Synthetic, load

SHARED = Path(__file__).parents[3] / "shared" / "data" / "medmnist"
SPLITS = get_args(SplitName)


def medmnist_source(tmp_path: Path) -> Source:
    if not (SHARED / "pneumoniamnist.npz").is_file():
        pytest.skip("no official MedMNIST file in shared/data beside the repository")
    return MedMNIST(name="pneumoniamnist", root=SHARED, download=False)


def synthetic_source(tmp_path: Path) -> Source:
    return Synthetic(train=30, val=12, test=12, classes=3, size=8)


def npz_source(tmp_path: Path) -> Source:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        f"{split}_images": random.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8) for split in SPLITS
    }
    labels: dict[str, Any] = {f"{split}_labels": np.arange(9, dtype=np.uint8)[:, None] % 3 for split in SPLITS}
    np.savez(tmp_path / "own.npz", **arrays, **labels)
    return Npz(path=tmp_path / "own.npz")


def folder_source(tmp_path: Path) -> Source:
    random = np.random.default_rng(0)
    for split in SPLITS:
        for name in ("benign", "malignant"):
            folder = tmp_path / "own" / split / name
            folder.mkdir(parents=True)
            for number in range(3):
                Image.fromarray(random.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return Folder(path=tmp_path / "own", size=8)


INSTANCES = {
    "medmnist": medmnist_source,
    "synthetic": synthetic_source,
    "npz": npz_source,
    "folder": folder_source,
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return INSTANCES[request.param](tmp_path)


def test_every_source_is_told_by_its_tag_in_the_union(source: Source) -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    assert adapter.validate_json(source.model_dump_json()) == source
    assert adapter.validate_python(source.model_dump(mode="json")) == source
    assert SOURCES[source.model_dump()["source"]] is type(source)


def test_a_source_can_be_a_key_and_travel_to_another_process(source: Source) -> None:
    assert {pickle.loads(pickle.dumps(source)): 1}[source] == 1


def test_loaded_splits_are_uint8_images_with_labels_in_range(source: Source) -> None:
    data = load(source)
    for split in (data.train, data.val, data.test):
        assert split.images_NCHW.dtype == torch.uint8
        assert split.images_NCHW.is_contiguous()
        assert split.images_NCHW.shape[1:] == data.train.images_NCHW.shape[1:]
        assert split.labels_N.dtype == torch.int64
        assert split.labels_N.shape == (len(split.images_NCHW),)
        assert 0 <= int(split.labels_N.min()) <= int(split.labels_N.max()) < data.classes
    assert data.duplicate_of_N.shape == data.train.labels_N.shape


def test_no_val_or_test_image_stands_in_train(source: Source) -> None:
    data = load(source)
    train = {image.numpy().tobytes() for image in data.train.images_NCHW}
    held_out = torch.cat([data.val.images_NCHW, data.test.images_NCHW])
    assert train.isdisjoint(image.numpy().tobytes() for image in held_out)


def test_loading_twice_gives_the_same_bytes_and_hash(source: Source) -> None:
    first, second = load(source), load(source)
    assert first.content_hash == second.content_hash
    assert torch.equal(first.train.images_NCHW, second.train.images_NCHW)
    assert torch.equal(first.test.labels_N, second.test.labels_N)


def test_a_misspelt_option_is_refused(source: Source) -> None:
    with pytest.raises(ValueError, match="sise"):
        type(source).model_validate(source.model_dump() | {"sise": 28})


def test_the_data_set_has_a_name_and_a_name_for_each_class(source: Source) -> None:
    data = load(source)
    assert data.name
    assert all(data.class_names)
    assert len(set(data.class_names)) == data.classes >= 2
