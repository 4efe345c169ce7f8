import math
from itertools import repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR

from unlearning.data import ImageData, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS, Augmentation, AugmentationName
from unlearning.data.forget import RandomShare, select
from unlearning.engine import DataPass, Engine
from unlearning.engine._sgd import SGD
from unlearning.metrics import Predictions, unlearning_accuracy
from unlearning.models import CNN, Normalise
from unlearning.schedules import Constant, Cosine, MultiStep, OneCycle, Schedule
from unlearning.training import Recipe, Training, epoch_order

SMALL = load(Synthetic(train=120, val=30, test=30, size=12, classes=3))
EVERY = torch.arange(len(SMALL.train))


class Noting(Augmentation):
    """Changes no image and notes which ones come by."""

    numbers = 1

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        return torch.arange(count)[:, None]

    def apply(self, images_BCHW: Tensor, drawn_BD: Tensor) -> Tensor:
        self.seen.append(drawn_BD[:, 0])
        return images_BCHW


def training(
    data: ImageData = SMALL,
    indices_M: Tensor = EVERY,
    augmentation: Augmentation = AUGMENTATIONS["standard"],
    seed: int = 0,
    width: int = 4,
    **recipe: Any,
) -> Training:
    return Training(
        CNN(width=width).build(data.train.images_NCHW.shape[1], data.classes, seed=0),
        data.train.images_NCHW,
        data.train.labels_N,
        indices_M,
        recipe=Recipe(**{"epochs": 2, "batch_size": 32, **recipe}),
        augmentation=augmentation,
        seed=seed,
    )


def finished(unfinished: Training) -> Training:
    while unfinished.epoch < unfinished.recipe.epochs:
        unfinished.advance()
    return unfinished


def identical(ours: Training, theirs: Training) -> bool:
    weights, other = ours.model.state_dict(), theirs.model.state_dict()
    return all(torch.equal(weights[name], other[name]) for name in weights)


def test_a_seed_gives_the_same_weights_again_and_another_seed_gives_others() -> None:
    first = finished(training())
    assert identical(first, finished(training()))
    assert not identical(first, finished(training(seed=1)))


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_a_training_that_goes_on_from_a_checkpoint_ends_at_bit_identical_weights(
    augmentation: AugmentationName,
) -> None:
    whole = finished(training(augmentation=AUGMENTATIONS[augmentation], epochs=3))
    stopped = training(augmentation=AUGMENTATIONS[augmentation], epochs=3)
    stopped.advance()
    continued = training(augmentation=AUGMENTATIONS[augmentation], epochs=3)
    continued.restore(stopped.checkpoint())
    assert (continued.epoch, continued.loss, continued.seconds) == (1, stopped.loss, stopped.seconds)
    assert identical(finished(continued), whole)
    assert continued.loss == whole.loss


def test_a_training_on_a_part_visits_its_images_in_the_order_of_a_training_on_all() -> None:
    part, whole_notes, part_notes = EVERY[::3], Noting(), Noting()
    finished(training(augmentation=whole_notes))
    finished(training(augmentation=part_notes, indices_M=part))
    whole_order = torch.cat(whole_notes.seen)
    assert torch.equal(torch.cat(part_notes.seen), whole_order[torch.isin(whole_order, part)])
    assert torch.equal(whole_order[: len(EVERY)].sort().values, EVERY)


def test_each_epoch_has_an_order_of_its_own() -> None:
    orders = {tuple(epoch_order(seed, epoch, 20).tolist()) for seed in (0, 1) for epoch in (1, 2)}
    assert len(orders) == 4
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_images_are_normalised_by_the_images_that_are_trained_on() -> None:
    part = EVERY[SMALL.train.labels_N == 0]
    pixels = SMALL.train.images_NCHW[part].double() / 255
    normalise = training(indices_M=part).model[0]
    assert isinstance(normalise, Normalise)
    assert float(normalise.mean_1C11) == pytest.approx(float(pixels.mean()), abs=1e-6)
    assert float(normalise.std_1C11) == pytest.approx(float(pixels.std(correction=0)), abs=1e-6)


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Constant(), {0.0: 1, 0.5: 1, 0.999: 1}),
        (Cosine(), {0.0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25}),
        (MultiStep(), {0.0: 1, 0.499: 1, 0.5: 0.1, 0.749: 0.1, 0.75: 0.01, 0.999: 0.01}),
        (MultiStep(milestones=(0.2,), gamma=0.5), {0.1: 1, 0.2: 0.5, 0.9: 0.5}),
        (OneCycle(), {0.0: 0.04, 0.15: 0.52, 0.3: 1, 0.65: 0.5}),
        (OneCycle(warmup=0.5, start=0.2), {0.0: 0.2, 0.25: 0.6, 0.5: 1, 0.75: 0.5}),
    ],
    ids=lambda value: repr(value) if isinstance(value, Schedule) else "",
)
def test_a_schedule_has_the_values_of_its_definition(schedule: Schedule, values: dict[float, float]) -> None:
    for progress, factor in values.items():
        assert schedule.factor(progress) == pytest.approx(factor)


@pytest.mark.parametrize("schedule", [Cosine(), OneCycle()], ids=["cosine", "one-cycle"])
def test_a_schedule_that_anneals_ends_near_zero(schedule: Schedule) -> None:
    assert schedule.factor(1 - 1e-9) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["cosine", "multi-step"])
def test_a_schedule_is_that_of_torch_over_the_same_steps(kind: str) -> None:
    steps = 40
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs: LRScheduler = (
        CosineAnnealingLR(optimizer, steps)
        if kind == "cosine"
        else MultiStepLR(optimizer, [steps // 2, 3 * steps // 4])
    )
    ours = Cosine() if kind == "cosine" else MultiStep()
    for step in range(steps):
        assert ours.factor(step / steps) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


def random_tensors(seed: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=random) for shape in ((4, 3, 3, 3), (7,), (5, 4))]


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.9, 5e-4), (0.0, 0.1), (0.5, 0.0)])
def test_our_sgd_does_the_arithmetic_of_torchs(momentum: float, weight_decay: float) -> None:
    ours = [value.requires_grad_() for value in random_tensors(0)]
    theirs = [value.requires_grad_() for value in random_tensors(0)]
    sgd = SGD(ours)
    sgd.begin(momentum=momentum, weight_decay=weight_decay)
    torchs = torch.optim.SGD(theirs, lr=1.0, momentum=momentum, weight_decay=weight_decay)
    for step, lr in enumerate((0.1, 0.05, 0.2, 0.01)):
        for yours, gradient in zip(theirs, random_tensors(step + 1), strict=True):
            yours.grad = gradient
        sgd.lr.fill_(lr)
        sgd.step(random_tensors(step + 1))
        torchs.param_groups[0]["lr"] = lr
        torchs.step()
    for mine, yours in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, yours, rtol=1e-6, atol=1e-7)


def test_a_mask_freezes_its_weights_to_the_bit_and_leaves_the_others_as_without_it() -> None:
    masked = [value.requires_grad_() for value in random_tensors(0)]
    free = [value.requires_grad_() for value in random_tensors(0)]
    masks = [value > 0 for value in random_tensors(9)]
    for values, laid_on in ((masked, masks), (free, None)):
        sgd = SGD(values)
        sgd.begin(momentum=0.9, weight_decay=5e-4, masks=laid_on)
        for step in range(3):
            sgd.lr.fill_(0.1)
            sgd.step(random_tensors(step + 1))
    for one, other, mask, start in zip(masked, free, masks, random_tensors(0), strict=True):
        assert torch.equal(one[~mask], start[~mask])
        assert torch.equal(one[mask], other[mask])
        assert not torch.equal(other[~mask], start[~mask])


def test_a_run_of_sgd_begins_as_if_there_had_been_none_before() -> None:
    used, fresh = ([value.requires_grad_() for value in random_tensors(0)] for _ in range(2))
    sgd = SGD(used)
    sgd.begin(momentum=0.5, weight_decay=0.1, masks=[value > 0 for value in random_tensors(9)])
    sgd.lr.fill_(0.3)
    sgd.step(random_tensors(1))
    with torch.no_grad():
        for one, start in zip(used, random_tensors(0), strict=True):
            one.copy_(start)
    for optimizer in (sgd, SGD(fresh)):
        optimizer.begin(momentum=0.9, weight_decay=5e-4)
        optimizer.lr.fill_(0.1)
        optimizer.step(random_tensors(2))
    assert all(torch.equal(one, other) for one, other in zip(used, fresh, strict=True))


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples_in_every_sweep() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    images_NCHW, labels_N = SMALL.train.images_NCHW[:10], SMALL.train.labels_N[:10]
    parts = [torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5, 6, 7, 8, 9])]
    engine = Engine(model, images_NCHW, augmentation=AUGMENTATIONS["none"], precision="float32")
    engine.begin(momentum=0.0, weight_decay=0.0)
    data_passes = [DataPass(part, labels_N[part]) for part in parts]
    loss = engine.train_epoch(data_passes, batch_size=4, learning_rates=repeat(0.0), random=torch.Generator())
    with torch.no_grad():
        expected = float(cross_entropy(model(images_NCHW / 255), labels_N))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_logits_do_not_depend_on_how_they_are_batched() -> None:
    engine = finished(training()).engine
    whole = engine.predict(SMALL.val.images_NCHW)
    assert whole.shape == (len(SMALL.val), SMALL.classes)
    torch.testing.assert_close(engine.predict(SMALL.val.images_NCHW, batch_size=7), whole)


def test_bfloat16_trains_float32_weights_and_gives_float32_logits() -> None:
    trained = finished(training(precision="bfloat16"))
    logits_NK = trained.engine.predict(SMALL.val.images_NCHW)
    assert math.isfinite(trained.loss)
    assert logits_NK.dtype == torch.float32
    assert logits_NK.isfinite().all()
    assert all(parameter.dtype == torch.float32 for parameter in trained.model.parameters())
    assert identical(trained, finished(training(precision="bfloat16")))
    assert not identical(trained, finished(training()))


def test_an_original_knows_the_forget_set_by_heart_and_its_oracle_does_not() -> None:
    """The condition under which there is anything to forget, on a smaller set of the quickstart's kind."""
    data = load(Synthetic(train=240, val=20, test=20, size=16))
    forget = select(RandomShare(fraction=0.2), data, seed=0)

    def unlearning_accuracy_of(indices_M: Tensor) -> float:
        trained = finished(
            training(
                data, indices_M, AUGMENTATIONS["none"], width=16, epochs=25, lr=0.1, schedule=OneCycle(), batch_size=32
            )
        )
        logits_FK = trained.engine.predict(data.train.images_NCHW[forget.indices_F])
        return unlearning_accuracy(Predictions(logits_FK, data.train.labels_N[forget.indices_F]))

    assert unlearning_accuracy_of(torch.arange(len(data.train))) < 0.02
    assert unlearning_accuracy_of(forget.retain_R) > 0.05
