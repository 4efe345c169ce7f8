"""The forget samples: what original, oracle and unlearned model predict for them, those that still differ first.

Images are read from the study's own data source where it can be had without a download, and are shown only where the
data is the scenario's own: its fingerprint covers every byte.
"""

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from PIL import Image
from torch import Tensor

from lethe.report._board import Key
from lethe.report.page._canvas import script_json
from lethe.report.page._gather import Report, StudyPart, among
from lethe.results import Results, to_rows
from lethe.results.images import load_here
from lethe.study import Study, data_by_hash, expand, scenarios_of
from unlearning.data import FILE, PATIENT, AnySource, DataError, ImageData, Split

SHOWN: Final = 24
"""Forget samples of a scenario and method that are shown."""

SIDE: Final = 112
"""Longest side of an embedded image, pixels; a larger one is made smaller."""

_QUALITY: Final = 85
"""Of the WebP of an image that was made smaller; one that was not keeps every pixel, as PNG."""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    study: str
    scenario: str
    method: str
    image: int
    label_name: str
    seeds: int
    differing: int
    original: list[str]
    oracle: list[str]
    unlearned: list[str]
    samples: int
    differing_samples: int


@dataclass(frozen=True)
class Sample:
    """One image of the forget set, and what is predicted for it on the reporting seeds.

    Attributes:
        original, oracle, unlearned: the predicted classes, each with the number of seeds where there are several.
        differing: seeds on which the unlearned model and the oracle predict different classes.
        picture: where its picture is among those of the page; None where there is none.
        named: the image's file and patient, where these are known and asked for.
    """

    image: int
    named: Mapping[str, str]
    label: str
    original: str
    oracle: str
    unlearned: str
    seeds: int
    differing: int
    picture: int | None


@dataclass(frozen=True)
class Gallery:
    """The samples shown of one scenario and method, how many there are, and how many of these differ on any seed."""

    method: str
    samples: tuple[Sample, ...]
    of: int
    differing: int


@dataclass(frozen=True)
class Galleries:
    """All galleries of a page.

    Attributes:
        missing: why a scenario has no pictures.
        pictures: the different images that the page holds, as data URIs: several methods show the same ones.
    """

    by_scenario: Mapping[Key, tuple[Gallery, ...]]
    missing: Mapping[Key, str]
    pictures: tuple[str, ...]

    @property
    def images(self) -> int:
        """How many images the page holds."""
        return len(self.pictures)

    @property
    def json(self) -> Markup:
        """The pictures, as JSON that is safe in a script element."""
        return Markup(script_json(json.dumps(self.pictures, separators=(",", ":"))))


def galleries(results: Results, report: Report, *, images: bool, names: bool = False) -> Galleries:
    """Gather the galleries of every scenario that is drawn in detail.

    Args:
        images: whether pictures are wanted.
        names: whether the files and patients of the images are, as far as the data has them.
    """
    drawn = {
        (part.name, scenario.asked.scenario): part
        for part in report.studies
        for scenario in part.scenarios
        if scenario.detailed
    }
    found = _samples(results, drawn)
    pictures = _Pictures(images, names)
    by_scenario: dict[Key, list[Gallery]] = {}
    missing: dict[Key, str] = {}
    for (*key, method), samples in found.items():
        where = (key[0], key[1])
        train, why = pictures.of(drawn[where], where[1])
        if train is None or not images:
            missing[where] = why if images else "Pictures were left out with --no-images."
        shown = tuple(_shown(sample, train, pictures) for sample in samples)
        gallery = Gallery(method, shown, samples[0].samples, samples[0].differing_samples)
        by_scenario.setdefault(where, []).append(gallery)
    return Galleries({key: tuple(listed) for key, listed in by_scenario.items()}, missing, pictures.made)


def _samples(results: Results, drawn: Iterable[Key]) -> dict[tuple[str, str, str], list[_Sample]]:
    found: dict[tuple[str, str, str], list[_Sample]] = {}
    for row in to_rows(results.query(_SAMPLES.format(drawn=among(drawn))), _Sample):
        found.setdefault((row.study, row.scenario, row.method), []).append(row)
    return found


_SAMPLES: Final = f"""
with said as (
    select study, scenario, p.row, c.method, p.training_seed, p.image, p.label_name, p.predicted_name
    from predictions p join confirmed c using (study, scenario, confirmation_id)
    where {{drawn}} and coalesce(p.split, 'forget') = 'forget'
),
paired as (
    select u.study, u.scenario, u.method, u.image, any_value(u.label_name) as label_name,
        count(*) as seeds,
        count(*) filter (u.predicted_name <> o.predicted_name) as differing,
        list(r.predicted_name order by u.training_seed) as original,
        list(o.predicted_name order by u.training_seed) as oracle,
        list(u.predicted_name order by u.training_seed) as unlearned
    from said u
    join said o on o.study = u.study and o.scenario = u.scenario and o.training_seed = u.training_seed
        and o.image = u.image and o.row = 'oracle'
    join said r on r.study = u.study and r.scenario = u.scenario and r.training_seed = u.training_seed
        and r.image = u.image and r.row = 'original'
    where u.row = u.method and u.row not in ('original', 'oracle')
    group by u.study, u.scenario, u.method, u.image
)
select *, count(*) over of_method as samples, count_if(differing > 0) over of_method as differing_samples
from paired
window of_method as (partition by study, scenario, method)
qualify row_number() over (partition by study, scenario, method order by differing desc, image) <= {SHOWN}
order by study, scenario, method, differing desc, image
"""


class _Pictures:
    """The training images of the studies' scenarios, each source read once, and the data URIs made of them."""

    def __init__(self, images: bool, names: bool) -> None:
        self._images = images
        self._names = names
        self._data: dict[AnySource, ImageData] = {}
        self._read: dict[str, tuple[dict[str, Split], str]] = {}
        self._places: dict[tuple[int, int], int] = {}
        self._made: list[str] = []

    @property
    def made(self) -> tuple[str, ...]:
        """The different images that were asked for, as data URIs."""
        return tuple(self._made)

    def of(self, part: StudyPart, scenario: str) -> tuple[Split | None, str]:
        """Return the training images of a scenario, or why there are none."""
        if not (self._images or self._names):
            return None, ""
        if part.study is None:
            return None, (
                "No pictures: the study's specification, which names the data, cannot be read here (paths and modules "
                "count from the working directory)."
            )
        if part.name not in self._read:
            self._read[part.name] = self._train_images(part.study)
        images, problems = self._read[part.name]
        changed = "the newest specification does not ask this scenario of the data that is found here"
        return images.get(scenario), f"No pictures: {problems or changed}."

    def named(self, train: Split | None, image: int) -> dict[str, str]:
        """Return the file and the patient of an image, where they are asked for and known."""
        if train is None or not self._names:
            return {}
        known = {name: train.columns[name][image] for name in (FILE, PATIENT) if name in train.columns}
        return {name: text for name, text in known.items() if text}

    def place(self, train: Split | None, image: int) -> int | None:
        """Return where an image is among those made; None where none are wanted or the images are not here."""
        if train is None or not self._images:
            return None
        train_NCHW = train.images_NCHW
        name = (train_NCHW.data_ptr(), image)
        if name not in self._places:
            self._places[name] = len(self._made)
            self._made.append(_picture(train_NCHW[image]))
        return self._places[name]

    def _train_images(self, study: Study) -> tuple[dict[str, Split], str]:
        """Return the training images of each scenario that need no download, and what went wrong."""
        images: dict[str, Split] = {}
        problems = []
        for source in study.data:
            try:
                data = self._load(source)
                alone = study.model_copy(update={"data": (source,)})
                by_hash = data_by_hash(alone, {source: data})
                scenarios = scenarios_of(expand(alone, {source: data}))
            except (DataError, OSError) as error:
                problems.append(str(error).rstrip("."))
            else:
                images |= {scenario.fingerprint: by_hash[scenario.data_hash].train for scenario in scenarios}
        return images, "; ".join(problems)

    def _load(self, source: AnySource) -> ImageData:
        if source not in self._data:
            self._data[source] = load_here(source)
        return self._data[source]


def _picture(image_CHW: Tensor) -> str:
    """Return an image as a data URI: whole as PNG, or made smaller as WebP."""
    pixels_HWC = image_CHW.permute(1, 2, 0).contiguous().numpy()
    picture = Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[2] == 1 else pixels_HWC)
    smaller, stream = max(picture.size) > SIDE, io.BytesIO()
    if smaller:
        picture.thumbnail((SIDE, SIDE))
        picture.save(stream, "WEBP", quality=_QUALITY)
    else:
        picture.save(stream, "PNG", optimize=True)
    kind = "webp" if smaller else "png"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _shown(sample: _Sample, train: Split | None, pictures: _Pictures) -> Sample:
    return Sample(
        image=sample.image,
        named=pictures.named(train, sample.image),
        label=sample.label_name,
        original=_tally(sample.original),
        oracle=_tally(sample.oracle),
        unlearned=_tally(sample.unlearned),
        seeds=sample.seeds,
        differing=sample.differing,
        picture=pictures.place(train, sample.image),
    )


def _tally(predicted: list[str]) -> str:
    """Name the predicted classes, the most frequent first, with the number of seeds where they differ."""
    counts = Counter(predicted).most_common()
    return (
        counts[0][0]
        if len(counts) == 1
        else ", ".join(f"{name}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}{seeds}" for name, seeds in counts)
    )
