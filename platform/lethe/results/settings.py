"""The settings that searches chose, as the results hold them: what a settings file is written from."""

from typing import Any, Final

from lethe.results.json_column import json_column
from lethe.results.sql import Results
from lethe.storage.root import StorageRoot
from lethe.study import ChosenSetting

_CHOSEN: Final = """
with line as (from leaderboard where gap is not null),
on_board as (
    select study, method_search, any_value(specification_id) as specification_id, any_value(data_hash) as data_hash,
        any_value(training) as training
    from asked where method_search is not null group by all
),
ended as (select study, method_search, max(ended_at) as ended_at from trials group by all)
select c.*, b.specification_id, b.data_hash, b.training,
    nullif(t.attack_classes, 'all') as attack_classes,
    t.lethe_version, t.code_version, t.method_version, t.method_package, ended.ended_at,
    l.setting as confirmed_setting, l.gap as confirmed, l.gap_low, l.gap_high, l.reporting_seeds,
    o.gap as original, o.gap_low as original_low, o.gap_high as original_high
from chosen c
join on_board b using (study, method_search)
join trials t using (study, trial_id)
join ended using (study, method_search)
left join line l on (l.study, l.scenario, l.row) = (c.study, c.scenario, c.row)
left join line o on (o.study, o.scenario, o.row) = (c.study, c.scenario, 'original')
where c.current
order by c.dataset, c.augmentation, c.forget, c.network, c.row, c.study, c.method_search
"""


def chosen_settings(root: StorageRoot, study: str | None = None, *, complete: bool = False) -> list[ChosenSetting]:
    """Return the chosen setting of every row that a search was made for, by data set, scenario and row.

    They are those of each study's specification that was run last. A setting of which the best epoch counts is among
    them once it is confirmed: until then no row names the epoch.

    Args:
        study: the one study whose settings are returned; all if not given.
        complete: only of searches that have ended.

    Raises:
        QueryError: no results there.
        CorruptRowError: a row holds a setting that no Lethe writes.
    """
    rows = Results(root, study).query(_CHOSEN).to_pylist()
    settings = [
        (row, json_column("setting", row["confirmed_setting"] or row["setting"]))
        for row in rows
        if not complete or _has_ended(row)
    ]
    return [
        _chosen(row, setting)
        for row, setting in settings
        if setting.get("keep") != "best" or row["confirmed"] is not None
    ]


def _has_ended(row: dict[str, Any]) -> bool:
    """Return whether a search has ended; one with a budget in seconds has where its row is confirmed."""
    if row["planned_seconds"] is not None:
        return row["confirmed"] is not None
    return bool(row["tuning_trials"] - row["tuning_raced"] >= row["planned_trials"])


def _chosen(row: dict[str, Any], setting: dict[str, Any]) -> ChosenSetting:
    control = row["row"].removeprefix(row["method"]).strip()
    return ChosenSetting.model_validate(
        {
            "method": row["method"],
            "control": control or None,
            "setting": {n: value for n, value in setting.items() if n not in ("name", "keep", "kept_epoch")},
            "kept_epoch": setting.get("kept_epoch"),
            "rewinds": setting.get("keep") == "rewind" or None,
            "tuned_on": {
                name: row[name]
                for name in (
                    *("dataset", "data_hash", "augmentation", "forget"),
                    *("network", "precision", "training", "attack_classes"),
                )
            },
            "search": {
                "study": row["study"],
                "specification": row["specification_id"],
                "method_search": row["method_search"],
                "trial": row["trial_id"],
                "seeds": row["tuning_seeds"],
                "trials": row["tuning_trials"],
                "seconds": round(row["tuning_seconds"], 1),
                "gap": _rounded(row["tuning_gap"]),
                "original_gap": _rounded(row["tuning_original_gap"]),
            },
            "confirmed": _confirmed(row),
            "versions": {
                "lethe": row["lethe_version"],
                "code": row["code_version"],
                "method": row["method_version"],
                "package": row["method_package"],
            },
            "date": f"{row['ended_at']:%Y-%m-%d}",
        }
    )


def _confirmed(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["confirmed"] is None:
        return None
    return {
        "seeds": row["reporting_seeds"],
        "gap": _rounded(row["confirmed"]),
        "gap_low": _rounded(row["gap_low"]),
        "gap_high": _rounded(row["gap_high"]),
        "original_gap": _rounded(row["original"]),
        "original_gap_low": _rounded(row["original_low"]),
        "original_gap_high": _rounded(row["original_high"]),
    }


def _rounded(fraction: float | None) -> float | None:
    return None if fraction is None else round(fraction, 5)
