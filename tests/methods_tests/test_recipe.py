"""What a recipe means: the arithmetic of torch's own optimisers and losses, and what is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Precision, autocast
from unlearning.errors import InputError
from unlearning.models import CNN
from unlearning.schedules import Cosine, OneCycle
from unlearning.seeds import generator
from unlearning.training import Recipe, Training, epoch_order
from unlearning.training_loss import balanced

DATA = load(Synthetic(train=120, val=30, test=30, size=12, classes=3))
EVERY = torch.arange(len(DATA.train))
USUAL: dict[str, Any] = {"epochs": 2, "batch_size": 32, "lr": 0.02}

RECIPES: dict[str, dict[str, Any]] = {
    "nesterov": {"nesterov": True},
    "adam": {"optimizer": "adam", "weight_decay": 0.01},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.5, "betas": (0.8, 0.99), "eps": 1e-6},
    "clipped": {"clip_norm": 0.3},
    "smoothed": {"label_smoothing": 0.2},
    "weighted": {"class_weights": (0.5, 1.0, 3.0), "label_smoothing": 0.1},
    "balanced": {"class_weights": "balanced"},
}


def training(indices_M: Tensor = EVERY, labels_N: Tensor = DATA.train.labels_N, **recipe: Any) -> Training:
    return Training(
        CNN(width=4).build(1, DATA.classes, seed=0),
        DATA.train.images_NCHW,
        labels_N,
        indices_M,
        recipe=Recipe(**USUAL | recipe),
        augmentation=AUGMENTATIONS["none"],
        seed=0,
    )


def weights(model: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in model.parameters()]


def by_torch(recipe: dict[str, Any], precision: Precision) -> list[Tensor]:
    """The same training, written with torch's optimisers and losses."""
    options = Recipe(**USUAL | recipe)
    model = training().model.train()
    made: dict[str, Any] = {
        "sgd": lambda: torch.optim.SGD(
            model.parameters(), momentum=0.9, weight_decay=options.weight_decay, nesterov=options.nesterov
        ),
        "adam": lambda: torch.optim.Adam(model.parameters(), weight_decay=options.weight_decay),
        "adamw": lambda: torch.optim.AdamW(
            model.parameters(), weight_decay=options.weight_decay, betas=options.betas, eps=options.eps
        ),
    }
    optimizer = made[options.optimizer]()
    of_classes = {"balanced": balanced(DATA.train.labels_N), "none": None}
    weight = options.class_weights
    weight_K = of_classes[weight] if isinstance(weight, str) else torch.tensor(weight)
    loss = nn.CrossEntropyLoss(weight=weight_K, label_smoothing=options.label_smoothing)
    steps, done = 4 * options.epochs, 0
    for epoch in range(1, options.epochs + 1):
        for indices in epoch_order(0, epoch, len(EVERY)).split(options.batch_size):
            optimizer.param_groups[0]["lr"] = options.lr * options.factor(done / steps)
            optimizer.zero_grad()
            with autocast(precision, torch.device("cpu")):
                logits = model(DATA.train.images_NCHW[indices].float() / 255)
            loss(logits.float(), DATA.train.labels_N[indices]).backward()
            if options.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), options.clip_norm)
            optimizer.step()
            done += 1
    return weights(model)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_training_moves_the_weights_as_torchs_own_parts_do(recipe: dict[str, Any], precision: Precision) -> None:
    ours = training(**recipe, precision=precision)
    start = weights(ours.model)
    for _ in range(2):
        ours.advance()
    theirs = by_torch(recipe, precision)
    moved = torch.cat([(one - old).flatten() for one, old in zip(theirs, start, strict=True)]).norm()
    apart = torch.cat([(one - mine).flatten() for one, mine in zip(theirs, weights(ours.model), strict=True)]).norm()
    # A rounding to bfloat16 is 0.004 of a number, and which way it goes hangs on the order of a sum. Adam divides by
    # the root of squares, which makes rounding of a gradient that is nearly zero a whole step.
    near = {"float32": 5e-5, "bfloat16": 0.02 if "optimizer" in recipe else 1e-3}[precision]
    assert apart < near * moved


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_training_by_any_recipe_goes_on_from_a_checkpoint_to_identical_weights(recipe: dict[str, Any]) -> None:
    whole, stopped, continued = (training(**recipe) for _ in range(3))
    whole.advance()
    whole.advance()
    stopped.advance()
    continued.restore(stopped.checkpoint())
    continued.advance()
    assert all(torch.equal(*pair) for pair in zip(weights(whole.model), weights(continued.model), strict=True))
    assert continued.loss == whole.loss


def test_a_checkpoint_of_another_optimiser_is_refused_and_changes_nothing() -> None:
    stopped, other = training(), training(optimizer="adamw")
    stopped.advance()
    before = weights(other.model)
    with pytest.raises(ValueError, match=r"wanted a checkpoint of this training, got other tensors for moment/0"):
        other.restore(stopped.checkpoint())
    assert all(torch.equal(*pair) for pair in zip(before, weights(other.model), strict=True))


def test_a_rate_that_warms_up_rises_from_zero_in_a_line_and_then_follows_the_schedule() -> None:
    recipe = Recipe(warmup=0.2)
    assert [recipe.factor(progress) for progress in (0.0, 0.05, 0.1)] == pytest.approx([0.0, 0.25, 0.5])
    for progress in (0.2, 0.4, 0.9):
        assert recipe.factor(progress) == pytest.approx(Cosine().factor((progress - 0.2) / 0.8))
    assert Recipe().factor(0.3) == Cosine().factor(0.3)


def test_balanced_weights_are_of_all_of_train_so_that_an_original_and_its_oracle_have_one_loss() -> None:
    labels_N = torch.tensor([0] * 60 + [1] * 40 + [2] * 20)
    assert balanced(labels_N).tolist() == pytest.approx([120 / 180, 1.0, 2.0])
    part = training(EVERY[60:], labels_N, class_weights="balanced")
    logits, labels = torch.randn(4, 3, generator=generator(0, "logits")), torch.tensor([0, 1, 2, 2])
    of_part = part.recipe.loss(part.labels_N, torch.device("cpu"))
    expected = cross_entropy(logits, labels, weight=torch.tensor([2 / 3, 1.0, 2.0]))
    assert float(of_part(logits, labels)) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimizer": "adamw", "epochs": 3}, "lr: is needed with adamw, such as 1e-3; the default, 0.1, is a rate of"),
        ({"optimizer": "adam", "lr": 1e-3, "momentum": 0.5}, "momentum: is no option of adam; it has betas, eps"),
        ({"optimizer": "adam", "lr": 1e-3, "nesterov": True}, "nesterov: is no option of adam; it has betas, eps"),
        ({"eps": 1e-3}, "eps: is no option of sgd; it has momentum, nesterov"),
        ({"momentum": 0.0, "nesterov": True}, "nesterov: wanted a momentum above 0, got 0"),
        ({"warmup": 0.1, "schedule": OneCycle()}, "warmup: the schedule one-cycle has its own"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"class_weights": (1.0,)}, "class_weights"),
        ({"class_weights": (1.0, 0.0)}, "class_weights"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"clip_norm": 0.0}, "clip_norm"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Recipe(**options)


def test_a_recipe_in_words_says_what_is_unusual() -> None:
    assert Recipe(epochs=3).title == "3 epochs, batch 256, lr 0.1, cosine"
    unusual = Recipe(optimizer="adamw", lr=1e-3, epochs=3, betas=(0.9, 0.99), class_weights="balanced", clip_norm=1.0)
    assert unusual.title == (
        "3 epochs, batch 256, lr 0.001, cosine, adamw, betas [0.9, 0.99], clip_norm 1, class_weights balanced"
    )


@pytest.mark.parametrize("name", ["smoothed", "weighted", "balanced"])
def test_a_loss_of_one_class_an_image_is_refused_for_several_labels(name: str) -> None:
    labels_NK = nn.functional.one_hot(DATA.train.labels_N)
    options = ", ".join(option for option in ("label_smoothing", "class_weights") if option in RECIPES[name])
    with pytest.raises(InputError, match=f"^{options}: wanted one class an image, got several labels"):
        training(labels_N=labels_NK, **RECIPES[name])
    training(labels_N=labels_NK).advance()
