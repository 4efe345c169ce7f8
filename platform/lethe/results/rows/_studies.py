"""Rows of a study as it was run: its specification, what its tables are made of, and where its searches begin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from lethe.results.schema import Column


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
    but_augmentation: Annotated[
        str | None,
        Column(
            "",
            "fingerprint of all that makes the scenario but its augmentation; null in results of an early version",
        ),
    ] = None
    training: Annotated[str, Column("", "how originals and oracles are trained, in words")]
    class_names: Annotated[
        list[str] | None,
        Column("", "names of the classes, or of the labels, in order; null in results of an early version"),
    ] = None
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
