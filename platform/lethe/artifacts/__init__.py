"""Artifacts: what is made once and shared by every trial, study and audit, described by recipes that require others."""

from lethe.artifacts._build import ArtifactWorker, BuildJob, Built, build_jobs
from lethe.artifacts._manifest import Facts, Manifest
from lethe.artifacts._needs import REQUIRED, Needed, needed_for
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
from lethe.artifacts.kinds import (
    KINDS,
    AdversarialImages,
    EarlierWeights,
    FisherInformation,
    SaliencyScores,
    TrainedModel,
    dosed,
    oracle,
    original,
    saliency,
)

__all__ = [
    "KINDS",
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
    "Needed",
    "Product",
    "SaliencyScores",
    "Tensors",
    "TrainedModel",
    "TrainingDivergedError",
    "Workshop",
    "build_jobs",
    "dosed",
    "fingerprint_of",
    "in_order",
    "needed_for",
    "oracle",
    "original",
    "saliency",
]
