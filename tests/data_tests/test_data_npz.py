import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unlearning.data import DataError, Npz, facts, load


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
    with pytest.raises(DataError, match=r"train_labels: wanted integers .*got object \(8,\)"):
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
        ({"train_labels": np.zeros((8, 14, 2), np.uint8)}, r"train_labels: wanted integers .*got uint8 \(8, 14, 2\)"),
        ({"train_labels": np.zeros(8)}, r"train_labels: wanted integers .*got float64 \(8,\)"),
        ({"test_labels": np.array([0, 1, 2, 3])}, r"test: wanted labels in 0 \.\.\. 2, got 0 \.\.\. 3"),
        ({"test_labels": np.array([0, 1])}, "test: wanted a label for each image, got 4 images, 2 labels"),
        ({"train_images": np.zeros((0, 6, 5), np.uint8), "train_labels": np.zeros(0, np.uint8)}, "at least one image"),
    ],
)
def test_wrong_arrays_are_refused_by_name(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(Npz(path=written(tmp_path / "wrong.npz", **changed)))


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def with_member(path: Path, name: str, content: bytes, declared_bytes: int | None = None) -> Path:
    """The usual arrays, in the place of one of them the given bytes, of which the directory may say another number."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays_of().items():
            if f"{key}.npy" != name:
                with archive.open(f"{key}.npy", "w") as stream:
                    np.lib.format.write_array(stream, array)
        archive.writestr(name, content)
        archive.getinfo(name).file_size = declared_bytes or len(content)
    return path


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((8, 3, 28, 28), r"; it looks like channels first \(NCHW\): save `images\.transpose\(0, 2, 3, 1\)`"),
        ((8, 1, 28, 28), r"; it looks like channels first \(NCHW\)"),
        ((8, 6, 5, 4), "; an alpha channel must be composited or cut off"),
        ((8, 6, 5, 7), "$"),
    ],
)
def test_other_than_one_or_three_channels_in_the_last_place_are_refused(
    tmp_path: Path, shape: tuple[int, ...], advice: str
) -> None:
    path = written(tmp_path / "first.npz", train_images=np.zeros(shape, np.uint8))
    wanted = r"first\.npz, train_images: wanted 1 or 3 channels in the last place \(NHWC\), got uint8"
    with pytest.raises(DataError, match=rf"{wanted} \({', '.join(map(str, shape))}\){advice}"):
        load(Npz(path=path))


def test_the_shape_that_was_read_is_described(tmp_path: Path) -> None:
    assert (
        "8 train, 4 val, 4 test images of height 6, width 5 and 1 channel"
        in facts(load(Npz(path=written(tmp_path / "a.npz"))))[0]
    )


def test_arrays_that_are_not_read_are_named(tmp_path: Path) -> None:
    data = load(Npz(path=written(tmp_path / "more.npz", train_patients=np.arange(8), weights=np.ones(3))))
    assert data.notes == ("arrays that are not read: train_patients, weights",)


@pytest.mark.parametrize("labels", [np.array([1, 2, 3, 1, 2, 3, 1, 2]), np.array([0, 1, 3, 0, 1, 3, 0, 1])])
def test_labels_with_a_gap_make_no_class_that_nobody_has(tmp_path: Path, labels: Any) -> None:
    path = written(tmp_path / "gap.npz", train_labels=labels)
    with pytest.raises(DataError, match=r"gap, train: wanted labels in 0 \.\.\. 2, got . \.\.\. 3; images per label"):
        load(Npz(path=path))


def test_more_class_names_than_labels_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "named.npz")
    with pytest.raises(DataError, match=r"named, train: wanted images of every class, got none of class 3 \(d\)"):
        load(Npz(path=path, class_names=("a", "b", "c", "d")))


def test_a_label_of_thirty_million_is_refused_before_anything_is_made_of_it(tmp_path: Path) -> None:
    path = written(tmp_path / "large.npz", train_labels=np.array([0, 1, 2, 0, 1, 2, 0, 30_000_000]))
    with pytest.raises(DataError, match=r"got 0 \.\.\. 30000000; images per label: 0: 3, 1: 2, 2: 2, 30000000: 1"):
        load(Npz(path=path))


def test_an_archive_is_measured_before_it_is_read(tmp_path: Path) -> None:
    """Header and directory agree on 10 GiB, as a deflated bomb's do; there is nothing behind them."""
    start = header((10_240, 1024, 1024))
    path = with_member(tmp_path / "bomb.npz", "train_images.npy", start, len(start) + 10 * 2**30)
    with pytest.raises(DataError, match=r"bomb\.npz: wanted .* at most 4 GiB of memory, got 10 GiB; .*`limit_gib`"):
        load(Npz(path=path))


def test_labels_are_measured_by_what_each_image_takes(tmp_path: Path) -> None:
    start = header((2**30,))
    path = with_member(tmp_path / "bomb.npz", "train_labels.npy", start, len(start) + 2**30)
    with pytest.raises(DataError, match="at most 4 GiB of memory, got 256 GiB"):
        load(Npz(path=path))


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    path = written(tmp_path / "some.npz")
    with pytest.raises(DataError, match=r"at most 1e-06 GiB .*raise the data source's option `limit_gib`"):
        load(Npz(path=path, limit_gib=1e-6))
    assert load(Npz(path=path, limit_gib=1e-5)).classes == 3


@pytest.mark.parametrize(
    "shape",
    [(784_000_000_000, 28, 36), (-8, -6, 5), (8, 6, 4), (10**4000, 10**4000, 2)],
    ids=["784 TB", "negative", "other", "beyond text"],
)
def test_a_header_that_does_not_fit_its_array_is_an_error_of_the_archive(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    path = with_member(tmp_path / "forged.npz", "train_images.npy", header(shape) + bytes(240))
    with pytest.raises(DataError, match=r"forged\.npz(, train_images: its header says|: the archive cannot be read)"):
        load(Npz(path=path))


@pytest.mark.parametrize(
    "text", ["{1: 2, 'a': 3}", "{[]: 1}", "-" * 5000 + "1", "(" * 5000, "{'descr': [], 'fortran_order': 0, 'shape': 3}"]
)
def test_a_header_that_is_no_header_is_an_error_of_the_archive(tmp_path: Path, text: str) -> None:
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    path = with_member(tmp_path / "forged.npz", "train_images.npy", content)
    with pytest.raises(DataError, match=r"forged\.npz: the archive cannot be read"):
        load(Npz(path=path))


def test_an_array_that_an_archive_holds_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "twice.npz")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("val_labels", header((4,)) + bytes(4))
    with pytest.raises(DataError, match=r"twice\.npz: wanted each array once, got several of val_labels"):
        load(Npz(path=path))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_more_than_was_asked_for_are_refused(tmp_path: Path, compression: int) -> None:
    with zipfile.ZipFile(tmp_path / "other.npz", "w", compression) as archive:
        for key, array in arrays_of().items():
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, array)
    with pytest.raises(DataError, match=r"other\.npz: wanted arrays stored or deflated, .*; not so are train_images, "):
        load(Npz(path=tmp_path / "other.npz"))


def test_a_member_that_unpacks_to_more_than_it_says_is_an_error_of_the_file(tmp_path: Path) -> None:
    start = header((8, 6, 5))
    content = start + bytes(50 * 2**20)
    path = with_member(tmp_path / "liar.npz", "train_images.npy", content, len(start) + 240)
    with pytest.raises(DataError, match=r"liar\.npz: the archive cannot be read"):
        load(Npz(path=path))


def test_a_pipe_a_device_and_a_sparse_file_are_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "pipe.npz", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataError, match=r"wanted an \.npz archive in a regular file"):
            load(Npz(path=path))
    with (tmp_path / "sparse.npz").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(DataError, match=r"sparse\.npz: no whole \.npz archive"):
        load(Npz(path=tmp_path / "sparse.npz"))
