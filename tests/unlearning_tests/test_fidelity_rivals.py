"""Rival methods against weights that their authors' public code produced (see tests/fidelity/make_rivals.py)."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_network import network
from torch import Tensor

from unlearning.adversarial import Adversarial
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, Stream, sum_gradients
from unlearning.errors import InputError
from unlearning.fisher import squared_gradients
from unlearning.methods import (
    AMUN,
    FCS,
    MSG,
    SSD,
    BadTeacher,
    ConvolutionTranspose,
    Delete,
    Epoch,
    ForgetTask,
    HeldOut,
    Influence,
    L1Sparse,
    Method,
    MUNBa,
    NegGradPlus,
    ReGUn,
    Scissorhands,
    Scrub,
    SFRon,
    UnlearningContext,
)
from unlearning.methods._ct import transpose_kernels
from unlearning.methods._munba import bisector

FIDELITY = Path(__file__).parents[1] / "fidelity"
WEIGHTS, RIVALS = np.load(FIDELITY / "weights.npz"), np.load(FIDELITY / "rivals.npz")
SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 16, "lr": 0.01}

State = dict[str, Tensor]


def tensors(group: str, file: Any = RIVALS) -> State:
    prefix = f"{group}/"
    return {name.removeprefix(prefix): torch.from_numpy(file[name]) for name in file.files if name.startswith(prefix)}


def images_and_labels(part: str) -> tuple[Tensor, Tensor]:
    """The loop divides pixels by 255, so the reference's [0, 1] images are given times 255."""
    file = RIVALS if part == "test" else WEIGHTS
    return torch.from_numpy(file[f"x_{part}"]) * 255, torch.from_numpy(file[f"y_{part}"])


def context_of(held_out: int = 64) -> UnlearningContext:
    """Retain images first, then forget images; so many test images are held out."""
    (x_retain, y_retain), (x_forget, y_forget) = images_and_labels("retain"), images_and_labels("forget")
    labels = torch.cat([y_retain, y_forget])
    model = network()
    model.load_state_dict(tensors("original", WEIGHTS))
    images = torch.cat([x_retain, x_forget])
    engine = Engine(model, images, augmentation=AUGMENTATIONS["none"], precision="float32")
    task = ForgetTask(labels, torch.arange(len(labels)) >= len(y_retain), classes=8)
    return UnlearningContext(engine, task, held_out=HeldOut(*(one[:held_out] for one in images_and_labels("test"))))


@pytest.fixture(autouse=True)
def _file_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference's batches are cut in the order of the file."""
    monkeypatch.setattr("unlearning.methods._sgd.epoch_order", lambda seed, epoch, count: torch.arange(count))


def states(method: Method, context: UnlearningContext | None = None) -> Iterator[State]:
    """The weights after each epoch."""
    context = context or context_of()
    for _ in method.unlearn(context, seed=0):
        yield {name: value.clone() for name, value in context.model.state_dict().items()}


def expect(state: State, group: str, tolerance: float = 5e-6) -> None:
    theirs = tensors(group)
    assert theirs
    for name, value in theirs.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}")


class TheirRandomTeacher(BadTeacher):
    def random_teacher(self, context: UnlearningContext, seed: int) -> State:
        return {**context.model.state_dict(), **tensors("bad_teacher/random_teacher")}

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Any:
        order = torch.from_numpy(RIVALS["bad_teacher/order"])[epoch.number - 1]
        forget_first = torch.where(order < 48, order + 96, order - 48)
        return super().passes(context, Epoch(epoch.number, forget_first, epoch.random, epoch.prepared))


class TheirLabels(MUNBa):
    def draw_labels(self, task: ForgetTask, forget: Stream, epoch: Epoch) -> Tensor:
        return torch.from_numpy(RIVALS["munba/random_labels"]).view(2, -1)[epoch.number - 1]


class TheirRedraw(MSG):
    """Takes the new weights, and the sample of the retain set, from the reference."""

    def retain_sample(self, context: UnlearningContext, seed: int) -> Tensor:
        return torch.from_numpy(RIVALS[f"msg/{self.probe}mode_retain_subset"])

    def draw(self, weight: Tensor, random: torch.Generator) -> Tensor:
        name = "conv1.weight" if weight.shape[0] == 8 else "conv2.weight"
        return tensors(f"msg/{self.probe}mode_after_reset")[name]


class TheirReset(Scissorhands):
    def probe(self, context: UnlearningContext, random: torch.Generator) -> Stream:
        return Stream.cut(torch.arange(96, 112), context.task.labels_N[96:112], 16)

    def draw(self, weight: Tensor, random: torch.Generator) -> Tensor:
        reset = tensors("scissorhands/after_reset")
        return next(value for value in reset.values() if value.shape == weight.shape)


class TheirPicks(ReGUn):
    """Its held-out images are the first 32 of test; the picks are the reference's."""

    run: str

    def pick(self, forget: Stream, epoch: Epoch) -> Tensor:
        picked = torch.from_numpy(RIVALS[f"regun/picks_{self.run}"]).view(2, -1)[epoch.number - 1]
        if self.picks == "nearest":
            assert torch.equal(super().pick(forget, epoch), picked)
        return picked


class TheirAdversarials(AMUN):
    def adversarial(self, context: UnlearningContext) -> Adversarial:
        images, labels, radius = (torch.from_numpy(RIVALS[f"amun/adv_{name}"]) for name in ("images", "labels", "eps"))
        return Adversarial(images, labels, radius)

    def shuffle(self, indices_M: Tensor, epoch: Epoch) -> Tensor:
        if self.attack_rounds == 1:
            return indices_M
        order = "order_advonly" if self.images == "adversarial" else "order_amun"
        return indices_M[torch.from_numpy(RIVALS[f"amun/{order}"])[epoch.number - 1]]


SFRON: dict[str, Any] = {**SMALL, "forget_every": 3, "importance": "batch"}
TWO_EPOCHS: dict[str, Callable[[], Method]] = {
    "neggradplus/train": lambda: NegGradPlus(**SMALL),
    "neggradplus/frozen": lambda: NegGradPlus(**SMALL, batch_norm="freeze", distance_weight=0.1),
    "neggradplus/rum": lambda: NegGradPlus(**SMALL, momentum=0.9, weight_decay=5e-4),
    "l1_sparse": lambda: L1Sparse(**SMALL),
    "delete/train": lambda: Delete(**SMALL),
    "delete/frozen_bn": lambda: Delete(**SMALL, batch_norm="freeze"),
    "delete/train_lr0.05": lambda: Delete(**{**SMALL, "lr": 0.05}),
    "ct/end": lambda: ConvolutionTranspose(**SMALL),
    "munba/end": lambda: TheirLabels(**SMALL),
    "fcs/end": lambda: FCS(**{**SMALL, "lr": 0.001}, contrast_lr=3e-3),
    "msg/evalmode": lambda: TheirRedraw(**SMALL),
    "msg/trainmode": lambda: TheirRedraw(**SMALL, probe="train"),
    "sfron/alpha25": lambda: SFRon(**SFRON),
    "sfron/alpha1": lambda: SFRon(**SFRON, alpha=1.0),
    "scissorhands/plain": lambda: TheirReset(**{**SMALL, "lr": 0.005}),
    "scissorhands/projected": lambda: TheirReset(**{**SMALL, "lr": 0.005}, projection=True),
    "regun/uniform": lambda: TheirPicks(**SMALL, run="uniform"),
    "regun/class_informed": lambda: TheirPicks(**SMALL, run="class_informed", picks="class"),
    "regun/feature_1nn": lambda: TheirPicks(**SMALL, run="feature_1nn", picks="nearest"),
    "regun/class_informed_lr0.1": lambda: TheirPicks(**{**SMALL, "lr": 0.1}, run="class_informed_lr0.1"),
    "amun/advonly": lambda: TheirAdversarials(**SMALL, decay_every=1, attack_rounds=1),
    "amun/advonly_mixed": lambda: TheirAdversarials(**SMALL, decay_every=1),
    "amun/amun_mixed": lambda: TheirAdversarials(**SMALL, decay_every=1, images="adversarial and forget"),
    "bad_teacher/mean_adam": lambda: TheirRandomTeacher(
        **{**SMALL, "lr": 1e-3}, retain_share=1.0, reduction="elements"
    ),
    "bad_teacher/batchmean_adam": lambda: TheirRandomTeacher(**{**SMALL, "lr": 1e-3}, retain_share=1.0),
    "bad_teacher/mean_adam_evalmode": lambda: TheirRandomTeacher(
        **{**SMALL, "lr": 1e-3}, retain_share=1.0, reduction="elements", batch_norm="freeze"
    ),
    "bad_teacher/mean_sgd": lambda: TheirRandomTeacher(
        **{**SMALL, "lr": 0.1}, retain_share=1.0, reduction="elements", optimizer="sgd"
    ),
    "bad_teacher/batchmean_sgd": lambda: TheirRandomTeacher(**{**SMALL, "lr": 0.1}, retain_share=1.0, optimizer="sgd"),
}
TOLERANCES = {"bad_teacher/batchmean_sgd": 1e-5, "scrub/rewind": 2e-5}
"""Where rounding grows beyond 5e-6 in the engine's layout: weights that move by 2.5, and five epochs at a high rate."""


@pytest.mark.parametrize("group", TWO_EPOCHS)
def test_weights_after_two_epochs_are_those_of_the_authors_code(group: str) -> None:
    *_, end = states(TWO_EPOCHS[group](), context_of(held_out=32))
    expect(end, group, TOLERANCES.get(group, 5e-6))


def test_scrub_passes_the_weights_of_the_authors_code_on_its_way() -> None:
    first, second = states(Scrub(**SMALL, forget_batch_size=16, ascent_epochs=1))
    expect(first, "scrub/epoch1")
    expect(second, "scrub/epoch2")


def test_scrub_climbs_on_the_forget_set_to_the_weights_of_the_authors_code() -> None:
    method, context = Scrub(**SMALL, forget_batch_size=16, ascent_epochs=1, gamma=0, alpha=0), context_of()

    class AscentAlone(Scrub):
        def passes(self, context: UnlearningContext, epoch: Epoch) -> Any:
            return super().passes(context, epoch)[:1]

    first, _ = states(AscentAlone(**{**method.model_dump(), "ascent_epochs": 2}), context)
    expect(first, "scrub/epoch1_after_max")


def test_scrub_rewinds_to_the_epoch_that_the_authors_code_picks() -> None:
    options: dict[str, Any] = {"epochs": 5, "batch_size": 16, "lr": 0.03, "forget_batch_size": 16, "ascent_epochs": 4}
    for number, state in enumerate(states(Scrub(**options)), 1):
        expect(state, f"scrub/rewind/epoch{number}", TOLERANCES["scrub/rewind"])
    *_, picked = states(Scrub(**options, rewind=True))
    expect(picked, "scrub/rewind/epoch3", TOLERANCES["scrub/rewind"])


def test_what_grows_beyond_the_tolerance_is_the_rounding_of_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearning.engine._engine.unit_interval", lambda images_BCHW: images_BCHW.float() / 255)
    options: dict[str, Any] = {"epochs": 5, "batch_size": 16, "lr": 0.03, "forget_batch_size": 16, "ascent_epochs": 4}
    for number, state in enumerate(states(Scrub(**options)), 1):
        expect(state, f"scrub/rewind/epoch{number}")
    *_, end = states(TWO_EPOCHS["bad_teacher/batchmean_sgd"](), context_of(held_out=32))
    expect(end, "bad_teacher/batchmean_sgd")


def test_kernels_are_transposed_as_in_the_authors_code() -> None:
    model = context_of().model
    transpose_kernels(model)
    expect(model.state_dict(), "ct/after_transpose", 0)


def test_the_bargain_is_the_unit_bisector_of_the_two_gradients() -> None:
    retain, forget = (torch.from_numpy(RIVALS[f"munba/step0_g_{part}"]) for part in ("retain", "forget"))
    [update] = bisector([retain], [forget])
    torch.testing.assert_close(update, torch.from_numpy(RIVALS["munba/step0_closed_form"]), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        update / update.norm(), torch.from_numpy(RIVALS["munba/step0_update_clipped"]), rtol=0, atol=2e-5
    )


def test_the_bargain_of_opposite_gradients_is_finite() -> None:
    one = torch.tensor([3.0, -4.0])
    [update] = bisector([one], [-2 * one])
    assert update.isfinite().all()


@pytest.mark.parametrize("probe", ["eval", "train"])
def test_msg_redraws_the_weights_that_the_authors_code_redraws(probe: Any) -> None:
    context, method = context_of(), TheirRedraw(**SMALL, probe=probe)
    before = {name: value.clone() for name, value in context.model.named_parameters()}
    method.prepare(context, seed=0)
    expect(context.model.state_dict(), f"msg/{probe}mode_after_reset", 1e-6)
    for name, mask in tensors(f"msg/{probe}mode_redrawn_mask").items():
        assert torch.equal(context.model.get_parameter(name) != before[name], mask)


def test_sfron_masks_the_weights_that_the_authors_code_masks() -> None:
    context = context_of()
    SFRon(**SFRON).prepare(context, seed=0)
    theirs = tensors("sfron/mask")
    mine = dict(zip((name for name, _ in context.model.named_parameters()), context.engine._kept["mask"], strict=True))
    assert all(torch.equal(mine[name].bool(), mask) for name, mask in theirs.items())


def test_scissorhands_redraws_what_the_authors_code_redraws() -> None:
    context = context_of()
    TheirReset(**SMALL).prepare(context, seed=0)
    expect(context.model.state_dict(), "scissorhands/after_reset", 1e-6)


def fisher() -> dict[str, State]:
    """The Fisher information of images, as an artifact holds it."""
    context, found = context_of(), {}
    for name, part in (("fisher_forget", context.task.forget_N), ("fisher_train", context.task.forget_N >= 0)):
        images = context.engine.images_NCHW[part]
        sums = squared_gradients(context.model, images, context.task.labels_N[part])
        found[name] = {parameter: value / len(images) for parameter, value in sums.items()}
    return found


SSD_RUNS = {
    f"ssd/{name}_alpha{alpha}{suffix}": SSD(alpha=alpha, importance=importance, batch_size=16, **options)
    for name, importance in (("batch", "batch"), ("det", "image"))
    for alpha, suffix, options in ((1, "", {}), (1.5, "", {}), (1, "_lambda0.5", {"strength": 0.5}), (10, "", {}))
    if not (name == "det" and (suffix or alpha == 10))
}


@pytest.mark.parametrize("group", SSD_RUNS)
def test_dampened_weights_are_those_of_the_authors_code(group: str) -> None:
    context = replace(context_of(), required=fisher())
    assert not list(SSD_RUNS[group].unlearn(context, seed=0))
    expect(context.model.state_dict(), group, 5e-5)


def test_ssd_refuses_an_alpha_that_cannot_select_a_weight() -> None:
    context = replace(context_of(), required=fisher())
    with pytest.raises(InputError, match=r"alpha 3 selects no weight where 48 of 144 .* n / n_f = 3 .* alpha below 3"):
        list(SSD(alpha=3.0).unlearn(context, seed=0))


def test_adaptive_ssd_dampens_the_share_of_weights_that_the_forget_set_decides() -> None:
    context = replace(context_of(), required=fisher())
    before = torch.cat([one.detach().flatten() for one in context.model.parameters()])
    list(SSD(selection="adaptive", strength=0.01).unlearn(context, seed=0))
    after = torch.cat([one.detach().flatten() for one in context.model.parameters()])
    wanted = math.log(1 + 100 * 48 / 144) / 100
    assert float((before != after).double().mean()) == pytest.approx(wanted, abs=1 / len(before))


def test_adversarial_images_are_those_of_the_authors_code() -> None:
    context = context_of()
    found = AMUN(walk="continue").adversarial(context)
    assert found.labels_M.tolist() == RIVALS["amun/adv_labels"].tolist()
    torch.testing.assert_close(found.radius_M, torch.from_numpy(RIVALS["amun/adv_eps"]), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.images_MCHW, torch.from_numpy(RIVALS["amun/adv_images"]), rtol=0, atol=1e-3)


@pytest.mark.parametrize(("run", "radius", "rounds"), [("default", 0.1, 6), ("three_rounds", 0.05, 3)])
def test_adversarial_images_by_whole_walks_are_those_of_reguns_code(run: str, radius: float, rounds: int) -> None:
    found = AMUN(walk="whole", radius=radius, attack_rounds=rounds).adversarial(context_of())
    theirs = {name: torch.from_numpy(RIVALS[f"amun_regun/{run}_{name}"]) for name in ("images", "labels", "eps")}
    assert torch.equal(found.labels_M, theirs["labels"])
    torch.testing.assert_close(found.images_MCHW, theirs["images"], rtol=0, atol=2e-5)
    torch.testing.assert_close(found.radius_M[found.found], theirs["eps"][found.found], rtol=0, atol=1e-6)
    assert int((~found.found).sum()) == {"default": 0, "three_rounds": 35}[run]


def test_what_no_ball_suffices_for_is_not_shown() -> None:
    context = context_of()
    assert not AMUN(attack_rounds=1).adversarial(context).found.all()
    assert len(AMUN(attack_rounds=1).prepare(context, seed=0)) < 48


class InFileOrder(Influence):
    def retain_sample(self, context: UnlearningContext, seed: int) -> Tensor:
        return torch.from_numpy(RIVALS["iu/retain_order"])


def flat(parts: Any) -> Tensor:
    return torch.cat([part.detach().flatten() for part in parts])


@pytest.mark.parametrize("alpha", [1, 10, 20])
def test_the_public_influence_step_is_that_of_the_authors_code(alpha: int) -> None:
    context = context_of()
    assert not list(InFileOrder(alpha=float(alpha), inverse="public").unlearn(context, seed=0))
    expect(context.model.state_dict(), f"iu/alpha{alpha}")


def test_the_influence_step_solves_the_dense_system() -> None:
    context, method = context_of(), InFileOrder()
    context.model.eval()
    pull = method.pull(context)
    torch.testing.assert_close(flat(pull), torch.from_numpy(RIVALS["iu/v"]), rtol=0, atol=1e-6)
    samples, labels = method.retain_sample(context, 0), context.task.labels_N
    rows = [
        flat(sum_gradients(context.engine, Stream.cut(one[None], labels[one][None], 1))).double() for one in samples
    ]
    gradients_SP = torch.stack(rows)
    dense = torch.eye(gradients_SP.shape[1], dtype=torch.float64) + gradients_SP.T @ gradients_SP / 1000
    wanted = torch.linalg.solve(dense, flat(pull).double())
    found = flat(method.woodfisher(context, pull, samples)).double()
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.float(), torch.from_numpy(RIVALS["iu/k_true_woodfisher"]), rtol=0, atol=1e-6)
