import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lethe.artifacts import ArtifactStore
from lethe.artifacts.context import TrialContexts
from lethe.execution.shared_data import SharedData
from lethe.search import TrialTask, TrialWorker
from lethe.storage.root import StorageRoot
from lethe.study import Resources, expand, parse_study
from unlearning.data import DataError, Folder, RawData, Source, Split, load


class Named(Source):
    """Six images that have columns."""

    def read(self) -> RawData:
        splits = {
            name: Split(
                torch.arange(first, first + 2, dtype=torch.uint8)[:, None, None, None],
                torch.tensor([0, 1]),
                {"patient": (f"{name}-1", f"{name}-2")},
            )
            for first, name in ((0, "train"), (2, "val"), (4, "test"))
        }
        return RawData("named", "binary-class", ("a", "b"), splits, "test")


def test_workers_get_the_columns_of_images() -> None:
    data = load(Named())
    there = pickle.loads(pickle.dumps(SharedData([data])))[data.content_hash]
    for split in ("train", "val", "test"):
        assert getattr(there, split).columns == {"patient": (f"{split}-1", f"{split}-2")}
        assert torch.equal(getattr(there, split).images_NCHW, getattr(data, split).images_NCHW)


def folder(path: Path, images: int = 6) -> Folder:
    """Images of noise, decoded to a file beside them."""
    for n in range(images):
        file = path / "own" / ("train", "val", "test")[3 * n // images] / "ab"[n % 2] / f"{n}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (8, 8), dtype=np.uint8)).save(file)
    return Folder(path=path / "own", channels=1, cache=path / "kept")


def test_images_too_large_for_the_object_store_are_mapped_from_their_file_by_each_worker(tmp_path: Path) -> None:
    data = load(folder(tmp_path))
    sent = pickle.dumps(SharedData([data], room_bytes=6 * 64 - 1))
    assert len(sent) < len(pickle.dumps(SharedData([data], room_bytes=6 * 64)))
    there = pickle.loads(sent)[data.content_hash]
    for split in ("train", "val", "test"):
        assert getattr(there, split).mapped == getattr(data, split).mapped is not None
        assert torch.equal(getattr(there, split).images_NCHW, getattr(data, split).images_NCHW)


def test_a_machine_that_does_not_see_the_file_of_mapped_images_says_so(tmp_path: Path) -> None:
    data = load(folder(tmp_path))
    there = pickle.loads(pickle.dumps(SharedData([data], room_bytes=0)))
    [kept] = (tmp_path / "kept").iterdir()
    kept.unlink()
    with pytest.raises(DataError, match=r"cannot map the images from there .* name a `cache` that all machines see"):
        there[data.content_hash]


def test_a_trial_on_a_machine_that_does_not_see_the_images_has_not_failed(tmp_path: Path) -> None:
    """A row would say so of its setting for good."""
    options = {
        "name": "small",
        "data": [folder(tmp_path, images=24).model_dump(mode="json", exclude_none=True)],
        "forget": [{"kind": "random", "fraction": 0.25}],
        "network": {"name": "cnn", "width": 2},
        "training": {"precision": "float32"},
        "methods": [{"name": "fine_tune"}],
    }
    study = parse_study(options, "study.yaml")
    [source] = study.data
    data = load(source)
    [method_search] = expand(study, {source: data})
    there = pickle.loads(pickle.dumps(SharedData([data], room_bytes=0)))
    [kept] = (tmp_path / "kept").iterdir()
    kept.unlink()
    worker = TrialWorker(TrialContexts(ArtifactStore(StorageRoot.at(tmp_path / "results")), there, Resources()))
    task = TrialTask(method_search.scenario, method_search.method_at({}), (0,))
    with pytest.raises(DataError, match="cannot map the images from there"):
        next(worker.run(task))
