"""A study that leaves its precision to the hardware."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

from lethe.artifacts import original
from lethe.cli import app
from lethe.pipeline.precision import choose_precision
from lethe.results import Store, query
from lethe.results.columns import specification
from lethe.storage.root import StorageRoot
from lethe.study import Study, expand, read_study
from unlearning.data import load
from unlearning.engine.precision import GAIN, faster, training_rates
from unlearning.models import CNN

LEAVES_IT = {"epochs": 1, "batch_size": 32, "precision": "auto"}


@pytest.fixture
def study(write_study: Callable[..., Path]) -> Study:
    return read_study(write_study(training=LEAVES_IT))


def test_it_is_left_to_the_hardware_unless_a_study_says_it(tmp_path: Path, write_study: Callable[..., Path]) -> None:
    options = yaml.safe_load(write_study().read_text())
    del options["training"]["precision"]
    path = tmp_path / "silent.yaml"
    path.write_text(yaml.safe_dump(options))
    assert read_study(path).training.precision == "auto"


def test_models_are_identified_by_a_precision_that_was_chosen(study: Study) -> None:
    datasets = {source: load(source) for source in study.data}
    with pytest.raises(ValueError, match="wanted float32 or bfloat16, got auto"):
        expand(study, datasets)
    names = {original(expand(study.in_precision(one), datasets)[0].scenario, 0) for one in ("float32", "bfloat16")}
    assert len(names) == 2


def test_bfloat16_must_be_clearly_faster() -> None:
    assert faster({"float32": 100.0, "bfloat16": 100.0 * GAIN}) == "bfloat16"
    assert faster({"float32": 100.0, "bfloat16": 99.0 * GAIN}) == "float32"


def test_both_precisions_are_measured() -> None:
    rates = training_rates(CNN(width=4), channels=3, size=12, classes=3, batch_size=8, device=torch.device("cpu"))
    assert set(rates) == {"float32", "bfloat16"}
    assert all(rate > 0 for rate in rates.values())


def test_a_gpu_computes_in_bfloat16(write_study: Callable[..., Path], store: Store) -> None:
    study = read_study(write_study(training=LEAVES_IT, resources={"training": {"gpu": 0.5}}))
    assert choose_precision(study, [load(source) for source in study.data], store).precision == "bfloat16"


@pytest.mark.parametrize("before", ["float32", "bfloat16"])
def test_what_the_first_run_chose_holds_for_a_longer_search(
    before: str, write_study: Callable[..., Path], store: Store
) -> None:
    first = read_study(write_study(training=LEAVES_IT | {"precision": before}))
    store.append([specification(first, {"float32": 1.0, "bfloat16": 2.0})])
    longer = read_study(write_study(training=LEAVES_IT, search={"trials": 9, "window": 2}))
    choice = choose_precision(longer, [load(source) for source in longer.data], store)
    assert (choice.precision, choice.rates) == (before, None)
    assert "as when the study was first run" in choice.told


def test_what_another_network_chose_does_not_hold(study: Study, store: Store) -> None:
    wider = study.model_copy(update={"network": CNN(width=8)}).in_precision("bfloat16")
    store.append([specification(wider)])
    choice = choose_precision(study, [load(source) for source in study.data], store)
    assert choice.rates is not None
    assert choice.precision == faster(choice.rates)


def test_a_run_tells_and_keeps_what_it_chose_and_a_second_one_does_nothing(
    tmp_path: Path, write_study: Callable[..., Path]
) -> None:
    command = ["run", str(write_study(training=LEAVES_IT)), "--local", "--results", str(tmp_path / "r")]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    root = StorageRoot.at(tmp_path / "r")
    [kept] = query("select specification, images_per_second_float32 rate from studies", root).to_pylist()
    chosen = yaml.safe_load(kept["specification"])["training"]["precision"]
    assert kept["rate"] > 0
    assert f"Training in {chosen} (training.precision: auto)" in " ".join(first.output.split())
    for table in ("trials", "confirmations", "artifacts"):
        found = query(f"select distinct precision from {table}", root).to_pylist()
        assert found == [{"precision": chosen}], table
    second = CliRunner().invoke(app, command)
    assert "Everything is there already" in second.output
    assert f", {chosen}" in second.output
