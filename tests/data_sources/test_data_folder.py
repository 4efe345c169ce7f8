from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unlearning.data import DataError, Folder, load


def save(path: Path, grey: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), (grey, grey, grey)).convert(mode).save(path)


def tree(root: Path) -> Path:
    """Two classes with two images each in every split, all of different greys."""
    for s, split in enumerate(("train", "val", "test")):
        for c, name in enumerate(("benign", "malignant")):
            for number in range(2):
                save(root / split / name / f"{number}.png", 40 * s + 20 * c + 5 * number)
    return root


def test_classes_are_the_sorted_folders_of_train_and_images_are_in_sorted_order(tmp_path: Path) -> None:
    data = load(Folder(path=tree(tmp_path), size=8))
    assert data.class_names == ("benign", "malignant")
    assert data.train.labels_N.tolist() == [0, 0, 1, 1]
    assert data.train.images_NCHW.shape == (4, 3, 8, 8)
    assert data.train.images_NCHW[:, 0, 0, 0].tolist() == [0, 5, 20, 25]


def test_images_become_greyscale_where_one_channel_is_wanted(tmp_path: Path) -> None:
    data = load(Folder(path=tree(tmp_path), size=8, channels=1))
    assert data.val.images_NCHW.shape == (4, 1, 8, 8)
    assert data.val.images_NCHW[:, 0, 3, 3].tolist() == [40, 45, 60, 65]


def test_channels_come_first_and_keep_their_colour(tmp_path: Path) -> None:
    tree(tmp_path)
    Image.new("RGB", (12, 10), (200, 100, 50)).save(tmp_path / "train" / "benign" / "0.png")
    image_CHW = load(Folder(path=tmp_path, size=8)).train.images_NCHW[0]
    assert image_CHW.float().mean((1, 2)).tolist() == [200, 100, 50]


def test_the_orientation_that_a_camera_noted_is_followed(tmp_path: Path) -> None:
    tree(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4] = 255
    Image.fromarray(upright).save(tmp_path / "train" / "benign" / "0.png", exif=exif)
    image_CHW = load(Folder(path=tmp_path, size=8)).train.images_NCHW[0]
    assert torch.equal(image_CHW, torch.from_numpy(upright).permute(2, 0, 1).flip(1))


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    (tree(tmp_path) / "train" / "benign" / ".DS_Store").write_bytes(b"x")
    assert len(load(Folder(path=tmp_path, size=8)).train) == 4


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    (tree(tmp_path) / "val").rename(tmp_path / "valid")
    with pytest.raises(DataError, match="val: there is no such folder; wanted train, val, test in"):
        load(Folder(path=tmp_path, size=8))


def test_a_class_that_train_lacks_is_refused_with_the_classes_of_train(tmp_path: Path) -> None:
    save(tree(tmp_path) / "test" / "unclear" / "0.png", 3)
    with pytest.raises(DataError, match="test: unclear is no class of train; the classes are benign, malignant"):
        load(Folder(path=tmp_path, size=8))


def test_a_class_may_be_absent_from_val(tmp_path: Path) -> None:
    tree(tmp_path)
    for file in (tmp_path / "val" / "benign").iterdir():
        file.unlink()
    (tmp_path / "val" / "benign").rmdir()
    assert load(Folder(path=tmp_path, size=8)).val.labels_N.tolist() == [1, 1]


@pytest.mark.parametrize("content", [b"not an image", b"", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tree(tmp_path) / "train" / "benign" / "broken.png").write_bytes(content)
    with pytest.raises(DataError, match=r"benign.broken\.png: Pillow cannot read it as an image"):
        load(Folder(path=tmp_path, size=8))


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    file = tree(tmp_path) / "train" / "benign" / "0.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"benign.0\.png: Pillow cannot read it"):
        load(Folder(path=tmp_path, size=8))


def test_sixteen_bit_images_are_refused_instead_of_clipped(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    deep.save(tree(tmp_path) / "train" / "benign" / "deep.png")
    with pytest.raises(DataError, match=r"deep\.png: wanted 8 bits a channel, got Pillow's mode I"):
        load(Folder(path=tmp_path, size=8, channels=1))


def test_a_split_without_images_is_told(tmp_path: Path) -> None:
    for file in (tree(tmp_path) / "test").glob("*/*.png"):
        file.unlink()
    with pytest.raises(DataError, match=r"test: there are no images; wanted .*CLASS.IMAGE"):
        load(Folder(path=tmp_path, size=8))
