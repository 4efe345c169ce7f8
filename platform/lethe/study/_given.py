"""The weights of a user's file, fitted to a network; what identifies them is their tensors alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lethe.storage.hashing import digest_of_tensor, fingerprint
from lethe.study._model import Study
from unlearning.checkpoints import CheckpointError, Fitted, fitted, read_checkpoint
from unlearning.data import ImageData
from unlearning.models import Network


@dataclass(frozen=True)
class Given:
    """A model that was trained elsewhere.

    Attributes:
        hash: of the tensors of its state dict, as they fit the study's network.
        checkpoint: where the file is, on the machine that plans the study.
    """

    hash: str
    checkpoint: Path


def read_given(network: Network, channels: int, classes: int, checkpoint: Path) -> Fitted:
    """Read a user's weights and fit them to a network.

    Raises:
        CheckpointError: the file cannot be read, or its weights do not fit the network.
        DataError: there is no such file.
    """
    return fitted(read_checkpoint(checkpoint), network.build(channels, classes, seed=0))


def hash_of(weights: Fitted) -> str:
    """Hash weights by their names, types, shapes and bytes."""
    return fingerprint({name: digest_of_tensor(value) for name, value in weights.weights.items()})


def only_models(study: Study, datasets: Iterable[ImageData]) -> Mapping[str, Given]:
    """Return the model that is given, by the hash of each data set, where no other is trained; else nothing.

    Raises:
        CheckpointError: it cannot be read, or does not fit the network for some data; all of them at once.
        DataError: there is no such file.
    """
    if study.has_oracles or study.original is None:
        return {}
    found, faults = dict[str, Given](), dict[str, None]()
    for data in datasets:
        channels, path = data.train.images_NCHW.shape[1], study.original.checkpoint
        try:
            weights = read_given(study.network, channels, data.classes, path)
        except CheckpointError as error:
            faults[f"  {study.network.title}, {channels} channels, {data.classes} classes: {error}"] = None
            continue
        found[data.content_hash] = Given(hash_of(weights), path)
    if faults:
        raise CheckpointError("\n".join([f"{study.name}: original.checkpoint", *faults]))
    return found
