from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from unlearning.data import DataError
from unlearning.data._dicom import Window
from unlearning.data._images import Reading, read_image

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian  # noqa: E402

from unlearning.data import ImageTable  # noqa: E402

RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 64


def dicom(path: Path, values: np.ndarray = RAMP, interpretation: str = "MONOCHROME2", **tags: Any) -> Path:
    """Write a picture as a scanner does."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = values.shape[2] if values.ndim == 3 else 1
    dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = interpretation
    dataset.BitsAllocated = dataset.BitsStored = 8 * values.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def grey(path: Path, window: Window = "image") -> np.ndarray:
    return np.asarray(read_image(path, Reading("L", window=window)))


def test_the_range_of_an_image_becomes_that_of_eight_bits(tmp_path: Path) -> None:
    assert (grey(dicom(tmp_path / "a.dcm")) == np.rint(RAMP * (255 / 4032))).all()


def test_an_image_in_which_zero_is_white_is_inverted(tmp_path: Path) -> None:
    upright = grey(dicom(tmp_path / "a.dcm"))
    assert (grey(dicom(tmp_path / "b.dcm", interpretation="MONOCHROME1")) == 255 - upright).all()


def test_a_files_own_window_counts_in_rescaled_values(tmp_path: Path) -> None:
    """The formula of the standard, PS3.3 C.11.2.1.2.1."""
    path = dicom(
        tmp_path / "a.dcm",
        RAMP.astype(np.int16),
        RescaleSlope="2",
        RescaleIntercept="-1024",
        WindowCenter=["40", "600"],
        WindowWidth=["400", "1500"],
    )
    hounsfield = RAMP.astype(float) * 2 - 1024
    expected = ((hounsfield - 39.5) / 399 + 0.5).clip(0, 1) * 255
    assert np.abs(grey(path, "file") - expected).max() <= 0.5
    assert np.abs(grey(path, (-160.0, 240.0)) - ((hounsfield + 160) / 400).clip(0, 1) * 255).max() <= 0.5


def test_an_exact_window_is_as_wide_as_it_says(tmp_path: Path) -> None:
    tags = {"WindowCenter": "2000", "WindowWidth": "1000", "VOILUTFunction": "LINEAR_EXACT"}
    assert (
        np.abs(grey(dicom(tmp_path / "a.dcm", **tags), "file") - ((RAMP - 1500.0) / 1000).clip(0, 1) * 255).max() <= 0.5
    )


def test_padding_does_not_stretch_the_range(tmp_path: Path) -> None:
    values = RAMP.astype(np.int16) + 100
    plain = grey(dicom(tmp_path / "a.dcm", values))
    padded = values.copy()
    padded[0, 0] = -2000
    found = grey(dicom(tmp_path / "b.dcm", padded, PixelPaddingValue=-2000))
    assert (found[1:] == np.rint((values[1:] - values[0, 1]) * (255 / (values.max() - values[0, 1])))).all()
    assert found[0, 0] == plain[0, 0] == 0


def test_colour_stays_colour(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert (np.asarray(read_image(dicom(tmp_path / "a.dcm", pixels, "RGB"), Reading("RGB"))) == pixels).all()


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({}, "wanted a linear window in the file, got none; name one by the option `window_ends`"),
        (
            {"WindowCenter": "1", "WindowWidth": "2", "VOILUTFunction": "SIGMOID"},
            "wanted a linear window in the file, got SIGMOID",
        ),
        ({"WindowCenter": "1", "WindowWidth": "1"}, r"wanted a window wider than nothing, got 1.* \(WindowWidth\)"),
        ({"PhotometricInterpretation": "YBR_FULL"}, "wanted MONOCHROME1, MONOCHROME2 or RGB of 8 bits, got YBR_FULL"),
        ({"NumberOfFrames": "2"}, r"wanted one picture, got 2 frames \(DICOM\)"),
        ({"ModalityLUTSequence": []}, "wanted a rescale slope and intercept, got a modality look-up table"),
        ({"Rows": 9}, "pydicom cannot read it as an image"),
    ],
)
def test_what_has_no_plain_meaning_as_grey_is_refused(tmp_path: Path, tags: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"a\.dcm: {message}"):
        grey(dicom(tmp_path / "a.dcm", **tags), "file")


def test_a_window_that_is_closed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="wanted a lower and a higher value"):
        ImageTable(path=tmp_path, window_ends=(3, 3))
