"""What every source must fulfil, asked of a small instance of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from unlearning.data import SOURCES, AnySource, Folder, ImageTable, MedMNIST, Npz, Source, SplitName, Synthetic
from unlearning.testing import SOURCE_CHECKS, name_of

SHARED = Path(__file__).parents[3] / "shared" / "data" / "medmnist"
SPLITS = get_args(SplitName)


def medmnist_source(tmp_path: Path) -> Source:
    if not (SHARED / "pneumoniamnist.npz").is_file():
        pytest.skip("no official MedMNIST file in shared/data beside the repository")
    return MedMNIST(name="pneumoniamnist", root=SHARED, download=False)


def synthetic_source(tmp_path: Path) -> Source:
    return Synthetic(train=30, val=12, test=12, classes=3, size=8)


def npz_source(tmp_path: Path) -> Source:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        f"{split}_images": random.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8) for split in SPLITS
    }
    labels: dict[str, Any] = {f"{split}_labels": np.arange(9, dtype=np.uint8)[:, None] % 3 for split in SPLITS}
    np.savez(tmp_path / "own.npz", **arrays, **labels)
    return Npz(path=tmp_path / "own.npz")


def folder_source(tmp_path: Path) -> Source:
    random = np.random.default_rng(0)
    for split in SPLITS:
        for name in ("benign", "malignant"):
            folder = tmp_path / "own" / split / name
            folder.mkdir(parents=True)
            for number in range(3):
                Image.fromarray(random.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return Folder(path=tmp_path / "own", size=8)


def table_source(tmp_path: Path) -> Source:
    random = np.random.default_rng(0)
    rows = ["file,label,patient,site"]
    for number in range(24):
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{('benign', 'malignant')[number % 2]},p{number // 2},{'AB'[number % 3 == 0]}")
    (tmp_path / "own.csv").write_text("\n".join(rows))
    return ImageTable(path=tmp_path / "own.csv", channels=1)


INSTANCES = {
    "medmnist": medmnist_source,
    "synthetic": synthetic_source,
    "npz": npz_source,
    "folder": folder_source,
    "table": table_source,
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return INSTANCES[request.param](tmp_path)


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=name_of)
def test_a_source_keeps_the_contract(check: Callable[[Source], None], source: Source) -> None:
    check(source)


def test_options_name_each_source_by_its_tag(source: Source) -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    assert adapter.validate_json(source.model_dump_json()) == source
    assert adapter.validate_python(source.model_dump(mode="json")) == source
    assert SOURCES[source.model_dump()["source"]] is type(source)
