"""Which of the searched options the gap depends on, by Optuna's own estimate."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lethe.report.page._gather import Searched
from lethe.results.json_column import json_column

FEWEST_TRIALS: Final = 10
"""Finished trials below which nothing is estimated."""

_LOG_SPAN: Final = 20.0


def importance_of(search: Searched) -> dict[str, float]:
    """Estimate the share of each searched option in how good a trial is, largest first; they add up to 1.

    Empty where fewer than two options differ, or fewer than `FEWEST_TRIALS` trials finished.

    Source: PED-ANOVA (Watanabe et al., IJCAI 2023) as `optuna.importance` has it, over the best tenth of the trials.
    """
    finished = search.finished
    settings = [json_column("setting", trial.setting) for trial in finished]
    spaces = {name: _space([setting.get(name) for setting in settings]) for name in _varied(settings)}
    if len(finished) < FEWEST_TRIALS or len(spaces) < 2:
        return {}
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna_study = optuna.create_study()
        for trial, setting in zip(finished, settings, strict=True):
            optuna_study.add_trial(
                optuna.trial.create_trial(
                    params={name: setting[name] for name in spaces}, distributions=spaces, value=trial.measured
                )
            )
        found = get_param_importances(optuna_study, evaluator=PedAnovaImportanceEvaluator())
    return found if all(map(math.isfinite, found.values())) else {}


def _varied(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the options that every setting has and that differ."""
    names = set.intersection(*(set(setting) for setting in settings)) if settings else set()
    return sorted(name for name in names if len({json.dumps(setting[name]) for setting in settings}) > 1)


def _space(values: Sequence[Any]) -> Any:
    """Return the range that values come from, as Optuna describes it."""
    import optuna.distributions as space

    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return space.CategoricalDistribution(
            sorted({value if isinstance(value, str) else str(value) for value in values})
        )
    low, high = min(values), max(values)
    log = low > 0 and high / low >= _LOG_SPAN
    if all(isinstance(value, int) for value in values):
        return space.IntDistribution(low, high, log=log)
    return space.FloatDistribution(low, high, log=log)
