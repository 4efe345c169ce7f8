"""The plain loop of `plain_salun.py` as a function trainable of Ray Tune; `bench_search.py` gives it its settings."""

import json
import sys
from pathlib import Path
from typing import Any

import ray
from ray import tune

HERE = str(Path(__file__).parent)


def trial(config: dict[str, Any]) -> None:
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, config["here"])
    from plain_salun import unlearn

    setting = config["setting"]
    options = {name: setting[name] for name in ("lr", "density", "epochs", "batch_size", "precision", "device")}
    for gap in unlearn(Path(setting["folder"]), **options):
        tune.report({"gap": gap})


def main(settings: list[dict[str, Any]], cores: int, gpu: float, storage: str) -> None:
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1, "gpu": gpu}),
        param_space={"setting": tune.grid_search(settings), "here": HERE},
        tune_config=tune.TuneConfig(metric="gap", mode="min"),
        run_config=tune.RunConfig(storage_path=storage, verbose=0),
    )
    found = {result.config["setting"]["number"]: result.metrics["gap"] for result in tuner.fit()}
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
