"""Whatever makes it fast changes no result: the quickstart, shortened, against the same written plainly.

The plain form has torch's own pooling and optimiser, masks by a sort of the scores laid on gradients and weights, a
step at a time from images gathered and scaled by hand, and the logits of a split in one batch. Sums in another order
differ in their last bits, and training at a high rate makes more of that. How much is seen from the plain form itself,
once with channels first and once with channels last: ours may differ from it by a few times as much.
"""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lethe.study import Scenario, expand, read_study
from unlearning.data import ImageData, SplitName, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine
from unlearning.evaluation import Evaluator
from unlearning.methods import ForgetTask, SalUn, UnlearningContext
from unlearning.models._stages import MeanOverPixels
from unlearning.saliency import Saliency, saliency_scores
from unlearning.seeds import derive, generator
from unlearning.training import Training, epoch_order
from unlearning.trial import unlearn

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
TRAINING_EPOCHS = 1
SETTING = SalUn(epochs=2, batch_size=64, lr=0.00876, density=0.783)
SEED = 1

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Outcome:
    """The weights of the original, and what a trial made of them."""

    original: Weights
    scores: list[Tensor]
    losses: list[float]
    logits: dict[SplitName, Tensor]


@cache
def quickstart() -> tuple[Scenario, ImageData]:
    study = read_study(QUICKSTART, [f"training.epochs={TRAINING_EPOCHS}"])
    data = load(study.data[0])
    return expand(study, {study.data[0]: data})[0].scenario, data


@cache
def ours() -> Outcome:
    scenario, data = quickstart()
    seed = scenario.training_seed(SEED)
    model = scenario.network.build(scenario.channels, scenario.classes, derive(seed, "weights"))
    images_NCHW, labels_N, everything = data.train.images_NCHW, data.train.labels_N, torch.arange(len(data.train))
    training = Training(
        model,
        images_NCHW,
        labels_N,
        everything,
        recipe=scenario.recipe,
        augmentation=AUGMENTATIONS[scenario.augmentation],
        seed=seed,
    )
    for _ in range(TRAINING_EPOCHS):
        training.advance()
    original = {name: value.clone() for name, value in model.state_dict().items()}
    forget_F = scenario.partition(SEED).forget.indices_F
    scores = saliency_scores(model, images_NCHW[forget_F], labels_N[forget_F])
    forget_N = torch.zeros(len(labels_N), dtype=torch.bool).index_fill_(0, forget_F, True)
    engine = Engine(
        model, images_NCHW, augmentation=AUGMENTATIONS[scenario.augmentation], precision=scenario.recipe.precision
    )
    context = UnlearningContext(engine, ForgetTask(labels_N, forget_N, data.classes), {"saliency": Saliency(scores)})
    splits: dict[SplitName, Tensor] = {"train": images_NCHW, "val": data.val.images_NCHW}
    results = list(unlearn(context, original, SETTING, scenario.unlearning_seed(SEED), splits))
    losses = [training.loss, *(cast(float, result.loss) for result in results)]
    return Outcome(original, list(scores.values()), losses, dict(results[-1].logits))


def with_torchs_pooling(model: nn.Sequential) -> nn.Sequential:
    body = cast(nn.Sequential, model[1])
    for root, module in enumerate(body):
        if isinstance(module, MeanOverPixels):
            body[root] = nn.AdaptiveAvgPool2d(1)
    return model


def scaled(images_NCHW: Tensor) -> Tensor:
    return images_NCHW.float() / 255


def data_pass(
    model: nn.Module, optimizer: torch.optim.SGD, masks: list[Tensor], indices_M: Tensor, labels_N: Tensor
) -> float:
    """Train on these images in this order; give the sum of the losses."""
    images_NCHW = quickstart()[1].train.images_NCHW
    model.train()
    total = 0.0
    for indices_B in indices_M.split(64):
        before = [parameter.detach().clone() for parameter in model.parameters()]
        loss = cross_entropy(model(scaled(images_NCHW[indices_B])), labels_N[indices_B])
        optimizer.zero_grad()
        loss.backward()
        for parameter, mask in zip(model.parameters(), masks, strict=True):
            assert parameter.grad is not None
            parameter.grad *= mask
        optimizer.step()
        with torch.no_grad():
            for parameter, mask, old in zip(model.parameters(), masks, before, strict=True):
                parameter.copy_(torch.where(mask, parameter, old))
        total += float(loss.detach()) * len(indices_B)
    return total


@cache
def plain(layout: torch.memory_format = torch.contiguous_format) -> Outcome:
    """Train the original; run the trial from *our* original, so that it stands for itself."""
    scenario, data = quickstart()
    recipe, seed = scenario.recipe, scenario.training_seed(SEED)
    images_NCHW, labels_N = data.train.images_NCHW, data.train.labels_N
    count = len(labels_N)
    model = with_torchs_pooling(scenario.network.build(scenario.channels, scenario.classes, derive(seed, "weights")))
    model = model.to(memory_format=layout)  # type: ignore[call-overload]
    pixels = images_NCHW.double() / 255
    model[0].mean_1C11.fill_(pixels.mean())  # type: ignore[operator, union-attr]
    model[0].std_1C11.fill_(pixels.std(correction=0))  # type: ignore[operator, union-attr]
    every = [torch.ones_like(parameter, dtype=torch.bool) for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    steps, losses = -(-count // 64), []
    for epoch in range(1, TRAINING_EPOCHS + 1):
        total = 0.0
        for number, indices_B in enumerate(epoch_order(seed, epoch, count).split(64)):
            done = ((epoch - 1) * steps + number) / (TRAINING_EPOCHS * steps)
            optimizer.param_groups[0]["lr"] = recipe.lr * recipe.schedule.factor(done)
            total += data_pass(model, optimizer, every, indices_B, labels_N)
    losses.append(total / count)
    original = {name: value.clone() for name, value in model.state_dict().items()}

    model.load_state_dict(ours().original)
    model.eval()
    optimizer.zero_grad()
    forget_F = scenario.partition(SEED).forget.indices_F
    cross_entropy(model(scaled(images_NCHW[forget_F])), labels_N[forget_F]).backward()
    scores = [cast(Tensor, parameter.grad).abs() for parameter in model.parameters()]
    flat = torch.cat([score.flatten() for score in scores])
    threshold = flat.sort(descending=True).values[int(SETTING.density * len(flat)) - 1]
    masks = [score >= threshold for score in scores]

    is_forget = torch.isin(torch.arange(count), forget_F)
    unlearning_seed = scenario.unlearning_seed(SEED)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=SETTING.lr, momentum=SETTING.momentum, weight_decay=SETTING.weight_decay
    )
    for epoch in range(1, SETTING.epochs + 1):
        order_N = epoch_order(unlearning_seed, epoch, count)
        drawn = labels_N.clone()
        random = generator(unlearning_seed, "labels", epoch)
        drawn[is_forget] = torch.randint(0, data.classes, (int(is_forget.sum()),), generator=random)
        total = data_pass(model, optimizer, masks, order_N[is_forget[order_N]], drawn)
        total += data_pass(model, optimizer, masks, order_N[~is_forget[order_N]], labels_N)
        losses.append(total / count)
    model.eval()
    with torch.inference_mode():
        splits: dict[SplitName, Tensor] = {"train": images_NCHW, "val": data.val.images_NCHW}
        logits = {split: model(scaled(images)) for split, images in splits.items()}
    return Outcome(original, scores, losses, logits)


FEW = 8
"""As many times what a change of layout makes of it may ours differ from the plain form."""


def apart(ours: dict[Any, Tensor], theirs: dict[Any, Tensor]) -> float:
    return max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in theirs)


def test_the_original_is_the_same() -> None:
    rounding = apart(plain(torch.channels_last).original, plain().original)
    assert apart(ours().original, plain().original) < FEW * rounding
    assert rounding < 0.05


def test_the_saliency_of_one_original_is_the_same() -> None:
    mine, theirs, laid_out = (dict(enumerate(one.scores)) for one in (ours(), plain(), plain(torch.channels_last)))
    rounding = apart(laid_out, theirs)
    assert apart(mine, theirs) < FEW * rounding
    assert rounding < 1e-3


def test_the_losses_are_the_same() -> None:
    torch.testing.assert_close(torch.tensor(ours().losses), torch.tensor(plain().losses), rtol=1e-3, atol=0)


def test_the_unlearned_model_is_the_same() -> None:
    rounding = apart(plain(torch.channels_last).logits, plain().logits)
    assert apart(ours().logits, plain().logits) < FEW * rounding
    assert rounding < 0.05


def test_what_is_measured_of_it_is_the_same() -> None:
    scenario, data = quickstart()
    evaluator = Evaluator(data, scenario.partition(SEED).forget, scenario.unlearning_seed(SEED))
    mine, theirs = (asdict(evaluator.measure(outcome.logits)[0]) for outcome in (ours(), plain()))
    assert mine == pytest.approx(theirs, abs=0.02)
