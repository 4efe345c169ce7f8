"""A search as a competent user writes it: Ray Tune, OptunaSearch and ASHA around the plain loop of `plain_salun.py`.

`bench_quality.py` runs it; it prints what it chose: the setting of the smallest last gap.
"""

import json
import sys
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

HERE = str(Path(__file__).parent)


def trial(config: dict[str, Any]) -> None:
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, config["here"])
    from plain_salun import unlearn

    for gap in unlearn(Path(config["folder"]), **config["fixed"], **config["setting"]):
        tune.report({"gap": gap})


def distribution(values: dict[str, Any] | list[Any]) -> Any:
    if isinstance(values, list):
        return tune.choice(values)
    draw = tune.loguniform if values.get("log") else tune.uniform
    return draw(values["low"], values["high"])


def main(
    folder: str, space: dict[str, Any], fixed: dict[str, Any], seconds: float, seed: int, cores: int, storage: str
) -> None:
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    setting = {name: distribution(values) for name, values in space.items()}
    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={"setting": setting, "fixed": fixed, "folder": folder, "here": HERE},
        tune_config=tune.TuneConfig(
            metric="gap",
            mode="min",
            search_alg=OptunaSearch(seed=seed),
            scheduler=ASHAScheduler(max_t=fixed["epochs"]),
            num_samples=-1,
            max_concurrent_trials=cores,
            time_budget_s=seconds,
        ),
        run_config=tune.RunConfig(storage_path=storage, verbose=0),
    )
    ended = [one for one in tuner.fit() if (one.metrics or {}).get("training_iteration") == fixed["epochs"]]
    if not ended:
        raise SystemExit(f"no trial reached its last epoch in {seconds:g} s")
    best = min(ended, key=lambda one: one.metrics["gap"])
    print("FOUND", json.dumps({"setting": best.config["setting"], "gap": best.metrics["gap"], "trials": len(ended)}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
