"""The split of train into what is to be forgotten and what is kept, and the sentences that describe it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unlearning.data._base import DataError, ImageData
from unlearning.data.forget._base import ForgetRequest
from unlearning.seeds import generator


@dataclass(frozen=True)
class ForgetSet:
    """Which train images are to be forgotten and which are kept.

    Attributes:
        indices_F: int64, (F,), sorted: D_f.
        retain_R: int64, (R,), sorted: D_r, all other train images but those of the control half.
        unit_F: int64, (F,): for each of D_f the first one of those that are forgotten together, its duplicates.
        control_C: int64, (C,), sorted: the control half, which no model is trained on; mostly empty.
        duplicates_added: how many images of D_f were not asked for but repeat one that was, byte for byte.
        repeated: how many lines of an index file name an image that an earlier line names.
        notes: what a person should know of the request, a sentence each.
    """

    indices_F: Tensor
    retain_R: Tensor
    unit_F: Tensor
    control_C: Tensor
    duplicates_added: int
    repeated: int
    notes: tuple[str, ...]


def select(request: ForgetRequest, data: ImageData, seed: int) -> ForgetSet:
    """Split train into the images to be forgotten, with all their duplicates, and the rest.

    A draw depends on the seed, the images and the request alone.

    Raises:
        DataError: the request does not fit the data, or leaves nothing to forget or nothing to retain.
    """
    asked = request.asked(data, generator(seed, "forget"))
    asked_U = asked.indices_M.unique()
    forgotten_N = torch.isin(data.duplicate_of_N, data.duplicate_of_N[asked_U])
    indices_F, control_C = forgotten_N.nonzero().flatten(), asked.control_M.sort().values
    retain_R = (~forgotten_N).index_fill(0, control_C, False).nonzero().flatten()
    if not len(indices_F):
        raise DataError(f"forget {request.label}: it names none of the {len(data.train)} train images of {data.name}")
    if not len(retain_R):
        raise DataError(f"forget {request.label}: it leaves no train image of {data.name} to retain")
    repeated = len(asked.indices_M) - len(asked_U)
    unit_F = data.duplicate_of_N[indices_F]
    return ForgetSet(indices_F, retain_R, unit_F, control_C, len(indices_F) - len(asked_U), repeated, asked.notes)


def plant(request: ForgetRequest, data: ImageData, chosen: ForgetSet, seed: int) -> ImageData:
    """Return the data that the models of a request are trained on; mostly what it was chosen from.

    Args:
        seed: as of `select`.
    """
    return request.planted(data, chosen.indices_F, generator(seed, "plant"))


def describe(request: ForgetRequest, chosen: ForgetSet, data: ImageData) -> tuple[str, ...]:
    """Describe what a request selects, for people to check: a sentence of counts, then the request's notes."""
    labels_F = data.train.labels_N[chosen.indices_F]
    counts = zip(labels_F.bincount().tolist(), data.train.labels_N.bincount().tolist(), strict=False)
    classes = [
        f"{_class_title(index, data.class_names[index])} {hit:,} of {of:,}"
        for index, (hit, of) in enumerate(counts)
        if hit
    ]
    control = f"; control half: {len(chosen.control_C):,} others, which no model is trained on"
    return (
        f"{data.name}, forget {request.label}: {len(chosen.indices_F):,} of {len(data.train):,} train images, "
        f"{chosen.duplicates_added:,} of them added as byte-identical duplicates; by class: {', '.join(classes)}"
        f"{control if len(chosen.control_C) else ''}",
        *chosen.notes,
    )


def _class_title(index: int, name: str) -> str:
    return name if name == str(index) else f"{index} ({name})"
