"""The oracle pool: originals, oracles and saliency scores, made once and shared by every trial, study and audit."""

from lethe.pool._claims import Claims, LocalClaims, RayClaims
from lethe.pool._jobs import TrainingJob, jobs_for
from lethe.pool._manifest import Facts, Manifest
from lethe.pool._store import Artefact, CorruptArtefactError, Pool
from lethe.pool._trainer import DivergedError, Made, Trainer

__all__ = [
    "Artefact",
    "Claims",
    "CorruptArtefactError",
    "DivergedError",
    "Facts",
    "LocalClaims",
    "Made",
    "Manifest",
    "Pool",
    "RayClaims",
    "Trainer",
    "TrainingJob",
    "jobs_for",
]
