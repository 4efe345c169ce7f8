import pickle

import torch

from lethe.execution.shared_data import SharedData
from unlearning.data import RawData, Source, Split, load


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
