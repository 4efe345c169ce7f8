"""The oracle pool: originals, oracles and saliency scores, made once and shared by every trial, study and audit."""

from lethe.artifacts._claims import Claims, LocalClaims, RayClaims
from lethe.artifacts._jobs import TrainingJob, jobs_for
from lethe.artifacts._manifest import Facts, Manifest
from lethe.artifacts._store import Artifact, ArtifactStore, CorruptArtifactError
from lethe.artifacts._trainer import Made, Trainer, TrainingDivergedError

__all__ = [
    "Artifact",
    "ArtifactStore",
    "Claims",
    "CorruptArtifactError",
    "Facts",
    "LocalClaims",
    "Made",
    "Manifest",
    "RayClaims",
    "Trainer",
    "TrainingDivergedError",
    "TrainingJob",
    "jobs_for",
]
