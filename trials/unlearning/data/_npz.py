"""A user's own file in MedMNIST's layout."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from unlearning.data._archive import read_npz
from unlearning.data._base import SEVERAL, DataError, PathOption, RawData, Source, Split, SplitName, Task
from unlearning.data._limit import DEFAULT_LIMIT_GIB, LimitGib
from unlearning.data._listed import listed


class Npz(Source):
    """An .npz archive with ``train_images``, ``train_labels`` and so on, as MedMNIST writes them."""

    source: Literal["npz"] = "npz"
    path: PathOption = Field(description="the archive")
    name: str | None = Field(None, description="what reports call it; by default the file's name")
    task: Task | None = Field(
        None,
        description="by default that of the labels: (N, L) is multi-label, two classes binary-class, else multi-class",
    )
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
        labels_N = archive.splits["train"].labels_N
        several = labels_N.ndim == 2
        if several and self.task != SEVERAL:
            self._refuse_one_class(archive.splits)
        classes = labels_N.shape[1] if several else len(labels_N.unique())
        class_names = self.class_names or tuple(str(k) for k in range(classes))
        task: Task = self.task or (SEVERAL if several else "binary-class" if len(class_names) == 2 else "multi-class")
        notes = (f"arrays that are not read: {listed(archive.other_arrays)}",) if archive.other_arrays else ()
        return RawData(self.name or self.path.stem, task, class_names, archive.splits, self.nonmembers, notes)

    def _refuse_one_class(self, splits: Mapping[SplitName, Split]) -> None:
        """Refuse labels (N, L) where one class an image is meant: by the task, or since every image has exactly one."""
        one_hot = all((split.labels_N.sum(1) == 1).all() for split in splits.values())
        if self.task is None and not one_hot:
            return
        got = "of which every image has exactly one" if one_hot else "of which an image has any number"
        asked = "" if self.task is None else f", and {self.task} wants one class an image, (N,)"
        saved = "save `labels.argmax(1)` for classes of which an image has one, or " if one_hot else ""
        raise DataError(
            f'{self.path}: labels (N, L) {got}{asked}: {saved}name `task: "{SEVERAL}"` for labels that could come '
            "together"
        )
