"""The job bundle: a study's options and its local data files, in one archive for the head."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from lethe.plugins import sources_of
from lethe.storage.credentials import without_credentials
from lethe.study import Study, StudyError, parse_study, read_options, write_yaml
from unlearning.data import DataError, Folder, ImageTable, MedMNIST, Npz, SplitName, catalogue
from unlearning.data._listed import listed
from unlearning.data.forget import ForgetRequest, Indices, Stream, Where
from unlearning.models import ExternalNetwork, Imported
from unlearning.own_recipe import OwnRecipe

STUDY_FILE = "study.yaml"
"""The archive's name of the study."""

LIMIT_BYTES = 100 << 20
"""The largest upload that Ray's job server accepts."""

STUDY_BYTES = 1 << 20
"""Reserved for the study's own file and the archive's overhead."""


@dataclass(frozen=True)
class JobBundle:
    """A study that is ready to be sent.

    Attributes:
        study: as it is on this machine.
        archive: the file to send.
        results: what names the results folder on the head; None: the head's own LETHE_RESULTS, else the study.
        notes: what travels, what must be on the head and where the results go, a sentence each.
    """

    study: Study
    archive: Path
    results: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    """An option that names a file or folder.

    Attributes:
        key: its dotted key in the study.
        here: the file or folder on this machine.
        files: those that travel, by their names in the archive; none where it is not here.
        there: what the option says on the head.
    """

    key: str
    here: Path
    files: dict[str, Path]
    there: str

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def pack(study_file: Path, overrides: Sequence[str], results: str | None, folder: Path) -> JobBundle:
    """Check a study and pack it with its data files, so that it means the same when read where it is unpacked.

    A path that does not exist here is taken for one on the head, and must be absolute. A results folder is one of the
    head too.

    Args:
        study_file: the YAML file.
        overrides: as in `read_study`.
        results: the results folder, if not the study's own.
        folder: where the archive is made.

    Raises:
        StudyError: an option is wrong, a file is missing, or the files are more than the job server takes.
    """
    options = read_options(study_file, overrides)
    study = parse_study(options, str(study_file))
    for key, part in (("network", study.network), ("training", study.training)):
        if isinstance(part, Imported | OwnRecipe):
            options[key]["folder"] = "."
    if study.search.start_from:
        options["search"]["start_from"] = list(study.search.start_from)
    items = [*_items(study), *_of_network(study)]
    _check(items, study_file)
    for item in items:
        _set(options, item.key, item.there)
    options["results"] = _on_head(study.results)
    archive = folder / "study.zip"
    sources = sources_of(study)
    _write(archive, options, items, sources)
    results = results and _on_head(results)
    notes = (*_notes(items), *_notes_on_sources(sources), _note_on_results(results, options["results"]))
    return JobBundle(study, archive, results, notes)


def _on_head(results: str) -> str:
    """Return the results folder for a study that runs on the head: a relative folder lies in the home folder.

    Credentials stay here, since a cluster stores and shows the settings of its jobs; the head has its own.
    """
    if "://" in results:
        return without_credentials(results)
    return results if results.startswith(("/", "~")) else f"~/{results}"


def _items(study: Study) -> Iterator[_Item]:
    for number, source in enumerate(study.data):
        match source:
            case Npz(path=path):
                yield _file(f"data.{number}.path", path)
            case Folder(path=path):
                yield _folder(f"data.{number}.path", path)
            case ImageTable(path=path):
                yield _table(f"data.{number}.path", source)
            case MedMNIST(name=name, size=size, root=root):
                path = catalogue.find(name).path(size, root)
                if path.is_file():
                    key = f"data.{number}.root"
                    yield _Item(key, path, {f"{key}/{path.name}": path}, key)
    if study.settings:
        yield _file("settings", study.settings)
    if study.original:
        yield _file("original.checkpoint", study.original.checkpoint)
    for number, path in study.search.start_files.items():
        yield _file(f"search.start_from.{number}", path)
    for number, request in enumerate(study.forget):
        yield from _lists(f"forget.{number}", request)


def _lists(key: str, request: ForgetRequest) -> Iterator[_Item]:
    """Yield the lists of images that a request names, or the requests of a stream."""
    match request:
        case Indices(file=path):
            yield _file(f"{key}.file", path)
        case Where(values_file=path):
            yield _file(f"{key}.values_file", path)
        case Stream(of=ForgetRequest() as divided):
            yield from _lists(f"{key}.of", divided)
        case Stream(requests=requests):
            for number, one in enumerate(requests):
                yield from _lists(f"{key}.requests.{number}", one)


def _of_network(study: Study) -> Iterator[_Item]:
    network = study.network
    if isinstance(network, ExternalNetwork) and network.pretrained:
        yield _file("network.pretrained", network.pretrained)


def _file(key: str, path: Path) -> _Item:
    if not path.is_file():
        return _Item(key, path, {}, str(path))
    name = f"{key}/{path.name}"
    return _Item(key, path, {name: path}, name)


def _folder(key: str, path: Path) -> _Item:
    if not path.is_dir():
        return _Item(key, path, {}, str(path))
    name = f"{key}/{path.resolve().name}"
    splits = [found for split in get_args(SplitName) for found in sorted((path / split).rglob("*"))]
    files = {f"{name}/{found.relative_to(path).as_posix()}": found for found in splits if found.is_file()}
    return _Item(key, path, files, name)


def _table(key: str, source: ImageTable) -> _Item:
    """Return the table with the images that lie below its folder; those elsewhere must be named by absolute paths."""
    if not source.path.is_file():
        return _Item(key, source.path, {}, str(source.path))
    try:
        images = source.image_files()
    except DataError as error:
        raise StudyError(f"{key}: {error}") from error
    folder = source.path.parent
    below = [path for path in images if path.is_relative_to(folder) and ".." not in path.parts and path.is_file()]
    files = {f"{key}/{path.relative_to(folder).as_posix()}": path for path in (source.path, *below)}
    return _Item(key, source.path, files, f"{key}/{source.path.name}")


def _check(items: Sequence[_Item], study_file: Path) -> None:
    problems = [
        f"{item.key}: there is no {item.here} here, and a path of the head must be absolute"
        for item in items
        if not (item.files or item.here.is_absolute())
    ]
    if problems:
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        raise StudyError("\n  ".join([f"{study_file}: {count}", *problems]))
    if sum(item.size for item in items) + STUDY_BYTES > LIMIT_BYTES:
        largest = sorted(items, key=lambda item: -item.size)
        raise StudyError(
            f"{study_file}: the data files are more than the {_mib(LIMIT_BYTES)} that a job takes along\n"
            + "".join(f"  {item.key}: {item.here}, {_mib(item.size)}\n" for item in largest)
            + "Copy the large ones to the head and name them by an absolute path that there is not on this machine; "
            "MedMNIST's by the root of their folder, which need not hold them yet where they can be downloaded"
        )


def _notes(items: Sequence[_Item]) -> Iterator[str]:
    travelling = [item for item in items if item.files]
    if travelling:
        size = sum(item.size for item in travelling)
        yield f"Travels with the study: {', '.join(str(item.here) for item in travelling)} ({_mib(size)})."
    for item in items:
        if not item.files:
            yield f"{item.key}: {item.here} is not here, so it must be on the head."


def _notes_on_sources(sources: Mapping[str, bytes]) -> Iterator[str]:
    if sources:
        yield f"Travels with the study, as code that it imports: {listed(list(sources))}."


def _note_on_results(results: str | None, of_study: str) -> str:
    where = results or of_study
    if "://" in where and not where.startswith("file:"):
        told = f"{where.partition('?')[0]}, with the head's own credentials"
    else:
        told = f"the folder {where} of the head"
    return f"Results go to {told}." if results else f"Results go to {told}, or where its LETHE_RESULTS says."


def _set(options: Any, key: str, value: str) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        options = options[int(parent)] if isinstance(options, list) else options[parent]
    options[int(last) if isinstance(options, list) else last] = value


def _write(archive: Path, options: dict[str, Any], items: Sequence[_Item], sources: Mapping[str, bytes]) -> None:
    """Write the archive; the same study makes the same bytes, which Ray does not send twice."""
    with ZipFile(archive, "w") as packed:
        packed.writestr(_entry(STUDY_FILE), write_yaml(options))
        for name, content in sources.items():
            packed.writestr(_entry(name), content)
        for item in items:
            for name, path in item.files.items():
                with path.open("rb") as source, packed.open(_entry(name), "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
