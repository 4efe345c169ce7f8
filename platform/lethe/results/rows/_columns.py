"""Columns that rows of several tables have: where a row belongs, its scenario and setting, outcome and provenance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from lethe.results.schema import Column


@dataclass(frozen=True, kw_only=True)
class StudyColumns:
    """Where a row belongs."""

    study: Annotated[str, Column("", "name of the study")]
    dataset: Annotated[str, Column("", "name of the data set")]
    augmentation: Annotated[str, Column("", "augmentation")]
    network: Annotated[str, Column("", "network")]
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        Column("", "precision of training and unlearning; null in results of an early version"),
    ] = None
    network_version: Annotated[
        int | None, Column("", "version of the network's code; null in results of an early version")
    ] = None
    source_version: Annotated[
        int | None, Column("", "version of the data source's code; null in results of an early version")
    ] = None
    augmentation_version: Annotated[
        int | None, Column("", "version of the augmentation's code; null in results of an early version")
    ] = None
    train_duplicates: Annotated[int, Column("images", "train images that repeat another byte for byte")]
    val_dropped: Annotated[int, Column("images", "validation images left out because they are also in train")]
    test_dropped: Annotated[int, Column("images", "test images left out because they are also in train")]
    network_package: Annotated[
        str | None,
        Column(
            "",
            "package of the network, with its version; null if a program added it or it comes from files beside the "
            "study, and in early results",
        ),
    ] = None
    source_package: Annotated[str | None, Column("", "the same of the data source")] = None
    task: Annotated[
        str | None,
        Column(
            "",
            "what the labels mean, in MedMNIST's words; with 'multi-label, binary-class' an image has any number of "
            "labels, and UA is 1 - mean AUROC over the labels, RA, VA and TA that mean; null in results of an early "
            "version, where an image has one class",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ScenarioColumns(StudyColumns):
    """The scenario of a row: which data must be forgotten, from which kind of model."""

    scenario: Annotated[str, Column("", "fingerprint of the scenario, shared by all of its methods")]
    forget: Annotated[str, Column("", "forget request, as reports call it")]
    forget_kind: Annotated[str, Column("", "kind of forget request")]
    forget_fraction: Annotated[float, Column("fraction", "share of the train images that is to be forgotten")]
    forget_images: Annotated[
        int,
        Column("images", "number of train images that are to be forgotten, for the first seed where each has a lot"),
    ]
    forget_duplicates: Annotated[int, Column("images", "those of them that were not asked for but repeat one that was")]


@dataclass(frozen=True, kw_only=True)
class SettingColumns:
    """The setting of a method; a hyper-parameter that the method does not have is null."""

    method: Annotated[str, Column("", "unlearning method; 'original' and 'oracle' for the rows without one")]
    method_version: Annotated[
        int | None, Column("", "version of the method's code; null without a method and in results of an early version")
    ] = None
    lr: Annotated[float | None, Column("", "learning rate")] = None
    density: Annotated[float | None, Column("fraction", "share of the weights that is trainable")] = None
    epochs: Annotated[int | None, Column("epochs", "length of the run that was asked for")] = None
    batch_size: Annotated[int | None, Column("images", "batch size")] = None
    momentum: Annotated[float | None, Column("", "momentum of SGD")] = None
    weight_decay: Annotated[float | None, Column("", "weight decay")] = None
    loop: Annotated[str | None, Column("", "how forget and retain batches alternate")] = None
    relabel: Annotated[str | None, Column("", "how the random labels are drawn")] = None
    batch_norm: Annotated[str | None, Column("", "whether running statistics are frozen or updated")] = None
    mask: Annotated[str | None, Column("", "what chooses the trainable weights")] = None
    threshold: Annotated[
        float | None, Column("", "saliency score gamma that gives the density, averaged over the training seeds")
    ] = None
    setting: Annotated[str, Column("", "the full setting, as JSON")]
    method_package: Annotated[
        str | None,
        Column("", "package of the method, with its version; null if a program added it, and in early results"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OutcomeColumns:
    """How a run ended and what was measured; measures are null where it diverged or failed."""

    status: Annotated[
        Literal["done", "stopped", "diverged", "failed"],
        Column("", "'done', 'stopped' early by the search, 'diverged' (loss not finite) or 'failed'"),
    ]
    error: Annotated[str | None, Column("", "why it failed")] = None
    attack_classes: Annotated[
        Literal["all", "forgotten"] | None,
        Column(
            "",
            "classes of the members and non-members of the attack: all, or in the forget set's mix of classes; null in "
            "results of an early version, which are all",
        ),
    ] = None
    ua: Annotated[float | None, Column("fraction", "unlearning accuracy: 1 - accuracy on the forget set")] = None
    ra: Annotated[float | None, Column("fraction", "accuracy on the retain set")] = None
    va: Annotated[float | None, Column("fraction", "accuracy on the validation split")] = None
    ta: Annotated[float | None, Column("fraction", "accuracy on the test split; null in trials, never shown it")] = None
    mia: Annotated[
        float | None, Column("fraction", "MIA-efficacy: share of the forget set that the attack calls non-member")
    ] = None
    gap: Annotated[
        float | None,
        Column(
            "fraction",
            "mean absolute difference to the paired oracle: over UA, RA, VA and MIA in trials, "
            "over UA, RA, TA and MIA in confirmations",
        ),
    ] = None
    oracle_ua: Annotated[float | None, Column("fraction", "UA of the paired oracle")] = None
    oracle_ra: Annotated[float | None, Column("fraction", "RA of the paired oracle")] = None
    oracle_va: Annotated[float | None, Column("fraction", "VA of the paired oracle")] = None
    oracle_mia: Annotated[float | None, Column("fraction", "MIA-efficacy of the paired oracle")] = None


@dataclass(frozen=True, kw_only=True)
class ProvenanceColumns:
    """What a row cost, and which code and machine made it."""

    seconds_total: Annotated[float, Column("s", "wall-clock time of the whole unit of work")]
    peak_memory_bytes: Annotated[
        int | None,
        Column(
            "bytes", "most memory held: allocated on the GPU for this unit, or on a CPU resident since the worker began"
        ),
    ] = None
    device: Annotated[str, Column("", "kind of device")]
    cpus: Annotated[float | None, Column("", "CPU cores that the worker held; null in results of an early version")] = (
        None
    )
    gpus: Annotated[
        float | None,
        Column("", "GPUs, or a fraction of one, that the worker held; null in results of an early version"),
    ] = None
    worker: Annotated[str, Column("", "worker process")]
    node: Annotated[str, Column("", "machine")]
    lethe_version: Annotated[str, Column("", "version of lethe")]
    code_version: Annotated[str | None, Column("", "revision of the code; null where it is unknown")] = None
    python_version: Annotated[str, Column("", "version of Python")]
    torch_version: Annotated[str, Column("", "version of torch")]
    ray_version: Annotated[str | None, Column("", "version of Ray; null where it took no part")] = None
    optuna_version: Annotated[str | None, Column("", "version of Optuna; null where it took no part")] = None
    started_at: Annotated[datetime, Column("", "start, UTC")]
    ended_at: Annotated[datetime, Column("", "end, UTC")]
