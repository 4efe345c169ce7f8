"""What a certificate says: the one place where its keys, their types, units and meanings are written down.

The JSON schema (`lethe schema --certificate`) derives from these classes. Accuracies, gaps and differences of them are
fractions. A key without a value is null. Nothing here names a person, an image, a list, a file of theirs or a machine.
"""

from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field, JsonValue, NonNegativeFloat, NonNegativeInt

from lethe.storage.documents import Document
from lethe.storage.seals import Seal, Sha256

SCHEMA_VERSION: Final = 1
"""Raised with every change after which an older Lethe would misread a certificate."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Verdict = Literal["no violation detected", "violation", "inconclusive"]
"""The only three words for a result; none of them says that nothing is left."""


class ByClass(Document):
    """How many train images of one class were asked for."""

    class_index: NonNegativeInt = Field(description="the class, from 0")
    name: str = Field(description="its name")
    requested: NonNegativeInt = Field(description="train images of the class that were asked for, duplicates included")
    images: NonNegativeInt = Field(description="train images of the class")


class RequestSection(Document):
    """What was asked for, in numbers."""

    requester: Sha256 | None = Field(
        description="commitment to who asked: HMAC-SHA256 of the name under a random salt that the holder keeps; null: "
        "nobody was named"
    )
    kind: str = Field(description="kind of request, as in a study file")
    list_commitment: Sha256 = Field(
        description="the same of the list: HMAC-SHA256, under the same salt, of the SHA-256 of its positions in train"
    )
    split: Literal["train"] = Field(description="split that the images are of; no model is trained on another")
    images: NonNegativeInt = Field(description="n, train images that were asked for, duplicates included")
    train_images: NonNegativeInt = Field(description="N, train images")
    duplicates_added: NonNegativeInt = Field(
        description="those of the n that nobody named but that repeat a named one byte for byte"
    )
    control_images: NonNegativeInt = Field(description="train images that no model was trained on, to compare with")
    patients: NonNegativeInt | None = Field(description="patients of the n images; null: the data names no patients")
    patients_with_kept_images: NonNegativeInt | None = Field(
        description="those of them with other images that are kept in train; null likewise"
    )
    by_class: list[ByClass] = Field(description="the n images by class")


class DataSection(Document):
    """What the models were trained on."""

    sha256: Sha256 = Field(description="hash of images and labels of all splits")
    images: dict[Literal["train", "val", "test"], NonNegativeInt] = Field(description="images of each split")
    task: str = Field(
        description="what the labels mean, in MedMNIST's words; with 'multi-label, binary-class' an image has any "
        "number of labels, and counts for each of them"
    )
    classes: NonNegativeInt = Field(description="number of classes, or of labels where an image may have several")
    channels: NonNegativeInt = Field(description="channels of an image")


class CodeSection(Document):
    """The code that made and tested the model."""

    lethe: str = Field(description="version of Lethe")
    revision: str | None = Field(description="revision of its code; null: not known")
    python: str = Field(description="version of Python")
    torch: str = Field(description="version of torch")
    packages: list[str] = Field(description="plug-ins that the study uses, with their versions")


class SettingSection(Document):
    """How the model was made from the original."""

    study: str = Field(description="name of the study")
    row: str = Field(description="row of its tables")
    method: str = Field(description="unlearning method")
    method_version: int = Field(description="version of its code")
    options: dict[str, JsonValue] = Field(description="its setting")
    stop_after: int | None = Field(description="epoch that the run ended with; null: the last")
    rewinds: bool = Field(description="whether the run returned to an epoch by itself")
    network: str = Field(description="network, with its options")
    augmentation: str = Field(description="augmentation in training and unlearning")
    precision: str = Field(description="floating-point format")


class ModelEntry(Document):
    """A model among the artifacts of the results."""

    kind: str = Field(description="kind of artifact")
    fingerprint: str = Field(description="its name: what it was made of, hashed")
    weights_sha256: Sha256 = Field(description="SHA-256 of its file of weights")
    tensors_sha256: Sha256 | None = Field(
        description="SHA-256 of its tensors, whatever their order in the file; null: it was purged, as are the next"
    )
    tensors: NonNegativeInt | None = Field(description="number of tensors")
    numbers: NonNegativeInt | None = Field(description="numbers in them")


class ModelsSection(Document):
    """The models, from the one in use before to the one that is delivered."""

    original: ModelEntry = Field(description="the model that was trained on the images")
    between: list[ModelEntry] = Field(description="models between it and the delivered one, of earlier requests")
    delivered: ModelEntry = Field(description="the delivered model as the results have it")
    delivered_files: dict[str, Sha256] = Field(
        description="tensors of the delivered files of weights, hashed as `tensors_sha256`"
    )
    unlearned_at: AwareDatetime = Field(description="when the delivered model was finished")


class AuditChoice(Document):
    """An audit that was chosen."""

    name: str = Field(description="name of the audit")
    version: int = Field(description="version of its code")
    options: dict[str, JsonValue] = Field(description="its options")


class CriteriaSection(Document):
    """What was fixed by which the model is judged, and when."""

    specification: str = Field(description="fingerprint of the study's specification")
    specification_sha256: Sha256 = Field(description="SHA-256 of its text, which the results keep")
    recorded_at: AwareDatetime = Field(description="when it was recorded, by the clock of the machine that ran it")
    first_confirmation_at: AwareDatetime | None = Field(
        description="when the first model that it is judged by began to be measured, by the clock of its machine"
    )
    fixed_before: bool = Field(description="whether the criteria were recorded before that")
    margin: float = Field(description="excess over the noise floor below which a row is equivalent to retraining")
    level: float = Field(description="level of every test")
    power: float = Field(description="share of the originals that an audit must detect, so that its silence counts")
    tuning_seeds: list[int] = Field(description="training seeds that the setting was chosen on")
    reporting_seeds: list[int] = Field(description="training seeds that the setting is judged on; none of the others")
    audits: list[AuditChoice] = Field(description="audits of every model")


class Judgement(Document):
    """What one criterion says."""

    criterion: Literal["audits of the setting", "gap to retraining", "audits of the delivered model"] = Field(
        description="which"
    )
    verdict: Verdict = Field(description="its verdict")
    because: str = Field(description="why, a sentence")


class AuditFinding(Document):
    """One statistic of one audit: of the setting over the reporting seeds, and of the delivered model."""

    audit: str = Field(description="name of the audit")
    statistic: str = Field(description="what it found, AUDIT_STATISTIC")
    looks_at: str | None = Field(description="where it looks: outputs, representations or recovery")
    split: str | None = Field(description="images that it is found on; null: none")
    class_index: int | None = Field(description="the class, from 0; null: all together")
    test: str = Field(description="how it judges: p-value, mean or difference")
    mean: float = Field(description="mean over the reporting seeds, in the statistic's unit")
    low: float | None = Field(
        description="lower end of the 95 % interval of the difference to the paired oracles; null: of p-values"
    )
    high: float | None = Field(description="upper end of it")
    p_holm: float | None = Field(description="p, adjusted for all statistics of the row (Holm); null: too few seeds")
    verdict: str = Field(description="of the setting: one of the three, or too few seeds")
    originals: float | None = Field(description="mean of the originals, which were trained on the images")
    oracles: float | None = Field(description="mean of the oracles, which never saw them: the floor")
    power: float | None = Field(description="share of the originals that it detects one by one")
    false_alarms: float | None = Field(description="share of the oracles that it accuses, each held against the others")
    oracles_counted: NonNegativeInt = Field(description="oracles that these were taken over")
    delivered: float | None = Field(description="value of the delivered model; null: it was not measured")
    delivered_p_holm: float | None = Field(
        description="p of the delivered model against the oracles, adjusted for all its statistics (Holm); null: below "
        "three oracles, or they are all alike"
    )


class RowMeasures(Document):
    """The four measures of one row, mean over the reporting seeds, or of one model.

    Where an image has any number of labels, the mean AUROC over the labels takes the place of accuracy.
    """

    row: str = Field(description="original, oracle, the setting's row, or delivered")
    ua: float | None = Field(description="error on the images that were asked for")
    ra: float | None = Field(description="accuracy on the images that are kept")
    ta: float | None = Field(description="accuracy on the test split")
    mia: float | None = Field(description="share of the images that an attack calls non-members")
    gap: float | None = Field(description="mean absolute difference to retraining over the four")
    gap_low: float | None = Field(description="lower end of its 95 % interval over seeds")
    gap_high: float | None = Field(description="upper end of it")


class GapSection(Document):
    """How far the setting is from retraining, beside how far retrainings are from each other."""

    seeds: NonNegativeInt = Field(description="reporting seeds that are confirmed")
    noise_floor: float | None = Field(description="gap between oracles of different seeds")
    noise_floor_low: float | None = Field(description="lower end of its 95 % interval")
    noise_floor_high: float | None = Field(description="upper end of it")
    excess: float | None = Field(description="how much farther than another retraining; 0 for retraining")
    excess_low: float | None = Field(description="lower end of its 95 % interval")
    excess_high: float | None = Field(description="upper end of it")
    excess_upper: float | None = Field(description="upper end of its 90 % interval, which the margin is held against")
    verdict: str | None = Field(description="above the floor, equivalent, inconclusive or too few seeds")
    rows: list[RowMeasures] = Field(description="the measures behind it")


class ClinicalFinding(Document):
    """One statistic of the clinical audit of the setting, over the reporting seeds."""

    statistic: str = Field(description="name of the statistic")
    class_index: int | None = Field(description="the class, from 0; null: all together")
    original: float | None = Field(description="mean of the originals")
    oracle: float | None = Field(description="mean of the paired oracles")
    setting: float | None = Field(description="mean of the setting")
    low: float | None = Field(description="lower end of the 95 % interval of that over seeds and test images")
    high: float | None = Field(description="upper end of it")
    difference: float | None = Field(description="setting minus paired oracle")
    difference_low: float | None = Field(description="lower end of its 95 % interval over seeds")
    difference_high: float | None = Field(description="upper end of it")
    delivered: float | None = Field(description="value of the delivered model")


class Stage(Document):
    """What one stage of the study cost."""

    stage: str = Field(description="originals, oracles, search, confirmation (with the audits), or another artifact")
    units: NonNegativeInt = Field(description="models, trials or confirmations")
    seconds: NonNegativeFloat = Field(description="their wall-clock times added, s")


class CostSection(Document):
    """What the delivered model cost, beside retraining."""

    unlearning_seconds: float | None = Field(description="time of one unlearning, mean over the reporting seeds, s")
    retraining_seconds: float | None = Field(description="time of one retraining, likewise, s")
    image_share: float | None = Field(description="training images passed in unlearning as a share of retraining's")
    tuning_seconds: float | None = Field(description="time of the search for the setting, s; null: there was none")
    tuning_trials: int | None = Field(description="its trials")
    stages: list[Stage] = Field(description="all that the study spent on this request")


class TraceEntry(Document):
    """Something derived from the images that exists."""

    what: str = Field(description="what it is")
    where: str = Field(description="where: a path relative to the results, or words for what lies outside of them")
    why: str = Field(description="why it counts")
    size_bytes: NonNegativeInt | None = Field(description="its size; null: not known")
    needed_by: list[str] = Field(description="what else needs it, which `lethe purge` therefore leaves")
    removed_by: str | None = Field(description="the command that removes it; null: nothing of Lethe's does")


class PurgeEntry(Document):
    """An earlier removal for the same images."""

    at: AwareDatetime = Field(description="when it was begun")
    finished: bool = Field(description="whether it ended; one that was killed is to be repeated")
    removed: NonNegativeInt = Field(description="how many things it removed")
    signed_by: Sha256 | None = Field(description="public key of whoever signed its record; null: nobody")
    record_sha256: Sha256 = Field(description="SHA-256 of its record among the results")


class LineageSection(Document):
    """What is derived from the images and existed when the certificate was made."""

    exists: list[TraceEntry] = Field(description="what is known of")
    purges: list[PurgeEntry] = Field(description="what was removed before")
    unknown: list[str] = Field(description="what Lethe cannot see, a sentence each")


class Content(Document):
    """A certificate without its files and seal: what its page is made from."""

    document: Literal["lethe certificate"] = Field(description="what this file is")
    schema_version: Literal[1] = Field(description="version of this schema")
    made_at: AwareDatetime = Field(description="when the certificate was made")
    verdict: Verdict = Field(description="the strictest of the judgements")
    judgements: list[Judgement] = Field(description="what each criterion says")
    limits: list[str] = Field(description="what the verdict does not say, and what was not tested, a sentence each")
    request: RequestSection
    data: DataSection
    code: CodeSection
    setting: SettingSection
    models: ModelsSection
    criteria: CriteriaSection
    audits: list[AuditFinding] = Field(description="what each audit finds")
    gap: GapSection
    clinical: list[ClinicalFinding] = Field(description="what a clinic sees; empty without the clinical audit")
    cost: CostSection
    lineage: LineageSection


class Certificate(Content):
    """The evidence for one delivered model: what was asked for, done, tested, found, and what still exists."""

    files: dict[str, Sha256] = Field(description="SHA-256 of each other file of the delivery, by its name")
    seal: Seal


def certificate_schema() -> dict[str, Any]:
    """Return the JSON schema of certificates: every key with its meaning."""
    return {"$schema": DIALECT, **Certificate.model_json_schema()}
