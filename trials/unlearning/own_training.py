"""One training by a function of the user's: what it gets, and a run of it that can be stopped and continued."""

import math
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unlearning import nested
from unlearning.data import ImageData
from unlearning.data.augment import AugmentationName
from unlearning.errors import LetheError
from unlearning.models import Normalise
from unlearning.own_recipe import OwnRecipe, TrainingFunctionError, checked, raised
from unlearning.seeds import seeded
from unlearning.stepping import Stepped
from unlearning.training import epoch_order

State = dict[str, Tensor]


@dataclass
class Costs:
    """What a training took so far.

    Attributes:
        seconds: of the function alone.
        images: passes of an image through the network, as far as it counts them itself; None: it does not.
        epochs: the number of the last epoch that it ended; None: it ended none.
        loss: of that epoch, where it says so.
        first: a digest of what its first epoch came to; None: it did not end or show one.
    """

    seconds: float = 0.0
    images: int | None = None
    epochs: int | None = None
    loss: float | None = None
    first: str | None = None


@dataclass(eq=False)
class TrainingData:
    """What a training function gets: the images to train on, a fresh network, and how it reports its epochs.

    Attributes:
        images: uint8, (M, C, H, W), on the device: those to train on, and no others. An oracle's lack the forget set.
        labels: int64, (M,), on the device; (M, K), of 0 and 1, where an image has any number of labels.
        indices: int64, (M,), on the CPU: their positions in the train split.
        val_images, val_labels: the same of the validation split.
        class_names: one a class, or a label where an image may have several, K of them.
        augmentation: what the study says, `none` or `standard`; the function augments by itself.
        device: where to compute.
        network: on the device, in train mode, with weights drawn from the seed and its normalisation fitted to the
            images. It takes float images in [0, 1] and returns logits (N, K).
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    val_images: Tensor
    val_labels: Tensor
    class_names: tuple[str, ...]
    augmentation: AugmentationName
    device: torch.device
    network: nn.Module
    _seed: int = field(repr=False)
    _train_count: int = field(repr=False)
    _run: "_Run" = field(repr=False)

    @property
    def restored(self) -> Any:
        """What was last passed to `checkpoint` by a training of the same model that was stopped; None: begin anew."""
        return self._run.restored()

    def order(self, epoch: int) -> Tensor:
        """Return the order of the images in an epoch: int64, (M,), on the device.

        An oracle visits its images in the order in which its original does, which pairs the two.
        """
        order_N = epoch_order(self._seed, epoch, self._train_count)
        position_N = torch.full((self._train_count,), -1).index_copy_(0, self.indices, torch.arange(len(self.indices)))
        order_M = position_N[order_N]
        return order_M[order_M >= 0].to(self.device)

    def checkpoint(self, state: object) -> None:
        """Keep a state from which the function can continue, in `restored`, if it is stopped or its worker dies.

        It is written at once, instead of the one before.

        Args:
            state: nested dictionaries and lists of tensors, numbers and texts, such as state dicts.

        Raises:
            InputError: something else is in it.
        """
        self._run.keep(state)

    def count(self, images: int) -> None:
        """Add passes of an image through the network, forward and backward.

        Without it each epoch counts for all images once.
        """
        self._run.costs.images = (self._run.costs.images or 0) + images

    def epoch(self, number: int, loss: float | None = None) -> None:
        """End an epoch: here the training can be stopped, and a worker that hangs is noticed by its absence.

        Args:
            number: from 1.
            loss: mean training loss of the epoch.

        Raises:
            TrainingFunctionError: the loss is not finite, or the number is none.
        """
        self._run.end_epoch(number, loss)


class _Run:
    """One call of the function, as its `TrainingData` and its caller see it.

    Args:
        name: of the function.
        save: keeps the tensors of a checkpoint.
        kept: what an earlier call of the same training kept.
    """

    def __init__(self, name: str, save: Callable[[State], None], kept: dict[str, Any] | None) -> None:
        self._name, self._save, self._kept = name, save, kept
        self._state: object = None
        self._network: nn.Module | None = None
        self._fresh = ""
        self._stepped: Stepped[object] | None = None
        self._resumed_at = 0.0
        self.costs = Costs()

    def steps(self, call: Callable[[], object]) -> Generator[None, None, object]:
        """Run the function; yield after each epoch, and return what it returns."""
        self._stepped = Stepped(call)
        return (yield from self._stepped.steps())

    @property
    def stopped(self) -> bool:
        """Whether the caller wants no more."""
        return self._stepped is not None and self._stepped.stopped

    def begin(self, network: nn.Module) -> None:
        """Start the clock; the network is the fresh one."""
        self._network, self._fresh = network, _digest(network)
        self._resumed_at = time.perf_counter()

    def end(self) -> None:
        """Stop the clock."""
        self.costs.seconds += time.perf_counter() - self._resumed_at

    def restored(self) -> Any:
        """Continue what was kept, with its costs."""
        if self._kept is not None:
            before, self._kept = self._kept, None
            self._state, self.costs = before["state"], replace(before["costs"])
        return self._state

    def keep(self, state: object) -> None:
        """Keep a state, with the costs so far."""
        self._state = state
        self.end()
        self._save(nested.flatten({"state": state, "costs": asdict(self.costs)}))
        self._resumed_at = time.perf_counter()

    def end_epoch(self, number: int, loss: float | None) -> None:
        """Note an epoch, and wait for the caller."""
        assert self._stepped is not None and self._network is not None
        if not isinstance(number, int) or number < 1:
            raise TrainingFunctionError(f"{self._name}: data.epoch: wanted a whole number from 1, got {number!r}")
        if loss is not None and not math.isfinite(loss):
            raise TrainingFunctionError(f"{self._name}: the loss of epoch {number} is {loss}; is its rate too large?")
        self.costs.epochs, self.costs.loss = number, None if loss is None else float(loss)
        if number == 1:
            weights = _digest(self._network)
            shown = weights != self._fresh or loss is not None
            self.costs.first = f"{weights} {loss}" if shown else None
        self.end()
        self._stepped.pause()
        self._resumed_at = time.perf_counter()


class OwnTraining:
    """Trains a model by a function of the user's.

    Args:
        build: builds the network on the device, with the weights of the seed.
        indices_M: which train images to train on.
        save: keeps the tensors of a checkpoint.

    Attributes:
        costs: of the training; those of the check whether it repeats are left out.
        images: passes of an image through the network; None where the function ended no epoch and counted none.
        repeats: whether its first epoch, run again, came to the same weights and loss; None: it showed none.
    """

    def __init__(
        self,
        recipe: OwnRecipe,
        data: ImageData,
        indices_M: Tensor,
        *,
        build: Callable[[], nn.Sequential],
        augmentation: AugmentationName,
        device: torch.device,
        seed: int,
        save: Callable[[State], None],
    ) -> None:
        self._recipe, self._data, self._indices_M = recipe, data, indices_M
        self._build, self._augmentation, self._device, self._seed = build, augmentation, device, seed
        self._save = save
        self.costs = Costs()
        self.repeats: bool | None = None

    @property
    def images(self) -> int | None:
        """What the function counted, else epochs times images."""
        if self.costs.images is None and self.costs.epochs is not None:
            return self.costs.epochs * len(self._indices_M)
        return self.costs.images

    def run(self, kept: Mapping[str, Tensor] | None) -> Generator[None, None, nn.Module]:
        """Train; yield after each epoch. Return the network with its trained weights.

        Args:
            kept: a checkpoint of the same training; one of anything else is not used.

        Raises:
            TrainingFunctionError: the function raised, or returned no weights of the network.
        """
        run = _Run(self._recipe.import_, self._save, None if kept is None else _read(kept))
        result = yield from run.steps(lambda: self._call(run))
        self.costs = run.costs
        network = self._build()
        network.load_state_dict(checked(result, network, self._recipe.import_))
        if run.costs.first is not None:
            self.repeats = self._first_epoch() == run.costs.first
        return network

    def _first_epoch(self) -> str | None:
        """Run the function up to the end of its first epoch; return the digest of that."""
        run = _Run(self._recipe.import_, lambda state: None, None)
        steps = run.steps(lambda: self._call(run))
        next(steps, None)
        steps.close()
        return run.costs.first

    def _call(self, run: _Run) -> object:
        """Call the function; it runs in a thread, in which torch's device is the first one unless it is set."""
        if self._device.index is not None:
            torch.cuda.set_device(self._device)
        data = self._training_data(run)
        run.begin(data.network)
        try:
            with _seeded(self._seed, self._device), _settings_kept():
                return self._recipe.train(data, self._seed)
        except LetheError:
            raise
        except (Exception, SystemExit) as error:
            if run.stopped:
                raise
            raise raised(error, self._recipe.function, self._recipe.import_) from error
        finally:
            run.end()

    def _training_data(self, run: _Run) -> TrainingData:
        network, device, indices_M = self._build().train(), self._device, self._indices_M
        train, val = self._data.train, self._data.val
        images_MCHW = train.images_NCHW[indices_M].to(device)
        if isinstance(network[0], Normalise):
            network[0].fit(images_MCHW)
        return TrainingData(
            images=images_MCHW,
            labels=train.labels_N[indices_M].to(device),
            indices=indices_M.clone(),
            val_images=val.images_NCHW.to(device, copy=True),  # other trainings read these too
            val_labels=val.labels_N.to(device, copy=True),
            class_names=self._data.class_names,
            augmentation=self._augmentation,
            device=device,
            network=network,
            _seed=self._seed,
            _train_count=len(train),
            _run=run,
        )


def _read(kept: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Read a checkpoint; None where it is none of such a training."""
    try:
        found = nested.unflatten(kept)
        return {"state": found["state"], "costs": Costs(**found["costs"])}
    except (KeyError, TypeError, ValueError):
        return None


def _digest(network: nn.Module) -> str:
    digest = sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python, and leave them as they were."""
    states = random.getstate(), np.random.get_state()
    with seeded(seed, device):
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Leave the settings of torch that hold for the whole process as they were: a worker goes on to other work."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    convolutions, matmul = (cudnn.deterministic, cudnn.benchmark), torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        cudnn.deterministic, cudnn.benchmark = convolutions
        torch.set_float32_matmul_precision(matmul)
