"""A study to begin with: every common key with its meaning, taken from the models that check it."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel

from lethe.errors import InputError
from lethe.study._model import ResourceOptions, Seeds, Study, TrainingChoice
from lethe.study._search_options import Search
from lethe.study._wording import nearest, or_else
from unlearning.data import SOURCES, Folder, ImageTable
from unlearning.data.catalogue import sets
from unlearning.methods import METHODS, FineTune, SalUn
from unlearning.models import CNN, NETWORKS
from unlearning.ranges import Choices, Range

_WIDTH: Final = 110

_SIDE: Final = 32
"""Characters of a key and its value, behind which the meaning begins."""


def template_names() -> list[str]:
    """Return the kinds of data that a study can begin with."""
    return [*(name for name in SOURCES.imported() if name != "medmnist"), *sets()]


def template(data: str = "synthetic") -> str:
    """Return the text of a study that is valid, and runs once its data is there.

    Args:
        data: ``synthetic``, ``folder``, ``table``, ``npz``, or MedMNIST's name of a set, which a run downloads.

    Raises:
        InputError: there is no such data.
    """
    if data not in template_names():
        valid = or_else(nearest(data, template_names()), "there are")
        raise InputError(f"unknown data {data!r}{valid} {', '.join(template_names())}")
    return "\n".join(_lines(data)) + "\n"


def _lines(data: str) -> Iterator[str]:
    yield from _comment(
        "A study of Lethe. `lethe plan study.yaml` shows what it will do, `lethe run study.yaml` does it. Lists "
        "multiply: two forget requests and three methods are six searches. docs/study.md explains every key."
    )
    yield from _keys(Study, {"name": "my-study" if data in SOURCES else data, "seed": 0})
    yield from _headed("data", "a list; docs/study.md has all sources")
    yield from _data(data)
    yield ""
    yield from _keys(Study, {"augmentations": "[none]"})
    yield from _headed("forget", "a list of requests such as these")
    yield "  - {kind: random, fraction: 0.1}"
    yield '  # - {kind: class, class: "name of a class"}  # or class_index: 0; with fraction: 0.5 half of its images'
    yield "  # - {kind: where, column: patient, values_file: withdrawn.csv}  # a list of patients, files, sites, ..."
    yield "  # - {kind: query, sql: \"site = 'B'\"}  # a condition on the columns of a table of images"
    yield "  # - {kind: indices, file: withdrawn.txt}  # text with one index a line, or a table with a column index"
    yield "  # - {kind: confusion, classes: [0, 1], fraction: 0.1}  # or kind: gaussian; docs/methods.md"
    yield from _headed("network")
    yield _beside("  name: cnn", f"or {', '.join(name for name in NETWORKS.imported() if name != 'cnn')}")
    yield _beside(
        '  # import: "mynets:build"', "instead of name and width: one of your own, from mynets.py beside this file"
    )
    yield from _keys(CNN, {"width": 16}, 2)
    yield from _headed("training")
    yield from _keys(TrainingChoice, {"epochs": 20, "batch_size": 64, "lr": 0.1, "weight_decay": "5e-4"}, 2)
    yield _beside("  schedule: {kind: one-cycle}", "or constant, cosine, multi-step")
    yield from _keys(TrainingChoice, {"precision": "auto"}, 2)
    yield "  # optimizer: adamw  # with an lr such as 1e-3; docs/study.md has label_smoothing, class_weights and others"
    yield '# training: {import: "my_training:train", args: {}}  # or a function of your own; docs/extending.md'
    yield from _headed("methods", f"a list of any of {', '.join(METHODS)}")
    yield "  - name: salun"
    yield from _keys(SalUn, {"epochs": 3, "batch_size": 64}, 4)
    yield _beside("    search: default", "the method's own ranges, which are")
    yield "    # search:"
    for option, values in SalUn.ranges.items():
        yield f"    #   {option}: {_written(values)}"
    yield "  - name: fine_tune"
    yield "    epochs: 3"
    yield "    batch_size: 64"
    yield _beside("    search:", "options to search: a range, or a list of choices, for each")
    for option, values in FineTune.ranges.items():
        yield f"      {option}: {_written(values)}"
    yield ""
    given = {"controls": "shown", "settings": "null", "metrics": "[]", "attack_classes": "all", "audits": "[]"}
    yield from _keys(Study, given)
    yield "# audits: quick  # or standard, full, or a list such as [{name: rmia, references: 4}]"
    yield from _keys(Study, {"doses": "[]"})
    yield from _headed("search")
    yield from _keys(Search, {"trials": 12, "sampler": "tpe", "window": 4, "startup": 4}, 2)
    yield from _comment(_meaning(Search, "early_stopping"), 2)
    yield "  # early_stopping: {grace_epochs: 1, reduction: 3}"
    yield from _headed("seeds")
    yield from _keys(Seeds, {"tuning": "[0, 4, 5]", "reporting": "[1, 2, 3]"}, 2)
    yield ""
    yield from _keys(Study, {"margin": 0.01, "original": "null", "deliver": "{}"})
    yield "# original: {checkpoint: model.pt}"
    yield from _headed("resources")
    for key in ("trial", "training"):
        yield from _keys(ResourceOptions, {key: "{cpu: 1, gpu: 0}"}, 2)
    yield ""
    yield from _keys(Study, {"keep_models": "none", "models_gib": 10, "results": "results"})


def _written(values: Range | Choices) -> str:
    if isinstance(values, Choices):
        return f"[{', '.join(map(str, values.choices))}]"
    return f"{{low: {values.low:g}, high: {values.high:g}{', log: true' if values.log else ''}}}"


def _data(data: str) -> Iterator[str]:
    match data:
        case "synthetic":
            yield _beside("  - source: synthetic", "generated images, to try things out")
        case "folder":
            yield _beside("  - source: folder", "images under path/{train,val,test}/CLASS/")
            yield _beside("    path: images", "counts from the folder of this file")
            yield from _keys(Folder, {"size": 28, "channels": 3}, 4)
        case "table":
            yield _beside("  - source: table", "a row for each image: file, label and, if known, split and patient")
            yield _beside("    path: images.csv", "counts from the folder of this file")
            yield from _keys(ImageTable, {"size": 28, "channels": 3}, 4)
        case "npz":
            yield _beside("  - source: npz", "an archive as MedMNIST writes them, with train_images and so on")
            yield _beside("    path: images.npz", "counts from the folder of this file")
        case _:
            yield _beside("  - source: medmnist", "found under LETHE_DATA or ~/.medmnist, else downloaded")
            yield f"    name: {data}"
            yield _beside("    size: 28", "or 64, 128, 224")


def _headed(key: str, more: str = "") -> Iterator[str]:
    """Yield the comment on a key of the study, and the key, whose value follows."""
    meaning = _meaning(Study, key)
    yield ""
    yield from _comment(f"{meaning}: {more}" if more else meaning)
    yield f"{key}:"


def _keys(model: type[BaseModel], values: Mapping[str, object], indent: int = 0) -> Iterator[str]:
    """Yield keys with their values and, beside or above each, its meaning."""
    for key, value in values.items():
        written, meaning = f"{' ' * indent}{key}: {value}", _meaning(model, key)
        if len(_beside(written, meaning)) <= _WIDTH:
            yield _beside(written, meaning)
        else:
            yield from _comment(meaning, indent)
            yield written


def _beside(written: str, meaning: str) -> str:
    return f"{written.ljust(_SIDE)}# {meaning}"


def _meaning(model: type[BaseModel], key: str) -> str:
    return model.model_fields[key].description or ""


def _comment(text: str, indent: int = 0) -> list[str]:
    begin = " " * indent + "# "
    return textwrap.wrap(text, _WIDTH, initial_indent=begin, subsequent_indent=begin)
