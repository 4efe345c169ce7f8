"""Reading the picture of a DICOM file as 8-bit grey or colour, by `pydicom`, which is an optional dependency.

Stored values become 0 ... 255 in three steps: the file's rescale slope and intercept (CT: Hounsfield units), a window,
and inversion where 0 is white (MONOCHROME1). Whatever would need another step is refused.
"""

import io
from typing import Any, Literal

import numpy as np
from PIL import Image

from unlearning.data._depth import UnfitError

MARK, MARK_AT = b"DICM", 128

WINDOW_ADVICE = "name one by the option `window_ends`, or write `window: image`"

Window = Literal["file", "image"] | tuple[float, float]
"""Which values become 0 and 255: those of the file's own window, the image's smallest and largest, or named ones."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


def is_dicom(content: bytes) -> bool:
    """Return whether a file's content begins as a DICOM file does."""
    return content[MARK_AT : MARK_AT + len(MARK)] == MARK


def dicom_picture(content: bytes, window: Window) -> Image.Image:
    """Read a DICOM file's picture, in Pillow's mode L or RGB.

    Args:
        content: the file.
        window: which values, after rescaling, become 0 and 255; those beyond become the same.

    Raises:
        UnfitError: `pydicom` is not installed, there are several frames, or values that have no plain meaning as grey.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise UnfitError("DICOM is read by pydicom, which is not installed: pip install 'lethe[dicom]'") from error
    dataset = pydicom.dcmread(io.BytesIO(content))
    if (frames := int(dataset.get("NumberOfFrames") or 1)) > 1:
        raise UnfitError(f"wanted one picture, got {frames} frames (DICOM); save the wanted one alone")
    match dataset.PhotometricInterpretation:
        case "RGB" if dataset.BitsAllocated == 8:
            return Image.fromarray(dataset.pixel_array)
        case "MONOCHROME1" | "MONOCHROME2" as interpretation:
            grey_HW = _grey(dataset, window)
            return Image.fromarray(255 - grey_HW if interpretation == "MONOCHROME1" else grey_HW)
        case other:
            raise UnfitError(
                f"wanted MONOCHROME1, MONOCHROME2 or RGB of 8 bits, got {other} of {dataset.BitsAllocated}; convert it"
            )


def _grey(dataset: Any, window: Window) -> np.ndarray[Any, np.dtype[np.uint8]]:
    if "ModalityLUTSequence" in dataset:
        raise UnfitError("wanted a rescale slope and intercept, got a modality look-up table; convert it")
    stored_HW = dataset.pixel_array
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    values_HW = stored_HW.astype(np.float64) * slope + intercept
    low, high = _ends(dataset, values_HW[stored_HW != dataset.get("PixelPaddingValue")], window)
    scaled_HW = (values_HW - low) * (255 / (high - low)) if high > low else np.zeros_like(values_HW)
    grey_HW: np.ndarray[Any, np.dtype[np.uint8]] = np.rint(scaled_HW.clip(0, 255)).astype(np.uint8)
    return grey_HW


def _ends(dataset: Any, values_M: Floats, window: Window) -> tuple[float, float]:
    """Return the values that become 0 and 255; pixels of padding do not count."""
    if not isinstance(window, str):
        return window
    if window == "image":
        return (float(values_M.min()), float(values_M.max())) if len(values_M) else (0.0, 0.0)
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if "WindowCenter" not in dataset or "WindowWidth" not in dataset or function not in ("LINEAR", "LINEAR_EXACT"):
        got = function if "WindowCenter" in dataset else "none"
        raise UnfitError(f"wanted a linear window in the file, got {got}; {WINDOW_ADVICE}")
    center, width = (float(np.atleast_1d(dataset[name].value)[0]) for name in ("WindowCenter", "WindowWidth"))
    if function == "LINEAR":  # PS3.3 C.11.2.1.2.1: the window begins and ends at centers of values
        center, width = center - 0.5, width - 1
    if width <= 0:
        raise UnfitError(
            f"wanted a window wider than nothing, got {dataset.WindowWidth} (WindowWidth); {WINDOW_ADVICE}"
        )
    return center - width / 2, center + width / 2
