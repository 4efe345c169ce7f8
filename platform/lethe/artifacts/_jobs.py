"""What the pool must hold for a study, and what of it must still be made."""

from collections.abc import Iterable
from dataclasses import dataclass

from lethe.study import ArtifactKey, MethodSearch, Scenario


@dataclass(frozen=True)
class TrainingJob:
    """One model to train, and the saliency scores to take from it while it is warm.

    Attributes:
        key: of the model.
        scenario: the scenario that the model serves (one of them: an original serves every forget request).
        seed: training seed of the study.
        saliencies: keys of the scores to take from an original, with the scenario that names the forget set.
    """

    key: ArtifactKey
    scenario: Scenario
    seed: int
    saliencies: tuple[tuple[ArtifactKey, Scenario], ...] = ()

    @property
    def keys(self) -> tuple[ArtifactKey, ...]:
        """Every artifact that the job makes."""
        return (self.key, *(key for key, _ in self.saliencies))


def jobs_for(method_searches: Iterable[MethodSearch], seeds: Iterable[int]) -> list[TrainingJob]:
    """List the models that method searches need on these training seeds, each once, in the order of the searches."""
    jobs: dict[str, TrainingJob] = {}
    for method_search in method_searches:
        scenario = method_search.scenario
        for seed in seeds:
            original = scenario.original(seed)
            before = jobs.get(original.fingerprint)
            saliencies = dict(before.saliencies) if before else {}
            if method_search.choice.method.uses_saliency:
                saliencies.setdefault(scenario.saliency(seed), scenario)
            jobs[original.fingerprint] = TrainingJob(original, scenario, seed, tuple(saliencies.items()))
            oracle = scenario.oracle(seed)
            jobs.setdefault(oracle.fingerprint, TrainingJob(oracle, scenario, seed))
    return list(jobs.values())
