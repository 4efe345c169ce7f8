"""Settings files: what is written is read back, and a study takes from one what fits its scenarios, or says why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lethe.study import (
    ChosenSetting,
    MethodSearch,
    StudyError,
    described,
    expand,
    parse_study,
    read_settings,
    read_study,
    write_settings,
    write_study,
)
from unlearning.data import load

SMALL: dict[str, Any] = {
    "name": "small",
    "data": [{"source": "synthetic", "train": 40, "val": 10, "test": 10, "size": 8}],
    "forget": [{"kind": "random", "fraction": 0.1}],
    "network": {"name": "cnn", "width": 4},
    "training": {"precision": "float32"},
    "methods": [{"name": "fine_tune"}, {"name": "salun", "search": {"lr": {"low": 0.001, "high": 0.1}}}],
    "seeds": {"tuning": [0], "reporting": [1, 2]},
}

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "settings").glob("*.yaml"))

Write = Callable[..., Path]


def setting(**changes: Any) -> ChosenSetting:
    """A setting of fine-tuning for the small study; the keys of its parts are changed where they are."""
    scenario = {
        "dataset": "synthetic",
        "data_hash": "other",
        "augmentation": "none",
        "forget": "random 10 %",
        "network": "cnn width 4",
        "precision": "float32",
        "training": "30 epochs, batch 128, lr 0.1, cosine",
    }
    search = {
        "study": "before",
        "specification": "y",
        "method_search": "c",
        "trial": "before-c-0003",
        "seeds": (0,),
        "trials": 12,
        "seconds": 33.5,
        "gap": 0.04,
        "original_gap": 0.1,
    }
    whole = {
        "method": "fine_tune",
        "setting": {"epochs": 2, "lr": 0.0172},
        "confirmed": {"seeds": (1, 2, 3), "gap": 0.05, "gap_low": 0.04, "gap_high": 0.06, "original_gap": 0.1},
        "versions": {"lethe": "0.1.0", "code": "abc", "method": 1, "package": "lethe 0.1.0"},
        "date": "2026-11-27",
    }
    parts = {
        "tuned_on": {name: changes.pop(name, value) for name, value in scenario.items()},
        "search": {name: changes.pop(name, value) for name, value in search.items()},
    }
    return ChosenSetting.model_validate(whole | parts | changes)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the small study with other options, beside a file of these settings, and names the study's file."""

    def written(*settings: ChosenSetting, **options: Any) -> Path:
        (tmp_path / "best.yaml").write_text(write_settings(settings, "best.yaml"))
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(SMALL | {"settings": "best.yaml"} | options))
        return path

    return written


def expanded(path: Path) -> list[MethodSearch]:
    study = read_study(path)
    return expand(study, {source: load(source) for source in study.data})


def complaint(path: Path) -> str:
    with pytest.raises(StudyError) as caught:
        expanded(path)
    return str(caught.value)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    settings = (setting(), setting(control="random mask", confirmed=None, original_gap=None))
    path = tmp_path / "best.yaml"
    path.write_text(write_settings(settings, "best.yaml"))
    assert read_settings(path) == settings
    assert "# confirmed: a gap of 5.0 [4.0, 6.0] points on seeds 1, 2, 3, of doing nothing 10.0" in path.read_text()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_settings_file_that_we_ship_can_be_read_and_written_again(path: Path) -> None:
    assert write_settings(read_settings(path), path.name) == path.read_text()


def test_a_file_without_settings_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text(write_settings([], "none.yaml"))
    assert read_settings(path) == ()


def test_a_method_without_options_takes_its_setting_and_is_not_searched(write: Write) -> None:
    taken, searched = expanded(write(setting()))
    assert taken.method_at({}).model_dump() == taken.choice.method(epochs=2, lr=0.0172).model_dump()
    assert (taken.trials, searched.trials, searched.taken) == (0, 24, None)
    assert taken.taken == setting()


def test_a_taken_setting_is_identified_as_one_that_the_study_writes_out(write: Write) -> None:
    taken, _ = expanded(write(setting()))
    fixed, _ = expanded(write(setting(), settings=None, methods=[{**SMALL["methods"][0], "epochs": 2, "lr": 0.0172},
                                                                  SMALL["methods"][1]]))  # fmt: skip
    assert taken.fingerprint == fixed.fingerprint


def test_of_two_settings_that_fit_that_of_the_same_images_is_taken(write: Write) -> None:
    [own, _] = expanded(write(setting()))
    same = setting(data_hash=own.scenario.data_hash, setting={"epochs": 4}, trial="same")
    [taken, _] = expanded(write(setting(), same))
    assert taken.taken == same


def test_of_two_settings_that_fit_that_of_the_same_attack_is_taken(write: Write) -> None:
    [own, _] = expanded(write(setting()))
    assert own.scenario.named.attack_classes is None
    same = setting(setting={"epochs": 4}, trial="same")
    same = same.model_copy(update={"tuned_on": same.tuned_on.model_copy(update={"attack_classes": "forgotten"})})
    [taken, _] = expanded(write(setting(), same, attack_classes="forgotten"))
    assert taken.taken == same
    assert "another attack" not in described(same, taken.scenario.named, 1)
    [other, _] = expanded(write(setting(), attack_classes="forgotten"))
    assert other.taken == setting()
    assert "against another attack (attack_classes: all), and may carry over badly" in described(
        setting(), other.scenario.named, 1
    )


def test_a_scenario_that_nothing_fits_is_answered_with_what_is_nearest(write: Write) -> None:
    others = setting(network="resnet18 width 64"), setting(dataset="bloodmnist", augmentation="standard")
    said = complaint(write(*others))
    assert "settings: fine_tune: no setting for synthetic, augmentation none, forget random 10 %, cnn width 4" in said
    assert "nearest is synthetic, augmentation none, forget random 10 %, resnet18 width 64" in said
    assert "bloodmnist, augmentation standard" in said


def test_every_error_of_what_is_taken_is_told_at_once(write: Write) -> None:
    two = [{"kind": "random", "fraction": 0.1}, {"kind": "class", "class_index": 0}]
    methods = [{"name": "fine_tune"}, {"name": "neggrad_plus"}]
    said = complaint(write(setting(setting={"epoch": 2}), forget=two, methods=methods))
    assert "small: 3 errors in what it takes from" in said
    assert "fine_tune: epoch: no such option of fine_tune; did you mean epochs?" in said
    assert "fine_tune: no setting for synthetic, augmentation none, forget class 0" in said
    assert "neggrad_plus: the file has no setting of this method" in said


def test_two_settings_for_one_scenario_are_refused(write: Write) -> None:
    assert "several settings for" in complaint(write(setting(), setting(study="again", trial="again-c-0001")))


def test_a_setting_that_was_chosen_on_a_reporting_seed_is_refused(write: Write) -> None:
    said = complaint(write(setting(seeds=(2, 5))))
    assert "was chosen on the seeds [2], which are reporting seeds here" in said


def test_settings_that_no_method_takes_are_refused(write: Write) -> None:
    with pytest.raises(StudyError, match="no method takes its setting from the file"):
        read_study(write(setting(), methods=[{"name": "fine_tune", "epochs": 2}]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("name: small", "is no settings file"),
        ("format: lethe-settings\nversion: 2\nsettings: []", "version: wanted 1, got 2"),
        ("format: lethe-settings\nversion: 1\nsettings: [{method: 1}]", "settings.0.method: wanted text, got 1"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "best.yaml"
    path.write_text(text)
    with pytest.raises(StudyError, match=said):
        read_settings(path)


def test_what_differs_from_the_tuning_is_described(write: Write) -> None:
    [taken, _] = expanded(write(setting()))
    named = taken.scenario.named
    same = setting(data_hash=named.data_hash, training=named.training)
    assert described(same, named, 1) == "its setting is that of study before (12 trials on seed 0, 2026-11-27)"
    said = described(setting(training="1 epoch"), named, 2)
    assert "on other images or labels and with another training (1 epoch) and by version 1 of the method" in said


def test_files_count_from_the_folder_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    search = {"start_from": ["blood", "best.yaml", "~/mine.yml"]}
    Path("studies/a.yaml").write_text(yaml.safe_dump(SMALL | {"settings": "best.yaml", "search": search}))
    study = read_study(Path("studies/a.yaml"))
    assert study.settings == Path("studies/best.yaml")
    assert study.search.start_from == ("blood", "studies/best.yaml", "~/mine.yml")
    assert study.search.start_files == {1: Path("studies/best.yaml"), 2: Path.home() / "mine.yml"}


def test_one_source_to_start_from_needs_no_list() -> None:
    assert parse_study(SMALL | {"search": {"start_from": "results"}}, "s").search.start_from == ("results",)


def test_a_study_without_these_options_is_written_as_before() -> None:
    text = write_study(parse_study(SMALL, "s"))
    assert not {"settings", "controls", "start_from"} & {word.strip(" :") for word in text.splitlines()}
    assert "controls" not in text


def test_options_that_are_written_are_read_back(write: Write) -> None:
    study = read_study(write(setting(), controls="tuned", search={"start_from": ["results"]}))
    assert parse_study(yaml.safe_load(write_study(study)), "s") == study


def test_a_stream_takes_the_setting_of_its_first_request_or_of_the_request_that_it_divides(write: Write) -> None:
    stream = {"kind": "stream", "of": {"kind": "random", "fraction": 0.1}, "steps": 2}
    whole, first = setting(), setting(forget="random 10 %, request 1 of 2", trial="first", setting={"lr": 0.5})
    options = {"settings": "best.yaml", "forget": [stream], "methods": [{"name": "fine_tune"}]}
    [taken] = expanded(write(whole, **options))
    assert taken.taken == whole
    assert "and to forget random 10 %" in described(whole, taken.scenario.named, 1)
    [taken] = expanded(write(whole, first, **options))
    assert taken.taken == first
