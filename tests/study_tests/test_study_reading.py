"""Options become the objects that they name, and all that is wrong is said at once, each at its dotted key."""

from typing import Any

import pytest
import yaml
from smallest_study import complaints, content, searching

from lethe.study import Choices, Range, Study, StudyError, parse_study, read_text
from unlearning.data import Synthetic
from unlearning.methods import SalUn


def test_a_study_is_read_into_the_objects_that_it_names() -> None:
    study = parse_study(
        content(
            data=[{"source": "synthetic", "size": 16}],
            methods=[
                {
                    "name": "salun",
                    "epochs": 3,
                    "search": {"lr": {"low": 1e-3, "high": 0.1, "log": True}, "loop": ["sequential", "mixed"]},
                }
            ],
        ),
        "study.yaml",
    )
    (choice,) = study.methods
    assert study.data == (Synthetic(size=16),)
    assert choice.fixed == {"epochs": 3}
    assert choice.search == {
        "lr": Range(low=1e-3, high=0.1, log=True),
        "loop": Choices(choices=("sequential", "mixed")),
    }
    assert choice.at({"lr": 0.05, "loop": "mixed"}) == SalUn(epochs=3, lr=0.05, loop="mixed")


def test_all_errors_are_told_at_once_each_with_its_dotted_place() -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(
            content(
                name="two words",
                training={"lr": -1.0, "epoks": 3, "schedule": {"kind": "one-cycle", "warmup": 2.0}},
                search={"trials": 0},
                network={"name": "cnn", "width": 0},
                metods=[],
            ),
            "study.yaml",
        )
    heading, *lines = str(caught.value).splitlines()
    assert heading == "study.yaml: 7 errors"
    assert sorted(line.strip().partition(":")[0] for line in lines) == [
        "metods",
        "name",
        "network.width",
        "search.trials",
        "training.epoks",
        "training.lr",
        "training.schedule.warmup",
    ]


def test_errors_within_lists_name_their_position() -> None:
    lines = complaints(
        data=[{"source": "synthetic"}, {"source": "synthetic", "size": 1}],
        forget=[{"kind": "random", "fraction": 0.1}, {"kind": "class", "class_index": -1}],
        methods=[{"name": "salun", "density": 2.0}, {"name": "fine_tune", "lr": 0.0, "density": 0.5}],
    )
    roots = {line.partition(":")[0] for line in lines}
    assert {"data.1.size", "forget.1.class_index", "methods.0.density", "methods.1.lr", "methods.1.density"} <= roots


@pytest.mark.parametrize("needed", ["name", "data", "forget", "methods"])
def test_what_is_missing_is_said_to_be_needed(needed: str) -> None:
    incomplete = content()
    del incomplete[needed]
    with pytest.raises(StudyError, match=f"{needed}: is needed"):
        parse_study(incomplete, "study.yaml")


def test_a_wrong_item_of_a_list_is_one_error() -> None:
    with pytest.raises(StudyError, match="1 error\n"):
        parse_study(content(augmentations=["fancy"]), "study.yaml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": {"name": "resnet19"}}, "network.name: unknown network 'resnet19'; did you mean resnet18?"),
        ({"network": "cnn"}, "network: wanted a mapping of options, got 'cnn'"),
        ({"data": [{"size": 64}]}, "data.0.source: is needed"),
        ({"data": [{"source": "table", "path": None}]}, "data.0.path: wanted a path, got nothing"),
        ({"data": [{"source": "npz", "path": 3}]}, "data.0.path: wanted a path, got 3"),
        (
            {"forget": [{"kind": "randm"}]},
            "forget.0.kind: wanted one of 'random', 'class', 'indices', 'where', 'query', 'confusion', 'gaussian', "
            "'stream', got 'randm'",
        ),
        ({"search": 4}, "search: wanted a mapping of options, got 4"),
        ({"seeds": {"tuning": 0}}, "seeds.tuning: wanted a list, as in [1, 2], got 0"),
        ({"seeds": {"reporting": [1]}}, "seeds.reporting: wanted at least 2 entries, got 1"),
        ({"name": "Klinik S\u00fcd"}, "name: wanted letters (a to z), digits and . _ -"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_told_without_the_words_of_pydantic(options: dict[str, Any], said: str) -> None:
    assert any(line.startswith(said) for line in complaints(**options)), complaints(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"training": {"epohcs": 3}}, "training.epohcs: no such option here; did you mean epochs? Valid are epochs, "),
        ({"forget": [{"kind": "class", "clas": "a"}]}, "forget.0.clas: no such option here; did you mean class? "),
        ({"network": {"name": "cnn", "wdth": 4}}, "network.wdth: no such option here; did you mean width? Valid are "),
        ({"data": [{"source": "synthetic", "trane": 4}]}, "data.0.trane: no such option here; did you mean train? "),
        ({"search": {"early_stopping": {"grace_epoch": 2}}}, "search.early_stopping.grace_epoch: no such option here"),
        ({"methods": [{"name": "salun", "densty": 0.5}]}, "methods.0.densty: no such option of salun; did you mean de"),
        ({"zzz": 1}, "zzz: no such option here; valid are name, seed, data, "),
        ({"arms": ["none"]}, "arms: is called augmentations now"),
        ({"methods": [{}]}, "methods.0.name: is needed"),
        ({"methods": ["salun"]}, "methods.0: wanted a mapping of options, got 'salun'; write {name: salun}"),
        ({"network": "cnn"}, "network: wanted a mapping of options, got 'cnn'; write {name: cnn}"),
        (
            {"training": {"schedule": "cosine"}},
            "training.schedule: wanted a mapping of options, got 'cosine'; write",
        ),
        (
            {"training": {"class_weights": "equal"}},
            "training.class_weights: wanted 'none' or 'balanced', got 'equal'",
        ),
        ({"training": {"class_weights": [1, -2]}}, "training.class_weights.1: wanted a number above 0, got -2"),
        ({"training": {"optimizer": "adamw"}}, "training.lr: is needed with adamw, such as 1e-3; the default, 0.1, is"),
        ({"training": {"precision": "fp16"}}, "training.precision: wanted 'float32', 'bfloat16' or 'auto', got 'fp16'"),
        (
            {"forget": [{"kind": "clas"}]},
            "forget.0.kind: wanted one of 'random', 'class', 'indices', 'where', 'query', 'confusion', 'gaussian', "
            "'stream', got 'clas'; d",
        ),
        ({"data": [{"source": "medmnist", "name": "bloodmist"}]}, "data.0.name: unknown MedMNIST set 'bloodmist' (did"),
        ({"margin": 2.0}, "margin: wanted a number below 1, got 2.0"),
        ({"search": {"trials": 1.5}}, "search.trials: wanted a whole number, got 1.5"),
        ({"name": 12}, "name: wanted text, got 12; write it in quotes"),
        ({"seed": None}, "seed: wanted a whole number, got nothing"),
        (searching(loop=[None, "mixed"]), "methods.0.search.loop: wanted numbers or texts to choose from, got None"),
        (
            searching(lr=0.1),
            "methods.0.search.lr: wanted a mapping of options, got 0.1; write a range as",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_error_names_what_was_wanted_and_what_is_nearest(options: dict[str, Any], said: str) -> None:
    lines = complaints(**options)
    assert [line[: len(said)] for line in lines] == [said]


EVERY_KEY: list[dict[str, Any]] = [
    {key: wrong}
    for key in Study.model_fields
    for wrong in (None, -1, 1.5, "zzz", True, [], {}, [None], [{}], {"zzz": 1}, [[1]], {"name": "zzz"})
]


@pytest.mark.parametrize("options", EVERY_KEY, ids=str)
def test_no_error_speaks_in_the_words_of_the_checker(options: dict[str, Any]) -> None:
    try:
        parse_study(content(**options), "study.yaml")
    except StudyError as error:
        leaks = ("input should", "input tag", "valid string", "pydantic", "extra inputs", "another value")
        assert not [words for words in leaks if words in str(error).lower()]


def test_a_specification_that_was_kept_before_a_key_was_renamed_is_read() -> None:
    kept = yaml.safe_dump(content(arms=["none", "standard"]))
    assert read_text(kept, "the specification").augmentations == ("none", "standard")
