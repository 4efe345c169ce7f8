"""What a study needs of the store: originals, oracles, and what its methods require, as recipes with their labels."""

from collections.abc import Iterable
from dataclasses import dataclass

from lethe.artifacts._recipe import ArtifactRecipe, in_order
from lethe.artifacts.kinds import REQUIRED, oracle, original
from lethe.study import MethodSearch, Scenario


@dataclass(frozen=True)
class Needed:
    """An artifact that a study needs.

    Attributes:
        label: its name for people and in rows: 'original', 'oracle', or the name of its kind.
        scenario: the scenario that it serves (one of them: an original serves every forget request).
        seed: training seed of the study.
    """

    recipe: ArtifactRecipe
    label: str
    scenario: Scenario
    seed: int

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"the {self.label} of seed {self.seed} ({self.scenario.title})"


def needed_for(method_searches: Iterable[MethodSearch], seeds: Iterable[int]) -> list[Needed]:
    """List what method searches need on these training seeds, each once and after what it requires."""
    seeds = list(seeds)
    found: dict[ArtifactRecipe, Needed] = {}
    for method_search in method_searches:
        scenario, requires = method_search.scenario, method_search.choice.method.requires
        for seed in seeds:
            models: dict[ArtifactRecipe, str] = {original(scenario, seed): "original"}
            if scenario.has_oracles:
                models[oracle(scenario, seed)] = "oracle"
            for recipe in in_order([*models, *(requirement(name, scenario, seed) for name in requires)]):
                label = models.get(recipe, recipe.kind)
                found.setdefault(recipe, Needed(recipe, label, scenario, seed))
    return list(found.values())


def requirement(name: str, scenario: Scenario, seed: int) -> ArtifactRecipe:
    """Return the recipe of what methods find under a name of `unlearning.requirements`, beside an original."""
    return REQUIRED[name](original(scenario, seed), scenario.partition(seed))
