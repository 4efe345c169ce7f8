from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from unlearning.adversarial import STANDARD, Adversarial, adversarial_images
from unlearning.data import SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.data.forget import RandomShare, select
from unlearning.earlier_weights import UNDONE
from unlearning.engine import Engine
from unlearning.fisher import squared_gradients
from unlearning.methods import (
    AMUN,
    METHODS,
    DescentMethod,
    Epoch,
    FineTune,
    ForgetTask,
    GradientAscent,
    HeldOut,
    Method,
    Nothing,
    RandomLabel,
    SalUn,
    SGDMethod,
    UnlearningContext,
)
from unlearning.methods._damage import Kind
from unlearning.methods._random_label import WeightedLoss
from unlearning.models import CNN
from unlearning.saliency import Saliency, saliency_scores
from unlearning.seeds import generator
from unlearning.tasks import MULTI_CLASS
from unlearning.testing import METHOD_CHECKS, name_of
from unlearning.training import Recipe, Training, epoch_order
from unlearning.trial import EpochResult, unlearn

DATA = load(Synthetic(train=120, val=30, test=30, size=12, classes=3))
FORGET = select(RandomShare(fraction=0.2), DATA, seed=0)
COUNT = len(DATA.train)
TASK = ForgetTask(
    DATA.train.labels_N, torch.zeros(COUNT, dtype=torch.bool).index_fill_(0, FORGET.indices_F, True), DATA.classes
)
IMAGES: dict[SplitName, Tensor] = {name: getattr(DATA, name).images_NCHW for name in get_args(SplitName)}
SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 32, "lr": 0.01}

Weights = dict[str, Tensor]


def salun_options() -> list[dict[str, Any]]:
    options = {
        "loop": ("sequential", "mixed"),
        "relabel": ("any", "other"),
        "batch_norm": ("update", "freeze"),
        "mask": ("saliency", "random"),
    }
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


def method_of(name: str, **options: Any) -> Method:
    return METHODS[name].model_validate(options)


DESCENTS = [name for name, kind in METHODS.items() if issubclass(kind, DescentMethod)]
OPTIONS: dict[str, dict[str, Any]] = {
    "scrub": {"forget_batch_size": 8, "ascent_epochs": 1},
    "bad_teacher": {"retain_share": 0.5},
    "ssd": {"alpha": 1.1},
    "fisher_forgetting": {"samples": 10},
}


def small(name: str, **options: Any) -> Method:
    common = SMALL if name in DESCENTS else {}
    return method_of(name, **{**common, **OPTIONS.get(name, {}), **options})


SETTINGS = (
    {name: small(name) for name in METHODS}
    | {"salun " + " ".join(options.values()): SalUn(**SMALL, **options) for options in salun_options()}
    | {
        f"{name} {' '.join(f'{key} {value}' for key, value in options.items())}": small(name, **options)
        for name, options in [
            ("fine_tune", {"schedule": "cosine", "warmup": 0.3}),
            ("random_label", {"forget_weight": 0.5, "schedule": "linear"}),
            ("salun", {"forget_weight": 2.0, "loop": "mixed"}),
            ("neggrad_plus", {"distance_weight": 0.1, "batch_norm": "freeze"}),
            ("l1_sparse", {"penalty": "constant", "unpenalised_epochs": 1}),
            ("scrub", {"rewind": True}),
            ("bad_teacher", {"optimizer": "sgd", "reduction": "elements"}),
            ("delete", {"retain_weight": 1.0}),
            ("salun_soft", {"anchor": "epoch", "forget_weight": 0.5, "loop": "mixed"}),
            ("amun", {"images": "adversarial and forget"}),
            ("amun", {"attack_steps": 10, "walk": "continue", "attack_rounds": 1}),
            ("amun", {"attack_steps": 10, "walk": "whole"}),
            ("regun", {"picks": "class", "target": "image"}),
            ("regun", {"picks": "class", "target": "class"}),
            ("regun", {"picks": "nearest"}),
            ("msg", {"probe": "train"}),
            ("sfron", {"importance": "batch"}),
            ("scissorhands", {"projection": True}),
            ("ssd", {"importance": "batch"}),
            ("ssd", {"selection": "adaptive"}),
            ("influence", {"inverse": "public"}),
            ("head_distillation", {"batch_norm": "update"}),
            ("r2d", {"undone": 75, "noise": 0.0}),
            *(("weight_distortion", {"distortion": one}) for one in ("attenuate", "drop", "distance")),
            *(("damage_tune", {"damage": kind}) for kind in get_args(Kind)),
        ]
    }
)
every_method = pytest.mark.parametrize("method", SETTINGS.values(), ids=SETTINGS)
every_salun = pytest.mark.parametrize("options", salun_options(), ids=lambda options: " ".join(options.values()))


@pytest.fixture(scope="module")
def weights() -> Weights:
    """The original's."""
    training = Training(
        CNN(width=4).build(1, DATA.classes, seed=0),
        DATA.train.images_NCHW,
        DATA.train.labels_N,
        torch.arange(COUNT),
        recipe=Recipe(epochs=2, batch_size=32),
        augmentation=AUGMENTATIONS["none"],
        seed=0,
    )
    training.advance()
    training.advance()
    return {name: value.clone() for name, value in training.model.state_dict().items()}


@pytest.fixture(scope="module")
def saliency(weights: Weights) -> Saliency:
    model = CNN(width=4).build(1, DATA.classes, seed=0)
    model.load_state_dict(weights)
    forget_F = FORGET.indices_F
    return Saliency(saliency_scores(model, DATA.train.images_NCHW[forget_F], DATA.train.labels_N[forget_F]))


@cache
def fisher() -> dict[str, Any]:
    """The Fisher information of some network."""
    model, (images_NCHW, labels_N) = CNN(width=4).build(1, DATA.classes, seed=0), (IMAGES["train"], TASK.labels_N)
    sums = {
        "fisher_forget": squared_gradients(model, images_NCHW[TASK.forget_N], labels_N[TASK.forget_N]),
        "fisher_train": squared_gradients(model, images_NCHW, labels_N),
    }
    counts = {"fisher_forget": len(FORGET.indices_F), "fisher_train": COUNT}
    return {name: {part: value / counts[name] for part, value in one.items()} for name, one in sums.items()}


@cache
def adversarial() -> Adversarial:
    """Images that some network takes for another class."""
    model, forget_F = CNN(width=4).build(1, DATA.classes, seed=0), FORGET.indices_F
    return adversarial_images(model, IMAGES["train"][forget_F], TASK.labels_N[forget_F], STANDARD)


def earlier_weights() -> dict[int, Weights]:
    """Weights of some network, for each share of a training that is undone."""
    return {percent: CNN(width=4).build(1, DATA.classes, seed=percent).state_dict() for percent in UNDONE}


def context_of(
    saliency: Saliency | None, augmentation: AugmentationName = "none", task: ForgetTask = TASK
) -> UnlearningContext:
    """A subject whose model has weights of its own until a trial puts the original's there."""
    model = CNN(width=4).build(1, DATA.classes, seed=5)
    engine = Engine(model, DATA.train.images_NCHW, augmentation=AUGMENTATIONS[augmentation], precision="float32")
    required = {**fisher(), "adversarial": adversarial(), "earlier_weights": earlier_weights()}
    required |= {"saliency": saliency} if saliency else {}
    return UnlearningContext(engine, task, required, HeldOut(DATA.val.images_NCHW, DATA.val.labels_N))


def run(
    context: UnlearningContext, weights: Weights, method: Method, seed: int = 3, **options: bool
) -> list[EpochResult]:
    return list(unlearn(context, weights, method, seed, IMAGES, **options))


def same(ours: list[EpochResult], theirs: list[EpochResult]) -> bool:
    return len(ours) == len(theirs) and all(
        mine.loss == yours.loss
        and mine.logits.keys() == yours.logits.keys()
        and all(torch.equal(mine.logits[split], yours.logits[split]) for split in mine.logits)
        for mine, yours in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("check", METHOD_CHECKS, ids=name_of)
@every_method
def test_a_method_keeps_the_contract(check: Callable[[Method], None], method: Method) -> None:
    check(method)


@pytest.mark.parametrize("name", DESCENTS)
def test_augmentation_makes_another_run(name: str, weights: Weights, saliency: Saliency) -> None:
    context = context_of(saliency, augmentation="standard")
    augmented = run(context, weights, small(name))
    assert not same(run(context_of(saliency), weights, small(name)), augmented)


@pytest.mark.parametrize("name", DESCENTS)
def test_another_seed_gives_another_run(name: str, weights: Weights, saliency: Saliency) -> None:
    context, method = context_of(saliency, augmentation="standard"), small(name)
    assert not same(run(context, weights, method, seed=3), run(context, weights, method, seed=4))


@pytest.mark.parametrize("name", DESCENTS)
def test_a_run_that_diverges_ends_with_an_epoch_that_says_so_and_leaves_no_trace(
    name: str, weights: Weights, saliency: Saliency
) -> None:
    context, epochs = context_of(saliency), 40
    results = run(context, weights, small(name, epochs=epochs, batch_size=8, lr=1e38))
    assert [result.diverged for result in results] == [False] * (len(results) - 1) + [True]
    assert len(results) < epochs
    assert same(run(context, weights, small(name)), run(context_of(saliency), weights, small(name)))


@pytest.mark.parametrize("name", DESCENTS)
def test_a_run_that_diverges_says_so_when_only_its_end_was_asked_for(
    name: str, weights: Weights, saliency: Saliency
) -> None:
    method = small(name, epochs=40, batch_size=8, lr=1e38)
    *before, last = run(context_of(saliency), weights, method, every_epoch=False)
    assert last.diverged
    assert not any(result.diverged for result in before)


def test_doing_nothing_leaves_the_original(weights: Weights, saliency: Saliency) -> None:
    context = context_of(saliency)
    (result,) = run(context, weights, Nothing())
    assert all(torch.equal(value, weights[name]) for name, value in context.model.state_dict().items())
    assert result.loss is None


def images_with_gradients(model: nn.Module) -> list[int]:
    """Return a list that grows by the size of every batch that passes through the network with gradients on."""
    passed: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            passed.append(len(inputs[0]))

    model.register_forward_pre_hook(note)
    return passed


COSTS = {
    "nothing": [0],
    "fine_tune": [96, 96],
    "gradient_ascent": [24, 24],
    "l1_sparse": [96, 96],
    "neggrad_plus": [96 + 3 * 24] * 2,  # three retain batches of 32, each beside the one batch of D_f
    "scrub": [24 + 96, 96],
    "bad_teacher": [24 + 48] * 2,
    "delete": [24, 24],
    "delete retain_weight 1.0": [96 + 3 * 24] * 2,
    "fcs": [24 + 32 + 24 + 96, 32 + 24 + 96],
    "ct": [96, 96],
    "sfron": [96 + 24] * 2,  # ascents before the first and the sixth of six steps on D_r
    "sfron importance batch": [24 + 96 + 96 + 24, 96 + 24],
    "scissorhands": [24 + COUNT, COUNT],
    "scissorhands projection True": [24 + 24 + COUNT, 24 + COUNT],
    "msg": [24 + 24 + 96, 96],
    "damage_tune": [96, 96],
    "weight_distortion": [96, 96],
    "r2d": [96, 96],
    "regun": [24 + 32] * 2,
    "cf_k": [96, 96],
    "eu_k": [96, 96],
    "ssd": [0],
    "ssd importance batch": [24 + COUNT],
    "influence inverse public": [COUNT + 96],
    "fisher_forgetting": [10 * 3],
}


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "influence" and "attack" not in name])
def test_an_epoch_of_a_method_costs_the_images_that_it_passes_over(
    setting: str, weights: Weights, saliency: Saliency
) -> None:
    method = SETTINGS[setting]
    counted = [result.images_unlearn for result in run(context_of(saliency), weights, method, every_epoch=False)]
    if isinstance(method, AMUN):
        shown = COUNT if method.images == "adversarial and forget" else COUNT - len(FORGET.indices_F)
        assert counted == [shown + int(adversarial().found.sum())] * 2
        return
    assert counted == COSTS.get(setting, COSTS.get(method.name, [COUNT] * method.epochs))


def test_saliency_scores_pass_each_image_of_the_forget_set_through_the_network_once(weights: Weights) -> None:
    model = CNN(width=4).build(1, DATA.classes, seed=0)
    passed = images_with_gradients(model)
    forget_F = FORGET.indices_F
    saliency_scores(model, DATA.train.images_NCHW[forget_F], DATA.train.labels_N[forget_F], batch_size=7)
    assert sum(passed) == len(forget_F)


def test_a_training_passes_its_images_through_the_network_once_an_epoch() -> None:
    model = CNN(width=4).build(1, DATA.classes, seed=0)
    passed = images_with_gradients(model)
    recipe = Recipe(epochs=3, batch_size=32)
    labels_N, retain_R = DATA.train.labels_N, FORGET.retain_R
    training = Training(
        model, DATA.train.images_NCHW, labels_N, retain_R, recipe=recipe, augmentation=AUGMENTATIONS["standard"], seed=0
    )
    for _ in range(recipe.epochs):
        training.advance()
    assert sum(passed) == training.engine.images_trained == 3 * len(retain_R)


def test_a_method_is_named_as_in_the_table() -> None:
    assert {name: small(name).name for name in METHODS} == {name: name for name in METHODS}


@every_salun
@pytest.mark.parametrize("density", [0.1, 0.5])
def test_saluns_frozen_weights_are_the_originals_to_the_bit_and_the_others_move(
    options: dict[str, Any], density: float, weights: Weights, saliency: Saliency
) -> None:
    context, method, seed = context_of(saliency), SalUn(**SMALL, **options, density=density), 3
    run(context, weights, method, seed)
    masks = method.masks(context, seed)
    assert masks is not None
    moved = 0
    for (name, parameter), mask in zip(context.model.named_parameters(), masks, strict=True):
        assert torch.equal(parameter[~mask], weights[name][~mask])
        moved += int((parameter != weights[name]).sum())
    assert moved > 0.9 * saliency.trainable(density)


@pytest.mark.parametrize("mask", ["saliency", "random"])
def test_salun_without_a_frozen_weight_is_plain_random_labels(mask: Any, weights: Weights, saliency: Saliency) -> None:
    context = context_of(saliency)
    salun = run(context, weights, SalUn(**SMALL, density=1.0, mask=mask))
    assert same(salun, run(context, weights, RandomLabel(**SMALL)))


@pytest.mark.parametrize("name", [name for name in DESCENTS if name != "r2d"])  # whose statistics are the earlier ones
@pytest.mark.parametrize("batch_norm", ["freeze", "update"])
def test_running_statistics_stay_when_frozen_and_move_when_not(
    name: str, batch_norm: str, weights: Weights, saliency: Saliency
) -> None:
    context = context_of(saliency)
    run(context, weights, small(name, batch_norm=batch_norm))
    statistics = {name: value for name, value in context.model.named_buffers() if "running" in name}
    assert len(statistics) == 6
    assert all(torch.equal(value, weights[key]) is (batch_norm == "freeze") for key, value in statistics.items())


@pytest.mark.parametrize("kind", [RandomLabel, SalUn])
@pytest.mark.parametrize("loop", ["sequential", "mixed"])
@pytest.mark.parametrize("relabel", ["any", "other"])
def test_labels_are_drawn_for_the_forget_set_alone_and_anew_every_epoch(
    kind: type[RandomLabel], loop: Any, relabel: Any
) -> None:
    method, true_F, drawn = kind(loop=loop, relabel=relabel), TASK.labels_N[TASK.forget_N], []
    for epoch in range(1, 40):
        labels_N = torch.full((COUNT,), -1)
        for data_pass in method.data_passes(TASK, epoch_order(0, epoch, COUNT), generator(0, "labels", epoch)):
            labels_N[data_pass.indices_M] = data_pass.labels_M
        assert torch.equal(labels_N[~TASK.forget_N], TASK.labels_N[~TASK.forget_N])
        drawn.append(labels_N[TASK.forget_N])
    draws_EF = torch.stack(drawn)
    assert set(draws_EF.flatten().tolist()) == set(range(DATA.classes))
    assert len({tuple(row.tolist()) for row in draws_EF}) == len(draws_EF)
    right = float((draws_EF == true_F).float().mean())
    assert right == 0 if relabel == "other" else abs(right - 1 / DATA.classes) < 0.05


def test_with_two_classes_another_label_is_the_flipped_one() -> None:
    labels_N = torch.tensor([0, 1, 1, 0])
    task = ForgetTask(labels_N, torch.tensor([True, True, False, False]), classes=2)
    forget, _ = RandomLabel(relabel="other").data_passes(task, torch.arange(4), generator(0, "labels"))
    assert torch.equal(forget.labels_M, 1 - labels_N[:2])


def test_the_mixed_loop_sweeps_every_image_once_in_the_epochs_order() -> None:
    order_N = epoch_order(0, 1, COUNT)
    (data_pass,) = RandomLabel(loop="mixed").data_passes(TASK, order_N, generator(0, "labels"))
    assert torch.equal(data_pass.indices_M, order_N)


def test_the_sequential_loop_sweeps_the_forget_set_and_then_the_retain_set_in_the_epochs_order() -> None:
    order_N = epoch_order(0, 1, COUNT)
    forget, retain = RandomLabel(loop="sequential").data_passes(TASK, order_N, generator(0, "labels"))
    assert torch.equal(forget.indices_M, order_N[torch.isin(order_N, FORGET.indices_F)])
    assert torch.equal(retain.indices_M, order_N[torch.isin(order_N, FORGET.retain_R)])


def spoilt_at(indices_M: Tensor) -> ForgetTask:
    labels_N = TASK.labels_N.clone()
    labels_N[indices_M] = (labels_N[indices_M] + 1) % DATA.classes
    return ForgetTask(labels_N, TASK.forget_N, TASK.classes)


@pytest.mark.parametrize(
    ("method", "unused_M"),
    [(FineTune(**SMALL), FORGET.indices_F), (GradientAscent(**SMALL), FORGET.retain_R)],
    ids=["fine-tuning", "gradient ascent"],
)
def test_fine_tuning_does_not_use_the_forget_set_nor_gradient_ascent_the_retain_set(
    method: Method, unused_M: Tensor, weights: Weights
) -> None:
    honest = run(context_of(None), weights, method)
    assert same(run(context_of(None, task=spoilt_at(unused_M)), weights, method), honest)
    assert not same(run(context_of(None, task=spoilt_at(torch.arange(COUNT))), weights, method), honest)


def test_gradient_ascent_climbs_the_loss_of_the_forget_set(weights: Weights) -> None:
    results = run(context_of(None), weights, GradientAscent(epochs=3, batch_size=32, lr=0.01))
    losses = [-(result.loss or 0) for result in results]
    assert losses == sorted(losses)


@pytest.mark.parametrize("density", [0.0001, 0.1, 0.25, 0.333, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("mask", ["saliency", "random"])
def test_a_mask_leaves_exactly_its_density_trainable(
    density: float, mask: Any, weights: Weights, saliency: Saliency
) -> None:
    masks = SalUn(density=density, mask=mask).masks(context_of(saliency), seed=0)
    assert masks is not None
    assert [tuple(part.shape) for part in masks] == [
        tuple(parameter.shape) for parameter in context_of(None).model.parameters()
    ]
    total = sum(part.numel() for part in masks)
    assert sum(int(part.sum()) for part in masks) == int(density * total)


def test_the_density_is_exact_even_where_all_scores_are_alike() -> None:
    masks = Saliency({"a": torch.ones(10, 3), "b": torch.ones(70)}).masks(0.25)
    assert sum(int(part.sum()) for part in masks) == 25


def test_a_saliency_mask_keeps_the_highest_scores_and_its_threshold_is_the_lowest_of_them() -> None:
    random = torch.Generator().manual_seed(0)
    scores = {"a": torch.rand(10, 3, generator=random), "b": torch.rand(70, generator=random)}
    saliency, method = Saliency(scores), SalUn(density=0.3)
    masks = method.masks(context_of(saliency), seed=0)
    assert masks is not None
    kept = torch.cat([score[mask] for score, mask in zip(scores.values(), masks, strict=True)])
    frozen = torch.cat([score[~mask] for score, mask in zip(scores.values(), masks, strict=True)])
    assert kept.min() > frozen.max()
    assert method.threshold({"saliency": saliency}) == float(kept.min())


def test_a_random_mask_depends_on_the_seed_and_needs_no_scores(saliency: Saliency) -> None:
    method = SalUn(density=0.3, mask="random")
    first = method.masks(context_of(saliency), seed=1) or []
    second = method.masks(context_of(None), seed=1) or []
    third = method.masks(context_of(None), seed=2) or []
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert not all(torch.equal(one, other) for one, other in zip(first, third, strict=True))


@pytest.mark.parametrize(
    ("options", "needs"), [({}, True), ({"density": 1.0}, False), ({"mask": "random"}, False)], ids=str
)
def test_salun_needs_scores_and_has_a_threshold_only_where_scores_choose_what_is_frozen(
    options: dict[str, Any], needs: bool, weights: Weights, saliency: Saliency
) -> None:
    method = SalUn(**SMALL, **options)
    assert method.needs == (("saliency",) if needs else ())
    assert (method.threshold({"saliency": saliency}) is not None) is needs
    if not needs:
        assert same(run(context_of(None), weights, method), run(context_of(saliency), weights, method))


def test_masks_of_one_ranking_are_nested(saliency: Saliency) -> None:
    for narrow, wide in zip(saliency.masks(0.2), saliency.masks(0.6), strict=True):
        assert (wide | ~narrow).all()


def test_salun_without_scores_is_refused(weights: Weights) -> None:
    with pytest.raises(ValueError, match="SalUn needs the saliency scores"):
        run(context_of(None), weights, SalUn(**SMALL))


def test_amun_without_adversarial_images_is_refused_but_makes_those_of_another_attack(weights: Weights) -> None:
    context = replace(context_of(None), required={})
    with pytest.raises(ValueError, match="AMUN needs the adversarial images"):
        run(context, weights, AMUN(**SMALL))
    other = AMUN(**SMALL, attack_rounds=9)
    first, second = run(context, weights, other, every_epoch=False)
    context.model.load_state_dict(weights)
    assert first.images_unlearn == second.images_unlearn + other.adversarial(context).passes


def test_saluns_controls_differ_from_it_in_the_mask_alone() -> None:
    method = SalUn(**SMALL, density=0.3, loop="mixed")
    options = method.model_dump()
    assert {name: control.model_dump() for name, control in method.controls().items()} == {
        "density 1.0": {**options, "density": 1.0},
        "random mask": {**options, "mask": "random"},
    }


@pytest.mark.parametrize("name", [name for name in METHODS if name != "salun"])
def test_the_other_methods_have_neither_controls_nor_a_threshold(name: str, saliency: Saliency) -> None:
    assert small(name).controls() == {}
    assert small(name).threshold({"saliency": saliency}) is None


@pytest.mark.parametrize("kind", [RandomLabel, SalUn, FineTune, GradientAscent])
def test_an_option_that_came_later_is_in_a_name_only_where_it_is_used(kind: type[SGDMethod]) -> None:
    assert not kind().model_dump().keys() & kind.later
    changed = kind(schedule="cosine", warmup=0.1)
    assert changed.model_dump().keys() & kind.later == {"schedule", "warmup"}
    assert kind.model_validate_json(changed.model_dump_json()) == changed


def rates_of(**options: Any) -> list[float]:
    method = FineTune(epochs=2, batch_size=24, lr=0.1, **options)
    return [
        rate
        for number in (1, 2)
        for rate in method.rates(
            Epoch(number, torch.arange(COUNT), torch.Generator()), [TASK.retain_pass(torch.arange(COUNT))]
        )
    ]


def test_a_schedule_goes_from_the_peak_towards_zero_over_the_whole_run_after_its_warm_up() -> None:
    assert rates_of() == [0.1] * 8
    assert rates_of(schedule="linear") == pytest.approx([0.1 * (1 - step / 8) for step in range(8)])
    cosine = rates_of(schedule="cosine")
    assert cosine[4] == pytest.approx(0.05)
    assert cosine == sorted(cosine, reverse=True)
    assert rates_of(schedule="linear", warmup=0.5) == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.075, 0.05, 0.025])


def test_a_forget_weight_scales_the_loss_of_forget_images_alone() -> None:
    logits_BK, labels_B = torch.randn(6, 3, generator=generator(0, "logits")), torch.tensor([0, 1, 2, 0, 1, 2])
    raised_B = labels_B + torch.tensor([3, 3, 0, 0, 0, 0])
    losses_B = nn.functional.cross_entropy(logits_BK, labels_B, reduction="none")
    wanted = (0.5 * losses_B[:2].sum() + losses_B[2:].sum()) / 6
    torch.testing.assert_close(WeightedLoss(0.5, MULTI_CLASS)(logits_BK, raised_B), wanted)
