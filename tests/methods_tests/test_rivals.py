"""What rival methods do to the weights, where no figures of their authors' code exist."""

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.earlier_weights import epochs_left
from unlearning.engine import Batch, Engine, Step
from unlearning.methods import (
    AMUN,
    CFk,
    DamageTune,
    EUk,
    FineTune,
    FisherForgetting,
    ForgetTask,
    HeadDistillation,
    Method,
    ReGUn,
    RewindDescend,
    SalUnSoft,
    Scissorhands,
    Scrub,
    UnlearningContext,
    WeightDistortion,
)
from unlearning.methods._damage import Kind
from unlearning.methods._salun_soft import shrink_moves
from unlearning.methods._weight_distortion import _away
from unlearning.models import CNN
from unlearning.seeds import generator

DATA = load(Synthetic(train=60, val=20, test=20, size=12, classes=3))
SMALL: dict[str, Any] = {"epochs": 1, "batch_size": 16, "lr": 0.01}


def context_of() -> UnlearningContext:
    model = CNN(width=4).build(1, DATA.classes, seed=0)
    engine = Engine(model, DATA.train.images_NCHW, augmentation=AUGMENTATIONS["none"], precision="float32")
    return UnlearningContext(engine, ForgetTask(DATA.train.labels_N, torch.arange(60) % 5 == 0, DATA.classes))


def moved(method: Method, seed: int = 0) -> dict[str, Tensor]:
    """Where each parameter differs after unlearning."""
    context = context_of()
    before = {name: value.clone() for name, value in context.model.named_parameters()}
    list(method.unlearn(context, seed))
    return {name: value != before[name] for name, value in context.model.named_parameters()}


@pytest.mark.parametrize("kind", [CFk, EUk])
def test_only_the_last_layers_and_the_batch_norms_among_them_move(kind: type[CFk]) -> None:
    names = [name for name, one in moved(kind(**SMALL, layers=2)).items() if one.any()]
    everything = list(moved(kind(**SMALL, layers=4)))
    assert names == everything[6:]
    assert [name for name, one in moved(kind(**SMALL, layers=1)).items() if one.any()] == everything[9:]


def test_eu_k_draws_the_last_layers_anew_and_cf_k_does_not() -> None:
    options: dict[str, Any] = {**SMALL, "lr": 1e-12, "weight_decay": 0.0}
    *_, kept, _ = moved(CFk(**options)).values()
    *_, drawn, _ = moved(EUk(**options)).values()
    assert not kept.any()
    assert drawn.all()


@pytest.mark.parametrize("damage", get_args(Kind))
def test_each_damage_changes_the_share_of_weights_that_its_strength_says(damage: Kind) -> None:
    context = context_of()
    weights = [one for one in context.model.parameters() if one.ndim > 1]
    before = [one.detach().clone() for one in weights]
    DamageTune(damage=damage, strength=0.5).prepare(context, seed=0)
    changed = [float((one != other).double().mean()) for one, other in zip(weights, before, strict=True)]
    if damage in ("noise", "shrink"):
        assert changed == [1, 1, 1, 1]
    elif damage == "transpose":
        assert [share > 0 for share in changed] == [True, True, False, False]
    elif damage == "last":
        assert [share > 0.99 for share in changed] == [False, False, True, True]
    else:
        flat = torch.cat([(one != other).flatten() for one, other in zip(weights, before, strict=True)])
        assert float(flat.double().mean()) == pytest.approx(0.5, abs=0.05)


def test_head_distillation_moves_the_last_layer_alone_and_the_features_not_at_all() -> None:
    context = context_of()
    before = {name: value.clone() for name, value in context.model.state_dict().items()}
    list(HeadDistillation(**SMALL).unlearn(context, seed=0))
    moved_names = [name for name, value in context.model.state_dict().items() if not torch.equal(value, before[name])]
    assert moved_names == list(before)[-2:]


def test_head_distillation_unlearns_the_true_class_of_the_forget_set_alone() -> None:
    context = context_of()
    everything = replace(context, task=replace(context.task, forget_N=torch.zeros(60, dtype=torch.bool)))
    list(FineTune(epochs=10, batch_size=16, lr=0.05).unlearn(everything, seed=0))
    forget_N, labels_N = context.task.forget_N, context.task.labels_N

    def confidence() -> tuple[float, float]:
        true_N = context.engine.predict(DATA.train.images_NCHW).softmax(1)[torch.arange(60), labels_N]
        return float(true_N[forget_N].mean()), float(true_N[~forget_N].mean())

    forget, retain = confidence()
    list(HeadDistillation(epochs=5, batch_size=16, lr=0.1).unlearn(context, seed=0))
    forget_after, retain_after = confidence()
    assert forget_after < forget
    assert forget - forget_after > retain - retain_after


def test_rewinding_goes_on_from_the_earlier_weights_and_ends_with_noise() -> None:
    earlier = {name: value + 1 for name, value in context_of().model.state_dict().items()}
    context = replace(context_of(), required={"earlier_weights": {25: earlier}})
    options: dict[str, Any] = {"epochs": 2, "batch_size": 16, "lr": 1e-12, "weight_decay": 0.0}
    list(RewindDescend(**options, noise=0.0).unlearn(context, seed=0))
    for name, value in context.model.named_parameters():
        torch.testing.assert_close(value, earlier[name])
    list(RewindDescend(**options, noise=0.1).unlearn(context, seed=0))
    away = torch.cat([(value.detach() - earlier[name]).flatten() for name, value in context.model.named_parameters()])
    assert float(away.std()) == pytest.approx(0.1, rel=0.1)


def test_rewinding_without_earlier_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="needs earlier weights"):
        list(RewindDescend(**SMALL).unlearn(context_of(), seed=0))


@pytest.mark.parametrize(("epochs", "left"), [(20, [18, 15, 10, 5]), (2, [1, 1, 1, 0]), (1, [0, 0, 0, 0])])
def test_the_percent_that_is_undone_is_at_least_an_epoch(epochs: int, left: list[int]) -> None:
    assert list(epochs_left(epochs).values()) == left


def test_scissorhands_probes_images_from_all_over_the_forget_set_whose_files_may_be_sorted_by_class() -> None:
    context = context_of()
    context = replace(context, task=replace(context.task, forget_N=torch.arange(60) >= 12))
    streams = [Scissorhands(batch_size=12).probe(context, generator(seed, "probe")) for seed in (0, 1)]
    assert all(len(stream.indices_M.unique()) == 12 and stream.indices_M.max() > 40 for stream in streams)
    assert not torch.equal(streams[0].indices_M, streams[1].indices_M)
    assert torch.equal(streams[0].labels_M, DATA.train.labels_N[streams[0].indices_M])


def test_each_distortion_of_all_weights_is_as_strong_as_it_says() -> None:
    def distorted(**options: Any) -> tuple[Tensor, Tensor]:
        context = context_of()
        before = torch.cat([one.detach().flatten().clone() for one in context.model.parameters()])
        WeightDistortion(**options).prepare(context, seed=0)
        return before, torch.cat([one.detach().flatten() for one in context.model.parameters()])

    before, after = distorted(distortion="noise", strength=0.02)
    assert float((after - before).std()) == pytest.approx(0.02, rel=0.1)
    before, after = distorted(distortion="attenuate", strength=0.5)
    assert torch.equal(after, before / 2)
    before, after = distorted(distortion="drop", strength=0.2)
    assert float((after[before != 0] == 0).double().mean()) == pytest.approx(0.2, abs=0.05)
    before, after = distorted(distortion="distance")
    assert torch.equal(after, before)


def test_the_reward_of_distance_has_the_gradient_of_the_root_mean_square_of_the_moves() -> None:
    parameters = [torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([[3.0]], requires_grad=True)]
    original = [torch.tensor([0.5, 2.5]), torch.tensor([[1.0]])]
    moves = torch.cat([(one - other).flatten() for one, other in zip(parameters, original, strict=True)])
    wanted = torch.autograd.grad(-0.3 * (moves.square().mean() + 1e-8).sqrt(), parameters)
    logits_BK = torch.zeros(1, 2) + 0 * parameters[0].sum()
    step = Step(parameters, torch.tensor([0.3, 0, 0, 0]), {"original": original})
    _, found = _away([Batch(logits_BK, torch.tensor([0]), {})], step)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_a_share_of_all_weights_is_below_one() -> None:
    with pytest.raises(ValueError, match="wanted a number below 1 to drop, got 2"):
        WeightDistortion(distortion="drop", strength=2.0)


def test_moves_are_shrunk_by_the_size_that_the_held_share_is_within() -> None:
    anchor, parameter = torch.zeros(4), torch.tensor([0.1, -0.4, 0.3, 0.2])
    shrink_moves(Step([parameter], torch.tensor([0.5, 0, 0, 0]), {"anchor": [anchor]}))
    torch.testing.assert_close(parameter, torch.tensor([0.0, -0.2, 0.1, 0.0]))
    shrink_moves(Step([parameter], torch.tensor([0.2, 0, 0, 0]), {"anchor": [anchor]}))
    torch.testing.assert_close(parameter, torch.tensor([0.0, -0.2, 0.1, 0.0]))


def test_salun_soft_holds_its_share_of_weights_at_the_original_in_the_first_epoch() -> None:
    flat = torch.cat([one.flatten() for one in moved(SalUnSoft(**SMALL, held_share=0.6)).values()])
    assert float(flat.double().mean()) == pytest.approx(0.4, abs=0.01)


def test_fisher_forgettings_noise_is_bounded_and_smaller_where_the_retain_set_depends_more() -> None:
    method = FisherForgetting(alpha=2.0)
    information = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.25, 0.25]])
    assert method.variance(information, is_last=False)[:, 0].tolist() == pytest.approx([2, 2e3, 8], rel=1e-4)
    assert method.variance(information, is_last=True)[:, 0].tolist() == pytest.approx([20, 2e3, 80], rel=1e-4)
    assert method.variance(torch.tensor([0.5]), is_last=False).tolist() == pytest.approx([40], rel=1e-4)


def test_adversarial_images_are_wrong_to_the_original_within_their_ball() -> None:
    context = context_of()
    list(FineTune(epochs=5, batch_size=16, lr=0.05).unlearn(context, seed=0))
    found = AMUN(attack_rounds=12).adversarial(context)
    assert found.found.all()
    with torch.no_grad():
        predicted = context.model(found.images_MCHW).argmax(1)
    assert torch.equal(predicted, found.labels_M)
    assert (found.labels_M != DATA.train.labels_N[context.task.forget_N]).all()
    away = found.images_MCHW - DATA.train.images_NCHW[context.task.forget_N] / 255
    assert (away.flatten(1).norm(dim=1) <= found.radius_M + 1e-5).all()


@pytest.mark.parametrize("method", [Scrub(rewind=True), ReGUn()])
def test_a_method_that_needs_held_out_images_says_so(method: Method) -> None:
    with pytest.raises(ValueError, match=r"needs held-out images.* got none"):
        list(method.unlearn(context_of(), seed=0))
