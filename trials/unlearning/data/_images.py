"""Reading one image file exactly: one picture, 8 bits a channel, a known colour at every pixel.

What would need cropping, selecting or inventing is refused: deeper channels, unless a rule for 16-bit grey is named,
further pages or frames, and the colour under transparent pixels, unless a background is named.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError
from pydantic import AfterValidator

from unlearning.data._base import DataError
from unlearning.data._depth import DeepRule, UnfitError, bits_in_header, bits_of_opened, check_deep, eight_bits
from unlearning.data._dicom import Window, dicom_picture, is_dicom
from unlearning.data._files import read_regular

IMAGE_LIMIT_BYTES = 2**30
"""Largest image file. Pillow refuses pictures of that many pixels, however few bytes they take."""

ADVICE = "repair it, remove it, or hide it by a name that begins with a dot"


def _colour(text: str) -> str:
    if len(ImageColor.getrgb(text)) != 3:
        raise ValueError(f"{text} is not opaque; wanted a colour such as black, white or #ff8800")
    return text


Colour = Annotated[str, AfterValidator(_colour)]
"""An opaque colour by its name in HTML or as #rrggbb."""


@dataclass(frozen=True)
class Reading:
    """How a picture becomes 8 bits a channel.

    Attributes:
        mode: what it is converted to.
        background: the colour that transparent pixels are laid over; None refuses them.
        deep: how 16-bit grey becomes 8 bits; None refuses it.
        window: which values of a DICOM file become 0 and 255.
    """

    mode: Literal["L", "RGB"]
    background: str | None = None
    deep: DeepRule | None = None
    window: Window = "file"


def read_image(file: Path, reading: Reading) -> Image.Image:
    """Read an image file, turned as its EXIF orientation says.

    Raises:
        DataError: the file is no regular file, cannot be read, holds several pictures, has more than 8 bits a channel
            and no rule fits it, or has transparent pixels and there is no background.
    """
    content = read_regular(file, IMAGE_LIMIT_BYTES, "image", missing="")
    reader = "pydicom" if is_dicom(content) else "Pillow"
    try:
        if is_dicom(content):
            return dicom_picture(content, reading.window).convert(reading.mode)
        return _read(content, reading)
    except UnfitError as error:
        raise DataError(f"{file}: {error}") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{file}: Pillow cannot read it as an image (no format that it knows); {ADVICE}") from error
    except Exception as error:  # both raise whatever a damaged file makes them stumble over
        raise DataError(f"{file}: {reader} cannot read it as an image ({error}); {ADVICE}") from error


def _read(content: bytes, reading: Reading) -> Image.Image:
    deep, in_header = reading.deep, bits_in_header(content)
    if in_header and in_header > 8 and not deep:
        raise _too_deep(in_header)
    with Image.open(io.BytesIO(content)) as image:
        bits = _bits(image, in_header)
        if bits > 8 and not (deep and bits == 16):
            raise _too_deep(bits)
        if bits <= 8 and deep and deep.scale == "bits":
            raise UnfitError(
                f"wanted 16-bit grey as `deep: bits` scales it, got {bits} bits a channel, whose brightness beside "
                f"{deep.bits} bits is not known; convert it, or scale each image's own range by `deep: image`"
            )
        if (pictures := getattr(image, "n_frames", 1)) > 1:
            raise UnfitError(
                f"wanted one picture, got {pictures} pages or frames ({image.format}); save the wanted one alone"
            )
        upright = ImageOps.exif_transpose(image)
        if deep and bits == 16:
            check_deep(image)
            upright = eight_bits(upright, deep)
        return _opaque(upright, reading.background).convert(reading.mode)


def _bits(image: Image.Image, in_header: int | None) -> int:
    bits = in_header or bits_of_opened(image)
    if bits is None:
        raise UnfitError(
            f"wanted a format whose bits a channel are known, got {image.format} in Pillow's mode {image.mode}; save "
            "it as PNG"
        )
    return bits


def _too_deep(bits: int) -> UnfitError:
    return UnfitError(
        f"wanted 8 bits a channel, got {bits}; scale all images to 8 bits by the same window first, or 16-bit grey by "
        "the option `deep`"
    )


def _opaque(image: Image.Image, background: str | None) -> Image.Image:
    """Lay transparent pixels over the background; an image without any keeps its colours as they are."""
    if not image.has_transparency_data:
        return image
    colours = image.convert("RGBA")
    if colours.getchannel("A").getextrema() == (255, 255):
        image.info.pop("transparency", None)
        return image
    if background is None:
        raise UnfitError(
            "wanted a colour at every pixel, got transparent ones; name the colour to lay them over with the option "
            "`background`, such as black, or save it without transparency"
        )
    return Image.alpha_composite(Image.new("RGBA", colours.size, background), colours)
