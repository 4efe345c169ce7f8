"""Whether a network fits the images of a study, found out on two of them before anything is trained."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.errors import InputError
from unlearning.models._base import Network


def check_fit(network: Network, images_NCHW: Tensor, classes: int, *, several: bool = False) -> nn.Sequential:
    """Check that a network can be built, repeats by its seed, gives finite logits and can be trained and stored.

    Args:
        images_NCHW: some uint8 images of the data, on the CPU.
        several: whether an image may have several labels, of which each needs a logit of its own.

    Returns:
        The network, built from some seed.

    Raises:
        InputError: one of these fails; the message says which.
    """
    with torch.random.fork_rng(devices=[]):
        return _checked(network, images_NCHW, classes, several)


def _checked(network: Network, images_NCHW: Tensor, classes: int, several: bool) -> nn.Sequential:
    channels = images_NCHW.shape[1]
    pixels_NCHW = (images_NCHW.float() / 255).contiguous(memory_format=torch.channels_last)
    shape = " x ".join(map(str, images_NCHW.shape[1:]))
    with _named(f"{network.title} cannot be built for {channels} channels and {classes} classes"):
        model, again, other = (network.build(channels, classes, seed) for seed in (0, 0, 1))
    if unlike := _unlike(model.state_dict(), again.state_dict()):
        raise InputError(
            f"{network.title} does not repeat: two built from one seed differ in {unlike}; weights must be drawn from "
            "torch's global generator, which is seeded"
        )
    with _named(f"{network.title} cannot evaluate images of {shape}"), torch.no_grad():
        output = model.eval()[:-1](pixels_NCHW)
        logits_NK = model[-1](output)
    if several and output.shape != logits_NK.shape:
        raise InputError(
            f"{network.title}: wanted a logit for each of {classes} labels, which may come together, got one for both"
        )
    if logits_NK.shape != (len(images_NCHW), classes):
        wanted, got = (len(images_NCHW), classes), tuple(logits_NK.shape)
        raise InputError(f"{network.title}: wanted logits {wanted} for {wanted[0]} images, got {got}")
    if not logits_NK.isfinite().all():
        raise InputError(f"{network.title} gives logits that are not finite for images of {shape}, untrained")
    with _named(f"{network.title} cannot be stored and put back"), torch.no_grad():
        other.load_state_dict(model.state_dict())
        stored_NK = other.eval()(pixels_NCHW)
    if not torch.equal(stored_NK, logits_NK):
        raise InputError(
            f"{network.title} has a state that its state_dict lacks: the same one in a network of another seed gives "
            "other logits; what is drawn must be a parameter or a buffer"
        )
    with _named(f"{network.title} cannot be trained on images of {shape}"):
        _check_gradient(model.train(), pixels_NCHW)
    return model


def _check_gradient(model: nn.Module, pixels_NCHW: Tensor) -> None:
    labels_N = torch.zeros(len(pixels_NCHW), dtype=torch.int64)
    loss = cross_entropy(model(pixels_NCHW), labels_N)
    if not loss.requires_grad:
        raise InputError("no gradient reaches its weights")
    torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True)


def _unlike(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """Return the first name under which two state dicts differ; empty where they are the same."""
    names = [*one, *(name for name in other if name not in one)]
    return next(
        (name for name in names if name not in one or name not in other or not torch.equal(one[name], other[name])), ""
    )


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Turn whatever somebody else's code raises into an error that says what failed."""
    try:
        yield
    except Exception as error:
        said = " ".join(str(error).split())
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        raise InputError(f"{what}: {kind}{said}") from error
