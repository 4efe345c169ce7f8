"""Methods on networks with attention, dropout, shared and frozen weights, one logit: they work or say no."""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, get_args

import pytest
import torch
from own_networks import Odd, ViT
from torch import Tensor, nn

from unlearning.adversarial import STANDARD, adversarial_images
from unlearning.data import ImageData, SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import RandomShare, select
from unlearning.earlier_weights import UNDONE
from unlearning.engine import Engine, in_order, layers
from unlearning.fisher import squared_gradients
from unlearning.methods import METHODS, CFk, ForgetTask, HeadDistillation, HeldOut, Method, UnlearningContext
from unlearning.methods._weights import fresh_weights
from unlearning.models import CNN, Network
from unlearning.requirements import REQUIREMENTS
from unlearning.saliency import saliency_scores
from unlearning.training import Recipe, Training
from unlearning.trial import EpochResult, unlearn

SETTINGS: dict[str, dict[str, Any]] = {"ssd": {"alpha": 2.0}, "influence": {"samples": 20}}


class Transformer(Network):
    name: Literal["transformer"] = "transformer"
    version: ClassVar[int] = 1

    def body(self, channels: int, classes: int) -> nn.Module:
        return ViT(channels, classes)


class OddOne(Network):
    name: Literal["odd"] = "odd"
    version: ClassVar[int] = 1

    def body(self, channels: int, classes: int) -> nn.Module:
        return Odd(channels, classes)


class OneLogit(Network):
    name: Literal["one_logit"] = "one_logit"
    version: ClassVar[int] = 1

    def body(self, channels: int, classes: int) -> nn.Module:
        convolution = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
        return nn.Sequential(convolution, nn.Flatten(), nn.Linear(16, 1))


class Perceptron(Network):
    name: Literal["perceptron"] = "perceptron"
    version: ClassVar[int] = 1

    def body(self, channels: int, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(144 * channels, classes))


OTHERS = {"transformer": Transformer(), "odd": OddOne(), "one_logit": OneLogit()}


@dataclass(frozen=True)
class Case:
    """Images of as many classes as a network can tell apart, and some of them to be forgotten."""

    data: ImageData
    task: ForgetTask

    @property
    def images(self) -> dict[SplitName, Tensor]:
        return {name: getattr(self.data, name).images_NCHW for name in get_args(SplitName)}


@cache
def case(network: str) -> Case:
    data = load(Synthetic(train=60, val=20, test=20, size=12, classes=2 if network == "one_logit" else 3))
    forget = select(RandomShare(fraction=0.2), data, seed=0)
    forget_N = torch.zeros(len(data.train), dtype=torch.bool).index_fill_(0, forget.indices_F, True)
    return Case(data, ForgetTask(data.train.labels_N, forget_N, data.classes))


@cache
def weights(name: str, seed: int = 0) -> dict[str, Tensor]:
    data = case(name).data
    training = Training(
        OTHERS[name].build(1, data.classes, seed),
        data.train.images_NCHW,
        data.train.labels_N,
        torch.arange(len(data.train)),
        recipe=Recipe(epochs=1, batch_size=20, lr=0.02),
        augmentation=AUGMENTATIONS["none"],
        seed=seed,
    )
    training.advance()
    return {part: value.clone() for part, value in training.model.state_dict().items()}


@cache
def required(network: str, name: str) -> Any:
    data, forget_N = case(network).data, case(network).task.forget_N
    model = OTHERS[network].build(1, data.classes, seed=5)
    model.load_state_dict(weights(network))
    images_NCHW, labels_N = data.train.images_NCHW, data.train.labels_N
    tensors: dict[str, Tensor]
    if name == "adversarial":
        tensors = adversarial_images(model, images_NCHW[forget_N], labels_N[forget_N], STANDARD).tensors
    elif name == "earlier_weights":
        earlier = OTHERS[network].build(1, data.classes, seed=0).state_dict()
        tensors = {f"{percent}/{part}": one for percent in UNDONE for part, one in earlier.items()}
    elif name == "saliency":
        tensors = saliency_scores(model, images_NCHW[forget_N], labels_N[forget_N])
    else:
        chosen_N = forget_N if name == "fisher_forget" else torch.ones_like(forget_N)
        tensors = squared_gradients(model, images_NCHW[chosen_N], labels_N[chosen_N])
    return REQUIREMENTS[name].read(tensors)


def context_of(network: str, method: Method) -> UnlearningContext:
    data = case(network).data
    model = OTHERS[network].build(1, data.classes, seed=5)
    engine = Engine(model, data.train.images_NCHW, augmentation=AUGMENTATIONS["none"], precision="float32")
    held_out = HeldOut(data.val.images_NCHW, data.val.labels_N)
    return UnlearningContext(
        engine, case(network).task, {name: required(network, name) for name in method.needs}, held_out
    )


def run(context: UnlearningContext, network: str, method: Method) -> list[EpochResult]:
    return list(unlearn(context, weights(network), method, 3, case(network).images, every_epoch=False))


def method_of(name: str, **options: Any) -> Method:
    fields = METHODS[name].model_fields
    small = {"batch_size": 20} if "batch_size" in fields else {}
    if get_args(fields["epochs"].annotation) != (0,):
        small["epochs"] = 1
    return METHODS[name].model_validate({"name": name, **small, **SETTINGS.get(name, {}), **options})


@pytest.mark.parametrize("network", OTHERS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_works_and_repeats_or_says_what_it_lacks(name: str, network: str) -> None:
    method = method_of(name)
    context = context_of(network, method)
    if method.misfit(context.model):
        assert (name, network) in {("ct", "odd"), ("msg", "odd")}
        return
    first, again = (run(context, network, method)[-1] for _ in range(2))
    assert not first.diverged
    assert first.logits["test"].isfinite().all()
    assert all(torch.equal(first.logits[split], again.logits[split]) for split in get_args(SplitName))
    frozen = [part for part in weights(network) if "frozen" in part]
    assert len(frozen) == (2 if network == "odd" else 0)
    assert all(torch.equal(context.model.state_dict()[part], weights(network)[part]) for part in frozen)


def test_what_a_method_lacks_is_named_before_anything_is_trained() -> None:
    model = Perceptron().build(1, 3, seed=0)
    for name in ("ct", "msg"):
        assert METHODS[name].misfit(model) == "wanted a network with a Conv2d to train, got one without"
    assert [name for name in METHODS if METHODS[name].misfit(model)] == ["msg", "ct"]
    assert not [name for name in METHODS if METHODS[name].misfit(CNN(width=2).build(1, 2, seed=0))]


def test_the_last_layer_is_the_last_that_computes_wherever_it_was_made() -> None:
    """The transformer's head is its first module; its attention reads the weights of a layer itself."""
    context = context_of("transformer", HeadDistillation())
    body = context.model.get_submodule("1")
    names = {id(module): name for name, module in body.named_modules()}
    order = [names[id(one)] for one in layers(context.engine)]
    assert order == ["patches", "block.attention.out_proj", "block.mlp.0", "block.mlp.3", "head"]
    assert [names[id(one)] for one in in_order(context.engine, (nn.LayerNorm,))] == ["block.norm1", "block.norm2"]


def test_looking_for_layers_leaves_no_trace() -> None:
    context = context_of("odd", HeadDistillation())
    context.model.train()
    context.model.get_submodule("1.norm").eval()
    modes = [module.training for module in context.model.modules()]
    state = {name: value.clone() for name, value in context.model.state_dict().items()}
    layers(context.engine)
    assert [module.training for module in context.model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in context.model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in context.model.modules())


@pytest.mark.parametrize(
    ("method", "moved"),
    [
        (HeadDistillation(epochs=1, batch_size=20, lr=0.1), {"1.head.weight", "1.head.bias"}),
        (CFk(epochs=1, batch_size=20, lr=0.1, layers=1), {"1.head.weight", "1.head.bias"}),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_method_of_the_last_layers_moves_these_alone(method: Method, moved: set[str]) -> None:
    context = context_of("transformer", method)
    run(context, "transformer", method)
    state, before = context.model.state_dict(), weights("transformer")
    assert {name for name, value in state.items() if not torch.equal(value, before[name])} == moved


def test_fresh_weights_hold_nothing_of_what_was_trained() -> None:
    model = OTHERS["transformer"].build(1, 3, seed=0)
    model.load_state_dict(weights("transformer"))
    with torch.no_grad():
        model.get_submodule("1").get_parameter("token").copy_(torch.arange(4).view(1, 1, 4))
    fresh = fresh_weights(model, seed=1)
    kept = [name for name, value in model.named_parameters() if torch.equal(fresh[name], value)]
    assert not [name for name in kept if "norm" not in name and not name.endswith("bias")]
    assert sorted(fresh["1.token"].flatten().tolist()) == [0.0, 1.0, 2.0, 3.0]


def test_dropout_repeats_by_the_seed_and_leaves_torchs_generator_alone() -> None:
    weights.cache_clear()
    before = torch.random.get_rng_state()
    first = weights("transformer")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(17)
    weights.cache_clear()
    again, other = weights("transformer"), weights("transformer", 1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["1.head.weight"], other["1.head.weight"])
