"""A study of eight method searches on a handful of images, expanded."""

from typing import Any

from lethe.study import MethodSearch, expand, parse_study
from unlearning.data import load


def content(**options: Any) -> dict[str, Any]:
    """Two augmentations, two forget requests and two methods on a handful of images."""
    return {
        "name": "small",
        "data": [{"source": "synthetic", "train": 40, "val": 10, "test": 10, "size": 8}],
        "augmentations": ["none", "standard"],
        "forget": [{"kind": "random", "fraction": 0.1}, {"kind": "class", "class_index": 2}],
        "network": {"name": "cnn", "width": 4},
        "training": {"precision": "float32"},
        "methods": [
            {"name": "salun", "search": {"density": {"low": 0.1, "high": 0.9}}},
            {"name": "fine_tune", "epochs": 2},
        ],
        "search": {"racing": None, **options.pop("search", {})},
        "seeds": {"tuning": [0, 1], "reporting": [2, 3]},
        **options,
    }


def cells_of(**options: Any) -> list[MethodSearch]:
    study = parse_study(content(**options), "study.yaml")
    return expand(study, {source: load(source) for source in study.data})


def fingerprints(method_searches: list[MethodSearch]) -> list[str]:
    return [method_search.fingerprint for method_search in method_searches]
