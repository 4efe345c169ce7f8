import hashlib
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unlearning.data import DataError, Folder, ImageData, ImageTable, load
from unlearning.data._image_cache import keeping, kept
from unlearning.data.duplicates import digest_of, image_digests


def picture(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def noise(number: int, height: int = 8, width: int = 8) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width), dtype=np.uint8)


def table(folder: Path, count: int = 6, suffix: str = "png") -> ImageTable:
    """A table of which images are written already; each split has an image of both classes."""
    splits = ("train", "val", "test")
    rows = [f"{n}.{suffix},{n % 2},{splits[n // 2 % 3]}" for n in range(count)]
    (folder / "t.csv").write_text("\n".join(["file,label,split", *rows]))
    return ImageTable(path=folder / "t.csv", channels=1)


def grey(folder: Path) -> ImageTable:
    for n in range(6):
        picture(folder / f"{n}.png", noise(n))
    return table(folder)


def with_options(source: ImageTable, **options: object) -> ImageData:
    return load(ImageTable.model_validate({**source.model_dump(), **options}))


def deep(folder: Path, suffix: str = "png", top: int = 65535) -> ImageTable:
    for n in range(6):
        values = np.random.default_rng(n).permutation(np.linspace(0, top, 64)).reshape(8, 8).astype(np.uint16)
        picture(folder / f"{n}.{suffix}", values)
    return table(folder, suffix=suffix)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_by_their_number(tmp_path: Path, suffix: str) -> None:
    source = deep(tmp_path, suffix)
    with pytest.raises(DataError, match=r"wanted 8 bits a channel, got 16; .*by the option `deep`"):
        load(source)
    image_HW = with_options(source, deep="bits").train.images_NCHW[1, 0].numpy()
    values_HW = np.asarray(Image.open(tmp_path / f"1.{suffix}")).astype(float)
    assert (image_HW == np.rint(values_HW * 255 / 65535)).all()


def test_twelve_bits_in_sixteen_use_the_whole_range_and_are_never_cut(tmp_path: Path) -> None:
    data = with_options(deep(tmp_path, top=4095), deep="bits", bits=12)
    assert (int(data.train.images_NCHW.min()), int(data.train.images_NCHW.max())) == (0, 255)
    picture(tmp_path / "3.png", np.full((8, 8), 4096, np.uint16))
    with pytest.raises(DataError, match=r"3\.png: wanted values 0 \.\.\. 4095 \(12 bits\), got 4096 \.\.\. 4096"):
        with_options(table(tmp_path), deep="bits", bits=12)


def test_an_image_of_eight_bits_has_no_place_on_the_scale_of_sixteen(tmp_path: Path) -> None:
    source = deep(tmp_path)
    picture(tmp_path / "2.png", noise(2))
    with pytest.raises(DataError, match=r"2\.png: wanted 16-bit grey as `deep: bits` scales it, got 8 bits a channel"):
        with_options(source, deep="bits")
    assert len(with_options(source, deep="image").val) == 2


def test_each_image_may_be_scaled_by_its_own_range(tmp_path: Path) -> None:
    data = with_options(deep(tmp_path, top=3000), deep="image")
    for image in data.test.images_NCHW:
        assert (int(image.min()), int(image.max())) == (0, 255)


def test_a_deep_image_without_contrast_is_black(tmp_path: Path) -> None:
    source = deep(tmp_path)
    picture(tmp_path / "0.png", np.full((8, 8), 4096, np.uint16))
    assert int(with_options(source, deep="image").train.images_NCHW[0].max()) == 0


def test_a_deep_image_is_turned_as_its_camera_noted(tmp_path: Path) -> None:
    source = deep(tmp_path)
    values, exif = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000, Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    picture(tmp_path / "0.png", values, exif=exif)
    image_HW = with_options(source, deep="bits").train.images_NCHW[0, 0].numpy()
    assert (image_HW == np.rint(values[::-1, ::-1] * (255 / 65535))).all()


def test_deep_images_that_pillow_does_not_read_exactly_are_refused(tmp_path: Path) -> None:
    source = deep(tmp_path)
    picture(tmp_path / "1.png", np.zeros((8, 8, 3), np.uint8))
    colour = bytearray((tmp_path / "1.png").read_bytes())
    colour[24] = 16  # its header now says 16-bit colour; the depth is judged before the pixels are looked at
    (tmp_path / "1.png").write_bytes(colour)
    picture(tmp_path / "3.png", np.zeros((8, 8), np.float32), format="TIFF")
    Image.fromarray(noise(0).astype(np.uint16)).save(tmp_path / "4.png", "TIFF", tiffinfo={262: 0})
    (tmp_path / "5.png").write_bytes(b"P5 8 8 4095\n" + noise(0).astype(">u2").tobytes())
    with pytest.raises(DataError) as caught:
        with_options(source, deep="bits")
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert lines[0] == "4 images cannot be used"
    assert "1.png: " in lines[1]
    assert "3.png: wanted 8 bits a channel, got 32" in lines[2]
    assert "4.png: wanted 16-bit grey in which 0 is black, got a TIFF in which it is white; invert it" in lines[3]
    assert "5.png: wanted 8 bits a channel, got 12" in lines[4]


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "CMYK", "1", "LA"])
def test_colour_modes_become_the_wanted_channels(tmp_path: Path, mode: str) -> None:
    source = grey(tmp_path)
    image = Image.fromarray(noise(7)).convert(mode)
    image.save(tmp_path / "0.png", "TIFF")
    data = with_options(source, channels=3)
    assert data.train.images_NCHW.shape == (2, 3, 8, 8)
    assert (data.train.images_NCHW[0].permute(1, 2, 0).numpy() == np.asarray(image.convert("RGB"))).all()


def test_images_of_other_sizes_than_most_are_named(tmp_path: Path) -> None:
    source = grey(tmp_path)
    picture(tmp_path / "2.png", noise(2, 9, 8))
    picture(tmp_path / "5.png", noise(2, 8, 10))
    with pytest.raises(DataError) as caught:
        load(source)
    message = str(caught.value)
    assert "wanted images of one size, got 3 sizes; most, 4, are 8 x 8; name a `size`" in message
    assert f"8 x 9: {tmp_path}/2.png" in message
    assert f"10 x 8: {tmp_path}/5.png" in message


@pytest.mark.parametrize(
    ("resize", "columns"), [("stretch", [0, 64, 128, 192]), ("pad", [0, 96, 0, 0]), ("crop", [64, 64, 128, 128])]
)
def test_rules_of_resizing_differ_in_what_becomes_of_the_aspect_ratio(
    tmp_path: Path, resize: str, columns: list[int]
) -> None:
    """An image twice as wide as high, in four vertical bands; the middle row and the middle of each quarter count."""
    source = grey(tmp_path)
    picture(tmp_path / "0.png", np.repeat(np.array([0, 64, 128, 192], np.uint8), 32)[None].repeat(64, 0))
    image_HW = with_options(source, size=64, resize=resize).train.images_NCHW[0, 0].numpy()
    if resize == "pad":
        assert image_HW[[4, 60]].max() == 0
        assert [int(image_HW[32, at]) for at in (8, 24, 40, 56)] == [0, 64, 128, 192]
    else:
        assert [int(image_HW[32, at]) for at in (8, 24, 40, 56)] == columns


def test_a_second_reading_decodes_nothing(tmp_path: Path) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    plain, first = load(source), with_options(source, cache=cache)
    [kept] = cache.iterdir()
    pixels = np.load(kept)
    assert (pixels[:2] == first.train.images_NCHW.numpy()).all()
    written = kept.stat().st_mtime_ns
    assert with_options(source, cache=cache).content_hash == first.content_hash == plain.content_hash
    assert [kept.stat().st_mtime_ns] == [written for _ in cache.iterdir()]


def test_kept_images_are_those_that_are_read(tmp_path: Path) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    first_NCHW = with_options(source, cache=cache).train.images_NCHW.clone()
    [kept] = cache.iterdir()
    inverted = 255 - np.load(kept)
    with kept.open("wb") as file:
        np.lib.format.write_array(file, inverted)
        file.write(hashlib.sha256(b"".join(image_digests(torch.from_numpy(inverted)))).digest())
    assert (with_options(source, cache=cache).train.images_NCHW == 255 - first_NCHW).all()


def test_kept_images_are_mapped_and_never_copied(tmp_path: Path) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    plain = load(source)
    assert plain.train.mapped is None
    for data in (with_options(source, cache=cache), with_options(source, cache=cache)):
        for split, in_memory in ((data.train, plain.train), (data.val, plain.val), (data.test, plain.test)):
            assert split.mapped is not None
            assert torch.equal(torch.from_numpy(split.mapped.opened().copy()), in_memory.images_NCHW)
            assert torch.equal(split.images_NCHW, in_memory.images_NCHW)
            assert split.columns == in_memory.columns
            assert str(cache) in mapping_at(split.images_NCHW.data_ptr())
    assert plain.content_hash == data.content_hash


def test_a_split_that_loses_images_is_mapped_from_a_file_of_its_own(tmp_path: Path) -> None:
    for n in range(12):
        picture(tmp_path / f"{n}.png", noise(0 if n == 8 else n))  # image 8, of val, is image 0, of train
    source, cache = table(tmp_path, 12), tmp_path / "kept"
    plain = load(source)
    assert plain.dropped == {"val": 1, "test": 0}
    for data in (with_options(source, cache=cache), with_options(source, cache=cache)):
        assert data.content_hash == plain.content_hash
        assert torch.equal(data.val.images_NCHW, plain.val.images_NCHW)
        assert data.val.mapped is not None
        assert torch.equal(torch.from_numpy(data.val.mapped.opened().copy()), plain.val.images_NCHW)
        assert data.val.columns == plain.val.columns
        assert data.val.labels_N.tolist() == plain.val.labels_N.tolist()
    assert len([*cache.iterdir()]) == 2


def mapping_at(address: int) -> str:
    """What the kernel says of the mapping that an address of this process lies in."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, _, end = line.split()[0].partition("-")
        if int(first, 16) <= address < int(end, 16):
            return line
    raise AssertionError(f"{address:x} is mapped nowhere")


def test_a_table_in_any_order_of_splits_gives_the_images_of_its_rows(tmp_path: Path) -> None:
    source = grey(tmp_path)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([lines[0], *(lines[n] for n in (5, 2, 3, 1, 6, 4))]))
    data = load(source)
    for split in (data.train, data.val, data.test):
        for name, image_CHW in zip(split.columns["file"], split.images_NCHW, strict=True):
            assert (image_CHW[0].numpy() == noise(int(name[0]))).all()
    assert data.train.columns["file"] == ("1.png", "0.png")


def test_another_file_option_or_order_is_another_entry(tmp_path: Path) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    with_options(source, cache=cache)
    assert with_options(source, cache=cache, size=16).train.images_NCHW.shape == (2, 1, 16, 16)
    picture(tmp_path / "0.png", noise(100))
    assert (with_options(source, cache=cache).train.images_NCHW[0, 0].numpy() == noise(100)).all()
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "archive", "floats", "longer", "head"])
def test_damaged_kept_images_are_decoded_anew(tmp_path: Path, damage: str) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    first = with_options(source, cache=cache)
    [kept] = cache.iterdir()
    content = bytearray(kept.read_bytes())
    whole = bytes(content)
    content[200] ^= 1
    archive, floats = BytesIO(), BytesIO()
    np.savez(archive, images=np.load(kept))
    np.save(floats, np.load(kept).astype(np.float32))
    head = whole.replace(b"), }", b" , }", 1)
    others = {"archive": archive.getvalue(), "floats": floats.getvalue(), "longer": whole + b"0", "head": head}
    kept.write_bytes({"flipped": content, "cut": content[:300], "empty": b"", **others}[damage])
    assert with_options(source, cache=cache).content_hash == first.content_hash
    assert kept.read_bytes() == whole


@pytest.mark.parametrize("folder", ["t.csv", "t.csv/kept", "k" * 256, "/proc/kept"])
def test_a_folder_in_which_no_images_can_be_kept_is_named(folder: str, tmp_path: Path) -> None:
    source = grey(tmp_path)
    with pytest.raises(DataError, match=rf"{folder}: decoded images cannot be kept there \(.*\); name another `cache`"):
        with_options(source, cache=tmp_path / folder)


def test_two_that_keep_the_same_images_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    pixels = np.stack([noise(n)[None] for n in range(3)])
    with keeping(tmp_path, "key", 3) as first:
        first.write(pixels[0], digest_of(pixels[0]))
        with keeping(tmp_path, "key", 3) as second:
            for image_CHW in pixels:
                second.write(image_CHW, digest_of(image_CHW))
        read_meanwhile = second.kept.mapped.opened()
        for image_CHW in pixels[1:]:
            first.write(image_CHW, digest_of(image_CHW))
    found = kept(tmp_path, "key")
    assert found is not None
    assert found == second.kept == first.kept
    assert (read_meanwhile == pixels).all()
    assert (found.mapped.opened() == pixels).all()
    assert len([*tmp_path.iterdir()]) == 1


def test_what_a_killed_process_began_to_keep_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    cache.mkdir()
    abandoned, written, other = (cache / name for name in ("images-a.npy.0", "images-a.npy.1", "mine.npy"))
    for path in (abandoned, written, other):
        path.write_bytes(b"images")
    for path in (abandoned, other):
        os.utime(path, (0, 0))
    with_options(source, cache=cache)
    assert not abandoned.exists()
    assert written.exists() and other.exists()


def test_nothing_is_kept_where_an_image_cannot_be_used(tmp_path: Path) -> None:
    source, cache = grey(tmp_path), tmp_path / "kept"
    (tmp_path / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"3\.png: Pillow cannot read it"):
        with_options(source, cache=cache)
    assert not [*cache.glob("*")]


def test_a_table_without_any_file_is_refused_with_a_cache_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,label,split\n,a,train\n,b,val\n")
    with pytest.raises(DataError, match="2 rows have no file"):
        load(ImageTable(path=tmp_path / "t.csv", cache=tmp_path / "kept"))


def test_a_folder_of_images_is_kept_and_read_like_a_table(tmp_path: Path) -> None:
    for n in range(6):
        picture(tmp_path / "own" / ("train", "val", "test")[n // 2] / "ab"[n % 2] / f"{n}.png", noise(n))
    source = Folder(path=tmp_path / "own", channels=1, cache=tmp_path / "kept")
    first, second = load(source), load(source)
    assert first.content_hash == second.content_hash
    assert second.train.columns == {"file": ("train/a/0.png", "train/b/1.png")}
    assert second.train.images_NCHW[1, 0].numpy().tolist() == noise(1).tolist()
