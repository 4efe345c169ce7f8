"""Which of the searched options the gap depends on, by Optuna's own estimate."""

import json
import math
import warnings
from collections.abc import Sequence
from typing import Any, Final

from lethe.report.page._canvas import spans_decades
from lethe.report.page._figures import varied
from lethe.report.page._gather import Searched
from lethe.results.json_column import json_column

FEWEST_TRIALS: Final = 10
"""Finished trials below which nothing is estimated."""


def importance_of(search: Searched) -> dict[str, float]:
    """Estimate the share of each searched option in how good a trial is, largest first; they add up to 1.

    Empty where fewer than two options differ, or fewer than `FEWEST_TRIALS` trials finished.

    Source: PED-ANOVA (Watanabe et al., IJCAI 2023) as `optuna.importance` has it, over the best tenth of the trials.
    """
    settings = [json_column("setting", trial.setting) for trial in search.finished]
    names = [name for name in varied(settings) if all(name in setting for setting in settings)]
    if len(settings) < FEWEST_TRIALS or len(names) < 2:
        return {}
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    values = {name: _comparable([setting[name] for setting in settings]) for name in names}
    spaces = {name: _space(known) for name, known in values.items()}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna_study = optuna.create_study()
        for number, trial in enumerate(search.finished):
            params = {name: known[number] for name, known in values.items()}
            optuna_study.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=trial.measured))
        found = get_param_importances(optuna_study, evaluator=PedAnovaImportanceEvaluator())
    return found if all(map(math.isfinite, found.values())) else {}


def _comparable(values: Sequence[Any]) -> list[Any]:
    """Return an option's values as numbers where all are, else each as text: yes, no, nothing and nested ones too."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return list(values)
    return [json.dumps(value, sort_keys=True) for value in values]


def _space(values: Sequence[Any]) -> Any:
    """Return the range that values come from, as Optuna describes it."""
    import optuna.distributions as space

    if any(isinstance(value, str) for value in values):
        return space.CategoricalDistribution(sorted(set(values)))
    low, high, log = min(values), max(values), spans_decades(values)
    if all(isinstance(value, int) for value in values):
        return space.IntDistribution(low, high, log=log)
    return space.FloatDistribution(low, high, log=log)
