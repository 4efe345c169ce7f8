"""How many bits a channel has in an image file, as the file itself says.

Pillow opens 16-bit colour as 8 bits and drops the rest silently, so its mode is no evidence.
"""

import re
from collections.abc import Callable

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

BITS_PER_SAMPLE = 258
"""The TIFF tag."""

EIGHT_BIT_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "MPO", "PCX", "TGA", "WEBP", "XBM")
"""Pillow's names of formats that have no more than 8 bits a channel in any file that it opens."""

START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of segments that begin with the precision."""

_GAP = rb"(?>\s|#[^\r\n]*+)++"
PORTABLE_HEADER = re.compile(rb"P[2356]" + _GAP + rb"\d++" + _GAP + rb"\d++" + _GAP + rb"(\d++)")
"""Magic number, width, height and largest value of a PGM or PPM file; comments may stand between them."""


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
