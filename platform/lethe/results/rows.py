"""What a row of each table says: the one place where a column's name, type, unit and meaning are written down.

The Arrow schemas and the documentation of the columns derive from these classes. Columns have the order of the fields,
those of the last base first. Accuracies, scores and gaps are fractions in [0, 1]; percent is for print.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from lethe.results.schema import Column

SCHEMA_VERSION: Final = 10
"""Raised with every change of the columns; ``part.py`` says how an older part is read."""

RENAMED_COLUMNS: Final = {
    "arm": "augmentation",
    "cell": "method_search",
    "forget_twins": "forget_duplicates",
    "question": "scenario",
    "train_twins": "train_duplicates",
}
"""Names that columns had before version 6, by today's."""

SEVERAL_LABELS: Final = "multi-label, binary-class"
"""The task of images with any number of labels; `unlearning.data.SEVERAL`, which importing here would take torch."""

ProposedBy = Literal["startup", "model", "random", "fixed", "prior", "race"]


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


@dataclass(frozen=True, kw_only=True)
class _TrialColumns(OutcomeColumns, SettingColumns, ScenarioColumns):
    trial_id: Annotated[str, Column("", "name of the trial, unique in the results")]
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    number: Annotated[int, Column("", "number of the setting in its method search, from 0")]
    study_seed: Annotated[int, Column("", "seed of the study")]
    training_seeds: Annotated[list[int], Column("", "training seeds that the measures are averaged over")]
    unlearning_seeds: Annotated[list[int], Column("", "unlearning seed of each run")]
    cause: Annotated[
        Literal["code", "memory", "worker", "node", "hung"] | None,
        Column("", "why it failed: an error of the 'code', no 'memory', or too many losses of its worker"),
    ] = None
    losses: Annotated[
        int | None, Column("", "workers that it lost before it ended; null in results of an early version")
    ] = None
    search_space: Annotated[
        str | None,
        Column("", "what was searched, as JSON of Optuna's distributions; null in early results"),
    ] = None
    proposed_by: Annotated[
        ProposedBy | None,
        Column(
            "",
            "what proposed the setting: the sampler's 'model', a 'startup' draw before it, a 'random' draw, 'prior' "
            "where another search chose it, 'fixed' where nothing is searched, or the 'race', on a further seed; null "
            "in results of an early version",
        ),
    ] = None
    round: Annotated[
        int | None,
        Column(
            "",
            "0 for a proposed setting on the first tuning seeds, 1 and up for its run on a further one, which has the "
            "number of the trial that it repeats; null, for 0, in results of an early version",
        ),
    ] = None
    prior_from: Annotated[
        str | None, Column("", "study and scenario whose search chose this prior setting; null for other settings")
    ] = None
    copied_from: Annotated[str | None, Column("", "trial whose result answered this repeated setting")] = None
    epochs_done: Annotated[int, Column("epochs", "epochs that were run")]
    gap_per_seed: Annotated[list[float], Column("fraction", "gap of each training seed")]
    kept_epochs: Annotated[
        list[int] | None,
        Column(
            "",
            "epoch that counts, on each training seed: the last one unless `keep` says otherwise, 0 for the "
            "original; null in results of an early version",
        ),
    ] = None
    gap_per_epoch: Annotated[
        list[float] | None,
        Column(
            "fraction",
            "gap after each epoch, on each training seed of it, where the study keeps the best epoch; else null",
        ),
    ] = None
    original_gap: Annotated[
        float | None, Column("fraction", "gap of the originals of the same seeds: what doing nothing gives")
    ] = None
    ua_gap: Annotated[
        float | None,
        Column("fraction", "mean absolute difference of UA to the paired oracle; null in results of an early version"),
    ] = None
    va_drop: Annotated[
        float | None, Column("fraction", "how far VA is below the paired oracle's, 0 where it is above; null likewise")
    ] = None
    compute_share: Annotated[
        float | None,
        Column("fraction", "images trained on up to the epoch that counts, as a share of retraining's; null likewise"),
    ] = None
    objectives: Annotated[
        list[str] | None, Column("", "what its search minimises; null, for the gap, in results of an early version")
    ] = None
    originals: Annotated[list[str], Column("", "fingerprints of the originals")]
    oracles: Annotated[list[str], Column("", "fingerprints of the oracles")]
    seconds_load: Annotated[float, Column("s", "time to fetch and place what the trial starts from")]
    seconds_unlearn: Annotated[float, Column("s", "time to unlearn, all seeds together")]
    seconds_evaluate: Annotated[float, Column("s", "time to evaluate, the attack left out")]
    seconds_attack: Annotated[float, Column("s", "time of the membership attack")]


@dataclass(frozen=True, kw_only=True)
class TrialRow(ProvenanceColumns, _TrialColumns):
    """One trial: one setting, its measures averaged over the tuning seeds that it ran on."""

    @property
    def final(self) -> bool:
        """Return whether the trial says something about its setting; one that lost its machine is tried again."""
        return self.status != "failed" or self.cause in ("code", None)


@dataclass(frozen=True, kw_only=True)
class EpochRow:
    """One epoch of a trial, its measures averaged over the tuning seeds."""

    study: Annotated[str, Column("", "name of the study")]
    trial_id: Annotated[str, Column("", "the trial")]
    method_search: Annotated[str, Column("", "fingerprint of the method search")]
    epoch: Annotated[int, Column("", "number of the epoch, from 1")]
    loss: Annotated[float | None, Column("", "mean training loss of the epoch")] = None
    ua: Annotated[float | None, Column("fraction", "unlearning accuracy: 1 - accuracy on the forget set")] = None
    ra: Annotated[float | None, Column("fraction", "accuracy on the retain set")] = None
    va: Annotated[float | None, Column("fraction", "accuracy on the validation split")] = None
    mia: Annotated[float | None, Column("fraction", "MIA-efficacy, non-members from the validation split")] = None
    gap: Annotated[float | None, Column("fraction", "mean absolute difference to the paired oracle")] = None
    gap_per_seed: Annotated[list[float], Column("fraction", "gap of each training seed")]
    seconds_unlearn: Annotated[float, Column("s", "time to unlearn in this epoch")]
    seconds_evaluate: Annotated[float, Column("s", "time to evaluate after this epoch, the attack left out")]
    seconds_attack: Annotated[float, Column("s", "time of the membership attack after this epoch")]


@dataclass(frozen=True, kw_only=True)
class ConfirmationColumns(OutcomeColumns, SettingColumns, ScenarioColumns):
    """What is measured of a model that is confirmed."""

    confirmation_id: Annotated[str, Column("", "name of the confirmation, unique in the results")]
    method_search: Annotated[
        str | None, Column("", "fingerprint of the method search; null for rows that belong to no search")
    ] = None
    row: Annotated[
        str, Column("", "row of the comparison: 'original', 'oracle', a method, or a method's control by its name")
    ]
    training_seed: Annotated[int, Column("", "training seed of the original and its paired oracle")]
    unlearning_seed: Annotated[int | None, Column("", "seed of the unlearning run; null where nothing is run")] = None
    kept_epoch: Annotated[
        int | None,
        Column("", "epoch whose weights were measured, 0 for the original; null without a run and in early results"),
    ] = None
    mia_nonmembers: Annotated[Literal["val", "test"], Column("", "split that the attack takes non-members from")]
    mia_correctness: Annotated[float | None, Column("fraction", "MIA-efficacy from correctness")] = None
    mia_entropy: Annotated[float | None, Column("fraction", "MIA-efficacy from entropy")] = None
    mia_modified_entropy: Annotated[float | None, Column("fraction", "MIA-efficacy from modified entropy")] = None
    mia_prob: Annotated[float | None, Column("fraction", "MIA-efficacy from the whole probability vector")] = None
    mia_balanced_accuracy: Annotated[
        float | None,
        Column(
            "fraction",
            "how often the attack from confidence is right on members and non-members that it was not fitted to "
            "(cross-validated); near 0.5 it cannot distinguish them and MIA says little",
        ),
    ] = None
    mia_per_class: Annotated[
        list[float | None] | None,
        Column("fraction", "MIA-efficacy of each class's forget images; null for a class without any"),
    ] = None
    ua_per_class: Annotated[
        list[float | None] | None,
        Column(
            "fraction",
            "unlearning accuracy of each class's forget images; null for a class without any; of several labels an "
            "image 1 - AUROC of each label on the forget set",
        ),
    ] = None
    auc: Annotated[float | None, Column("fraction", "area under the ROC curve on the test split, as MedMNIST")] = None
    recall_per_class: Annotated[
        list[float | None],
        Column("fraction", "recall of each class on the test split; an item is null for a class without images there"),
    ]
    tow: Annotated[float | None, Column("fraction", "tug of war: (1-|dFA|)(1-|dRA|)(1-|dTA|) to the oracle")] = None
    oracle_ta: Annotated[float | None, Column("fraction", "TA of the paired oracle")] = None
    seconds_unlearn: Annotated[float | None, Column("s", "time to unlearn, saliency included")] = None
    seconds_saliency: Annotated[float | None, Column("s", "time of the saliency scores alone")] = None
    seconds_retrain: Annotated[float | None, Column("s", "what training the paired oracle took")] = None
    retrain_share: Annotated[
        float | None,
        Column(
            "fraction",
            "seconds_unlearn / seconds_retrain: seconds of the machine as it was then, so it mixes machine states",
        ),
    ] = None
    images_unlearn: Annotated[
        int | None,
        Column(
            "images",
            "training images passed forward and backward while unlearning, saliency scores included; an image counts "
            "once a pass; null in results of an early version",
        ),
    ] = None
    images_retrain: Annotated[
        int | None,
        Column(
            "images",
            "the same of training the paired oracle: its epochs x the size of the retain set; null where a training "
            "function of the user's did not say",
        ),
    ] = None
    compute_share: Annotated[
        float | None, Column("fraction", "images_unlearn / images_retrain: the same on every machine; null if unknown")
    ] = None
    training_repeats: Annotated[
        bool | None,
        Column(
            "",
            "whether the training function of the user's repeats by its seed, as far as the first epochs of original "
            "and oracle show; null for a recipe, and where they showed nothing",
        ),
    ] = None
    tuning_trials: Annotated[int | None, Column("trials", "trials of the search that chose the setting")] = None
    tuning_raced: Annotated[
        int | None,
        Column("trials", "those of them that ran a setting again, on a further tuning seed; null in early results"),
    ] = None
    tuning_seconds: Annotated[float | None, Column("s", "time of that search, its trials' seconds added")] = None
    trial_id: Annotated[str | None, Column("", "trial that chose the setting; null for rows without a search")] = None
    original: Annotated[str, Column("", "fingerprint of the original")]
    oracle: Annotated[
        str | None, Column("", "fingerprint of the paired oracle; null where no recipe is known to train one by")
    ] = None
    model: Annotated[
        str | None,
        Column(
            "",
            "fingerprint of the confirmed model, an artifact where it was kept (`keep_models`); null in results of "
            "an early version",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ConfirmationRow(ProvenanceColumns, ConfirmationColumns):
    """One row of the comparison on one reporting seed, measured on data that the search never saw."""

    role: Annotated[
        Literal["production"] | None,
        Column(
            "",
            "'production' for a model that is delivered: it is in no table, its original may be a given one, and its "
            "gap is to the oracles of the reporting seeds, a paired one left out; null for all others",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PredictionRow:
    """What a confirmed model predicts for one image of the forget set, or of the control half where there is one.

    The originals and oracles have such rows too.
    """

    study: Annotated[str, Column("", "name of the study")]
    scenario: Annotated[str, Column("", "fingerprint of the scenario")]
    confirmation_id: Annotated[str, Column("", "the confirmation")]
    row: Annotated[str, Column("", "row of the comparison: 'original', 'oracle', a method, or a method's control")]
    training_seed: Annotated[int, Column("", "training seed of the model")]
    split: Annotated[
        Literal["forget", "control"] | None,
        Column("", "whether the image is of the 'forget' set or of the 'control' half; null in early results: forget"),
    ] = None
    image: Annotated[int, Column("", "index of the image in the train split")]
    unit: Annotated[
        int | None,
        Column("", "index of the first train image that it repeats, else its own; null in results of an early version"),
    ] = None
    label: Annotated[int | None, Column("", "its class, from 0; null where an image has any number of labels")] = None
    label_name: Annotated[
        str, Column("", "name of its class; of several labels the names joined by ' + ', '(no label)' without any")
    ]
    predicted: Annotated[
        int | None, Column("", "class that the model predicts; null where an image has any number of labels")
    ] = None
    predicted_name: Annotated[
        str,
        Column("", "name of that class; of several labels those with a probability above one half, joined by ' + '"),
    ]
    confidence: Annotated[
        float,
        Column(
            "fraction",
            "probability that the model gives to the image's own class; of several labels the mean over them of the "
            "probability of what is true",
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class MeasureRow:
    """One value of one metric or audit of one unit of work: of all images of a group, or of one class of it."""

    study: Annotated[str, Column("", "name of the study")]
    unit_kind: Annotated[
        Literal["epoch", "trial", "confirmation"],
        Column("", "what was measured: an 'epoch' of a trial, a 'trial' or a 'confirmation', audits included"),
    ]
    unit_id: Annotated[str, Column("", "its name; of an epoch that of its trial")]
    epoch: Annotated[int | None, Column("", "number of the epoch, from 1; null for other units")] = None
    training_seed: Annotated[
        int | None, Column("", "training seed of the model; null where the value is a mean over several")
    ] = None
    metric: Annotated[str, Column("", "name of the metric, or AUDIT_STATISTIC, such as 'rmia_auc'")]
    version: Annotated[
        int | None, Column("", "version of the metric or audit; null where the unit was recorded without it")
    ] = None
    package: Annotated[
        str | None,
        Column("", "its package, with the version; null if a program added it, and in results of early versions"),
    ] = None
    split: Annotated[
        str | None,
        Column(
            "",
            "images looked at: 'forget', 'retain', 'control', 'train', 'val' or 'test'; null: none of them",
        ),
    ] = None
    class_index: Annotated[int | None, Column("", "the class, from 0; null for all classes together")] = None
    value: Annotated[
        float | None, Column("", "the value, in the metric's unit; null where its definition has none")
    ] = None
    low: Annotated[float | None, Column("", "lower end of the interval that the metric gives; null without one")] = None
    high: Annotated[float | None, Column("", "upper end of that interval")] = None
    n: Annotated[int | None, Column("images", "images that the value is computed from; null where none are")] = None
    audit: Annotated[str | None, Column("", "audit that found it; null for metrics")] = None
    looks_at: Annotated[
        Literal["outputs", "representations", "recovery"] | None,
        Column("", "where that audit looks for what is left; null for metrics, and in results of early versions"),
    ] = None
    test: Annotated[
        Literal["p-value", "mean", "difference"] | None,
        Column(
            "",
            "how it judges the model: it is a 'p-value', or its 'difference' to the oracles' is tested, which of a "
            "'mean' over the forget set is read as a dose, too; null where it judges nothing",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One specification of a study, as it was first run: its file with overrides and defaults written out."""

    study: Annotated[str, Column("", "name of the study")]
    specification_id: Annotated[str, Column("", "fingerprint of the specification")]
    specification: Annotated[str, Column("", "the whole study, as YAML")]
    lethe_version: Annotated[str, Column("", "version of lethe")]
    code_version: Annotated[str | None, Column("", "revision of the code; null where it is unknown")] = None
    images_per_second_float32: Annotated[
        float | None, Column("1/s", "images trained on in a second in float32, where this run chose the precision")
    ] = None
    images_per_second_bfloat16: Annotated[float | None, Column("1/s", "the same in bfloat16")] = None
    started_at: Annotated[datetime, Column("", "when it was first run, UTC")]


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One model that the table of a specification is made of: which row it belongs to, and how its setting was found.

    A study keeps its name when its file is edited, and a setting on a seed is confirmed once for all files that ask for
    it. So each run records for its specification which confirmations make up a table.
    """

    study: Annotated[str, Column("", "name of the study")]
    specification_id: Annotated[str, Column("", "fingerprint of the specification")]
    run_at: Annotated[datetime, Column("", "when this specification was last run, UTC")]
    margin: Annotated[
        float, Column("fraction", "excess over the noise floor below which a row counts as equivalent to retraining")
    ]
    scenario: Annotated[str, Column("", "fingerprint of the scenario")]
    data_hash: Annotated[str, Column("", "hash of the images and labels")]
    forget_hash: Annotated[
        str,
        Column(
            "",
            "hash of the indices of the forget set; one of the candidates where each training seed has a lot",
        ),
    ]
    recipe: Annotated[str, Column("", "fingerprint of network, training recipe and the study's seed")]
    training: Annotated[str, Column("", "how originals and oracles are trained, in words")]
    stream: Annotated[
        str | None,
        Column(
            "",
            "fingerprint of the first scenario of a stream of requests; null for a request by itself, as are the next "
            "two, and in results of an early version",
        ),
    ] = None
    step: Annotated[int | None, Column("", "how many requests of the stream have come")] = None
    steps: Annotated[int | None, Column("", "how many come in all")] = None
    row: Annotated[str, Column("", "row of the comparison")]
    method: Annotated[str, Column("", "unlearning method; 'original' and 'oracle' for the rows without one")]
    training_seed: Annotated[int, Column("", "training seed of the model")]
    role: Annotated[
        Literal["reporting", "tuning", "dose"],
        Column(
            "",
            "'reporting'; 'tuning' for oracles that only add to the noise floor; 'dose' for models trained on a share "
            "of the forget set, which only show what audits mean",
        ),
    ]
    confirmation_id: Annotated[str | None, Column("", "its confirmation; null until a setting is chosen")] = None
    method_search: Annotated[str | None, Column("", "fingerprint of the method search that chose the setting")] = None
    trial_id: Annotated[str | None, Column("", "trial that chose the setting; null for rows without a search")] = None
    tuning_trials: Annotated[int | None, Column("trials", "trials of the search that chose the setting")] = None
    tuning_raced: Annotated[
        int | None,
        Column("trials", "those of them that ran a setting again, on a further tuning seed; null in early results"),
    ] = None
    tuning_seconds: Annotated[float | None, Column("s", "time of that search, its trials' seconds added")] = None
    planned_trials: Annotated[
        int | None,
        Column("trials", "settings that the search tries on the first tuning seeds; null for rows without a search"),
    ] = None
    planned_seconds: Annotated[
        float | None, Column("s", "seconds of trials that the search may take; null where only trials are counted")
    ] = None
    tuning_seeds: Annotated[list[int], Column("", "training seeds that the search saw")]
    tuned_in: Annotated[
        str | None,
        Column("", "study whose search chose the setting, as a settings file says; null where no file gave it"),
    ] = None
    tuned_data_hash: Annotated[
        str | None, Column("", "hash of the images and labels that it was tuned on, as the same file says")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PriorsRow:
    """The settings of other searches that a search begins with, as they were when it began."""

    study: Annotated[str, Column("", "name of the study")]
    priors_id: Annotated[str, Column("", "fingerprint of the search without them, and of where it looks for them")]
    method_search: Annotated[str, Column("", "fingerprint of the method search that begins with them")]
    scenario: Annotated[str, Column("", "fingerprint of the scenario")]
    row: Annotated[str, Column("", "row of the comparison that is searched")]
    priors: Annotated[str, Column("", "the settings in order, each with where it is from, as JSON")]
    recorded_at: Annotated[datetime, Column("", "when they were looked up, UTC")]


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


Row = (
    TrialRow
    | EpochRow
    | ConfirmationRow
    | PredictionRow
    | MeasureRow
    | BoardRow
    | PriorsRow
    | ArtifactRow
    | CalibrationRow
    | StudyRow
)
TableName = Literal[
    "trials",
    "epochs",
    "confirmations",
    "predictions",
    "boards",
    "priors",
    "artifacts",
    "calibrations",
    "studies",
    "recorded_measures",
]

TABLES: Final[dict[TableName, type[Row]]] = {
    "trials": TrialRow,
    "epochs": EpochRow,
    "confirmations": ConfirmationRow,
    "predictions": PredictionRow,
    "boards": BoardRow,
    "priors": PriorsRow,
    "artifacts": ArtifactRow,
    "calibrations": CalibrationRow,
    "studies": StudyRow,
    "recorded_measures": MeasureRow,
}

UNITS: Final[dict[TableName, str]] = {
    "trials": "trial_id",
    "epochs": "trial_id",
    "confirmations": "confirmation_id",
    "predictions": "confirmation_id",
    "boards": "specification_id",
    "priors": "priors_id",
    "artifacts": "artifact_id",
    "calibrations": "packing_id",
    "studies": "specification_id",
    "recorded_measures": "unit_id",
}
"""The column that names the unit of work that a row belongs to; the rows of a unit are written together."""

UNIT_ROWS: Final[dict[TableName, int]] = {
    "trials": 1,
    "epochs": 100_000,
    "confirmations": 1,
    "predictions": 5_000_000,
    "boards": 1_000_000,
    "priors": 1,
    "artifacts": 1,
    "calibrations": 1_000,
    "studies": 1,
    "recorded_measures": 1_000_000,
}
"""The most rows that a unit can have: one, or far more than any study makes of its epochs, images or workers."""
