"""A user's own file in MedMNIST's layout."""

from typing import Annotated, Literal

from pydantic import Field

from unlearning.data._archive import read_npz
from unlearning.data._base import PathOption, RawData, Source, Task
from unlearning.data._limit import DEFAULT_LIMIT_GIB, LimitGib
from unlearning.data._listed import listed


class Npz(Source):
    """An .npz archive with ``train_images``, ``train_labels`` and so on, as MedMNIST writes them."""

    source: Literal["npz"] = "npz"
    path: PathOption = Field(description="the archive")
    name: str | None = Field(None, description="what reports call it; by default the file's name")
    task: Task | None = Field(None, description="by default binary-class for two classes, else multi-class")
    class_names: Annotated[tuple[str, ...], Field(strict=False, min_length=2)] | None = Field(
        None, description="one per label; by default the labels 0 ... K-1 of train"
    )
    nonmembers: Literal["val", "test"] = Field("test", description="split of the non-members")
    limit_gib: LimitGib = DEFAULT_LIMIT_GIB

    def read(self) -> RawData:
        """Read the archive.

        Raises:
            DataError: the file is missing, damaged, lacks arrays of that layout, or holds more than `limit_gib`.
        """
        archive = read_npz(self.path, self.limit_gib)
        labels = archive.splits["train"].labels_N.unique()
        class_names = self.class_names or tuple(str(k) for k in range(len(labels)))
        task: Task = self.task or ("binary-class" if len(class_names) == 2 else "multi-class")
        notes = (f"arrays that are not read: {listed(archive.other_arrays)}",) if archive.other_arrays else ()
        return RawData(self.name or self.path.stem, task, class_names, archive.splits, self.nonmembers, notes)
