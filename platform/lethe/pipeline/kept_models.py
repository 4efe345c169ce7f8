"""The unlearned models of confirmed rows that stay in the artifact store, within the study's budget of disk."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from lethe.artifacts import ArtifactKey, ArtifactStore, CorruptArtifactError, Needed, UnlearnedModel
from lethe.pipeline.artifact_rows import artifact_row
from lethe.pipeline.confirm import Confirmation, Confirmed
from lethe.results import Store
from lethe.results.limits import in_words
from lethe.storage.layout import Layout
from lethe.study import MethodSearch, Scenario, Study
from unlearning.data import ImageData

GIB = 1 << 30


@dataclass(frozen=True)
class _Kept:
    """A model that stays, at the moment.

    Attributes:
        gap: of its row and seed; the largest goes first.
    """

    gap: float
    size_bytes: int


class KeptModels:
    """Records which models of a study's confirmations were kept, and deletes those beyond its budget.

    What goes is the model of the largest gap, which may be the newest. Of the rows it takes none away: the model can be
    made again. Models that another study's rows name, that other artifacts were made from, or that were delivered, are
    neither counted nor deleted.
    """

    def __init__(self, study: Study, artifacts: ArtifactStore, store: Store) -> None:
        self._study = study
        self._artifacts = artifacts
        self._store = store
        self._held: dict[str, _Kept] = {}
        self._dropped = 0
        self._shared: frozenset[str] = frozenset()
        if study.keep_models == "confirmed":
            self._read()

    def record(self, confirmation: Confirmation, confirmed: Confirmed) -> None:
        """Write the row of the artifact that a confirmation's model was kept as, if it was, and keep to the budget."""
        manifest, recipe = confirmed.kept, confirmation.unlearned
        if manifest is None or recipe is None:
            return
        needed = Needed(recipe, recipe.kind, confirmation.scenario, confirmation.seed)
        self._store.append([artifact_row(self._study.name, needed, manifest, self._artifacts.uri(recipe.key))])
        if recipe.fingerprint not in self._shared:
            self._held[recipe.fingerprint] = _Kept(_or_worst(confirmed.row.gap), manifest.size_bytes)
            self._keep_to_budget()

    @property
    def told(self) -> str:
        """What is kept and what was dropped, a sentence; empty where the study keeps no models."""
        if self._study.keep_models == "none":
            return ""
        size = in_words(sum(one.size_bytes for one in self._held.values()))
        went = f"; {self._dropped} of the largest gaps went, since models_gib is {self._study.models_gib:g}"
        return f"Unlearned models kept: {len(self._held)}, {size}{went if self._dropped else ''}."

    def _read(self) -> None:
        """Find what earlier runs kept of the rows of this study's tables."""
        rows = self._store.read("confirmations").select(["study", "confirmation_id", "model", "gap"]).to_pylist()
        boards = self._store.read("boards", self._study.name).select(["confirmation_id", "role"]).to_pylist()
        reported = {board["confirmation_id"] for board in boards if board["role"] == "reporting"}
        started_from = self._store.read("artifacts")["requires"].to_pylist()
        self._shared = frozenset(
            [row["model"] for row in rows if row["study"] != self._study.name]
            + [one for required in started_from for one in required or ()]
            + [*Layout(self._artifacts.root).certified()]
        )
        for row in rows:
            if row["confirmation_id"] in reported and row["model"] not in {None, *self._shared}:
                size_bytes = self._size_of(row["model"])
                if size_bytes is not None:
                    self._held[row["model"]] = _Kept(_or_worst(row["gap"]), size_bytes)

    def _size_of(self, model: str) -> int | None:
        """Return the size of a kept model; None where it is not there, or broken."""
        try:
            manifest = self._artifacts.check(_key(model))
        except CorruptArtifactError:
            return None
        return manifest.size_bytes if manifest else None

    def _keep_to_budget(self) -> None:
        while sum(one.size_bytes for one in self._held.values()) > self._study.models_gib * GIB:
            worst = max(self._held, key=lambda model: (self._held[model].gap, model))
            self._artifacts.delete(_key(worst))
            del self._held[worst]
            self._dropped += 1


def kept_in_words(
    study: Study, method_searches: Sequence[MethodSearch], shared: Iterable[ImageData]
) -> tuple[str, ...]:
    """Return how much disk the models take that a study keeps, a sentence; nothing where it keeps none.

    Args:
        shared: the data sets, and those that differ by what a forget request plants.
    """
    if study.keep_models == "none":
        return ()
    datasets = {data.content_hash: data for data in shared}
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for one in method_searches:
        name = one.scenario.fingerprint
        counts[name] = counts.get(name, 0) + len(one.rows) * len(study.seeds.reporting)
        if name not in sizes:
            sizes[name] = _model_bytes(one.scenario, datasets)
    total = sum(counts[name] * size for name, size in sizes.items())
    return (
        f"Unlearned models are kept as they are confirmed: at most {sum(counts.values())}, {in_words(total)}, "
        f"each up to {in_words(max(sizes.values()))}; models_gib allows {study.models_gib:g} GiB, and "
        "beyond them those of the largest gaps go.",
    )


def _model_bytes(scenario: Scenario, datasets: Mapping[str, ImageData]) -> int:
    """Return the bytes of a model's artifact: its weights, and its logits on all splits."""
    network = scenario.network.build(scenario.channels, scenario.classes, seed=0)
    data = datasets[scenario.data_hash]
    images = len(data.train) + len(data.val) + len(data.test)
    weights: int = sum(value.nbytes for value in network.state_dict().values())
    return weights + 4 * scenario.classes * images


def _or_worst(gap: Any) -> float:
    return inf if gap is None else float(gap)


def _key(model: str) -> ArtifactKey:
    return ArtifactKey(UnlearnedModel.kind, model)
