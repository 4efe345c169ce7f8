from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lethe.artifacts import ArtifactRecipe, ArtifactStore, Built, Model, UnlearnedModel, oracle, original
from lethe.artifacts.context import TrialContexts
from lethe.errors import InputError
from lethe.execution.shared_data import SharedData
from lethe.storage.root import StorageRoot
from lethe.study import Partition, Resources, Scenario, expand, parse_study
from unlearning.data import Synthetic, load
from unlearning.data.forget import ForgetSet
from unlearning.methods import METHODS, Method

SOURCE = Synthetic(train=120, val=30, test=30, size=12, classes=3)
DATA = load(SOURCE)


Make = Callable[..., dict[ArtifactRecipe, Built]]


def scenario(fraction: float = 0.2) -> Scenario:
    study = parse_study(
        {
            "name": "small",
            "data": [SOURCE.model_dump(exclude_none=True)],
            "forget": [{"kind": "random", "fraction": fraction}],
            "augmentations": ["standard"],
            "network": {"name": "cnn", "width": 4},
            "training": {"epochs": 2, "batch_size": 32, "precision": "float32"},
            "methods": [{"name": "salun", "epochs": 2}],
        },
        "study.yaml",
    )
    return expand(study, {SOURCE: DATA})[0].scenario


def method(name: str, **options: Any) -> Method:
    return METHODS[name].model_validate({"name": name, **options})


def unlearned(start: Model, name: str, parts: Partition | None = None, **options: Any) -> UnlearnedModel:
    own = start.scenario.partition(start.seed) if parts is None else parts
    return UnlearnedModel(start, start.scenario, own, start.seed, method(name, **options))


@pytest.fixture
def make(make_artifacts: Make) -> Make:
    """Has one worker get or make recipes and all that they require."""
    return partial(make_artifacts, DATA, scenario())


def weights(artifacts: ArtifactStore, recipe: Model) -> Mapping[str, Tensor]:
    artifact = artifacts.load(recipe.key)
    assert artifact is not None
    return artifact.files["weights"]


def same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def second_half(parts: Partition) -> Partition:
    """The same images forgotten in two requests: the second one, once the first has been met."""
    first_H = torch.arange(len(parts.forgotten)) < len(parts.forgotten) // 2
    forget = parts.forget
    later = ForgetSet(
        indices_F=forget.indices_F[~first_H],
        retain_R=forget.retain_R,
        unit_F=forget.unit_F[~first_H],
        control_C=forget.indices_F[first_H],
        unit_C=forget.unit_F[first_H],
        duplicates_added=0,
        repeated=0,
        notes=(),
    )
    return Partition(later, parts.train_count)


def test_it_is_what_the_same_run_in_a_trial_context_leaves(tmp_path: Path, make: Make) -> None:
    artifacts = ArtifactStore(StorageRoot.at(tmp_path))
    recipe = unlearned(original(scenario(), 1), "salun", density=0.5, epochs=2)
    kinds = [one.recipe.kind for one in make(artifacts, recipe).values()]
    assert kinds == ["trained_model", "saliency", "unlearned_model"]
    make(artifacts, oracle(recipe.scenario, 1))
    context = TrialContexts(artifacts, SharedData([DATA]), Resources()).trial_context(recipe.scenario, 1)
    *_, last = context.unlearn(recipe.method, ("train", "val", "test"))
    artifact = artifacts.load(recipe.key)
    assert artifact is not None
    assert same(artifact.files["weights"], context.context.model.state_dict())
    assert same(artifact.files["logits"], {str(split): values for split, values in last.logits.items()})
    assert artifact.manifest.facts.epochs == 2
    assert artifact.manifest.facts.ua is not None


def test_a_second_request_begins_with_what_the_first_left(tmp_path: Path, make: Make) -> None:
    artifacts = ArtifactStore(StorageRoot.at(tmp_path))
    start = original(scenario(), 0)
    later = second_half(start.scenario.partition(0))
    first = unlearned(start, "fine_tune", epochs=1)
    second = unlearned(first, "salun", later, density=0.5, epochs=1)
    built = make(artifacts, second)
    assert [one.recipe.kind for one in built.values()] == [
        "trained_model",
        "unlearned_model",
        "saliency",
        "unlearned_model",
    ]
    assert second.requires["start"] == first
    assert not same(weights(artifacts, first), weights(artifacts, second))


def test_its_name_has_all_that_changes_it() -> None:
    start = original(scenario(), 0)
    one = unlearned(start, "salun", density=0.5)
    others = [
        unlearned(start, "salun", density=0.6),
        unlearned(original(start.scenario, 1), "salun", density=0.5),
        unlearned(start, "salun", second_half(start.scenario.partition(0)), density=0.5),
        unlearned(unlearned(start, "fine_tune"), "salun", density=0.5),
        replace(one, stop_after=1),
        replace(one, rewinds=True),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 7
    assert unlearned(start, "salun", density=0.5) == one


def test_only_a_model_that_was_trained_here_has_earlier_weights() -> None:
    first = unlearned(original(scenario(), 0), "fine_tune", epochs=1)
    rewound = unlearned(first, "r2d")
    with pytest.raises(InputError, match="only a model that was trained here has them; this one is of kind unlearned"):
        rewound.fingerprint  # noqa: B018
