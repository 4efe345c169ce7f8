"""Durability: each treatment does what it says, and what a head hides comes back by further training alone."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from unlearning.audits import Durability, Evidence
from unlearning.audits._treatments import dequantised, estimate_batch_norm, round_to_bfloat16, round_to_int8
from unlearning.metrics import accuracy

EvidenceOf = Callable[[str], Evidence]


def test_int8_keeps_the_largest_weight_of_each_channel_and_rounds_the_rest_to_a_127th_of_it() -> None:
    random = torch.Generator().manual_seed(0)
    weights_OIHW = torch.randn(6, 3, 3, 3, generator=random) * torch.logspace(-3, 3, 6)[:, None, None, None]
    weights_OIHW[2] = 0
    rounded_OIHW = dequantised(weights_OIHW)
    largest_O = weights_OIHW.abs().amax((1, 2, 3))
    assert torch.allclose(rounded_OIHW.abs().amax((1, 2, 3)), largest_O)
    error_O = (rounded_OIHW - weights_OIHW).abs().amax((1, 2, 3))
    assert (error_O <= largest_O / 127 / 2 * (1 + 1e-4)).all()
    assert all(len(channel.unique()) <= 255 for channel in rounded_OIHW)
    assert torch.allclose(dequantised(rounded_OIHW), rounded_OIHW)


def test_int8_changes_weights_and_bfloat16_all_parameters_and_neither_the_running_statistics() -> None:
    def model() -> nn.Sequential:
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
        for parameter in made.parameters():
            nn.init.normal_(parameter)
        assert isinstance(made[1], nn.BatchNorm2d)
        assert made[1].running_mean is not None
        made[1].running_mean.fill_(0.1)
        return made

    with torch.random.fork_rng():
        before, int8, bfloat16 = model(), model(), model()
    round_to_int8(int8)
    round_to_bfloat16(bfloat16)

    def changed(treated: nn.Module) -> set[str]:
        state = treated.state_dict()
        return {name for name, value in before.state_dict().items() if not torch.equal(value, state[name])}

    assert changed(int8) == {"0.weight", "3.weight"}
    assert changed(bfloat16) == {name for name, _ in before.named_parameters()}


def test_new_statistics_of_batch_norm_are_the_mean_over_whole_batches(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    engine, images_NCHW = evidence.networks.audited.restored(), evidence.images("retain")
    first = next(module for module in engine.model.modules() if isinstance(module, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    weights = {name: value.clone() for name, value in engine.model.named_parameters()}

    def keep(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        seen.append(arguments[0])

    with first.register_forward_pre_hook(keep):
        engine.forward(images_NCHW[:96])
    inputs_NCHW = torch.cat(seen)
    estimate_batch_norm(engine, images_NCHW[:100], 32)
    assert first.running_mean is not None
    assert first.running_var is not None
    assert torch.allclose(first.running_mean, inputs_NCHW.mean((0, 2, 3)), atol=1e-5)
    variances = [batch.transpose(0, 1).flatten(1).var(1) for batch in inputs_NCHW.split(32)]
    assert torch.allclose(first.running_var, torch.stack(variances).mean(0), rtol=1e-4)
    assert first.momentum == 0.1
    assert all(torch.equal(value, weights[name]) for name, value in engine.model.named_parameters())


def test_fewer_images_than_a_batch_are_one_batch(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    engine, images_NCHW = evidence.networks.audited.restored(), evidence.images("retain")[:20]
    estimate_batch_norm(engine, images_NCHW, 32)
    logits_NK = engine.predict(images_NCHW)
    assert torch.allclose(logits_NK, _in_train_mode(engine.model, images_NCHW), rtol=0.1, atol=0.3)


def _in_train_mode(model: nn.Module, images_NCHW: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits_NK: torch.Tensor = model.train()(images_NCHW.float() / 255)
    return logits_NK


def test_what_a_head_hides_comes_back_by_training_and_not_by_rounding(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("hidden")
    values = {(name, value.group): value.value for name, value in Durability(lr=0.1).run(evidence)}
    assert values[("training_regained", "forget")] > 0.2
    assert values[("bfloat16_regained", "forget")] == values[("int8_regained", "forget")] == 0
    for treatment in ("bfloat16", "int8", "batch_norm", "training"):
        before = accuracy(evidence.audited.of("forget"))
        after = values[(f"{treatment}_accuracy", "forget")]
        assert values[(f"{treatment}_regained", "forget")] == pytest.approx(after - before)


def test_accuracies_of_forget_retain_and_test_set_follow_the_audited_model(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    values = {(name, value.group): value for name, value in Durability().run(evidence)}
    assert len(values) == 4 * 4
    for group in ("forget", "retain", "test"):
        value = values[("bfloat16_accuracy", group)]
        assert value.n == len(evidence.audited.of(group))  # type: ignore[arg-type]
        assert value.value == pytest.approx(accuracy(evidence.audited.of(group)), abs=0.03)  # type: ignore[arg-type]
