"""Where the trainable weights of a chosen setting sit: their share in each layer, by the stored saliency scores.

It needs no images: which scores belong to a trial follows from its originals, and from the hash of the left-out images
in the manifests of its oracles.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from torch import nn

from lethe.artifacts import (
    ArtifactKey,
    ArtifactStore,
    CorruptArtifactError,
    SaliencyScores,
    TrainedModel,
    fingerprint_of,
)
from lethe.errors import SchemaError
from lethe.report.page._gather import Searched, Tried
from lethe.results.json_column import json_column
from lethe.storage.root import StorageError, StorageRoot
from lethe.study import Study
from unlearning.saliency import Saliency

KEPT: Final = 256
"""Masks that are cached for a page that is rendered again and again."""


@dataclass(frozen=True)
class Layers:
    """The trainable weights of each layer, and all of its weights, added over the tuning seeds.

    Attributes:
        reason: why there are none, for people to read; empty where there are.
    """

    shares: dict[str, tuple[int, int]]
    seeds: tuple[int, ...]
    density: float
    reason: str = ""


def layers_of(search: Searched, study: Study | None, root: StorageRoot) -> Layers | None:
    """Count the trainable weights of each layer under the chosen setting; None where no saliency score decides."""
    chosen = search.chosen
    if chosen is None or chosen.density is None or not _by_saliency(chosen):
        return None
    if study is None:
        return Layers({}, (), chosen.density, "the study's specification, which names the network, cannot be read")
    trainable: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    try:
        model = study.network.model_copy(update={"normalise": "none"}).build(channels=1, classes=2, seed=0)
        names = tuple(name for name, _ in model.named_parameters())
        for original, oracle in zip(chosen.originals, chosen.oracles, strict=True):
            for name, moved, total in _masked(root, original, oracle, chosen.density, names):
                trainable[_layer(model, name)] += moved
                weights[_layer(model, name)] += total
    except FileNotFoundError:
        return Layers({}, (), chosen.density, f"the scores are no longer in the artifact store of {root}")
    except KeyError:
        return Layers({}, (), chosen.density, "the scores are of another network than the specification names")
    except (CorruptArtifactError, StorageError, SchemaError, ValueError) as error:
        return Layers({}, (), chosen.density, str(error))
    return Layers(
        {layer: (trainable[layer], total) for layer, total in weights.items()},
        tuple(chosen.training_seeds),
        chosen.density,
    )


def _by_saliency(trial: Tried) -> bool:
    setting = json_column("setting", trial.setting)
    return setting.get("mask") == "saliency" and trial.density is not None and trial.density < 1


@lru_cache(maxsize=KEPT)
def _masked(
    root: StorageRoot, original: str, oracle: str, density: float, names: tuple[str, ...]
) -> list[tuple[str, int, int]]:
    """Return each parameter's name, its trainable weights and all of its weights; cached by fingerprint."""
    artifacts = ArtifactStore(root)
    manifest = artifacts.manifest(ArtifactKey(TrainedModel.kind, oracle))
    if manifest is None:
        raise FileNotFoundError(f"{root}: no oracle {oracle}")
    inputs = {"subset": manifest.inputs["left_out"]}
    scored = fingerprint_of(SaliencyScores.kind, SaliencyScores.version, inputs, {"model": original})
    key = ArtifactKey(SaliencyScores.kind, scored)
    artifact = artifacts.load(key)
    if artifact is None:
        raise FileNotFoundError(artifacts.uri(key))
    scores = artifact.files["scores"]
    masks = Saliency({name: scores[name] for name in names}).masks(density)
    return [(name, int(mask.sum()), mask.numel()) for name, mask in zip(names, masks, strict=True)]


def _layer(model: nn.Module, parameter: str) -> str:
    """Call a layer by its place in the network's body and its kind."""
    path = parameter.rpartition(".")[0]
    return f"{path.removeprefix('1.')} {type(model.get_submodule(path)).__name__}"
