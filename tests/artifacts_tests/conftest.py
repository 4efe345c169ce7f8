"""What one worker makes of recipes, as a run has it made."""

from collections.abc import Callable

import pytest
from steps import result_of

from lethe.artifacts import ArtifactRecipe, ArtifactStore, ArtifactWorker, Built, Needed, build_jobs, in_order
from lethe.execution.claims import LocalClaims
from lethe.execution.shared_data import SharedData
from lethe.study import Resources, Scenario
from unlearning.data import ImageData


@pytest.fixture(scope="session")
def make_artifacts() -> Callable[..., dict[ArtifactRecipe, Built]]:
    """Has one worker get or make recipes of a scenario and all that they require."""

    def make(
        data: ImageData, scenario: Scenario, artifacts: ArtifactStore, *recipes: ArtifactRecipe
    ) -> dict[ArtifactRecipe, Built]:
        worker = ArtifactWorker(artifacts, SharedData([data]), LocalClaims(), Resources())
        wanted = [Needed(recipe, recipe.kind, scenario, 0) for recipe in in_order(recipes)]
        return {built.recipe: built for job in build_jobs(wanted) for built in result_of(worker(job))}

    return make
