"""What the pool must hold for a study, and what of it must still be made."""

from collections.abc import Iterable
from dataclasses import dataclass

from lethe.study import ArtefactKey, Cell, Question


@dataclass(frozen=True)
class TrainingJob:
    """One model to train, and the saliency scores to take from it while it is warm.

    Attributes:
        key: of the model.
        question: the question that the model serves (one of them: an original serves every forget request).
        seed: training seed of the study.
        saliencies: keys of the scores to take from an original, with the question that names the forget set.
    """

    key: ArtefactKey
    question: Question
    seed: int
    saliencies: tuple[tuple[ArtefactKey, Question], ...] = ()

    @property
    def keys(self) -> tuple[ArtefactKey, ...]:
        """Every artefact that the job makes."""
        return (self.key, *(key for key, _ in self.saliencies))


def jobs_for(cells: Iterable[Cell], seeds: Iterable[int]) -> list[TrainingJob]:
    """List the models that cells need on these training seeds, each once, in the order of the cells."""
    jobs: dict[str, TrainingJob] = {}
    for cell in cells:
        question = cell.question
        for seed in seeds:
            original = question.original(seed)
            before = jobs.get(original.fingerprint)
            saliencies = dict(before.saliencies) if before else {}
            if cell.choice.method.uses_saliency:
                saliencies.setdefault(question.saliency(seed), question)
            jobs[original.fingerprint] = TrainingJob(original, question, seed, tuple(saliencies.items()))
            oracle = question.oracle(seed)
            jobs.setdefault(oracle.fingerprint, TrainingJob(oracle, question, seed))
    return list(jobs.values())
