import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from steps import result_of
from torch import Tensor
from torch.nn.functional import cross_entropy

from lethe.artifacts import (
    KINDS,
    REQUIRED,
    AdversarialImages,
    ArtifactRecipe,
    ArtifactStore,
    ArtifactWorker,
    BuildJob,
    Built,
    EarlierWeights,
    Facts,
    FisherInformation,
    Manifest,
    Needed,
    SaliencyScores,
    TrainedModel,
    TrainingDivergedError,
    build_jobs,
    needed_for,
    oracle,
    original,
    requirement,
)
from lethe.execution.claims import LocalClaims
from lethe.execution.shared_data import SharedData
from lethe.storage.root import StorageRoot
from lethe.study import MethodSearch, Resources, Scenario, Subset, expand, parse_study
from unlearning.adversarial import Adversarial
from unlearning.data import ImageData, Split, Synthetic, load
from unlearning.earlier_weights import read_weights
from unlearning.engine import unit_interval
from unlearning.methods import METHODS
from unlearning.metrics import Predictions, accuracy, unlearning_accuracy
from unlearning.requirements import REQUIREMENTS
from unlearning.saliency import saliency_scores

SOURCE = Synthetic(train=120, val=30, test=30, size=12, classes=3)
DATA = load(SOURCE)

Make = Callable[..., dict[ArtifactRecipe, Built]]
Artifacts = dict[str, dict[str, Tensor]]


class PowerCutError(Exception):
    """What stops a worker."""


class StoreUntilThePowerCut(ArtifactStore):
    """A store whose worker dies when its training is over, before anything but checkpoints is saved."""

    def save(self, recipe: ArtifactRecipe, files: Mapping[str, Any], facts: Facts) -> Manifest:
        raise PowerCutError


def method_searches(**training: Any) -> list[MethodSearch]:
    recipe = {"epochs": 2, "batch_size": 32, "precision": "float32", **training}
    study = parse_study(
        {
            "name": "small",
            "data": [SOURCE.model_dump(exclude_none=True)],
            "forget": [{"kind": "random", "fraction": 0.2}, {"kind": "class", "class_index": 1}],
            "augmentations": ["standard"],
            "network": {"name": "cnn", "width": 4},
            "training": recipe,
            "methods": [{"name": "salun"}, {"name": "fine_tune"}],
        },
        "study.yaml",
    )
    return expand(study, {SOURCE: DATA})


def needed(seed: int = 0, **training: Any) -> list[Needed]:
    """One original with scores for both forget sets, and their two oracles."""
    return needed_for(method_searches(**training), [seed])


def needed_as(label: str, seed: int = 0, **training: Any) -> Needed:
    return next(one for one in needed(seed, **training) if one.label == label)


def a_scenario(**training: Any) -> Scenario:
    return method_searches(**training)[0].scenario


def worker(artifacts: ArtifactStore, data: ImageData = DATA, claims: LocalClaims | None = None) -> ArtifactWorker:
    return ArtifactWorker(artifacts, SharedData([data]), claims or LocalClaims(), Resources())


def store_at(folder: Path) -> ArtifactStore:
    return ArtifactStore(StorageRoot.at(folder))


def build(artifacts: ArtifactStore, *wanted: Needed, data: ImageData = DATA) -> list[Built]:
    """What one worker gets or makes of these, job by job."""
    work = worker(artifacts, data)
    return [built for job in build_jobs(wanted) for built in result_of(work(job))]


@pytest.fixture
def make(make_artifacts: Make) -> Make:
    """Has one worker get or make recipes and all that they require."""
    return partial(make_artifacts, DATA, a_scenario())


def files(artifacts: ArtifactStore, recipe: ArtifactRecipe) -> Artifacts:
    artifact = artifacts.load(recipe.key)
    assert artifact is not None
    return artifact.files


def weights(artifacts: ArtifactStore, recipe: ArtifactRecipe) -> dict[str, Tensor]:
    return files(artifacts, recipe)["weights"]


def identical(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, list[Built]]:
    """A store that nobody writes to any more, with all that the study needs on one seed."""
    artifacts = store_at(tmp_path_factory.mktemp("built"))
    return artifacts, build(artifacts, *needed())


def test_an_artifact_is_needed_once_however_many_method_searches_need_it() -> None:
    both = needed_for(method_searches(), [0, 1])
    labels = [one.label for one in both if one.seed == 0]
    assert labels == ["original", "oracle", "saliency", "oracle", "saliency"]
    assert len({one.recipe for one in both}) == len(both) == 10


def test_jobs_begin_with_what_requires_nothing_and_go_on_with_what_follows_from_it() -> None:
    def labels(*wanted: Needed) -> list[list[str]]:
        return [[one.label for one in job.needed] for job in build_jobs(wanted)]

    assert labels(*needed()) == [["original", "saliency", "saliency"], ["oracle"], ["oracle"]]
    assert labels(needed_as("saliency")) == [["saliency"]]


def test_an_oracle_for_no_forget_set_is_the_original() -> None:
    scenario = a_scenario()
    assert TrainedModel(scenario, scenario.partition(0).everything, 0) == original(scenario, 0)
    assert (
        TrainedModel(scenario, scenario.partition(0).forgotten.rest, 0) == oracle(scenario, 0) != original(scenario, 0)
    )


def test_every_requirement_has_a_recipe_of_its_version_and_every_method_names_requirements() -> None:
    scenario = a_scenario()
    assert REQUIRED.keys() == REQUIREMENTS.keys()
    for name, required in REQUIREMENTS.items():
        assert requirement(name, scenario, 0).version == required.version
    assert {name for method in METHODS.values() for name in method.requires} <= REQUIREMENTS.keys()


def test_kinds_are_listed_by_their_own_names() -> None:
    assert {name: kind.kind for name, kind in KINDS.items()} == {name: name for name in KINDS}


@pytest.mark.parametrize("indices", [[1, 1], [2, 1], [-1, 0], [119, 120]])
def test_a_subset_is_sorted_and_lies_within_the_train_images(indices: list[int]) -> None:
    with pytest.raises(ValueError, match=r"wanted sorted int64 indices within 0 \.\.\. 119, each once"):
        Subset(torch.tensor(indices), 120)


def test_what_is_needed_is_made_and_kept(built: tuple[ArtifactStore, list[Built]]) -> None:
    artifacts, ready = built
    kinds = ["trained_model", "saliency", "saliency", "trained_model", "trained_model"]
    assert [one.recipe.kind for one in ready] == kinds
    for one in ready:
        assert one.new
        assert one.quarantine is None
        assert artifacts.verify(one.recipe.key) == one.manifest
        required = {name: recipe.fingerprint for name, recipe in one.recipe.requires.items()}
        assert one.manifest.requires == required


def test_a_second_call_finds_what_the_first_has_made(built: tuple[ArtifactStore, list[Built]]) -> None:
    artifacts, ready = built
    again = build(artifacts, *needed())
    assert not any(one.new for one in again)
    assert [one.manifest for one in again] == [one.manifest for one in ready]


def test_another_store_gets_bit_identical_artifacts(built: tuple[ArtifactStore, list[Built]], tmp_path: Path) -> None:
    artifacts, ready = built
    elsewhere = store_at(tmp_path)
    build(elsewhere, *needed())
    for one in ready:
        here, there = files(artifacts, one.recipe), files(elsewhere, one.recipe)
        assert here.keys() == there.keys()
        assert all(identical(here[name], there[name]) for name in here)


def test_the_manifests_accuracies_are_those_of_the_logits(built: tuple[ArtifactStore, list[Built]]) -> None:
    artifacts, ready = built
    models = [(one.recipe, one.manifest.facts) for one in ready if isinstance(one.recipe, TrainedModel)]
    for recipe, facts in models:
        logits, left_out = files(artifacts, recipe)["logits"], recipe.subset.rest.indices_M
        assert facts.va == accuracy(Predictions(logits["val"], DATA.val.labels_N))
        assert facts.ta == accuracy(Predictions(logits["test"], DATA.test.labels_N))
        forget = Predictions(logits["train"], DATA.train.labels_N).at(left_out)
        assert facts.ua == (unlearning_accuracy(forget) if len(left_out) else None)
        assert facts.epochs == 2
        assert facts.images_trained == 2 * len(recipe.subset)
    assert [facts.ua is None for _, facts in models] == [True, False, False]


def test_saliency_scores_are_those_of_the_stores_original(built: tuple[ArtifactStore, list[Built]]) -> None:
    artifacts, ready = built
    for one in ready:
        if not isinstance(one.recipe, SaliencyScores):
            continue
        scenario, images_M = one.recipe.model.scenario, one.recipe.subset.indices_M
        model = scenario.network.build(scenario.channels, scenario.classes, seed=99)
        model.load_state_dict(weights(artifacts, one.recipe.model))
        expected = saliency_scores(model, DATA.train.images_NCHW[images_M], DATA.train.labels_N[images_M])
        assert identical(files(artifacts, one.recipe)["scores"], expected)
        assert one.manifest.facts.images_trained == len(images_M)


def test_a_pool_of_models_is_trained_on_its_subset_alone(tmp_path: Path, make: Make) -> None:
    artifacts, scenario = store_at(tmp_path), a_scenario()
    half = Subset(torch.arange(0, 120, 2), 120)
    pool = [TrainedModel(scenario, half, seed) for seed in (0, 1, 2)]
    built = make(artifacts, *pool)
    assert [built[one].new for one in pool] == [True] * 3
    assert [built[one].manifest.facts.images_trained for one in pool] == [120] * 3
    assert not identical(weights(artifacts, pool[0]), weights(artifacts, pool[1]))
    spoilt = DATA.train.images_NCHW.clone()
    spoilt[1::2] = 0
    elsewhere, wanted = store_at(tmp_path / "spoilt"), Needed(pool[0], "pool", scenario, 0)
    build(elsewhere, wanted, data=replace(DATA, train=Split(spoilt, DATA.train.labels_N)))
    assert identical(weights(elsewhere, pool[0]), weights(artifacts, pool[0]))


def test_fisher_information_is_made_of_a_model_that_it_requires(tmp_path: Path, make: Make) -> None:
    artifacts, scenario = store_at(tmp_path), a_scenario()
    few = Subset(torch.tensor([3, 5, 70]), 120)
    recipe = FisherInformation(oracle(scenario, 1), few)
    built = make(artifacts, recipe)
    assert [one.kind for one in built] == ["trained_model", "fisher_information"]
    model = scenario.network.build(scenario.channels, scenario.classes, seed=99)
    model.load_state_dict(weights(artifacts, oracle(scenario, 1)))
    model.eval()
    expected = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    for index in few.indices_M:
        model.zero_grad()
        logits_1K = model(unit_interval(DATA.train.images_NCHW[index][None]))
        cross_entropy(logits_1K, DATA.train.labels_N[index][None]).backward()
        for name, value in model.named_parameters():
            assert value.grad is not None
            expected[name] += value.grad.square() / len(few)
    information = files(artifacts, recipe)["information"]
    assert information.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(information[name], value)
    assert built[recipe].manifest.facts.images_trained == 3


def stop_after_two_steps(
    store: ArtifactStore, recipe: ArtifactRecipe, scenario: Scenario
) -> Mapping[str, torch.Tensor]:
    """Make a recipe, stop, and return the checkpoint that is kept."""
    steps = worker(store)(BuildJob((Needed(recipe, recipe.kind, scenario, 0),)))
    next(steps)
    next(steps)
    steps.close()
    kept = store.checkpoint(recipe.key)
    assert kept is not None
    return kept


def test_fisher_information_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    monkeypatch.setattr("lethe.artifacts.kinds._fisher.STEP_IMAGES", 32)
    scenario = a_scenario()
    recipe = FisherInformation(original(scenario, 0), scenario.partition(0).everything)
    whole, stopped = store_at(tmp_path / "whole"), store_at(tmp_path / "stopped")
    make(whole, recipe)
    make(stopped, recipe.model)
    kept = stop_after_two_steps(stopped, recipe, scenario)
    assert int(kept["done"]) == 64
    make(stopped, recipe)
    assert identical(files(stopped, recipe)["information"], files(whole, recipe)["information"])
    assert stopped.checkpoint(recipe.key) is None


def test_adversarial_images_are_those_of_the_original_and_one_step_or_several_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    scenario = a_scenario()
    recipe = AdversarialImages(original(scenario, 0), scenario.partition(0).forgotten)
    whole, stopped = store_at(tmp_path / "whole"), store_at(tmp_path / "stopped")
    built = make(whole, recipe)
    images = Adversarial.read(files(whole, recipe)["images"])
    model = scenario.network.build(scenario.channels, scenario.classes, seed=99)
    model.load_state_dict(weights(whole, recipe.model))
    model.eval()
    with torch.no_grad():
        predicted = model(images.images_MCHW).argmax(1)
    assert torch.equal(predicted, images.labels_M)
    assert (predicted != DATA.train.labels_N[recipe.subset.indices_M]).equal(images.found)
    assert built[recipe].manifest.facts.images_trained > len(recipe.subset)

    monkeypatch.setattr("lethe.artifacts.kinds._adversarial.STEP_IMAGES", 10)
    make(stopped, recipe.model)
    kept = stop_after_two_steps(stopped, recipe, scenario)
    assert len(kept["labels"]) == 20
    again = make(stopped, recipe)
    found = Adversarial.read(files(stopped, recipe)["images"])
    torch.testing.assert_close(found.images_MCHW, images.images_MCHW, rtol=0, atol=1e-5)
    assert again[recipe].manifest.facts.images_trained == built[recipe].manifest.facts.images_trained


def test_earlier_weights_are_those_of_the_originals_own_training(tmp_path: Path, make: Make) -> None:
    scenario, shorter = (
        a_scenario(epochs=5, schedule={"kind": "constant"}),
        a_scenario(epochs=3, schedule={"kind": "constant"}),
    )
    artifacts, recipe = store_at(tmp_path), EarlierWeights(original(scenario, 0))
    built = make(artifacts, recipe, original(shorter, 0))
    found = read_weights(files(artifacts, recipe)["weights"])
    assert identical(found[50], {**found[50], **weights(artifacts, original(shorter, 0))})
    assert not identical(found[50], found[25])
    facts = built[recipe].manifest.facts
    assert (facts.images_trained, facts.seconds_train) == (0, 0)
    assert facts.seconds_total > 0


def test_earlier_weights_that_were_stopped_go_on_where_they_were(tmp_path: Path, make: Make) -> None:
    scenario = a_scenario(epochs=5)
    recipe = EarlierWeights(original(scenario, 0))
    whole, stopped = store_at(tmp_path / "whole"), store_at(tmp_path / "stopped")
    make(whole, recipe)
    make(stopped, recipe.model)
    steps = worker(stopped)(BuildJob((Needed(recipe, recipe.kind, scenario, 0),)))
    for _ in range(3):
        next(steps)
    steps.close()
    kept = stopped.checkpoint(recipe.key)
    assert kept is not None
    assert int(kept["training/epoch"]) == 3
    make(stopped, recipe)
    assert identical(files(stopped, recipe)["weights"], files(whole, recipe)["weights"])


def test_what_is_required_is_made_where_it_is_missing_and_again_where_reading_finds_it_broken(tmp_path: Path) -> None:
    artifacts, one = store_at(tmp_path), needed_as("saliency")
    trained, scored = build(artifacts, one)
    assert [trained.new, scored.new] == [True, True]
    first = weights(artifacts, trained.recipe)
    (path,) = Path(artifacts.uri(trained.recipe.key)).glob("weights-*")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    artifacts.quarantine(scored.recipe.key)
    again, rescored = build(artifacts, one)
    assert again.recipe == trained.recipe
    assert again.new
    assert again.quarantine is not None
    assert (Path(again.quarantine) / path.name).exists()
    assert rescored.new
    assert identical(weights(artifacts, trained.recipe), first)


@pytest.mark.parametrize("name", ["weights", "manifest"])
def test_a_corrupt_artifact_is_set_aside_and_made_again_to_the_same_bytes(tmp_path: Path, name: str) -> None:
    artifacts, one = store_at(tmp_path), needed_as("oracle")
    build(artifacts, one)
    first = weights(artifacts, one.recipe)
    (path,) = Path(artifacts.uri(one.recipe.key)).glob(f"{name}*")
    path.write_bytes(path.read_bytes()[:-3])
    (again,) = build(artifacts, one)
    assert again.new
    assert again.quarantine is not None
    assert (Path(again.quarantine) / path.name).exists()
    assert identical(weights(artifacts, one.recipe), first)


def test_a_training_that_was_stopped_goes_on_from_its_checkpoint_to_bit_identical_weights(tmp_path: Path) -> None:
    one = needed_as("original", epochs=7)
    whole, stopped = store_at(tmp_path / "whole"), store_at(tmp_path / "stopped")
    build(whole, one)
    with pytest.raises(PowerCutError):
        build(StoreUntilThePowerCut(stopped.root), one)
    assert stopped.manifest(one.recipe.key) is None
    checkpoint = stopped.checkpoint(one.recipe.key)
    assert checkpoint is not None
    assert int(checkpoint["epoch"]) == 5
    seconds_before = 1000.0
    stopped.save_checkpoint(one.recipe.key, checkpoint | {"seconds": torch.tensor(seconds_before, dtype=torch.float64)})
    continued, *_ = build(stopped, one)
    assert continued.manifest.facts.seconds_train > seconds_before
    assert identical(weights(stopped, one.recipe), weights(whole, one.recipe))
    assert identical(files(stopped, one.recipe)["logits"], files(whole, one.recipe)["logits"])
    assert stopped.checkpoint(one.recipe.key) is None


def test_a_training_that_is_left_between_two_epochs_keeps_them(tmp_path: Path) -> None:
    one = needed_as("original", epochs=3)
    whole, left, claims = store_at(tmp_path / "whole"), store_at(tmp_path / "left"), LocalClaims()
    build(whole, one)
    steps = worker(left, claims=claims)(BuildJob((one,)))
    next(steps)
    next(steps)
    steps.close()
    checkpoint = left.checkpoint(one.recipe.key)
    assert checkpoint is not None
    assert int(checkpoint["epoch"]) == 2
    assert claims.claim(one.recipe.fingerprint, "next")
    claims.release(one.recipe.fingerprint, "next")
    result_of(worker(left, claims=claims)(BuildJob((one,))))
    assert identical(weights(left, one.recipe), weights(whole, one.recipe))


def test_a_training_whose_checkpoint_is_damaged_begins_anew(tmp_path: Path) -> None:
    one = needed_as("oracle", epochs=7)
    whole, stopped = store_at(tmp_path / "whole"), store_at(tmp_path / "stopped")
    build(whole, one)
    with pytest.raises(PowerCutError):
        build(StoreUntilThePowerCut(stopped.root), one)
    (path,) = (tmp_path / "stopped").rglob("checkpoints/*/*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    build(stopped, one)
    assert identical(weights(stopped, one.recipe), weights(whole, one.recipe))


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": torch.tensor(99)},
        {"epoch": torch.tensor([5, 5])},
        {"seconds": torch.tensor(float("nan"), dtype=torch.float64)},
        {"velocity/0": torch.zeros(1)},
        {"model/another": torch.zeros(1)},
        {"loss": None},
    ],
    ids=str,
)
def test_a_training_whose_checkpoint_is_of_another_one_begins_anew(tmp_path: Path, changes: dict[str, Any]) -> None:
    one = needed_as("oracle", epochs=2)
    whole, stopped, claims = store_at(tmp_path / "whole"), store_at(tmp_path / "stopped"), LocalClaims()
    build(whole, one)
    steps = worker(stopped, claims=claims)(BuildJob((one,)))
    next(steps)
    steps.close()
    state = stopped.checkpoint(one.recipe.key)
    assert state is not None
    stopped.save_checkpoint(
        one.recipe.key, {name: value for name, value in (state | changes).items() if value is not None}
    )
    build(stopped, one)
    assert identical(weights(stopped, one.recipe), weights(whole, one.recipe))


def test_an_oracle_never_sees_the_forget_images_and_an_original_does(
    built: tuple[ArtifactStore, list[Built]], tmp_path: Path
) -> None:
    artifacts, spoilt = built[0], store_at(tmp_path)
    trained, retrained = needed_as("original"), needed_as("oracle")
    forget_F = retrained.scenario.partition(0).forget.indices_F
    images_NCHW, labels_N = DATA.train.images_NCHW.clone(), DATA.train.labels_N.clone()
    images_NCHW[forget_F] = 255 - images_NCHW[forget_F]
    labels_N[forget_F] = (labels_N[forget_F] + 1) % DATA.classes
    build(spoilt, trained, retrained, data=replace(DATA, train=Split(images_NCHW, labels_N)))
    assert identical(weights(spoilt, retrained.recipe), weights(artifacts, retrained.recipe))
    assert not identical(weights(spoilt, trained.recipe), weights(artifacts, trained.recipe))


def test_an_original_and_its_oracle_begin_with_the_same_weights(tmp_path: Path, make: Make) -> None:
    """Seen through a training that hardly moves them."""
    artifacts, still = store_at(tmp_path), {"epochs": 1, "lr": 1e-30}
    scenario = a_scenario(**still)
    wanted = [original(scenario, 0), oracle(scenario, 0), original(scenario, 1)]
    make(artifacts, *wanted)
    trained, retrained, other_seed = (weights(artifacts, recipe) for recipe in wanted)
    names = [name for name in trained if name.endswith(("weight", "bias"))]
    assert max(float((trained[name] - retrained[name]).abs().max()) for name in names) < 1e-20
    assert max(float((trained[name] - other_seed[name]).abs().max()) for name in names) > 1e-3


def test_a_training_that_diverges_is_told_with_its_learning_rate_and_leaves_nothing(tmp_path: Path) -> None:
    artifacts, one = store_at(tmp_path), needed_as("original", lr=1e30)
    with pytest.raises(
        TrainingDivergedError,
        match=r"training of trained_model .* diverged in epoch \d .*lower training\.lr \(1e\+30\)",
    ):
        build(artifacts, one)
    assert artifacts.manifest(one.recipe.key) is None


def test_two_workers_that_want_the_same_artifact_make_it_once(tmp_path: Path) -> None:
    artifacts, claims, one = store_at(tmp_path), LocalClaims(), needed_as("oracle")
    with ThreadPoolExecutor(2) as threads:
        results = list(
            threads.map(
                lambda work: result_of(work(BuildJob((one,)))), [worker(artifacts, claims=claims) for _ in range(2)]
            )
        )
    assert sorted(built.new for result in results for built in result) == [False, True]


def test_claims_are_released_even_when_a_training_fails(tmp_path: Path) -> None:
    claims, one = LocalClaims(), needed_as("original", lr=1e30)
    with pytest.raises(TrainingDivergedError):
        result_of(worker(store_at(tmp_path), claims=claims)(BuildJob((one,))))
    assert claims.claim(one.recipe.fingerprint, "next")


def test_a_job_travels_to_another_process_as_it_is(tmp_path: Path) -> None:
    jobs = build_jobs(needed())
    arrived = pickle.loads(pickle.dumps(jobs))
    assert [[one.recipe for one in job.needed] for job in arrived] == [
        [one.recipe for one in job.needed] for job in jobs
    ]
    work = worker(store_at(tmp_path))
    assert [built.recipe for built in result_of(work(arrived[0]))] == [one.recipe for one in jobs[0].needed]
