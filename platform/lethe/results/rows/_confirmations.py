"""Rows of confirmed models: what each measures, predicts, and was found by metrics and audits."""

from dataclasses import dataclass
from typing import Annotated, Literal

from lethe.results.rows._columns import OutcomeColumns, ProvenanceColumns, ScenarioColumns, SettingColumns
from lethe.results.schema import Column


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
    called_nonmember: Annotated[
        bool | None,
        Column(
            "",
            "whether the membership attack by confidence takes the image for a non-member; its share of the forget "
            "images of a confirmation is `mia`; null in results of an early version",
        ),
    ] = None


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
