"""The networks of an audit: weights that are read when needed, an engine that is shared, features, further training."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from unlearning.audits import AuditNetwork, Evidence
from unlearning.engine import Engine
from unlearning.metrics import Group

EvidenceOf = Callable[[str], Evidence]


def test_the_audited_network_gives_the_logits_that_metrics_are_computed_from(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    for group in get_args(Group):
        logits_NK = evidence.networks.audited.restored().predict(evidence.images(group))
        assert torch.allclose(logits_NK, evidence.audited.of(group).logits_NK, atol=1e-5)


def test_the_last_layer_on_the_features_gives_the_logits(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    network = evidence.networks.audited
    features_ND = network.features(evidence.images("test"))
    weight_KD, bias_K = network.weights["1.11.weight"], network.weights["1.11.bias"]
    assert features_ND.dtype == torch.float64
    wanted_NK = evidence.audited.of("test").logits_NK.double()
    assert torch.allclose(features_ND @ weight_KD.double().T + bias_K.double(), wanted_NK, atol=1e-4)


def test_networks_that_share_an_engine_do_not_disturb_one_another(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    first = evidence.networks.audited
    second = replace(first, read=lambda: evidence.networks.oracle.weights)
    images_NCHW = evidence.images("test")
    before_ND, labels_N = first.features(images_NCHW), evidence.audited.of("train").labels_N
    for _ in second.trained_further(torch.arange(20), labels_N, epochs=1, lr=0.1, seed=0):
        pass
    assert torch.equal(first.features(images_NCHW), before_ND)
    assert not torch.equal(second.features(images_NCHW), before_ND)


def test_weights_are_read_once_and_only_when_they_are_needed(evidence_of: EvidenceOf) -> None:
    network, calls = evidence_of("original").networks.audited, list[int]()

    def read() -> Mapping[str, Tensor]:
        calls.append(1)
        return network.weights

    late = replace(network, read=read)
    assert not calls
    late.restored()
    late.restored()
    assert len(calls) == 1


def test_further_training_repeats_from_its_seed_and_moves_the_network(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    network, labels_N, images_NCHW = evidence.networks.audited, evidence.audited.of("train").labels_N, evidence.images
    runs = [
        [
            engine.predict(images_NCHW("test"))
            for engine in network.trained_further(evidence.audited.retain_R, labels_N, epochs=2, lr=0.05, seed=seed)
        ]
        for seed in (0, 0, 1)
    ]
    assert [len(run) for run in runs] == [2, 2, 2]
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][1], runs[2][1])
    assert not torch.equal(runs[0][0], runs[0][1])


def test_the_rate_of_further_training_falls_to_zero(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("hidden")
    network, audited = evidence.networks.audited, evidence.audited
    before, moved = network.weights["1.0.weight"].clone(), list[float]()
    labels_N = audited.of("train").labels_N
    for engine in network.trained_further(audited.retain_R, labels_N, epochs=6, lr=0.05, seed=0):
        after = engine.model.state_dict()["1.0.weight"].clone()
        moved.append(float((after - before).norm()))
        before = after
    assert moved[-1] < 0.2 * max(moved)


def test_a_network_without_layers_has_no_features(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("oracle")
    own = evidence.networks.audited

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, images_NCHW: Tensor) -> Tensor:
            return self.scale * images_NCHW.flatten(1)

    model = Scale()
    engine = Engine(model, own.images["train"], augmentation=own.engine.augmentation, precision="float32")
    bare = AuditNetwork(engine, own.images, own.recipe, model.state_dict)
    with pytest.raises(ValueError, match="wanted a network with a convolution or a linear layer"):
        bare.features(evidence.images("test"))


def test_evidence_without_networks_says_how_to_get_them(evidence_of: EvidenceOf) -> None:
    evidence = replace(evidence_of("oracle"), inside=None)
    with pytest.raises(ValueError, match="an audit that reads networks sets needs_network = True"):
        evidence.images("forget")
