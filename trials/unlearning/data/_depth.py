"""How many bits a channel has in an image file, as the file itself says, and how 16 of them become 8.

Pillow opens 16-bit colour as 8 bits and drops the rest silently, so its mode is no evidence.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

BITS_PER_SAMPLE = 258
"""The TIFF tag."""

EIGHT_BIT_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "MPO", "PCX", "TGA", "WEBP", "XBM")
"""Pillow's names of formats that have no more than 8 bits a channel in any file that it opens."""

PHOTOMETRIC = 262
"""The TIFF tag of what 0 means; 0 for white."""

DEEP_FORMATS = ("PNG", "TIFF")
"""Formats of which Pillow returns 16-bit grey as the file has it; of others it scales or cuts the values."""

DEEP_MODES = ("I", "I;16", "I;16B", "I;16L")

START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of segments that begin with the precision."""

_GAP = rb"(?>\s|#[^\r\n]*+)++"
PORTABLE_HEADER = re.compile(rb"P[2356]" + _GAP + rb"\d++" + _GAP + rb"\d++" + _GAP + rb"(\d++)")
"""Magic number, width, height and largest value of a PGM or PPM file; comments may stand between them."""


class UnfitError(Exception):
    """A picture that can be read, but not as one of 8 bits a channel with a colour at every pixel."""


@dataclass(frozen=True)
class DeepRule:
    """How 16-bit grey becomes 8 bits; values are scaled and rounded, and never cut.

    Attributes:
        scale: ``bits``: 0 ... 2^bits - 1 become 0 ... 255, and a larger value is an error. ``image``: each image's own
            smallest and largest value become 0 and 255.
    """

    scale: Literal["bits", "image"]
    bits: int


def check_deep(image: Image.Image) -> None:
    """Check that an opened image is 16-bit grey that Pillow reads exactly, with a value at every pixel.

    Raises:
        UnfitError: it is not.
    """
    if image.format not in DEEP_FORMATS or image.mode not in DEEP_MODES:
        raise UnfitError(
            f"wanted 16 bits in grey, as PNG or TIFF, got {image.format} in Pillow's mode {image.mode}, whose values "
            "Pillow does not read exactly; convert it"
        )
    if "transparency" in image.info:
        raise UnfitError("wanted a grey value at every pixel of a 16-bit image, got transparent ones")
    if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0:
        raise UnfitError("wanted 16-bit grey in which 0 is black, got a TIFF in which it is white; invert it")


def eight_bits(image: Image.Image, rule: DeepRule) -> Image.Image:
    """Scale 16-bit grey to 8 bits.

    Raises:
        UnfitError: it has a value beyond the rule's bits.
    """
    values_HW = np.asarray(image).astype(np.int64)
    low, high = int(values_HW.min()), int(values_HW.max())
    if rule.scale == "bits":
        if low < 0 or high >= 1 << rule.bits:
            raise UnfitError(
                f"wanted values 0 ... {(1 << rule.bits) - 1} ({rule.bits} bits), got {low} ... {high}; the option "
                "`bits` says how many there are"
            )
        low, high = 0, (1 << rule.bits) - 1
    return Image.fromarray(np.rint((values_HW - low) * (255 / max(high - low, 1))).astype(np.uint8))


def bits_in_header(content: bytes) -> int | None:
    """Read the bits a channel from the header of a PNG, JPEG, JPEG 2000, PGM or PPM file.

    Returns:
        None where the file is of another format or has no such header.
    """
    for signature, read in _HEADERS:
        if content.startswith(signature):
            return read(content)
    return None


def bits_of_opened(image: Image.Image) -> int | None:
    """Read the bits a channel of an image whose format keeps them elsewhere or always has the same.

    Returns:
        None where they cannot be known.
    """
    if image.format in EIGHT_BIT_FORMATS or image.mode == "1":
        return 8
    return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,))) if isinstance(image, TiffImageFile) else None


def _png(content: bytes) -> int | None:
    return content[24] if content[12:16] == b"IHDR" and len(content) > 24 else None


def _jpeg(content: bytes) -> int | None:
    at = 2
    while at + 4 < len(content) and content[at] == 0xFF:
        if content[at + 1] in START_OF_FRAME:
            return content[at + 4]
        fill = content[at + 1] == 0xFF
        at += 1 if fill else 2 + int.from_bytes(content[at + 2 : at + 4])
    return None


def _jpeg_2000(content: bytes) -> int | None:
    """Read the SIZ segment, which begins a codestream: at 36 the number of components, then three bytes for each."""
    _, marker, segment = content.partition(b"\xff\x4f\xff\x51")
    components = int.from_bytes(segment[36:38])
    depths = segment[38 : 38 + 3 * components : 3]
    return max((depth & 0x7F) + 1 for depth in depths) if marker and depths else None


def _portable(content: bytes) -> int | None:
    header = PORTABLE_HEADER.match(content)
    return int(header[1][:6]).bit_length() if header else None


_HEADERS: tuple[tuple[tuple[bytes, ...], Callable[[bytes], int | None]], ...] = (
    ((b"\x89PNG\r\n\x1a\n",), _png),
    ((b"\xff\xd8\xff",), _jpeg),
    ((b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP"), _jpeg_2000),
    ((b"P2", b"P3", b"P5", b"P6"), _portable),
)
