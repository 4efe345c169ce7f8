"""Makes what a hospital has: images of patients, a classifier that was trained on them, and a list of who withdrew.

    python docs/examples/hospital/make.py ward

All is made up: 120 patients with five images each, of which a fifth are for validation and a fifth for testing. Six
patients of the train images withdrew. The classifier is trained here as hospitals train theirs, in plain torch.
"""

import argparse
import csv
import shutil
import sys
import zipfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cross_entropy

HERE: Final = Path(__file__).parent
SIZE: Final = 24
IMAGES: Final = 5
SPLITS: Final = ("train", "train", "train", "val", "test")

WORKBOOK: Final = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/sheet.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="xl/workbook.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="Withdrawn" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="sheet.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/></Relationships>',
}
"""The parts of a workbook around its one sheet."""


def make(folder: Path, patients: int = 120, epochs: int = 15) -> None:
    """Make everything in a folder that does not exist yet.

    Args:
        patients: a multiple of 20, so that each split has both classes.
        epochs: of the classifier's training.
    """
    (folder / "images").mkdir(parents=True)
    shutil.copy(HERE / "study.yaml", folder)
    shutil.copytree(HERE / "wardnets", folder / "wardnets", ignore=shutil.ignore_patterns("__pycache__"))
    rows, images = _images(folder, patients)
    with (folder / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label", "patient", "split"), *rows])
    train = sorted({patient for _, _, patient, split in rows if split == "train"})
    _write_list(folder / "withdrawn.xlsx", train[:: max(1, len(train) // 6)][:6])
    chosen = [number for number, row in enumerate(rows) if row[3] == "train"]
    labels = torch.tensor([int(rows[number][1] == "ill") for number in chosen])
    _train(folder, torch.from_numpy(images[chosen]), labels, epochs)


def _images(folder: Path, patients: int) -> tuple[list[tuple[str, str, str, str]], np.ndarray]:
    """Write an image file for each image of each patient; return the rows of the table, and the images."""
    random = np.random.default_rng(0)
    rows, images = [], []
    for patient in range(patients):
        ill = patient % 2
        own, marked = random.normal(0, 30, (SIZE, SIZE)), random.normal(16, 10)
        for number in range(IMAGES):
            pixels = 90 + own + random.normal(0, 20, (SIZE, SIZE))
            pixels[6:14, 4 + 8 * ill : 12 + 8 * ill] += marked
            file = f"images/P{patient:03}-{number}.png"
            images.append(pixels.clip(0, 255).astype(np.uint8))
            Image.fromarray(images[-1]).save(folder / file)
            rows.append((file, ("healthy", "ill")[ill], f"P{patient:03}", SPLITS[patient // 2 % len(SPLITS)]))
    return rows, np.stack(images)


def _write_list(path: Path, withdrawn: Sequence[str]) -> None:
    """Write a workbook with one column, as a spreadsheet would."""
    cells = ("patient", *withdrawn)
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>{cell}</t></is></c></row>'
        for number, cell in enumerate(cells, start=1)
    )
    sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}'
    with zipfile.ZipFile(path, "w") as book:
        for name, text in {**WORKBOOK, "xl/sheet.xml": f"{sheet}</sheetData></worksheet>"}.items():
            book.writestr(name, text)


def _train(folder: Path, images_NHW: torch.Tensor, labels_N: torch.Tensor, epochs: int) -> None:
    """Train the classifier, and save its weights as scripts do."""
    sys.path.insert(0, str(folder.absolute()))
    torch.manual_seed(0)
    network, batch = import_module("wardnets.nets").build(channels=1, classes=2), 32
    inputs_NCHW = (images_NHW[:, None].float() / 255 - 0.4) / 0.2
    steps = epochs * -(-len(labels_N) // batch)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels_N)).split(batch):
            optimizer.zero_grad()
            cross_entropy(network(inputs_NCHW[chosen]), labels_N[chosen]).backward()
            optimizer.step()
            schedule.step()
    torch.save({"epoch": epochs, "state_dict": network.state_dict()}, folder / "model.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)  # a network this small loses time to a second thread
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where to make it; the folder must not exist")
    make(parser.parse_args().folder)
