"""A given model that was delivered for an earlier request must not be trained on that request's images again.

A certificate names its data by a hash, and holds its list sealed. So it is known whether data is still that of the
delivery and whether a list is the same one, but not whether another list, or other data, has the images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from safetensors.torch import save

from lethe.results.deliveries import KnownDelivery, is_of_list, known_deliveries, leading_to
from lethe.storage.root import StorageRoot
from lethe.storage.tensors import tensors_in
from lethe.study import MethodSearch, Scenario, Study, StudyError, read_given
from unlearning.checkpoints import BODY, Fitted


@dataclass(frozen=True)
class WithdrawnBefore:
    """What earlier deliveries of a study's given model mean for its data, a sentence each.

    Attributes:
        refused: whose images are still in the data, in no request that is known to hold them.
        unknown: whose data was another, so that nobody knows.
    """

    refused: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before the study runs."""
        return (*(f"a run is refused: {one}" for one in self.refused), *self.unknown)


def withdrawn_before(root: StorageRoot, study: Study, method_searches: Sequence[MethodSearch]) -> WithdrawnBefore:
    """Hold the given model against the certificates that results keep.

    Raises:
        CheckpointError, DataError: the given model cannot be read, or does not fit.
        MalformedError: a certificate, or what opens it, was changed.
        StorageError: one cannot be read.
    """
    if study.original is None or not (known := known_deliveries(root)):
        return WithdrawnBefore()
    refused, unknown = dict[str, None](), dict[str, None]()
    checkpoint = study.original.checkpoint

    @cache
    def given(channels: int, classes: int) -> frozenset[str]:
        return _hashes(read_given(study.network, channels, classes, checkpoint))

    for scenario in {one.scenarios[-1].fingerprint: one.scenarios[-1] for one in method_searches}.values():
        for delivery in leading_to(given(scenario.channels, scenario.classes), known):
            told = _told(checkpoint.name, delivery)
            if delivery.data.sha256 != scenario.data_hash:
                unknown[
                    f"{told}, on other data than {scenario.dataset} is now: whether {scenario.dataset} still has those "
                    "images is not known; leave them out, or methods train on them again"
                ] = None
            elif not is_of_list(root, delivery, _lists(scenario, study.production_seed)):
                refused[
                    f"{told}. {scenario.dataset} still has those images, and the request {scenario.request.label} is "
                    f"not known to hold them: methods would train on them again. {_way_out(study)}"
                ] = None
    return WithdrawnBefore(tuple(refused), tuple(unknown))


def refuse_withdrawn(study: Study, found: WithdrawnBefore) -> None:
    """Raise StudyError where methods would train a delivered model on images again that it was to forget."""
    if found.refused:
        raise StudyError("\n".join([f"{study.name}: original.checkpoint", *(f"  {one}" for one in found.refused)]))


def _told(checkpoint: str, delivery: KnownDelivery) -> str:
    request, setting = delivery.request, delivery.setting
    return (
        f"original: {checkpoint} is, or was made from, what the study {setting.study} delivered ({setting.row}, "
        f"certificate of {delivery.made_at:%Y-%m-%d %H:%M} UTC) for a request of kind {request.kind}, "
        f"{request.images:,} of {request.train_images:,} train images"
    )


def _way_out(study: Study) -> str:
    if not study.has_oracles:
        return "Leave them out of the data"
    return (
        "Leave them out of the data, or name the requests one after another: "
        "forget: [{kind: stream, requests: [{...the first...}, {...this one...}]}]"
    )


def _hashes(weights: Fitted) -> frozenset[str]:
    """Hash weights as certificates do: all of them, and those of the user's network without the normalisation."""
    whole = dict(weights.weights)
    body = {name.removeprefix(BODY): value for name, value in whole.items() if name.startswith(BODY)}
    return frozenset(tensors_in(save(tensors)).sha256 for tensors in (whole, body))


def _lists(scenario: Scenario, seed: int) -> Iterator[str]:
    """Yield the hashes of the lists that a request is of; of a stream, each request's alone and with those before."""
    step: Scenario | None = scenario
    while step is not None:
        yield step.partition(seed).forgotten.hash
        yield step.step(seed).forgotten.hash
        step = step.earlier
