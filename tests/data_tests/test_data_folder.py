import io
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from unlearning.data import DataError, Folder, facts, load
from unlearning.data.forget import ForgetRequest, Query, Where, select


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


@pytest.mark.parametrize("content", [b"not an image", b"", b"\x89PNG\r\n\x1a\n", b"P6 8 8 255\n", b"\xff\xd8\xff\xe0"])
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
    with pytest.raises(DataError, match=r"deep\.png: wanted 8 bits a channel, got 16; scale"):
        load(Folder(path=tmp_path, size=8, channels=1))


def test_a_split_without_images_is_told(tmp_path: Path) -> None:
    for file in (tree(tmp_path) / "test").glob("*/*.png"):
        file.unlink()
    with pytest.raises(DataError, match=r"test: there are no images; wanted .*CLASS.IMAGE"):
        load(Folder(path=tmp_path, size=8))


def colour(low: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(low, 256, (16, 16, 3), dtype=np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def deep_png() -> bytes:
    """A grey PNG whose header is made to say 16-bit colour; the depth is judged before the pixels are looked at."""
    content = bytearray(saved(colour(), "PNG"))
    content[24] = 16
    return bytes(content)


def deep_tiff() -> bytes:
    content = saved(colour(), "TIFF")
    eight_bits = np.array([8, 8, 8], "<u2").tobytes()
    assert content.count(eight_bits) == 1
    return content.replace(eight_bits, np.array([16, 16, 16], "<u2").tobytes())


def deep_jpeg() -> bytes:
    content = bytearray(saved(colour(), "JPEG"))
    content[content.index(b"\xff\xc0") + 4] = 12
    return bytes(content)


def deep_ppm() -> bytes:
    """Twelve bits in two bytes, under a header with comments."""
    pixels = np.random.default_rng(0).integers(0, 4096, (16, 16, 3)).astype(">u2")
    return b"P6 # from a scanner\n#\n16 16\n4095\n" + pixels.tobytes()


def deep_jpeg_2000() -> bytes:
    return saved(Image.fromarray(np.full((16, 16), 40_000, np.uint16)), "JPEG2000")


@pytest.mark.parametrize(
    ("make", "bits"), [(deep_png, 16), (deep_tiff, 16), (deep_jpeg, 12), (deep_ppm, 12), (deep_jpeg_2000, 16)]
)
def test_depth_is_judged_by_the_file_also_where_pillow_opens_it_as_eight_bits(
    tmp_path: Path, make: Callable[[], bytes], bits: int
) -> None:
    (tree(tmp_path) / "train" / "benign" / "deep.img").write_bytes(make())
    with pytest.raises(DataError, match=rf"deep\.img: wanted 8 bits a channel, got {bits}; scale all images to 8 bits"):
        load(Folder(path=tmp_path, size=8))


def test_a_format_whose_depth_is_not_known_is_refused(tmp_path: Path) -> None:
    colour().save(tree(tmp_path) / "train" / "benign" / "rare.sgi")
    with pytest.raises(DataError, match=r"rare\.sgi: wanted a format whose bits a channel are known, got SGI"):
        load(Folder(path=tmp_path, size=8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "PPM", "JPEG2000", "GIF", "BMP", "WEBP", "TGA", "PCX"])
def test_images_of_eight_bits_are_read_in_every_usual_format(tmp_path: Path, kind: str) -> None:
    content = saved(Image.new("RGB", (16, 16), (200, 100, 50)), kind)
    (tree(tmp_path) / "train" / "benign" / "0.png").write_bytes(content)
    read_3 = load(Folder(path=tmp_path, size=16)).train.images_NCHW[0].float().mean((1, 2))
    assert torch.allclose(read_3, torch.tensor([200.0, 100.0, 50.0]), atol=3)


def half_transparent() -> Image.Image:
    """Red, and under the transparent left half a green that nobody sees."""
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, :8], pixels[:, 8:] = (0, 255, 0, 0), (255, 0, 0, 255)
    return Image.fromarray(pixels)


def transparent_grey() -> Image.Image:
    pixels = np.full((16, 16, 2), 200, np.uint8)
    pixels[0, 0, 1] = 254
    return Image.fromarray(pixels, "LA")


def transparent_palette() -> Image.Image:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 255, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    image.info["transparency"] = 0
    return image


@pytest.mark.parametrize("make", [half_transparent, transparent_grey, transparent_palette])
def test_transparent_pixels_are_refused_unless_a_background_is_named(
    tmp_path: Path, make: Callable[[], Image.Image]
) -> None:
    make().save(tree(tmp_path) / "train" / "benign" / "clear.png")
    with pytest.raises(DataError, match=r"clear\.png: wanted a colour at every pixel, got transparent.*`background`"):
        load(Folder(path=tmp_path, size=16))
    assert len(load(Folder(path=tmp_path, size=16, background="black")).train) == 5


def test_transparent_pixels_show_the_background_and_not_the_colour_under_them(tmp_path: Path) -> None:
    half_transparent().save(tree(tmp_path) / "train" / "benign" / "0.png")
    image_CHW = load(Folder(path=tmp_path, size=16, background="#0000ff")).train.images_NCHW[0]
    assert image_CHW[:, 0, 0].tolist() == [0, 0, 255]
    assert image_CHW[:, 0, 15].tolist() == [255, 0, 0]


def test_an_alpha_channel_that_is_opaque_everywhere_changes_nothing(tmp_path: Path) -> None:
    colour().save(tree(tmp_path) / "train" / "benign" / "0.png")
    plain = load(Folder(path=tmp_path, size=8)).content_hash
    colour().convert("RGBA").save(tmp_path / "train" / "benign" / "0.png")
    assert load(Folder(path=tmp_path, size=8)).content_hash == plain


@pytest.mark.parametrize("background", ["blak", "#ff880080"])
def test_a_background_must_be_an_opaque_colour(tmp_path: Path, background: str) -> None:
    with pytest.raises(ValidationError, match="background"):
        Folder(path=tmp_path, size=8, background=background)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP", "MPO"])
def test_a_file_of_several_pages_or_frames_is_refused_with_their_number(tmp_path: Path, kind: str) -> None:
    further = [colour(low=100), colour(low=200)]
    content = saved(colour(), kind, save_all=True, append_images=further)
    (tree(tmp_path) / "train" / "benign" / "many.img").write_bytes(content)
    with pytest.raises(DataError, match=r"many\.img: wanted one picture, got 3 pages or frames"):
        load(Folder(path=tmp_path, size=8))


def test_images_beside_the_class_folders_are_refused(tmp_path: Path) -> None:
    save(tree(tmp_path) / "test" / "lost.PNG", 7)
    with pytest.raises(DataError, match=r"test: wanted images in folders of classes only, got beside them lost\.PNG"):
        load(Folder(path=tmp_path, size=8))


def test_what_systems_leave_behind_is_no_class_and_is_named_with_all_that_is_not_read(tmp_path: Path) -> None:
    plain = load(Folder(path=tree(tmp_path), size=8))
    save(tmp_path / "train" / "__MACOSX" / "benign" / "._0.png", 3)
    save(tmp_path / "val" / "benign" / "@eaDir" / "0.png@SYNO.png", 3)
    for split in ("train", "test"):
        (tmp_path / split / "benign" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "train" / "desktop.ini").write_text("x")
    (tmp_path / "train" / "labels.csv").write_text("x")
    (tmp_path / "extra").mkdir()
    data = load(Folder(path=tmp_path, size=8))
    assert (data.class_names, data.content_hash) == (plain.class_names, plain.content_hash)
    assert data.notes == (
        f"left out of {tmp_path}: @eaDir, Thumbs.db (2 times), __MACOSX, desktop.ini, extra, labels.csv",
    )
    assert facts(data)[1:] == (f"{data.name}: {data.notes[0]}",)
    assert plain.notes == ()


def test_class_names_are_compared_in_unicodes_composed_form(tmp_path: Path) -> None:
    composed = "n\N{LATIN SMALL LETTER AE}vus b\N{LATIN SMALL LETTER E WITH ACUTE}nin"
    decomposed = unicodedata.normalize("NFD", composed)
    tree(tmp_path)
    for split, name in (("train", decomposed), ("val", composed), ("test", composed)):
        (tmp_path / split / "benign").rename(tmp_path / split / name)
    data = load(Folder(path=tmp_path, size=8))
    assert data.class_names[data.train.labels_N[-1]] == composed
    assert data.test.labels_N.tolist() == data.train.labels_N.tolist()


def test_two_folders_of_one_name_in_two_unicode_forms_are_refused(tmp_path: Path) -> None:
    tree(tmp_path)
    for form in ("NFC", "NFD"):
        (tmp_path / "train" / unicodedata.normalize(form, "\N{LATIN SMALL LETTER E WITH ACUTE}")).mkdir()
    with pytest.raises(DataError, match=r"train: two folders are called .*, in different Unicode forms"):
        load(Folder(path=tmp_path, size=8))


def test_all_broken_images_are_named_in_one_error(tmp_path: Path) -> None:
    tree(tmp_path)
    for number in range(14):
        (tmp_path / "train" / "benign" / f"{number + 10}.png").write_bytes(b"broken")
        (tmp_path / "test" / "malignant" / f"{number + 10}.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="28 images cannot be used") as raised:
        load(Folder(path=tmp_path, size=8))
    lines = str(raised.value).splitlines()
    assert len([line for line in lines if "Pillow cannot read it as an image" in line]) == 20
    assert lines[-1].strip() == "and 8 more"


def test_an_empty_class_folder_in_train_is_refused_with_the_images_of_each_class(tmp_path: Path) -> None:
    (tree(tmp_path) / "train" / "unclear").mkdir()
    counts = r"0 \(benign\): 2, 1 \(malignant\): 2, 2 \(unclear\): 0"
    with pytest.raises(DataError, match=rf"train: wanted images of every class, got none of class 2.*{counts}"):
        load(Folder(path=tmp_path, size=8))


def test_a_pipe_and_a_device_among_the_images_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tree(tmp_path) / "train" / "benign" / "pipe.png")
    (tmp_path / "train" / "benign" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"(?s)2 images.*pipe\.png: wanted a regular file.*zero\.png: wanted a regular"):
        load(Folder(path=tmp_path, size=8))


def test_a_sparse_image_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tree(tmp_path) / "train" / "benign" / "sparse.png").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(DataError, match=r"sparse\.png: wanted a image of at most"):
        load(Folder(path=tmp_path, size=8))


def test_more_images_than_the_limit_are_refused_with_the_option_that_raises_it(tmp_path: Path) -> None:
    tree(tmp_path)
    with pytest.raises(DataError, match=r"at most 1e-06 GiB of memory, got 2\.15e-06 GiB; .*raise .*`limit_gib`"):
        load(Folder(path=tmp_path, size=8, limit_gib=1e-6))


def test_a_folder_for_each_patient_is_refused_with_what_to_write_instead(tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        save(tree(tmp_path) / "train" / "benign" / patient / "0.png", 200)
    with pytest.raises(DataError) as caught:
        load(Folder(path=tmp_path, size=8))
    said = str(caught.value)
    assert f"{tmp_path}/train/benign/p1: wanted a regular file as image, got a folder" in said
    assert said.count("where each patient has a folder, list the images in a table") == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("val/benign/0.png", "names none of the 4 train images"),
        ("train/benign/9.png", "1 of 1 values are no file of any image"),
        ("train/benign/0.png\ntrain/benign/1.png", "to retain in benign, so retraining would not know the class"),
        (
            "train/benign/0.png\ntrain/benign/1.png\ntrain/malignant/0.png\ntrain/malignant/1.png",
            "leaves no train image of ward to retain$",
        ),
    ],
)
def test_a_request_for_files_that_cannot_be_meant_is_refused(tmp_path: Path, names: str, message: str) -> None:
    data = load(Folder(path=tree(tmp_path / "ward"), size=8))
    (tmp_path / "list.txt").write_text(names)
    quoted = ", ".join(f"'{name}'" for name in names.splitlines())
    requests: list[ForgetRequest] = [Where(column="file", values_file=tmp_path / "list.txt")]
    if "no file" not in message:
        requests.append(Query(sql=f"file in ({quoted})"))
    for request_ in requests:
        with pytest.raises(DataError, match=message):
            select(request_, data, 0)
