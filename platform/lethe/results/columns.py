"""Rows and columns that are filled from a study, a scenario or a method, and what is read back from them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from pydantic_core import to_json

from lethe.results.json_column import CorruptRowError, json_column
from lethe.results.provenance import Provenance
from lethe.results.rows import SettingColumns, StudyRow, TrialRow
from lethe.storage.hashing import fingerprint
from lethe.study import Keep, MethodSearch, Scenario, Study, write_study
from unlearning.data import SOURCES
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Precision
from unlearning.families import OptionsFamily, Package
from unlearning.methods import METHODS, Method
from unlearning.models import package_of
from unlearning.options import Options


def specification(study: Study, rates: Mapping[Precision, float] | None = None) -> StudyRow:
    """Make the row of a study that is run now.

    Where its results lie is left out, since a URI may hold credentials, and so is which models are kept, which changes
    no result.

    Args:
        rates: images a second of training by precision, where they were measured to choose one.
    """
    text, here = write_study(study, without={"results", "keep_models", "models_gib"}), Provenance()
    return StudyRow(
        study=study.name,
        specification_id=fingerprint({"specification": text}),
        specification=text,
        lethe_version=here.lethe_version,
        code_version=here.code_version,
        images_per_second_float32=rates["float32"] if rates else None,
        images_per_second_bfloat16=rates["bfloat16"] if rates else None,
        started_at=datetime.now(UTC),
    )


def scenario_columns(study: str, scenario: Scenario, seed: int) -> dict[str, Any]:
    """Fill the `ScenarioColumns`.

    Args:
        seed: the training seed whose forget set is counted.
    """
    forget = scenario.partition(seed).forget
    return {
        "study": study,
        "dataset": scenario.dataset,
        "augmentation": scenario.augmentation,
        "network": scenario.network_title,
        "precision": scenario.recipe.precision,
        "network_version": scenario.network.version,
        "source_version": scenario.source.version,
        "augmentation_version": AUGMENTATIONS[scenario.augmentation].version,
        "train_duplicates": scenario.train_duplicates,
        "val_dropped": scenario.dropped["val"],
        "test_dropped": scenario.dropped["test"],
        "scenario": scenario.fingerprint,
        "forget": scenario.request.label,
        "forget_kind": scenario.request.kind,
        "forget_fraction": len(forget.indices_F) / scenario.train_count,
        "forget_images": len(forget.indices_F),
        "forget_duplicates": forget.duplicates_added,
        "task": scenario.task,
        "network_package": _named(package_of(scenario.network)),
        "source_package": _package(SOURCES, scenario.source),
    }


def kept_options(keep: Keep, kept_epoch: int | None = None) -> dict[str, Any]:
    """Return what the JSON of a setting says of the epoch that counts; nothing where it is the last one.

    Args:
        kept_epoch: the epoch that a run stops after.
    """
    options = {"keep": keep} if keep != "last" else {}
    return options | ({"kept_epoch": kept_epoch} if kept_epoch is not None else {})


def setting_columns(method: Method, kept: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Fill the `SettingColumns` but for the threshold; an option without a column of its own is in the JSON.

    Args:
        kept: further options of the JSON (`kept_options`).
    """
    options = method.model_dump(exclude={"name"})
    typed = {name: value for name, value in options.items() if name in SettingColumns.__dataclass_fields__}
    return {
        "method": method.name,
        "method_version": method.version,
        "method_package": _package(METHODS, method),
        "setting": to_json(method.model_dump(mode="json") | dict(kept)).decode() if kept else method.model_dump_json(),
        **typed,
    }


def setting_of(row: TrialRow, method_search: MethodSearch) -> dict[str, Any]:
    """Read the searched options back from a row, which leaves out later ones at their defaults (`Method.later`).

    Raises:
        CorruptRowError: the row holds no setting of this method search.
    """
    method = method_search.choice.method
    unwritten = {name: method.model_fields[name].default for name in method.later}
    options = {**unwritten, **json_column("setting", row.setting)}
    if missing := method_search.choice.search.keys() - options.keys():
        raise CorruptRowError(f"the setting of {row.trial_id} lacks {', '.join(sorted(missing))}: {row.setting}")
    return {name: options[name] for name in method_search.choice.search}


def _package(family: OptionsFamily[Any], part: Options) -> str | None:
    return _named(family.package_of(type(part)))


def _named(package: Package | None) -> str | None:
    return str(package) if package else None
