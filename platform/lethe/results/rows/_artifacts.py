"""Rows of what is made once: artifacts, and how many trials share a device."""

from dataclasses import dataclass
from typing import Annotated

from lethe.results.rows._columns import ProvenanceColumns, StudyColumns
from lethe.results.schema import Column


@dataclass(frozen=True, kw_only=True)
class _ArtifactColumns(StudyColumns):
    artifact_id: Annotated[str, Column("", "fingerprint of the artifact")]
    scenario: Annotated[
        str | None,
        Column("", "fingerprint of the scenario; null for an original, which serves several, and in early results"),
    ] = None
    kind: Annotated[str, Column("", "'original', 'oracle', or the kind of another artifact, such as 'saliency'")]
    artifact_version: Annotated[
        int | None, Column("", "version of the code that makes artifacts of its kind; null in early results")
    ] = None
    requires: Annotated[
        list[str] | None,
        Column("", "fingerprints of the artifacts that went into it; null in results of an early version"),
    ] = None
    forget: Annotated[str | None, Column("", "forget request; null for an original")] = None
    forget_kind: Annotated[str | None, Column("", "kind of forget request; null for an original")] = None
    forget_fraction: Annotated[
        float | None, Column("fraction", "share of the train images that is to be forgotten; null for an original")
    ] = None
    forget_images: Annotated[
        int | None, Column("images", "number of train images that are to be forgotten; null for an original")
    ] = None
    forget_duplicates: Annotated[
        int | None, Column("images", "those of them that only repeat one that was asked for; null for an original")
    ] = None
    training_seed: Annotated[int, Column("", "training seed")]
    uri: Annotated[str, Column("", "where it is stored")]
    bytes: Annotated[int, Column("bytes", "its size")]
    seconds_train: Annotated[float | None, Column("s", "time to train, or to compute what is no model")] = None
    images_trained: Annotated[
        int | None,
        Column(
            "images",
            "passes of a training image, forward and backward; null where a training function of the user's did not "
            "say, and in results of an early version",
        ),
    ] = None
    epochs: Annotated[
        int | None, Column("epochs", "epochs of training; 0 for what is no model, null where a function did not say")
    ] = None
    loss: Annotated[float | None, Column("", "training loss of the last epoch")] = None
    ua: Annotated[float | None, Column("fraction", "unlearning accuracy: 1 - accuracy on the forget set")] = None
    va: Annotated[float | None, Column("fraction", "accuracy on the validation split")] = None
    ta: Annotated[float | None, Column("fraction", "accuracy on the test split")] = None
    repeats: Annotated[
        bool | None,
        Column(
            "",
            "whether the first epoch of a training function of the user's, run again, came to the same; null for a "
            "recipe, and where it showed nothing",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ArtifactRow(ProvenanceColumns, _ArtifactColumns):
    """One artifact (original, oracle, saliency scores, ...) as it was made."""


@dataclass(frozen=True, kw_only=True)
class _PackingColumns:
    study: Annotated[str, Column("", "name of the study")]
    packing_id: Annotated[str, Column("", "fingerprint of what was measured: method search, node type, torch")]
    method_search: Annotated[str, Column("", "fingerprint of the method search whose trial was measured")]
    machine: Annotated[str, Column("", "node type, by what it holds")]
    workers: Annotated[int, Column("", "trials at a time on one device: a GPU, or all cores of the machine")]
    threads: Annotated[int, Column("", "torch threads of each")]
    seconds_step: Annotated[
        float, Column("s", "time of a step: a batch, with its part of the evaluation after the epoch")
    ]
    seconds_epoch: Annotated[float, Column("s", "time of an epoch with its evaluation, all tuning seeds together")]
    epochs_per_hour: Annotated[float, Column("1/h", "epochs that the device makes in an hour, all workers together")]
    memory_bytes: Annotated[int, Column("bytes", "memory of the device")]
    mps: Annotated[bool, Column("", "whether NVIDIA's Multi-Process Service ran")]
    chosen: Annotated[bool, Column("", "whether trials run with this number at a time")]
    reason: Annotated[str, Column("", "why, or why not")]


@dataclass(frozen=True, kw_only=True)
class CalibrationRow(ProvenanceColumns, _PackingColumns):
    """A measured number of concurrent trials on one device; ``peak_memory_bytes`` is that of one worker."""
