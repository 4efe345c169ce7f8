from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unlearning.data import DataError, Npz, load


def arrays_of(**changed: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        arrays[f"{split}_images"] = random.integers(0, 256, (count, 6, 5), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % 3).astype(np.uint8)[:, None]
    return arrays | changed


def written(path: Path, **changed: Any) -> Path:
    np.savez(path, **arrays_of(**changed))
    return path


def test_greyscale_images_get_one_channel(tmp_path: Path) -> None:
    data = load(Npz(path=written(tmp_path / "grey.npz")))
    assert data.train.images_NCHW.shape == (8, 1, 6, 5)
    assert torch.equal(data.train.images_NCHW[:, 0], torch.from_numpy(arrays_of()["train_images"]))
    assert data.train.labels_N.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_colour_images_get_their_channels_first(tmp_path: Path) -> None:
    colour = {
        f"{split}_images": np.random.default_rng(i).integers(0, 256, (n, 6, 5, 3), dtype=np.uint8)
        for i, (split, n) in enumerate((("train", 8), ("val", 4), ("test", 4)))
    }
    data = load(Npz(path=written(tmp_path / "colour.npz", **colour)))
    assert data.train.images_NCHW.shape == (8, 3, 6, 5)
    assert np.array_equal(data.train.images_NCHW[:, 2].numpy(), colour["train_images"][..., 2])


def test_name_task_and_class_names_have_defaults_that_can_be_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "lesions.npz")
    plain = load(Npz(path=path))
    assert (plain.name, plain.task, plain.class_names) == ("lesions", "multi-class", ("0", "1", "2"))
    named = load(Npz.model_validate({"path": str(path), "name": "x", "class_names": ["a", "b", "c"]}))
    assert (named.name, named.class_names) == ("x", ("a", "b", "c"))


def test_flat_labels_are_read_as_well(tmp_path: Path) -> None:
    path = written(tmp_path / "flat.npz", val_labels=np.array([2, 1, 0, 2]))
    assert load(Npz(path=path)).val.labels_N.tolist() == [2, 1, 0, 2]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.npz: there is no such file"):
        load(Npz(path=tmp_path / "nowhere.npz"))


def test_a_truncated_file_is_told_as_such(tmp_path: Path) -> None:
    path = written(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"cut\.npz: no whole \.npz archive: it is truncated"):
        load(Npz(path=path))


def test_a_damaged_file_is_told_as_such(tmp_path: Path) -> None:
    path = written(tmp_path / "damaged.npz")
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(byte ^ 0xFF for byte in content[200:210])
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.npz: the archive cannot be read"):
        load(Npz(path=path))


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = written(tmp_path / "objects.npz", train_labels=np.array([{}] * 8, dtype=object))
    with pytest.raises(DataError, match="cannot be read"):
        load(Npz(path=path))


def test_missing_arrays_are_listed_with_the_wanted_ones(tmp_path: Path) -> None:
    arrays = arrays_of()
    del arrays["val_images"], arrays["test_labels"]
    np.savez(tmp_path / "few.npz", **arrays)
    with pytest.raises(DataError, match=r"wanted the arrays train_images, .*; missing are val_images, test_labels"):
        load(Npz(path=tmp_path / "few.npz"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"val_images": np.zeros((4, 6, 5), np.float32)}, r"val_images: wanted uint8 .*got float32 \(4, 6, 5\)"),
        ({"val_images": np.zeros((4, 30), np.uint8)}, r"val_images: wanted uint8 .*got uint8 \(4, 30\)"),
        ({"train_labels": np.zeros((8, 14), np.uint8)}, r"train_labels: wanted integers .*got uint8 \(8, 14\)"),
        ({"train_labels": np.zeros(8)}, r"train_labels: wanted integers .*got float64 \(8,\)"),
        ({"test_labels": np.array([0, 1, 2, 3])}, r"test: wanted labels in 0 \.\.\. 2, got 0 \.\.\. 3"),
        ({"test_labels": np.array([0, 1])}, "test: wanted a label for each image, got 4 images, 2 labels"),
        ({"train_images": np.zeros((0, 6, 5), np.uint8), "train_labels": np.zeros(0, np.uint8)}, "at least one image"),
    ],
)
def test_wrong_arrays_are_refused_by_name(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(Npz(path=written(tmp_path / "wrong.npz", **changed)))
