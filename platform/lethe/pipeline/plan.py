"""The plan of a study: what exists already, and what is left to run."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from torch import nn

from lethe.artifacts import ArtifactRecipe, ArtifactStore, CorruptArtifactError, Needed, given, needed_for
from lethe.pipeline.audit import additions
from lethe.pipeline.confirm import Confirmation, confirmations, missing_from, needed_by
from lethe.pipeline.kept_models import kept_in_words
from lethe.pipeline.precision import PrecisionChoice, choose_precision
from lethe.pipeline.withdrawn_before import WithdrawnBefore, withdrawn_before
from lethe.results import Store, TrialRow, to_rows
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.race import Standing, standing_of
from lethe.search import with_priors
from lethe.study import (
    MethodSearch,
    Study,
    StudyError,
    audits_without_oracle,
    described,
    expand,
    planted_data,
    read_settings,
    scenarios_of,
)
from unlearning.checkpoints import CheckpointError
from unlearning.data import (
    AnySource,
    DataError,
    ImageData,
    MedMNIST,
    Source,
    catalogue,
    facts,
    load,
    with_distinct_names,
)
from unlearning.data.forget import describe
from unlearning.engine import NotGroupedError, grouped, unit_interval
from unlearning.errors import InputError
from unlearning.models import check_fit
from unlearning.no_recipe import NoRecipe
from unlearning.own_recipe import OwnRecipe

PROBED: Final = 2
"""Images of each data set that the network is tried on before anything is trained."""


@dataclass(frozen=True)
class Plan:
    """A study compared with what its results hold.

    Attributes:
        study: in its precision.
        precision: the precision, and why.
        network: what is to be known of the network, a sentence each.
        needed: artifacts, each after what it requires.
        missing: those that are not in the store, or are broken.
        broken: what is wrong with broken artifacts, one sentence each.
        standings: how far each method search is, with its trials that ended already.
        wanted: the rows of all tables, as far as the chosen setting is known.
        confirmed: how many of them are confirmed already.
        unconfirmed: those still to be confirmed.
        original: what to know of the model that is given, a sentence each; empty where none is.
        withdrawn: what earlier deliveries of the model that is given mean for the data.
        unrecorded: fingerprints of artifacts without a row: their maker died before writing it, or the row is broken.
    """

    study: Study
    precision: PrecisionChoice
    network: tuple[str, ...]
    datasets: tuple[ImageData, ...]
    method_searches: tuple[MethodSearch, ...]
    needed: tuple[Needed, ...]
    missing: tuple[Needed, ...]
    broken: tuple[str, ...]
    standings: tuple[Standing, ...]
    wanted: tuple[Confirmation, ...]
    confirmed: int
    unconfirmed: tuple[Confirmation, ...]
    original: tuple[str, ...]
    withdrawn: WithdrawnBefore
    unrecorded: frozenset[str]

    @property
    def shared(self) -> tuple[ImageData, ...]:
        """What workers need: the data sets, and those that differ by what a forget request plants."""
        by_source = dict(zip(dict.fromkeys(self.study.data), self.datasets, strict=True))
        return (*self.datasets, *planted_data(self.study, by_source))

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that a person should know before the study runs, a sentence each."""
        code = (*self.network, *self.own_code)
        original = (*self.original, *self.withdrawn.notes)
        said = (self.facts, self.requests, self.settings, original, self.audits, code, self.models)
        return tuple(line for lines in (*said, (self.precision.told,), self.broken) for line in lines if line)

    @property
    def own_code(self) -> tuple[str, ...]:
        """What trains the models, where that is a function of the user's, or that nothing does."""
        training = self.study.training
        if isinstance(training, NoRecipe):
            return (
                f"{NO_ORACLE} Nothing is trained, and methods begin with the given model. Audits that can run: "
                f"{', '.join(audits_without_oracle())}.",
            )
        if not isinstance(training, OwnRecipe):
            return ()
        return (
            f"Models are {training.title}. Whether it repeats by its seed is not known before it has run: the first "
            "epoch of each model is trained twice and compared.",
        )

    @property
    def facts(self) -> tuple[str, ...]:
        """Describe what each data set is, a sentence each."""
        return tuple(fact for data in with_distinct_names(self.datasets) for fact in facts(data))

    @property
    def requests(self) -> tuple[str, ...]:
        """Describe which images each forget request selects in each data set, a sentence each."""
        named = with_distinct_names(self.datasets)
        datasets: dict[Source, ImageData] = dict(zip(dict.fromkeys(self.study.data), named, strict=True))
        asked = {(scenario.source, scenario.request): scenario for scenario in scenarios_of(self.method_searches)}
        return tuple(
            line
            for scenario in asked.values()
            for line in describe(scenario.request, scenario.selected, datasets[scenario.source])
        )

    @property
    def audits(self) -> tuple[str, ...]:
        """Describe what each audit adds to the models that are trained, a sentence each."""
        return additions(self.study, self.needed, self.missing)

    @property
    def models(self) -> tuple[str, ...]:
        """How much the models take that the study keeps, a sentence; nothing where it keeps none."""
        return kept_in_words(self.study, self.method_searches, self.shared)

    @property
    def trials(self) -> tuple[TrialRow, ...]:
        """The trials that ended already."""
        return tuple(row for standing in self.standings for row in standing.rows)

    @property
    def settings(self) -> tuple[str, ...]:
        """Describe where settings that are not searched, or that searches begin with, are from, a sentence each."""
        return tuple(line for one in self.method_searches if (line := _origin(one)))

    @property
    def trials_planned(self) -> int:
        """Count the trials of all method searches, those of the race as far as is known."""
        return sum(len(standing.rows) + standing.left for standing in self.standings)

    @property
    def trials_left(self) -> int:
        """Count the trials that have not ended."""
        return sum(standing.left for standing in self.standings)

    @property
    def confirmations_planned(self) -> int:
        """Count the rows of all tables and the doses on each reporting seed, and the oracles of the tuning seeds."""
        scenarios, seeds = len(scenarios_of(self.method_searches)), self.study.seeds
        tuned = len({one.scenario.fingerprint for one in self.method_searches if one.trials})
        methods = sum(len(one.rows_in(scenario)) for one in self.method_searches for scenario in one.scenarios)
        references = 2 if self.study.has_oracles else 1
        rows = (references + len(self.study.doses)) * scenarios + methods
        return rows * len(seeds.reporting) + tuned * len(seeds.tuning)

    @property
    def models_awaited(self) -> int:
        """Count the models of streams of requests that follow from settings which are not known yet."""
        known = {one.method_search.fingerprint for one in self.wanted if one.method_search}
        waiting = [one for one in self.method_searches if one.later and one.fingerprint not in known]
        return len(self.study.seeds.reporting) * sum(
            len(one.rows_in(scenario)) if scenario.earlier else 1 for one in waiting for scenario in one.scenarios
        )

    @property
    def complete(self) -> bool:
        """Return whether nothing is left to do."""
        return not (self.missing or self.trials_left or self.unconfirmed or self.unrecorded)


def make_plan(study: Study, artifacts: ArtifactStore, store: Store, *, download: bool = True) -> Plan:
    """Load a study's data, choose its precision, expand it, and look up what exists.

    Args:
        download: whether data that is not on this machine is fetched, where the study says so.

    Raises:
        DataError: the data is not available, or a forget request does not fit it.
        StudyError: the settings file cannot be read (found before any data is loaded), or lacks a setting; what
            searches begin with is not there; or the network or the options of audits do not fit the data.
        CheckpointError: the model that is given cannot be read, or is not of the study's network.
        MalformedError: a certificate among the results was changed.
    """
    if study.settings:
        read_settings(study.settings)
    datasets = {source: load(source if download else _here(source)) for source in dict.fromkeys(study.data)}
    _check_audits(study, datasets.values())
    network = _check_network(study, datasets.values())
    precision = choose_precision(study, tuple(datasets.values()), store)
    study = study.in_precision(precision.precision)
    method_searches = with_priors(expand(study, datasets), store)
    known = [row for row in to_rows(store.read("trials", study.name), TrialRow) if row.final]
    standings = tuple(standing_of(method_search, known) for method_search in method_searches)
    wanted = confirmations(method_searches, [row for standing in standings for row in standing.rows])
    needed = _needed(method_searches, study, wanted)
    missing, broken = missing_of(artifacts, needed)
    unconfirmed = missing_from(wanted, store.read("confirmations", study.name)["confirmation_id"].to_pylist())
    present = {one.recipe.fingerprint for one in needed} - {one.recipe.fingerprint for one in missing}
    return Plan(
        study,
        precision,
        network,
        tuple(datasets.values()),
        tuple(method_searches),
        tuple(needed),
        tuple(missing),
        tuple(broken),
        standings,
        tuple(wanted),
        len(wanted) - len(unconfirmed),
        tuple(unconfirmed),
        _original(study, method_searches),
        withdrawn_before(store.root, study, method_searches),
        frozenset(present - set(store.read("artifacts")["artifact_id"].to_pylist())),
    )


def _original(study: Study, method_searches: Sequence[MethodSearch]) -> tuple[str, ...]:
    """Read the model that is given, if any is, and describe it.

    Raises:
        CheckpointError: it cannot be read, or does not fit; all scenarios at once.
    """
    if study.original is None:
        return ()
    notes: dict[str, None] = {}
    faults: dict[str, None] = {}
    path = study.original.checkpoint
    for scenario in scenarios_of(method_searches):
        named = f"{scenario.network_title}, {scenario.channels} channels, {scenario.classes} classes"
        try:
            model, understood = given(scenario, study.production_seed, path)
        except CheckpointError as error:
            faults[f"  {named}: {error}"] = None
            continue
        fact = f"original: {path} is read as {named}; its tensors have the hash {model.weights.hash}"
        notes |= dict.fromkeys((fact, *(f"original: {note}" for note in understood)))
    if faults:
        raise CheckpointError("\n".join([f"{study.name}: original.checkpoint", *faults]))
    return tuple(notes)


def _check_audits(study: Study, datasets: Iterable[ImageData]) -> None:
    """Raise StudyError where options of audits do not fit the classes or columns of some data; all of them at once."""
    problems = {
        f"  audits: {audit.name}: {data.name}: {misfit}": None
        for data in datasets
        for audit in study.audits
        if (misfit := audit.misfit(data.class_names, data.test.columns))
    }
    if problems:
        raise StudyError("\n".join([f"{study.name}: audits that do not fit the data", *problems]))


def _check_network(study: Study, datasets: Iterable[ImageData]) -> tuple[str, ...]:
    """Return what is to be known of the network; raise StudyError where it does not fit some data, with all of them."""
    problems, notes = dict[str, None](), dict[str, None]()
    for data in datasets:
        images_NCHW = data.train.images_NCHW
        try:
            several = data.labelling.several
            model = check_fit(study.network, images_NCHW[:PROBED], data.classes, several=several)
            notes |= dict.fromkeys(study.network.notes(images_NCHW.shape[1], data.classes))
        except InputError as error:
            problems[f"  network: {data.name}: {error}"] = None
            continue
        misfits = {choice.name: choice.method.misfit(model) for choice in study.methods}
        problems |= {f"  methods: {name}: {misfit}": None for name, misfit in misfits.items() if misfit}
        if study.search.fused:
            problems |= dict.fromkeys(_not_fused(study, data, model))
    if problems:
        raise StudyError("\n".join([f"{study.name}: the network does not fit the data", *problems]))
    return tuple(notes)


def _not_fused(study: Study, data: ImageData, model: nn.Module) -> Iterator[str]:
    """Yield why networks of the study cannot be trained in one step, if they cannot."""
    images_NCHW = data.train.images_NCHW[:PROBED]
    another = study.network.build(images_NCHW.shape[1], data.classes, seed=1)
    try:
        grouped([model, another], unit_interval(images_NCHW))
    except NotGroupedError as error:
        yield f"  search.fused: {data.name}: {error}; wanted false with this network"


def _origin(method_search: MethodSearch) -> str:
    """Describe where a search has settings of other searches from; empty where it asks for none."""
    if method_search.taken:
        version = method_search.choice.method.version
        told = described(method_search.taken, method_search.scenario.named, version)
        return f"{method_search.title}: not searched; {told}"
    if not (method_search.study.search.start_from and method_search.choice.search):
        return ""
    sources = [prior.source for prior in method_search.priors]
    if not sources:
        return f"{method_search.title}: no other search has chosen a setting to begin with"
    count = "1 setting" if len(sources) == 1 else f"{len(sources)} settings"
    return f"{method_search.title}: begins with {count} that other searches chose: {'; '.join(sources)}"


def _here(source: AnySource) -> AnySource:
    """Return the source with its data on this machine.

    Raises:
        DataError: it is not, and a run would download it.
    """
    if not (isinstance(source, MedMNIST) and source.download):
        return source
    if catalogue.check(source.name, source.size, source.root).verdict == "missing":
        folder = f" --root {source.root}" if source.root else ""
        raise DataError(
            f"{source.name}: its file is not on this machine, and a plan downloads nothing: `lethe run` will, or fetch "
            f"it now by `lethe data fetch {source.name} --size {source.size}{folder}`"
        )
    return source.model_copy(update={"download": False})


def _needed(method_searches: Sequence[MethodSearch], study: Study, wanted: Sequence[Confirmation]) -> list[Needed]:
    """List what the searches need, then what confirmations of any setting need, then of the settings that are known."""
    seeds = study.seeds
    found: dict[ArtifactRecipe, Needed] = {}
    tuned = [one for one in method_searches if one.trials]
    searched, reported = needed_for(tuned, seeds.tuning), needed_for(method_searches, seeds.reporting)
    for needed in (*searched, *reported, *needed_by(wanted)):
        found.setdefault(needed.recipe, needed)
    return list(found.values())


def missing_of(artifacts: ArtifactStore, needed: Sequence[Needed]) -> tuple[list[Needed], list[str]]:
    """Return what is not in the store or is broken there, and a sentence for each that is broken."""
    with ThreadPoolExecutor(artifacts.root.parallel_reads) as threads:
        found = threads.map(lambda one: _state(artifacts, one), needed)
        states = list(zip(needed, found, strict=True))
    missing = [one for one, state in states if state is not True]
    return missing, [state for _, state in states if isinstance(state, str)]


def _state(artifacts: ArtifactStore, needed: Needed) -> bool | str:
    """Return whether an artifact is in the store, or what is wrong with it."""
    try:
        return artifacts.check(needed.recipe.key) is not None
    except CorruptArtifactError as error:
        return f"broken {needed.label}: {error}; it will be moved to quarantine and made again"
