"""Rows of the search: a trial, and an epoch of one."""

from dataclasses import dataclass
from typing import Annotated, Literal

from lethe.results.rows._columns import OutcomeColumns, ProvenanceColumns, ScenarioColumns, SettingColumns
from lethe.results.schema import Column

ProposedBy = Literal["startup", "model", "random", "fixed", "prior", "race"]


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
    fused: Annotated[
        int | None,
        Column(
            "",
            "training seeds whose steps were taken together, where their batches were of one size; 1: each by itself; "
            "null, for 1, in results of an early version",
        ),
    ] = None
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
    """One epoch of a trial, its measures averaged over the tuning seeds; null after an epoch that is not measured.

    A trial is always measured after its last epoch; `search.curves` of the study says when else.
    """

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
