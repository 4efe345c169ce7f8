"""The split of train into what is to be forgotten and what is kept, and the sentences that describe it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unlearning.data._base import PATIENT, DataError, ImageData
from unlearning.data._listed import listed
from unlearning.data.forget._base import ForgetRequest
from unlearning.seeds import derive, generator


@dataclass(frozen=True)
class ForgetSet:
    """Which train images are to be forgotten and which are kept.

    Attributes:
        indices_F: int64, (F,), sorted: D_f.
        retain_R: int64, (R,), sorted: D_r, all other train images but those of the control half.
        unit_F: int64, (F,): for each of D_f the first one of those that are forgotten together, its duplicates.
        control_C: int64, (C,), sorted: the control half, which no model is trained on; mostly empty.
        unit_C: int64, (C,): as unit_F, of the control half.
        duplicates_added: how many images of D_f were not asked for but repeat one that was, byte for byte.
        repeated: how many lines of an index file name an image that an earlier line names.
        notes: what a person should know of the request, a sentence each.
        lots: seed of the lots of training seeds, where each has one of its own; None where all share one.
    """

    indices_F: Tensor
    retain_R: Tensor
    unit_F: Tensor
    control_C: Tensor
    unit_C: Tensor
    duplicates_added: int
    repeated: int
    notes: tuple[str, ...]
    lots: int | None = None

    @property
    def candidates(self) -> Tensor:
        """The images of both halves, int64, (F + C,), sorted."""
        return torch.cat([self.indices_F, self.control_C]).sort().values

    def of_seed(self, seed: int) -> "ForgetSet":
        """Return what the models of a training seed are to forget: the same, or the half that its own lot dealt out.

        The lots of several seeds are independent of each other, and each half of the candidates, in whole groups of
        duplicates, is as likely as any other.
        """
        if self.lots is None:
            return self
        both_M, unit_M = torch.cat([self.indices_F, self.control_C]), torch.cat([self.unit_F, self.unit_C])
        units_U, place_M = unit_M.unique(return_inverse=True)
        drawn_U = torch.randperm(len(units_U), generator=generator(self.lots, "half", seed)) < len(units_U) // 2
        drawn_M = drawn_U[place_M]
        (indices_F, unit_F), (control_C, unit_C) = (
            _sorted(both_M[half_M], unit_M[half_M]) for half_M in (drawn_M, ~drawn_M)
        )
        return replace(self, indices_F=indices_F, unit_F=unit_F, control_C=control_C, unit_C=unit_C, lots=None)

    def after(self, earlier: "ForgetSet") -> "ForgetSet":
        """Return what is left to forget once an earlier request has been met, whose images are the control half."""
        later_F = ~torch.isin(self.indices_F, earlier.indices_F)
        return replace(
            self,
            indices_F=self.indices_F[later_F],
            unit_F=self.unit_F[later_F],
            control_C=self.indices_F[~later_F],
            unit_C=self.unit_F[~later_F],
        )


def select(request: ForgetRequest, data: ImageData, seed: int) -> ForgetSet:
    """Split train into the images to be forgotten, with all their duplicates, and the rest.

    A draw depends on the seed, the images and the request alone. Where each training seed has a lot of its own, the
    split that is returned is that of no seed (`ForgetSet.of_seed`).

    Raises:
        DataError: the request does not fit the data, or leaves nothing to forget or nothing to retain.
    """
    asked = request.asked(data, generator(seed, "forget"))
    asked_U = asked.indices_M.unique()
    forgotten_N = torch.isin(data.duplicate_of_N, data.duplicate_of_N[asked_U])
    indices_F, control_C = forgotten_N.nonzero().flatten(), asked.control_M.sort().values
    retain_R = (~forgotten_N).index_fill(0, control_C, False).nonzero().flatten()
    if not len(indices_F):
        problem = f"forget {request.label}: it names none of the {len(data.train)} train images of {data.name}"
        raise DataError("\n  ".join([problem, *asked.notes]))
    if not len(retain_R):
        raise DataError(f"forget {request.label}: it leaves no train image of {data.name} to retain")
    if not request.takes_classes:
        _check_classes(request, data, retain_R)
    repeated = len(asked.indices_M) - len(asked_U)
    return ForgetSet(
        indices_F,
        retain_R,
        unit_F=data.duplicate_of_N[indices_F],
        control_C=control_C,
        unit_C=data.duplicate_of_N[control_C],
        duplicates_added=len(indices_F) - len(asked_U),
        repeated=repeated,
        notes=asked.notes,
        lots=derive(seed, "lots") if request.deals == "per_seed" else None,
    )


def _check_classes(request: ForgetRequest, data: ImageData, retain_R: Tensor) -> None:
    """Refuse to take all train images of a class, where nobody asked for the class."""
    counts = data.labelling.count_per_class(data.train.labels_N[retain_R], data.classes)
    if emptied := [data.class_names[k] for k, count in enumerate(counts) if not count]:
        raise DataError(
            f"forget {request.label}: it leaves no train image of {data.name} to retain in {listed(emptied)}, so "
            "retraining would not know the class; to forget a class as a whole, write "
            f'{{kind: class, class: "{emptied[0]}"}}'
        )


def plant(request: ForgetRequest, data: ImageData, chosen: ForgetSet, seed: int) -> ImageData:
    """Return the data that the models of a request are trained on; mostly what it was chosen from.

    Args:
        seed: as of `select`.
    """
    return request.planted(data, chosen.indices_F, generator(seed, "plant"))


def describe(request: ForgetRequest, chosen: ForgetSet, data: ImageData) -> tuple[str, ...]:
    """Describe what a request selects, for people to check: a sentence of counts, then the request's notes."""
    title, total = f"{data.name}, forget {request.label}", f"{len(data.train):,} train images"
    if chosen.lots is not None:
        return (
            f"{title}: {len(chosen.candidates):,} of {total} are candidates, by class: "
            f"{_by_class(chosen.candidates, data)}; each training seed has a lot of its own, which decides the half of "
            "them that its models are to forget; they are not trained on the other, its control half",
            *chosen.notes,
        )
    control = f"; control half: {len(chosen.control_C):,} others, which no model is trained on"
    return (
        f"{title}: {len(chosen.indices_F):,} of {total}{_of_patients(chosen, data)}, "
        f"{chosen.duplicates_added:,} of them added as byte-identical duplicates; by class: "
        f"{_by_class(chosen.indices_F, data)}{control if len(chosen.control_C) else ''}",
        *chosen.notes,
    )


def _of_patients(chosen: ForgetSet, data: ImageData) -> str:
    """Count the patients of the images to be forgotten; empty where patients are not known."""
    if PATIENT not in data.train.columns:
        return ""
    patients_N = data.train.columns[PATIENT]
    forgotten = {patients_N[index] for index in chosen.indices_F.tolist()}
    both = len(forgotten & {patients_N[index] for index in chosen.retain_R.tolist()})
    count = "1 patient" if len(forgotten) == 1 else f"{len(forgotten):,} patients"
    return f" of {count}" + (f" ({both:,} of them with images that are kept)" if both else "")


def _by_class(indices_M: Tensor, data: ImageData) -> str:
    labels_N, count = data.train.labels_N, data.labelling.count_per_class
    counts = zip(count(labels_N[indices_M], data.classes), count(labels_N, data.classes), strict=True)
    return ", ".join(
        f"{_class_title(index, data.class_names[index])} {hit:,} of {of:,}"
        for index, (hit, of) in enumerate(counts)
        if hit
    )


def _sorted(indices_M: Tensor, unit_M: Tensor) -> tuple[Tensor, Tensor]:
    order_M = indices_M.argsort()
    return indices_M[order_M], unit_M[order_M]


def _class_title(index: int, name: str) -> str:
    return name if name == str(index) else f"{index} ({name})"
