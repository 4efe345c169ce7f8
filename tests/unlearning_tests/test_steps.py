"""Steps of several batches, and the optimisers that they may have."""

from collections.abc import Sequence
from itertools import repeat

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.engine import Batch, DataPass, Engine, OptimizerName, Step, StepPass, Stream, clipped
from unlearning.models import CNN

DATA = load(Synthetic(train=50, val=20, test=20, size=12, classes=3))


def engine_of(augmentation: AugmentationName = "none") -> Engine:
    model = CNN(width=4).build(1, DATA.classes, seed=0)
    engine = Engine(model, DATA.train.images_NCHW, augmentation=AUGMENTATIONS[augmentation], precision="float32")
    engine.begin(momentum=0.9, weight_decay=0.0)
    return engine


def run(engine: Engine, *passes: DataPass | StepPass) -> float:
    engine.model.train()
    return engine.train_epoch(passes, batch_size=16, learning_rates=repeat(0.01), random=torch.Generator())


def weights(engine: Engine) -> list[Tensor]:
    return [one.detach().clone() for one in engine.model.parameters()]


def stream_of(count: int, batch_size: int = 16) -> Stream:
    return Stream.cut(torch.arange(count), DATA.train.labels_N[:count], batch_size)


def plain(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = cross_entropy(batches[0].logits_BK, batches[0].labels_B)
    return loss, step.gradients(loss)


def weighted(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    first, second = (cross_entropy(batch.logits_BK, batch.labels_B) for batch in batches)
    loss = step.numbers[0] * first + step.numbers[1] * second
    return loss, step.gradients(loss)


def test_batches_are_cut_cycled_and_parted() -> None:
    stream = stream_of(40)
    assert stream.sizes == (16, 16, 8)
    cycled = stream.cycled(5)
    assert cycled.sizes == (16, 16, 8, 16, 16)
    assert torch.equal(cycled.indices_M[40:], torch.arange(32))
    part = cycled.part(2, 4)
    assert part.indices_M.tolist() == [*range(32, 40), *range(16)]
    assert [len(indices) for indices, _ in part.batches(torch.device("cpu"))] == [8, 16]
    assert stream.part(3).sizes == ()


def test_a_step_of_one_batch_is_that_of_a_data_pass_to_the_bit() -> None:
    mine, theirs = engine_of("standard"), engine_of("standard")
    stream = stream_of(50)
    assert run(mine, StepPass((stream,), plain)) == run(theirs, DataPass(stream.indices_M, stream.labels_M))
    assert all(torch.equal(one, other) for one, other in zip(weights(mine), weights(theirs), strict=True))
    assert mine.images_trained == theirs.images_trained == 50


def test_the_numbers_of_a_pass_weigh_its_batches() -> None:
    both, alone = engine_of(), engine_of()
    for engine in (both, alone):
        for module in engine.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.0
    run(both, StepPass((stream_of(32), stream_of(50).part(0, 2)), weighted, (1.0, 0.0)))
    run(alone, StepPass((stream_of(32),), plain))
    for one, other in zip(weights(both), weights(alone), strict=True):
        torch.testing.assert_close(one, other)
    assert both.images_trained == 64


def test_a_teacher_sees_the_views_that_the_network_sees() -> None:
    seen: list[Tensor] = []

    def watch(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
        [batch] = batches
        seen.append((batch.logits_BK.detach() - batch.taught["original"]).abs().max())
        return plain(batches, step)

    for augmentation in AUGMENTATIONS:
        engine = engine_of(augmentation)
        engine.teach("original")
        stream = Stream.cut(torch.arange(16), DATA.train.labels_N[:16], 16, ("original",))
        engine.model.eval()
        engine.train_epoch(
            [StepPass((stream,), watch)], batch_size=16, learning_rates=repeat(0.0), random=torch.Generator()
        )
    assert len(seen) == 2
    assert max(seen) < 1e-5


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_optimiser_moves_weights_as_torchs_does(optimizer: OptimizerName, weight_decay: float, masked: bool) -> None:
    engine = engine_of()
    random = torch.Generator().manual_seed(0)
    before = weights(engine)
    masks = [torch.rand(one.shape, generator=random) < 0.5 for one in before] if masked else None
    engine.begin(momentum=0.9, weight_decay=weight_decay, masks=masks, optimizer=optimizer)
    theirs = CNN(width=4).build(1, DATA.classes, seed=0).train()
    kind = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    options = {"momentum": 0.9} if optimizer == "sgd" else {}
    torchs = kind(theirs.parameters(), lr=0.01, weight_decay=weight_decay, **options)  # type: ignore[arg-type]
    run(engine, DataPass(torch.arange(50), DATA.train.labels_N))
    for indices in torch.arange(50).split(16):
        torchs.zero_grad()
        cross_entropy(theirs(DATA.train.images_NCHW[indices].float() / 255), DATA.train.labels_N[indices]).backward()
        torchs.step()
        if masks is not None:
            with torch.no_grad():
                for one, mask, old in zip(theirs.parameters(), masks, before, strict=True):
                    one.copy_(torch.where(mask, one, old))
    for mine, other in zip(weights(engine), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other.detach(), rtol=1e-3, atol=1e-5)
    if masks is not None:
        assert all(
            torch.equal(one[~mask], old[~mask]) for one, mask, old in zip(weights(engine), masks, before, strict=True)
        )


def test_optimisers_of_other_numbers_keep_a_momentum_of_their_own() -> None:
    engine = engine_of()
    engine.begin(momentum=0.5, weight_decay=0.0, number=1)
    run(engine, StepPass((stream_of(16),), plain, optimizer=1))
    assert not any(velocity.any() for velocity in engine.optimizer.velocities)
    run(engine, StepPass((stream_of(16),), plain))
    assert all(velocity.any() for velocity in engine.optimizer.velocities)


def test_a_gradient_is_clipped_to_a_norm_as_torch_clips_it() -> None:
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    gradients = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([[4.0, 5.0], [6.0, 7.0]])]
    for norm in (2.0, 100.0):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
        nn.utils.clip_grad_norm_(parameters, norm)
        for mine, parameter in zip(clipped(gradients, norm), parameters, strict=True):
            torch.testing.assert_close(mine, parameter.grad)


def test_what_is_kept_anew_carries_no_gradient() -> None:
    engine = engine_of()
    for _ in range(2):
        engine.keep("anchor", list(engine.model.parameters()))
        assert not any(one.requires_grad for one in engine._kept["anchor"])
