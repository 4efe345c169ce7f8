"""All that is known of one trial, confirmation or artifact, as a person reads it: where a number comes from."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lethe.errors import InputError
from lethe.results import Results
from lethe.results.json_column import json_column
from lethe.results.visible import visible
from lethe.storage.root import StorageRoot

_MEASURES: Final = ("ua", "ra", "va", "ta", "mia")
_NAMES: Final = {"trials": "trial_id", "confirmations": "confirmation_id", "artifacts": "artifact_id"}
_SAID: Final = {
    *_MEASURES,
    *(f"oracle_{name}" for name in _MEASURES),
    *(
        "gap",
        "original_gap",
        "setting",
        "search_space",
        "status",
        "error",
        "originals",
        "oracles",
        "original",
        "oracle",
    ),
}
_COST: Final = (
    "seconds_",
    "tuning_",
    "peak_memory_bytes",
    "device",
    "cpus",
    "gpus",
    "retrain_share",
    "compute_share",
    "images_",
    "bytes",
)
_ORIGIN: Final = ("worker", "node", "lethe_", "code_", "python_", "torch_", "ray_", "optuna_", "started_at", "ended_at")


def print_unit(root: StorageRoot, name: str, console: Console) -> None:
    """Print a trial (setting, curve, what it was compared with, cost, versions), a confirmation or an artifact.

    Raises:
        InputError: nothing has this name; the message gives names that are like it.
        QueryError: no results there.
    """
    results = Results(root)
    table, row = _find(results, name)
    console.print(Text(f"{_NAMES[table].removesuffix('_id')} {name}", style="bold"), Text(visible(_standing(row))))
    setting = json_column("setting", row.get("setting") or "{}")
    _print_values(console, "setting", setting)
    if row.get("search_space"):
        space = json_column("search_space", row["search_space"])
        _print_values(console, "searched", {option: _range(of) for option, of in space.items()})
    if table != "artifacts":
        _print_measures(console, row)
    own = Results(root, row["study"])
    if table == "trials":
        curve = _rows_where(own.load("epochs"), "trial_id", [name])
        _print_rows(console, "curve", sorted(curve, key=lambda epoch: int(epoch["epoch"])), _CURVE)
    if table == "artifacts":
        confirmations = results.load("confirmations")
        named = (_rows_where(confirmations, column, [name]) for column in ("original", "oracle", "model"))
        used = {row["confirmation_id"]: row for rows in named for row in rows}
        _print_rows(console, "used by", list(used.values()), _CONFIRMED)
    else:
        _print_artifacts(console, results, row)
    if table == "confirmations":
        found = _rows_where(own.load("recorded_measures"), "unit_id", [name])
        of_audits = [one for one in found if one["audit"] is not None and one["class_index"] is None]
        _print_rows(console, "audits (of all classes together)", of_audits, _AUDITED)
    if table == "trials":
        confirmed = _rows_where(own.load("confirmations"), "trial_id", [name])
        _print_rows(console, "confirmed as", confirmed, _CONFIRMED)
        optimism = _rows_where(own.load("optimism"), "trial_id", [name])
        _print_rows(console, "where it was chosen, and where not", optimism, _OPTIMISM)
    said = {*_SAID, *setting, "method"}
    rest = {column: value for column, value in row.items() if column not in said and value is not None}
    _print_values(console, "cost", {column: value for column, value in rest.items() if column.startswith(_COST)})
    _print_values(console, "made by", {column: value for column, value in rest.items() if column.startswith(_ORIGIN)})
    others = {column: value for column, value in rest.items() if not column.startswith((*_COST, *_ORIGIN))}
    _print_values(console, "more", others)


_CURVE: Final = ("epoch", "loss", "ua", "ra", "va", "mia", "gap", "seconds_unlearn", "seconds_evaluate")
_CONFIRMED: Final = ("confirmation_id", "row", "training_seed", "ua", "ra", "ta", "mia", "gap", "status")
_OPTIMISM: Final = ("tuning_gap", "confirmed_gap", "alike", "tuning_alike", "confirmed_alike", "optimism")
_AUDITED: Final = ("metric", "split", "value", "low", "high", "n")
_ARTIFACT: Final = ("artifact_id", "kind", "training_seed", "study", "seconds_train", "va", "ta", "uri")


def _find(results: Results, name: str) -> tuple[str, dict[str, Any]]:
    known: list[str] = []
    for table, key in _NAMES.items():
        rows = results.load(table)
        if found := _rows_where(rows, key, [name]):
            return table, found[0]
        known += rows[key].to_pylist()
    like = difflib.get_close_matches(name, known, 5, cutoff=0.3)
    raise InputError(
        f"no trial, confirmation or artifact '{name}' in {results.root}; names like it: {', '.join(like) or 'none'}"
    )


def _standing(row: Mapping[str, Any]) -> str:
    """Describe what a row belongs to and how it ended."""
    of = f"of {row['study']}: {row['dataset']}, augmentation {row['augmentation']}, {row['network']}"
    asked = f", forget {row['forget']} ({row['forget_images']} images)" if row.get("forget") else ""
    method = f", {row.get('row') or row['method']}" if row.get("method") else f", {row.get('kind')}"
    ended = f" · {row['status']}" if row.get("status") else ""
    return of + asked + method + ended + (f": {row['error']}" if row.get("error") else "")


def _range(distribution: Any) -> Any:
    """Write a distribution of Optuna's as a study's file does: its values, or from where to where."""
    match distribution:
        case {"attributes": {"choices": choices}}:
            return choices
        case {"attributes": {"low": low, "high": high, **more}}:
            return f"{low} ... {high}" + (", log" if more.get("log") else "")
        case _:
            return distribution


def _print_measures(console: Console, row: Mapping[str, Any]) -> None:
    table = Table("measure", "unlearned", "oracle", "difference", box=SIMPLE_HEAD, pad_edge=False)
    for name in _MEASURES:
        own, oracle = row.get(name), row.get(f"oracle_{name}")
        if own is not None:
            difference = "" if oracle is None else f"{own - oracle:+.4f}"
            table.add_row(name.upper(), _shown(own), _shown(oracle), difference)
    if row.get("gap") is not None:
        table.add_row("gap", _shown(row["gap"]), "", "")
    if row.get("original_gap") is not None:
        table.add_row("gap of doing nothing", _shown(row["original_gap"]), "", "")
    if table.row_count:
        console.print(table)


def _print_artifacts(console: Console, results: Results, row: Mapping[str, Any]) -> None:
    """List the models that a unit started from and was compared with."""
    single = [row.get("original"), row.get("oracle")]
    wanted = [*(row.get("originals") or ()), *(row.get("oracles") or ()), *filter(None, single)]
    artifacts = _rows_where(results.load("artifacts"), "artifact_id", wanted)
    _print_rows(console, "compared with", artifacts, _ARTIFACT)
    if gone := sorted(set(wanted) - {artifact["artifact_id"] for artifact in artifacts}):
        console.print(Text(visible(f"not recorded in these results: {', '.join(gone)}")))


def _rows_where(rows: pa.Table, column: str, values: Sequence[str]) -> list[dict[str, Any]]:
    wanted = pc.is_in(rows[column], value_set=pa.array(values, pa.string()))
    found: list[dict[str, Any]] = rows.filter(wanted).to_pylist()
    return found


def _print_rows(console: Console, title: str, rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(row[column])) for column in columns))
    if table.row_count:
        console.print(table)


def _print_values(console: Console, title: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    table = Table(title, "", box=SIMPLE_HEAD, pad_edge=False)
    for name, value in values.items():
        table.add_row(Text(visible(name)), Text(_shown(value)))
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else visible(str(value))
