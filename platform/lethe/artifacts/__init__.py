"""Artifacts: what is made once and shared by every trial, study and audit, described by recipes that require others."""

from lethe.artifacts._build import ArtifactWorker, BuildJob, Built, build_jobs
from lethe.artifacts._facts import facts_of
from lethe.artifacts._manifest import Facts, Manifest
from lethe.artifacts._needs import Needed, needed_for, requirement
from lethe.artifacts._reading_workshop import ReadingWorkshop
from lethe.artifacts._recipe import (
    ArtifactKey,
    ArtifactRecipe,
    Product,
    Tensors,
    TrainingDivergedError,
    Workshop,
    fingerprint_of,
    in_order,
)
from lethe.artifacts._store import Artifact, ArtifactStore, CorruptArtifactError
from lethe.artifacts._stored import LEFTOVERS, Stored, delete_stored, stored
from lethe.artifacts.kinds import (
    KINDS,
    REQUIRED,
    AdversarialImages,
    EarlierWeights,
    FisherInformation,
    Model,
    SaliencyScores,
    TrainedModel,
    UnlearnedModel,
    after_requests,
    at_once,
    dosed,
    oracle,
    original,
    read_requirement,
    saliency,
    task_of,
)

__all__ = [
    "KINDS",
    "LEFTOVERS",
    "REQUIRED",
    "AdversarialImages",
    "Artifact",
    "ArtifactKey",
    "ArtifactRecipe",
    "ArtifactStore",
    "ArtifactWorker",
    "BuildJob",
    "Built",
    "CorruptArtifactError",
    "EarlierWeights",
    "Facts",
    "FisherInformation",
    "Manifest",
    "Model",
    "Needed",
    "Product",
    "ReadingWorkshop",
    "SaliencyScores",
    "Stored",
    "Tensors",
    "TrainedModel",
    "TrainingDivergedError",
    "UnlearnedModel",
    "Workshop",
    "after_requests",
    "at_once",
    "build_jobs",
    "delete_stored",
    "dosed",
    "facts_of",
    "fingerprint_of",
    "in_order",
    "needed_for",
    "oracle",
    "original",
    "read_requirement",
    "requirement",
    "saliency",
    "stored",
    "task_of",
]
