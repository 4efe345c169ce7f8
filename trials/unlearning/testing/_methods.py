"""What every unlearning method must do, on an original that takes a second to train."""

import json
import math
import pickle
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from unlearning.adversarial import STANDARD, adversarial_images
from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.earlier_weights import UNDONE
from unlearning.engine import Engine, Streamed
from unlearning.fisher import squared_gradients
from unlearning.images import Images
from unlearning.in_step import RunsInStep, misfit
from unlearning.methods import GradientAscent, HeldOut, Method, UnlearningContext
from unlearning.models import CNN
from unlearning.ranges import Choices
from unlearning.requirements import REQUIREMENTS
from unlearning.saliency import saliency_scores
from unlearning.testing import _trained
from unlearning.trial import EpochResult, unlearn

MethodCheck = Callable[[Method], None]

_SEED: Final = 3

_ROUNDING: Final = 1e-4
"""Largest difference of a run in step to the same run by itself, as a share of the logits' norm: the kernels add in
another order, which is 1e-7 in float32, and steps may amplify it."""


def has_a_title_a_name_and_a_version(method: Method) -> None:
    """Check what reports, studies and fingerprints call it by."""
    kind = type(method)
    assert kind.title, "a method has a title, which tables show"
    assert method.name == kind.model_fields["name"].default, "a method's name is the default of its option `name`"
    version: object = kind.version
    assert isinstance(version, int) and version >= 1, f"a version is a whole number from 1, got {version!r}"


def survives_being_written_down_and_sent(method: Method) -> None:
    """Check that rows and other processes get the same method."""
    assert type(method).model_validate(json.loads(method.model_dump_json())) == method, "its JSON reads as another one"
    assert pickle.loads(pickle.dumps(method)) == method, "its pickle reads as another one"


def gives_its_epochs_in_order_with_finite_losses_and_logits(method: Method) -> None:
    """Check the number of epochs, the losses, and the logits of every split after each epoch."""
    results = _run(_context(method), method)
    epochs = [result.epoch for result in results]
    wanted = list(range(1, method.epochs + 1)) or [0]
    assert epochs == wanted, f"wanted one loss for each of the epochs {wanted}, got {epochs}"
    for result in results:
        assert not result.diverged, f"it diverged in epoch {result.epoch}; check a milder setting"
        if method.epochs > 0:
            assert result.loss is not None, f"it ended before epoch {result.epoch} of {method.epochs}"
            assert math.isfinite(result.loss), f"the loss of epoch {result.epoch} is {result.loss}"
        for split, logits_NK in result.logits.items():
            shape = (len(_trained.images()[split]), _trained.data().classes)
            assert logits_NK.shape == shape, f"{split}: wanted logits {shape}, got {tuple(logits_NK.shape)}"


def repeats_bit_for_bit_in_a_model_that_was_used_before(method: Method) -> None:
    """Check that a run depends on the original's weights and the seed alone, and leaves those weights as they were."""
    context, before = _context(method), {name: value.clone() for name, value in _trained.weights().items()}
    first = _run(context, method)
    _run(context, GradientAscent(epochs=1, lr=0.1), seed=8)
    assert _same(_run(context, method), first), "a second run from the same seed differs"
    assert all(torch.equal(_trained.weights()[name], before[name]) for name in before), (
        "it changed the original's weights"
    )


def repeats_bit_for_bit_with_augmented_views(method: Method) -> None:
    """Check that augmentation is drawn from the seed as well."""
    context = _context(method, "standard")
    first = _run(context, method)
    assert _same(_run(context, method), first), "a second run from the same seed differs under augmentation"


def ends_the_same_when_it_is_evaluated_at_its_end_alone(method: Method) -> None:
    """Check that evaluating between epochs changes nothing."""
    context = _context(method)
    each = _run(context, method)
    last = _run(context, method, every_epoch=False)[-1:]
    assert _same(last, each[-1:]), "the end of a run depends on whether it was evaluated on the way"


def _count(images_NCHW: Tensor) -> int:
    """Count the images of a forward pass, those over which `torch.func.vmap` maps it too."""
    one = images_NCHW.shape[1:].numel()
    while torch._C._functorch.is_functorch_wrapped_tensor(images_NCHW):
        images_NCHW = torch._C._functorch.get_unwrapped(images_NCHW)
    return images_NCHW.numel() // one


def counts_the_images_that_it_trains_on(method: Method) -> None:
    """Check that every image with a gradient passes through the engine, which counts them as the method's cost."""
    context = _context(method)
    passed: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            passed.append(_count(inputs[0]))

    context.model.register_forward_pre_hook(note)
    counted = sum(result.images_unlearn for result in _run(context, method, every_epoch=False))
    assert counted == sum(passed), f"counted {counted} images, and {sum(passed)} passed through the network"


def needs_only_what_it_requires(method: Method) -> None:
    """Check that what a setting needs is declared, by known names."""
    unknown = set(type(method).requires) - REQUIREMENTS.keys()
    assert not unknown, f"`requires` has {sorted(unknown)}; there are {', '.join(REQUIREMENTS)}"
    assert set(method.needs) <= set(type(method).requires), f"`needs` has {method.needs}, `requires` {method.requires}"


def has_controls_that_are_methods_and_a_threshold_that_is_a_number(method: Method) -> None:
    """Check its controls and its threshold."""
    for name, control in method.controls().items():
        assert isinstance(control, Method), f"control {name}: wanted a method, got {control!r}"
    threshold = method.threshold(_required(method))
    assert threshold is None or math.isfinite(threshold), f"wanted a finite threshold or None, got {threshold}"


def declares_ranges_of_its_own_options_whose_ends_it_takes(method: Method) -> None:
    """Check what `search: default` stands for."""
    kind = type(method)
    for option, values in kind.ranges.items():
        assert option in kind.model_fields, f"`ranges` has {option}, which is no option"
        whole = kind.model_fields[option].annotation is int
        ends = values.choices if isinstance(values, Choices) else (values.low, values.high)
        for end in ends:
            kind.model_validate({option: int(end) if whole else end})


def leaves_a_control_half_alone(method: Method) -> None:
    """Check that images which belong to neither D_f nor D_r, and no model was trained on, change nothing."""

    def run_with(pixel: int) -> list[EpochResult]:
        context, images_NCHW = _context(method), _trained.data().train.images_NCHW.clone()
        images_NCHW[_trained.forget().control_C] = pixel
        context.engine.images_NCHW = images_NCHW
        return _run(context, method)

    assert _same(run_with(0), run_with(255)), "it looks at images of the control half"


def does_not_depend_on_where_the_images_lie(method: Method) -> None:
    """Check that images which are streamed to the device, batch by batch, give what resident ones do."""
    resident, streamed = _context(method, "standard"), _context(method, "standard", streamed=True)
    assert _same(_run(streamed, method), _run(resident, method)), "streamed images give other weights"


def unlearns_several_labels_where_it_says_so(method: Method) -> None:
    """Check a method that sets `multi_label`: finite losses and logits, and the same ones twice."""
    if not type(method).multi_label or method.rewinds:
        return
    context = _context(method, several=True)
    first = _run(context, method)
    assert len(first) == max(1, method.epochs), f"wanted {method.epochs} epochs, got {len(first)}"
    assert not any(result.diverged for result in first), "it diverged"
    assert all(result.loss is None or math.isfinite(result.loss) for result in first), "its loss is not finite"
    assert _same(_run(context, method), first), "a second run from the same seed differs"


def is_the_same_in_step_with_another_run(method: Method) -> None:
    """Check that two runs whose steps are taken together are those by themselves, but for rounding."""
    if misfit(method) is not None:
        return
    seeds = (_SEED, _SEED + 1)
    alone = [_run(_context(method, "standard"), method, seed) for seed in seeds]
    contexts = [_context(method, "standard") for _ in seeds]
    together = RunsInStep(contexts)
    runs = [
        unlearn(context, _trained.weights(), method, seed, _trained.images(), losses=partial(together.losses, slot))
        for slot, (context, seed) in enumerate(zip(contexts, seeds, strict=True))
    ]
    for expected, found in zip(zip(*alone, strict=True), zip(*runs, strict=True), strict=True):
        for mine, yours in zip(found, expected, strict=True):
            assert (mine.kept, mine.images_unlearn) == (yours.kept, yours.images_unlearn), "it costs or keeps another"
            for split, logits_NK in yours.logits.items():
                apart = float((mine.logits[split] - logits_NK).norm() / logits_NK.norm())
                assert apart <= _ROUNDING, f"epoch {yours.epoch}, {split}: logits in step are {apart:.2g} from its own"
    assert not together.fused.taken_alone, f"{together.fused.taken_alone} steps were not taken together"


METHOD_CHECKS: Final[Sequence[MethodCheck]] = (
    has_a_title_a_name_and_a_version,
    survives_being_written_down_and_sent,
    gives_its_epochs_in_order_with_finite_losses_and_logits,
    repeats_bit_for_bit_in_a_model_that_was_used_before,
    repeats_bit_for_bit_with_augmented_views,
    ends_the_same_when_it_is_evaluated_at_its_end_alone,
    counts_the_images_that_it_trains_on,
    needs_only_what_it_requires,
    has_controls_that_are_methods_and_a_threshold_that_is_a_number,
    declares_ranges_of_its_own_options_whose_ends_it_takes,
    leaves_a_control_half_alone,
    does_not_depend_on_where_the_images_lie,
    unlearns_several_labels_where_it_says_so,
    is_the_same_in_step_with_another_run,
)
"""What every method must do, each asked of one setting; two epochs are enough."""


@cache
def _tensors(name: str, several: bool) -> dict[str, Tensor]:
    """Compute what a method may require of the original."""
    model = CNN(width=4).build(1, _trained.CLASSES, seed=0)
    weights = _trained.weights(several=several)
    model.load_state_dict(weights)
    train, forget_F = _trained.data(several=several).train, _trained.forget(several=several).indices_F
    if name == "adversarial":
        return adversarial_images(model, train.images_NCHW[forget_F], train.labels_N[forget_F], STANDARD).tensors
    if name == "earlier_weights":
        earlier = {**weights, **CNN(width=4).build(1, _trained.CLASSES, seed=1).state_dict()}
        return {f"{percent}/{part}": value for percent in UNDONE for part, value in earlier.items()}
    if name == "saliency":
        return saliency_scores(model, train.images_NCHW[forget_F], train.labels_N[forget_F])
    task = _trained.task(several=several)
    chosen_N = task.in_train if name == "fisher_train" else task.forget_N
    images_MCHW, labels_M = train.images_NCHW[chosen_N], train.labels_N[chosen_N]
    sums = squared_gradients(model, images_MCHW, labels_M)
    return {parameter: value / len(labels_M) for parameter, value in sums.items()}


def _required(method: Method, several: bool = False) -> dict[str, Any]:
    return {name: REQUIREMENTS[name].read(_tensors(name, several)) for name in method.needs}


def _context(
    method: Method, augmentation: AugmentationName = "none", *, streamed: bool = False, several: bool = False
) -> UnlearningContext:
    """Make a context with what a method needs, whose model has weights of its own until a run loads the original's."""
    data = _trained.data(several=several)
    model = CNN(width=4).build(1, data.classes, seed=5)
    images_NCHW = data.train.images_NCHW
    images: Images = Streamed(images_NCHW, images_NCHW.device) if streamed else images_NCHW
    engine = Engine(model, images, augmentation=AUGMENTATIONS[augmentation], precision="float32")
    held_out = HeldOut(data.val.images_NCHW, data.val.labels_N)
    return UnlearningContext(engine, _trained.task(several=several), _required(method, several), held_out)


def _run(
    context: UnlearningContext, method: Method, seed: int = _SEED, *, every_epoch: bool = True
) -> list[EpochResult]:
    several = context.task.labelling.several
    weights, images = _trained.weights(several=several), _trained.images(several=several)
    return list(unlearn(context, weights, method, seed, images, every_epoch=every_epoch))


def _same(ours: list[EpochResult], theirs: list[EpochResult]) -> bool:
    return len(ours) == len(theirs) and all(
        mine.loss == yours.loss
        and mine.logits.keys() == yours.logits.keys()
        and all(torch.equal(mine.logits[split], yours.logits[split]) for split in mine.logits)
        for mine, yours in zip(ours, theirs, strict=True)
    )
