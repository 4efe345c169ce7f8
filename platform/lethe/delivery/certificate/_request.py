"""What was asked for and what the models were trained on, counted and hashed."""

from lethe.delivery._delivered import Delivered
from lethe.delivery.certificate._document import ByClass, DataSection, RequestSection
from lethe.storage.commitments import Opening
from lethe.study import Partition
from unlearning.data import PATIENT, ImageData


def request_section(delivered: Delivered, data: ImageData, requester: str | None, opening: Opening) -> RequestSection:
    """Return the request's section.

    Args:
        data: of the scenario, as its source has it.
        requester: who asked; None: nobody is named.
    """
    parts, request = delivered.model.parts, delivered.model.scenario.request
    patients = _patients(parts, data)
    return RequestSection(
        requester=None if requester is None else opening.of_requester(requester),
        kind=request.kind,
        list_commitment=opening.of_list(parts.forgotten.hash),
        split="train",
        images=len(parts.forgotten),
        train_images=parts.train_count,
        duplicates_added=parts.forget.duplicates_added,
        control_images=len(parts.control),
        patients=patients[0] if patients else None,
        patients_with_kept_images=patients[1] if patients else None,
        by_class=_by_class(parts, data),
    )


def data_section(delivered: Delivered, data: ImageData) -> DataSection:
    """Return the data's section."""
    scenario = delivered.model.scenario
    return DataSection(
        sha256=scenario.data_hash,
        images={"train": len(data.train), "val": len(data.val), "test": len(data.test)},
        task=scenario.task,
        classes=scenario.classes,
        channels=scenario.channels,
    )


def _by_class(parts: Partition, data: ImageData) -> list[ByClass]:
    labels_N, task = data.train.labels_N, data.labelling
    asked_K = task.count_per_class(labels_N[parts.forgotten.indices_M], data.classes)
    images_K = task.count_per_class(labels_N, data.classes)
    return [
        ByClass(class_index=index, name=name, requested=asked, images=images)
        for index, (name, asked, images) in enumerate(zip(data.class_names, asked_K, images_K, strict=True))
    ]


def _patients(parts: Partition, data: ImageData) -> tuple[int, int] | None:
    """Count the patients of the images, and those of them with images that are kept; None where none are known."""
    if PATIENT not in data.train.columns:
        return None
    patients_N = data.train.columns[PATIENT]
    asked = {patients_N[index] for index in parts.forgotten.indices_M.tolist()}
    return len(asked), len(asked & {patients_N[index] for index in parts.retained.indices_M.tolist()})
