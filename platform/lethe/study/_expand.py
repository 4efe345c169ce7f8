"""From a study and its data to scenarios and method searches; what does not fit is refused, all of it at once."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

import torch

from lethe.study._given import only_models
from lethe.study._model import Study
from lethe.study._partition import Partition
from lethe.study._scenarios import MethodSearch, Scenario
from lethe.study._several_labels import refuse_what_needs_one_class
from lethe.study._taken import take_settings
from unlearning.data import AnySource, DataError, ImageData, Planting, column_hashes
from unlearning.data.forget import AnyForgetRequest, ForgetSet, Stream, StreamStep, plant, select
from unlearning.own_recipe import OwnRecipe
from unlearning.requirements import REQUIREMENTS
from unlearning.seeds import derive
from unlearning.training import Recipe


def expand(study: Study, datasets: Mapping[AnySource, ImageData]) -> list[MethodSearch]:
    """Expand a study over its data, augmentations, forget requests and methods, in the order of its file.

    Raises:
        DataError: a forget request does not fit its data, two scenarios are the same under different names, an audit
            needs a control half or something planted and no request has it, a dose is none or all of a forget set, a
            method can do nothing for a request (all methods and requests at once), or goes back in the training of what
            an earlier request left, or is to rewind where val lacks the classes that are to be forgotten from, or the
            attack is to have non-members of a class that val or the split of a report lacks, the loss has weights of
            another number of classes, an audit or method takes a recipe's options where models are trained by a
            function of the user's, a model is given that cannot have seen what a request plants, or has seen its
            control half, or an image has any number of labels and a method, metric or option needs one class.
        CheckpointError: the only model that there is cannot be read, or does not fit the network.
        StudyError: the settings file cannot be read, or lacks a setting that is to be taken from it.
        ValueError: the study's precision is still ``auto``.
    """
    _refuse_what_needs_a_recipe(study)
    refuse_what_needs_one_class(study, datasets.values())
    _refuse_weights_of_other_classes(study, datasets)
    scenarios = list(_scenarios(study, datasets))
    _refuse_twice(scenarios)
    _refuse_audits_without_control(scenarios, study)
    _refuse_audits_without_planted(study)
    _refuse_doses_of_nothing(scenarios, study)
    _refuse_requests_of_a_given_original(study)
    by_hash = data_by_hash(study, datasets)
    _refuse_rewinding(scenarios, study, by_hash)
    _refuse_labels_that_rank_nothing(scenarios, study, by_hash)
    _refuse_classes_without_nonmembers(scenarios, study, by_hash)
    first = [scenario for scenario in scenarios if scenario.earlier is None]
    settings = take_settings(study, {scenario.fingerprint: scenario.names for scenario in first})
    found: list[MethodSearch] = []
    for scenario in first:
        later = tuple(one for one in scenarios if one.first is scenario and one is not scenario)
        for choice in study.methods:
            setting = settings.get((scenario.fingerprint, choice.name))
            if setting:
                found.append(MethodSearch(scenario, setting.choice, study, taken=setting, later=later))
                continue
            found.append(MethodSearch(scenario, choice, study, later=later))
            for control, of_control in study.searched_controls(choice).items():
                found.append(MethodSearch(scenario, of_control, study, control=control))
    _refuse_what_can_do_nothing(found)
    _refuse_earlier_weights(found)
    return found


def data_by_hash(study: Study, datasets: Mapping[AnySource, ImageData]) -> dict[str, ImageData]:
    """Return the data that models of a study may be trained on, as it is and as requests plant it, by content hash.

    Raises:
        DataError: a forget request does not fit its data.
    """
    return {data.content_hash: data for data in (*datasets.values(), *planted_data(study, datasets))}


def planted_data(study: Study, datasets: Mapping[AnySource, ImageData]) -> tuple[ImageData, ...]:
    """Return the data of requests that change images or labels before anything is trained, each once.

    Raises:
        DataError: a forget request does not fit its data.
    """
    alone = study.model_copy(update={"forget": tuple(request for request in study.forget if request.plants)})
    changed = (planted for source in study.data for _, _, planted in _selected(alone, datasets[source]))
    return tuple({data.content_hash: data for data in changed}.values())


def _refuse_what_needs_a_recipe(study: Study) -> None:
    """Refuse audits and methods that take what a training function of the user's does not say."""
    if not isinstance(study.training, OwnRecipe):
        return
    faults = [
        f"audits: {audit.name}: trains models further with the momentum, weight_decay and batch_size of a recipe"
        for audit in study.audits
        if audit.training_epochs
    ] + [
        f"methods: {choice.name}: requires {REQUIREMENTS[name].meaning}, which are made by repeating a recipe"
        for choice in study.methods
        for name in choice.method.requires
        if name == "earlier_weights"
    ]
    if faults:
        told = f"training.import: {study.training.import_} says nothing of that; leave these out, or train by a recipe"
        raise DataError("\n".join([*faults, told]))


def _refuse_weights_of_other_classes(study: Study, datasets: Mapping[AnySource, ImageData]) -> None:
    weights = study.training.class_weights if isinstance(study.training, Recipe) else "none"
    faults = [
        f"training.class_weights: {data.name}: wanted {data.classes} weights, for {', '.join(data.class_names)}, got "
        f"{len(weights)}"
        for data in datasets.values()
        if not isinstance(weights, str) and len(weights) != data.classes
    ]
    if faults:
        raise DataError("\n".join(faults))


def _refuse_twice(scenarios: Iterable[Scenario]) -> None:
    first: dict[str, Scenario] = {}
    for scenario in scenarios:
        same = first.setdefault(scenario.fingerprint, scenario)
        if same is not scenario:
            raise DataError(
                f"one scenario by two names: {same.title}; {scenario.title}: the same images are to be forgotten from "
                "the same data; keep one"
            )


def _refuse_audits_without_control(scenarios: Iterable[Scenario], study: Study) -> None:
    """Refuse audits of the control half where no request has one."""
    audits = [audit.name for audit in study.audits if audit.needs_control]
    if audits and not any(scenario.request.has_control for scenario in scenarios):
        raise DataError(
            f"audits: {', '.join(audits)}: compares the images to be forgotten with a control half, and no forget "
            f"request keeps one; wanted a request such as {{kind: random, fraction: 0.1, control: true}}, got "
            f"{', '.join(request.label for request in study.forget)}"
        )


def _refuse_audits_without_planted(study: Study) -> None:
    """Refuse audits of what a request plants where none does."""
    examples: dict[Planting, str] = {
        "labels": "{kind: confusion, classes: [0, 1], fraction: 0.1}",
        "noise": "{kind: gaussian, fraction: 0.02}",
    }
    for audit in study.audits:
        wanted = audit.needs_planted
        if wanted is not None and all(request.plants != wanted for request in study.forget):
            raise DataError(
                f"audits: {audit.name}: looks for {wanted} that a forget request plants, and none does; wanted a "
                f"request such as {examples[wanted]}, got {', '.join(request.label for request in study.forget)}"
            )


def _refuse_requests_of_a_given_original(study: Study) -> None:
    """Refuse requests by which a model would have to be trained that a user has trained already."""
    for request in study.forget if study.original else ():
        if request.has_control or request.plants:
            wants = "keeps a control half that no original has seen" if request.has_control else "changes train images"
            raise DataError(
                f"original: the given model has seen all train images as they are, and forget {request.label} {wants}; "
                "wanted a request for images that it has seen, or no `original`"
            )


def _refuse_doses_of_nothing(scenarios: Iterable[Scenario], study: Study) -> None:
    """Refuse shares of a forget set that are none of it, all of it, or the same images as another share."""
    faults = []
    for scenario in scenarios:
        for seed, parts in _partitions(scenario.partition, study.seeds.reporting).items():
            sizes = {dose: len(scenario.dosed(seed, dose)) - len(scenario.retained) for dose in sorted(study.doses)}
            alike = [dose for dose, size in sizes.items() if list(sizes.values()).count(size) > 1]
            whole = [dose for dose, size in sizes.items() if size in (0, len(parts.forgotten))]
            if alike or whole:
                counts = ", ".join(f"{dose:g} is {size} images" for dose, size in sizes.items())
                faults.append(
                    f"doses: {scenario.title}, {len(parts.forgotten)} images in whole groups of duplicates: {counts}; "
                    "wanted different numbers of images, neither none nor all"
                )
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))


def _refuse_what_can_do_nothing(method_searches: Iterable[MethodSearch]) -> None:
    faults = [
        f"{one.row}, {scenario.dataset}, forget {scenario.request.label}: {fault}"
        for one in method_searches
        for scenario in one.scenarios
        for parts in _partitions(scenario.step, one.study.seeds.known).values()
        for fault in one.choice.faults(len(parts.forgotten), len(parts.everything))
    ]
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))


def _refuse_earlier_weights(method_searches: Iterable[MethodSearch]) -> None:
    """Refuse methods that go back in the training of a model where they begin with one that was unlearned."""
    rewinding = [one for one in method_searches if one.later and "earlier_weights" in one.choice.method.requires]
    if rewinding:
        raise DataError(
            f"{rewinding[0].scenario.title}: {', '.join(dict.fromkeys(one.row for one in rewinding))}: goes back to "
            "weights of before the end of the training, and from the second request on a method begins with a model "
            "that it unlearned itself; wanted other methods, or requests one by one"
        )


def _refuse_rewinding(scenarios: Iterable[Scenario], study: Study, by_hash: Mapping[str, ImageData]) -> None:
    """Refuse to rewind where no image of val has a class that is to be forgotten from."""
    rewinding = [choice.name for choice in study.methods if choice.keep == "rewind"]
    for scenario in scenarios if rewinding else ():
        data = by_hash[scenario.data_hash]
        for parts in _partitions(scenario.partition, study.seeds.known).values():
            forgotten = data.train.labels_N[parts.forget.indices_F]
            if not torch.isin(data.val.labels_N, forgotten).any():
                raise DataError(
                    f"{scenario.title}: {', '.join(rewinding)} with keep: rewind looks at validation images of the "
                    "classes that are to be forgotten from, and there are none; wanted last or best"
                )


def _refuse_labels_that_rank_nothing(
    scenarios: Iterable[Scenario], study: Study, by_hash: Mapping[str, ImageData]
) -> None:
    """Refuse several labels of which every one is had by all or none of the images to be forgotten, or kept."""
    faults = []
    for scenario in scenarios if any(data.labelling.several for data in by_hash.values()) else ():
        data = by_hash[scenario.data_hash]
        for parts in _partitions(scenario.partition, study.seeds.known).values():
            for group, indices_M in (("forget", parts.forget.indices_F), ("retain", parts.forget.retain_R)):
                labels_N = data.train.labels_N[indices_M]
                if data.labelling.several and not (labels_N != labels_N[0]).any():
                    faults.append(
                        f"{scenario.title}: all {len(labels_N)} {group} images have the labels "
                        f"{data.labelling.names(labels_N[:1], data.class_names)[0]}, so there is no AUROC, which UA "
                        "and RA are made of; wanted a request of images with different labels"
                    )
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))


def _refuse_classes_without_nonmembers(
    scenarios: Iterable[Scenario], study: Study, by_hash: Mapping[str, ImageData]
) -> None:
    """Refuse attacks by class where val, which searches use, or a report's split lacks a class of the forget set."""
    faults = []
    for scenario in scenarios:
        data = by_hash[scenario.data_hash]
        forgotten = [parts.forget.indices_F for parts in _partitions(scenario.partition, study.seeds.known).values()]
        classes = data.train.labels_N[torch.cat(forgotten)].unique()
        for split in dict.fromkeys(("val", scenario.nonmembers)) if scenario.attack_classes == "forgotten" else ():
            lacking = classes[~torch.isin(classes, getattr(data, split).labels_N)].tolist()
            if lacking:
                names = ", ".join(data.class_names[index] for index in lacking)
                faults.append(
                    f"attack_classes: forgotten: {scenario.title}: wanted non-members of each class of the forget set, "
                    f"got none of {names} in {split}; wanted all, or a request without that class"
                )
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))


def _partitions(partition: Callable[[int], Partition], seeds: Iterable[int]) -> dict[int, Partition]:
    """Return the parts of train by training seed; by the first one alone where all seeds share them."""
    found: dict[int, Partition] = {}
    for seed in seeds:
        if partition(seed) not in found.values():
            found[seed] = partition(seed)
    return found


def _scenarios(study: Study, datasets: Mapping[AnySource, ImageData]) -> Iterable[Scenario]:
    given = only_models(study, datasets.values())
    for source in study.data:
        data = datasets[source]
        hashes = column_hashes(data)
        requests = list(_selected(study, data))
        for augmentation in study.augmentations:
            scenario: Scenario | None = None
            for request, selected, planted in requests:
                continues = isinstance(request, StreamStep) and request.number > 1
                scenario = Scenario(
                    study_seed=study.seed,
                    source=source,
                    dataset=data.name,
                    data_hash=planted.content_hash,
                    class_names=data.class_names,
                    channels=data.train.images_NCHW.shape[1],
                    train_count=len(data.train),
                    train_duplicates=data.duplicates,
                    dropped=data.dropped,
                    nonmembers=data.nonmembers,
                    attack_classes=study.attack_classes,
                    augmentation=augmentation,
                    request=request,
                    selected=selected,
                    network=study.network,
                    recipe=study.training.recipe,
                    column_hashes=hashes,
                    earlier=scenario if continues else None,
                    task=data.task,
                    given=given.get(data.content_hash),
                )
                yield scenario


def _selected(study: Study, data: ImageData) -> Iterable[tuple[AnyForgetRequest | StreamStep, ForgetSet, ImageData]]:
    """Return for each request what it selects, and the data that its models are trained on; of a stream each step."""
    seed = derive(study.seed, "forget")
    for request in chain.from_iterable(one.met if isinstance(one, Stream) else (one,) for one in study.forget):
        forget = select(request, data, seed)
        yield request, forget, plant(request, data, forget, seed)
