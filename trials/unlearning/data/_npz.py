"""A user's own file in MedMNIST's layout."""

from typing import Annotated, Literal

from pydantic import Field

from unlearning.data._archive import read_npz
from unlearning.data._base import PathOption, RawData, Source, Task


class Npz(Source):
    """An .npz archive with ``train_images``, ``train_labels`` and so on, as MedMNIST writes them."""

    source: Literal["npz"] = "npz"
    path: PathOption = Field(description="the archive")
    name: str | None = Field(None, description="what reports call it; by default the file's name")
    task: Task | None = Field(None, description="by default binary-class for two classes, else multi-class")
    class_names: Annotated[tuple[str, ...], Field(strict=False, min_length=2)] | None = Field(
        None, description="one per label; by default the labels 0 ... the largest in train"
    )
    nonmembers: Literal["val", "test"] = Field("test", description="split of the non-members")

    def read(self) -> RawData:
        """Read the archive.

        Raises:
            DataError: the file is missing, damaged, or lacks arrays of that layout.
        """
        splits = read_npz(self.path)
        largest = max(splits["train"].labels_N.tolist(), default=0)
        class_names = self.class_names or tuple(str(k) for k in range(largest + 1))
        task: Task = self.task or ("binary-class" if len(class_names) == 2 else "multi-class")
        return RawData(self.name or self.path.stem, task, class_names, splits, self.nonmembers)
