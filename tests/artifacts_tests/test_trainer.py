from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lethe.artifacts import (
    ArtifactStore,
    Facts,
    LocalClaims,
    Made,
    Manifest,
    Trainer,
    TrainingDivergedError,
    TrainingJob,
    jobs_for,
)
from lethe.artifacts._claims import LEASE_S
from lethe.execution.shared_data import SharedData
from lethe.execution.worker_pool import Steps
from lethe.storage.root import StorageRoot
from lethe.study import ArtifactKey, MethodSearch, Resources, expand, parse_study
from unlearning.data import ImageData, Split, Synthetic, load
from unlearning.metrics import Predictions, accuracy, unlearning_accuracy
from unlearning.saliency import saliency_scores

SOURCE = Synthetic(train=120, val=30, test=30, size=12, classes=3)
DATA = load(SOURCE)

Artifacts = dict[str, dict[str, Tensor]]


class PowerCutError(Exception):
    """What stops a worker."""


class PoolUntilThePowerCut(ArtifactStore):
    """A pool whose worker dies when its training is over, before anything but checkpoints is saved."""

    def save(self, key: ArtifactKey, files: Mapping[str, Any], facts: Facts) -> Manifest:
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


def jobs(seed: int = 0, **training: Any) -> list[TrainingJob]:
    """One original with scores for both forget sets, and their two oracles."""
    return jobs_for(method_searches(**training), [seed])


def job_of(kind: str, seed: int = 0, **training: Any) -> TrainingJob:
    return next(job for job in jobs(seed, **training) if job.key.kind == kind)


def trainer(artifacts: ArtifactStore, data: ImageData = DATA, claims: LocalClaims | None = None) -> Trainer:
    return Trainer(artifacts, SharedData([data]), claims or LocalClaims(), Resources())


def pool_at(folder: Path) -> ArtifactStore:
    return ArtifactStore(StorageRoot.at(folder))


def make(artifacts: ArtifactStore, *wanted: TrainingJob, data: ImageData = DATA) -> list[Made]:
    worker = trainer(artifacts, data)
    return [made for job in wanted for made in result_of(worker(job))]


def result_of(steps: Steps[list[Made]]) -> list[Made]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: list[Made] = end.value
            return made


def files(artifacts: ArtifactStore, key: ArtifactKey) -> Artifacts:
    artifact = artifacts.load(key)
    assert artifact is not None
    return artifact.files


def weights(artifacts: ArtifactStore, key: ArtifactKey) -> dict[str, Tensor]:
    return files(artifacts, key)["weights"]


def identical(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, list[Made]]:
    """A pool that nobody writes to any more, with all that the study needs on one seed."""
    artifacts = pool_at(tmp_path_factory.mktemp("made"))
    return artifacts, make(artifacts, *jobs())


def test_a_model_is_trained_once_however_many_cells_need_it() -> None:
    both = jobs_for(method_searches(), [0, 1])
    assert [job.key.kind for job in both if job.seed == 0] == ["original", "oracle", "oracle"]
    assert [len(job.saliencies) for job in both] == [2, 0, 2, 0, 0, 0]
    assert len({key for job in both for key in job.keys}) == sum(len(job.keys) for job in both) == 10


def test_originals_oracles_and_saliency_scores_are_made_and_stand_in_the_pool(
    made: tuple[ArtifactStore, list[Made]],
) -> None:
    artifacts, ready = made
    assert [one.key.kind for one in ready] == ["original", "saliency", "saliency", "oracle", "oracle"]
    for one in ready:
        assert one.new
        assert one.quarantine is None
        assert artifacts.verify(one.key) == one.manifest


def test_a_second_call_finds_what_the_first_has_made(made: tuple[ArtifactStore, list[Made]]) -> None:
    artifacts, ready = made
    again = make(artifacts, *jobs())
    assert not any(one.new for one in again)
    assert [one.manifest for one in again] == [one.manifest for one in ready]


def test_another_pool_gets_bit_identical_artifacts(made: tuple[ArtifactStore, list[Made]], tmp_path: Path) -> None:
    artifacts, ready = made
    elsewhere = pool_at(tmp_path)
    make(elsewhere, *jobs())
    for one in ready:
        here, there = files(artifacts, one.key), files(elsewhere, one.key)
        assert here.keys() == there.keys()
        assert all(identical(here[name], there[name]) for name in here)


def test_the_manifests_accuracies_are_those_of_the_logits(made: tuple[ArtifactStore, list[Made]]) -> None:
    artifacts, ready = made
    for one in ready:
        if one.key.kind == "saliency":
            continue
        logits, facts = files(artifacts, one.key)["logits"], one.manifest.facts.model_dump()
        forget = Predictions(logits["train"], DATA.train.labels_N).at(one.scenario.forget.indices_F)
        assert facts["va"] == accuracy(Predictions(logits["val"], DATA.val.labels_N))
        assert facts["ta"] == accuracy(Predictions(logits["test"], DATA.test.labels_N))
        assert facts["ua"] == (unlearning_accuracy(forget) if one.key.kind == "oracle" else None)
        assert facts["epochs"] == 2


def test_saliency_scores_are_those_of_the_pools_original(made: tuple[ArtifactStore, list[Made]]) -> None:
    artifacts, ready = made
    for one in ready:
        if one.key.kind != "saliency":
            continue
        scenario = one.scenario
        model = scenario.network.build(scenario.channels, scenario.classes, seed=99)
        model.load_state_dict(weights(artifacts, scenario.original(one.seed)))
        forget_F = scenario.forget.indices_F
        expected = saliency_scores(model, DATA.train.images_NCHW[forget_F], DATA.train.labels_N[forget_F])
        assert identical(files(artifacts, one.key)["scores"], expected)


@pytest.mark.parametrize("name", ["weights", "manifest"])
def test_a_corrupt_artifact_is_set_aside_and_made_again_to_the_same_bytes(tmp_path: Path, name: str) -> None:
    artifacts, job = pool_at(tmp_path), job_of("oracle")
    make(artifacts, job)
    first = weights(artifacts, job.key)
    (path,) = Path(artifacts.uri(job.key)).glob(f"{name}*")
    path.write_bytes(path.read_bytes()[:-3])
    (again,) = make(artifacts, job)
    assert again.new
    assert again.quarantine is not None
    assert (Path(again.quarantine) / path.name).exists()
    assert identical(weights(artifacts, job.key), first)


def test_a_training_that_was_stopped_goes_on_from_its_checkpoint_to_bit_identical_weights(tmp_path: Path) -> None:
    job = job_of("original", epochs=7)
    whole, stopped = pool_at(tmp_path / "whole"), pool_at(tmp_path / "stopped")
    make(whole, job)
    with pytest.raises(PowerCutError):
        make(PoolUntilThePowerCut(stopped.root), job)
    assert stopped.manifest(job.key) is None
    checkpoint = stopped.checkpoint(job.key)
    assert checkpoint is not None
    assert int(checkpoint["epoch"]) == 5
    seconds_before = 1000.0
    stopped.save_checkpoint(job.key, checkpoint | {"seconds": torch.tensor(seconds_before, dtype=torch.float64)})
    continued, *_ = make(stopped, job)
    assert continued.manifest.facts.seconds_train > seconds_before
    assert identical(weights(stopped, job.key), weights(whole, job.key))
    assert identical(files(stopped, job.key)["logits"], files(whole, job.key)["logits"])
    assert stopped.checkpoint(job.key) is None


def test_a_training_that_is_left_between_two_epochs_keeps_them(tmp_path: Path) -> None:
    job = job_of("original", epochs=3)
    whole, left, claims = pool_at(tmp_path / "whole"), pool_at(tmp_path / "left"), LocalClaims()
    make(whole, job)
    steps = trainer(left, claims=claims)(job)
    next(steps)
    next(steps)
    steps.close()
    checkpoint = left.checkpoint(job.key)
    assert checkpoint is not None
    assert int(checkpoint["epoch"]) == 2
    assert claims.claim(job.key.fingerprint, "next")
    claims.release(job.key.fingerprint, "next")
    result_of(trainer(left, claims=claims)(job))
    assert identical(weights(left, job.key), weights(whole, job.key))


def test_a_training_whose_checkpoint_is_damaged_begins_anew(tmp_path: Path) -> None:
    job = job_of("oracle", epochs=7)
    whole, stopped = pool_at(tmp_path / "whole"), pool_at(tmp_path / "stopped")
    make(whole, job)
    with pytest.raises(PowerCutError):
        make(PoolUntilThePowerCut(stopped.root), job)
    (path,) = (tmp_path / "stopped").rglob("checkpoints/*/*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    make(stopped, job)
    assert identical(weights(stopped, job.key), weights(whole, job.key))


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
    job = job_of("oracle", epochs=2)
    whole, stopped, claims = pool_at(tmp_path / "whole"), pool_at(tmp_path / "stopped"), LocalClaims()
    make(whole, job)
    steps = trainer(stopped, claims=claims)(job)
    next(steps)
    steps.close()
    state = stopped.checkpoint(job.key)
    assert state is not None
    stopped.save_checkpoint(job.key, {name: value for name, value in (state | changes).items() if value is not None})
    make(stopped, job)
    assert identical(weights(stopped, job.key), weights(whole, job.key))


def test_an_oracle_never_sees_the_forget_images_and_an_original_does(
    made: tuple[ArtifactStore, list[Made]], tmp_path: Path
) -> None:
    artifacts, spoilt = made[0], pool_at(tmp_path)
    original, oracle = job_of("original"), job_of("oracle")
    forget_F = oracle.scenario.forget.indices_F
    images_NCHW, labels_N = DATA.train.images_NCHW.clone(), DATA.train.labels_N.clone()
    images_NCHW[forget_F] = 255 - images_NCHW[forget_F]
    labels_N[forget_F] = (labels_N[forget_F] + 1) % DATA.classes
    make(spoilt, original, oracle, data=replace(DATA, train=Split(images_NCHW, labels_N)))
    assert identical(weights(spoilt, oracle.key), weights(artifacts, oracle.key))
    assert not identical(weights(spoilt, original.key), weights(artifacts, original.key))


def test_an_original_and_its_oracle_begin_with_the_same_weights(tmp_path: Path) -> None:
    """Seen through a training that hardly moves them."""
    artifacts, still = pool_at(tmp_path), {"epochs": 1, "lr": 1e-30}
    wanted = [job_of("original", 0, **still), job_of("oracle", 0, **still), job_of("original", 1, **still)]
    make(artifacts, *wanted)
    original, oracle, other_seed = (weights(artifacts, job.key) for job in wanted)
    trained = [name for name in original if name.endswith(("weight", "bias"))]
    assert max(float((original[name] - oracle[name]).abs().max()) for name in trained) < 1e-20
    assert max(float((original[name] - other_seed[name]).abs().max()) for name in trained) > 1e-3


def test_a_training_that_diverges_is_told_with_its_learning_rate_and_leaves_nothing(tmp_path: Path) -> None:
    artifacts, job = pool_at(tmp_path), job_of("original", lr=1e30)
    with pytest.raises(TrainingDivergedError, match=r"original .* diverged in epoch \d .*lower training\.lr \(1e"):
        make(artifacts, job)
    assert artifacts.manifest(job.key) is None


def test_two_workers_that_want_the_same_artifact_make_it_once(tmp_path: Path) -> None:
    artifacts, claims, job = pool_at(tmp_path), LocalClaims(), job_of("oracle")
    with ThreadPoolExecutor(2) as threads:
        results = list(
            threads.map(lambda worker: result_of(worker(job)), [trainer(artifacts, claims=claims) for _ in range(2)])
        )
    assert sorted(one.new for made in results for one in made) == [False, True]


def test_a_claim_is_granted_to_one_holder_until_it_is_released() -> None:
    claims = LocalClaims()
    assert claims.claim("a", "first")
    assert claims.claim("a", "first")
    assert not claims.claim("a", "second")
    assert claims.claim("b", "second")
    claims.release("a", "second")
    assert not claims.claim("a", "second")
    claims.release("a", "first")
    assert claims.claim("a", "second")


def test_a_claim_lapses_once_its_holder_stops_renewing_it() -> None:
    now = 0.0
    claims = LocalClaims(lambda: now)
    assert claims.claim("a", "first")
    now = LEASE_S - 1
    assert claims.claim("a", "first")
    now += LEASE_S - 1
    assert not claims.claim("a", "second")
    now += 1
    assert claims.claim("a", "second")
    assert not claims.claim("a", "first")


def test_the_claims_of_a_dead_holder_are_free_at_once() -> None:
    claims = LocalClaims()
    assert claims.claim("a", "dead")
    assert claims.claim("b", "alive")
    claims.release_all("dead")
    assert claims.claim("a", "next")
    assert not claims.claim("b", "next")


def test_claims_are_released_even_when_a_training_fails(tmp_path: Path) -> None:
    claims, job = LocalClaims(), job_of("original", lr=1e30)
    with pytest.raises(TrainingDivergedError):
        result_of(trainer(pool_at(tmp_path), claims=claims)(job))
    assert claims.claim(job.key.fingerprint, "next")
