from pathlib import Path
from typing import Any

import pytest
import yaml

from lethe.storage.root import StorageRoot
from lethe.study import Choices, Range, Study, StudyError, parse_study, read_study, read_text, write_study
from unlearning.data import SOURCES, Synthetic
from unlearning.data.augment import AUGMENTATIONS
from unlearning.methods import METHODS, SalUn
from unlearning.models import NETWORKS

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def content(**options: Any) -> dict[str, Any]:
    """The shortest study, with some options in the place of its own."""
    return {
        "name": "small",
        "data": [{"source": "synthetic"}],
        "forget": [{"kind": "random", "fraction": 0.1}],
        "methods": [{"name": "salun"}],
        **options,
    }


def searching(**dimensions: Any) -> dict[str, Any]:
    return content(methods=[{"name": "salun", "search": dimensions}])


def written(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def small_file(folder: Path) -> Path:
    return written(folder, yaml.safe_dump(content()))


def complaints(**options: Any) -> list[str]:
    """The lines below the heading, each without its indent."""
    with pytest.raises(StudyError) as caught:
        parse_study(content(**options), "study.yaml")
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def complaint_at(root: str, **options: Any) -> str:
    """What is said of one place."""
    lines = complaints(**options)
    said = [line.removeprefix(f"{root}: ") for line in lines if line.startswith(f"{root}: ")]
    assert len(said) == 1, f"wanted one line about {root}, got {lines}"
    return said[0]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_study_that_we_ship_can_be_read_and_bears_its_files_name(path: Path) -> None:
    study = read_study(path)
    assert isinstance(study, Study)
    assert study.name == path.stem


def test_there_are_studies_to_ship() -> None:
    assert "quickstart" in [path.stem for path in CONFIGS]


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


def test_the_longest_trial_of_a_method_is_known_before_it_runs() -> None:
    def longest(**method: Any) -> int:
        return parse_study(content(methods=[{"name": "salun", **method}]), "study.yaml").methods[0].longest

    assert longest(epochs=4, search={"lr": {"low": 0.1, "high": 0.2}}) == 4
    assert longest(search={"epochs": {"low": 2, "high": 7}}) == 7
    assert longest(search={"epochs": [5, 3]}) == 5


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


def test_a_class_to_forget_is_named_by_a_text_or_a_position_and_else_refused_at_its_place() -> None:
    by_name = parse_study(content(forget=[{"kind": "class", "class": "10"}]), "study.yaml").forget[0]
    assert by_name.label == 'class "10"'
    said = complaint_at("forget.0.class", forget=[{"kind": "class", "class": 10}])
    assert said.startswith("wanted the class's name in quotes")
    said = complaint_at("forget.0", forget=[{"kind": "class"}])
    assert said == "wanted either class (a name) or class_index (a position, counted from 0), got neither"


@pytest.mark.parametrize("needed", ["name", "data", "forget", "methods"])
def test_what_is_missing_is_said_to_be_needed(needed: str) -> None:
    incomplete = content()
    del incomplete[needed]
    with pytest.raises(StudyError, match=f"{needed}: is needed"):
        parse_study(incomplete, "study.yaml")


def test_an_unknown_data_source_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("data.0.source", data=[{"source": "medmist"}])
    assert said.startswith("unknown data source 'medmist'; did you mean medmnist? The data sources are medmnist, ")
    assert all(name in said for name in SOURCES)


def test_an_unknown_medmnist_set_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("data.0.name", data=[{"source": "medmnist", "name": "bloodmist"}])
    assert "'bloodmist'" in said
    assert "bloodmnist" in said
    assert "pathmnist" in said


def test_an_unknown_method_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("methods.0", methods=[{"name": "salum"}])
    assert said.startswith("unknown method 'salum'; did you mean salun? The methods are salun, ")
    assert all(name in said for name in METHODS)


@pytest.mark.parametrize(
    "method",
    [{"name": "salun", "densty": 0.5}, {"name": "salun", "search": {"densty": {"low": 0.1, "high": 0.5}}}],
    ids=["fixed", "searched"],
)
def test_an_unknown_option_of_a_method_is_answered_with_its_options(method: dict[str, Any]) -> None:
    said = complaint_at("methods.0.densty", methods=[method])
    assert all(name in said for name in SalUn.model_fields if name != "name")


def test_an_unknown_arm_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("augmentations.0", augmentations=["nome"])
    assert all(repr(name) in said for name in (*AUGMENTATIONS, "nome"))


def test_an_unknown_network_is_answered_with_the_valid_ones() -> None:
    said = complaint_at("network.name", network={"name": "vgg"})
    assert said.startswith("unknown network 'vgg'; the networks are ")
    assert all(name in said for name in NETWORKS)


@pytest.mark.parametrize(
    ("root", "options"),
    [
        ("training.lr", {"training": {"lr": "1e-3"}}),
        ("methods.0.search.lr.low", searching(lr={"low": "1e-3", "high": 0.1})),
    ],
    ids=["training", "range"],
)
def test_a_number_that_yaml_read_as_text_is_told_as_such_with_the_right_spelling(
    root: str, options: dict[str, Any]
) -> None:
    said = complaint_at(root, **options)
    assert said == "wanted a number, got the text '1e-3' (YAML reads a number only without quotes: 1e-3)"


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "1.e-3", ".1e-2", "0.001", "1.0e-3", "+1e-3"])
def test_a_number_is_read_in_every_spelling_of_yaml_1_2(tmp_path: Path, number: str) -> None:
    override = f"methods.0.search.lr={{low: {number}, high: 0.1}}"
    study = read_study(small_file(tmp_path), [override])
    assert study.methods[0].search["lr"] == Range(low=1e-3, high=0.1)
    path = written(tmp_path, yaml.safe_dump(content()) + f"training: {{lr: {number}}}\n")
    assert read_study(path).training.lr == 1e-3


@pytest.mark.parametrize("text", ["1e-3", "12e4", ".5e1"])
def test_text_in_quotes_that_looks_like_a_number_stays_text(tmp_path: Path, text: str) -> None:
    with pytest.raises(StudyError, match=r"training\.lr: wanted a number, got the text"):
        read_study(small_file(tmp_path), [f"training.lr='{text}'"])
    study = read_study(small_file(tmp_path), [f"forget=[{{kind: class, class: '{text}'}}]"])
    assert study.forget[0].label == f'class "{text}"'
    assert read_text(write_study(study), "written") == study


def test_a_text_that_is_no_number_gets_no_advice_on_spelling() -> None:
    assert complaint_at("search.trials", search={"trials": "many"}) == "wanted a number, got the text 'many'"


def test_a_range_that_is_upside_down_is_refused() -> None:
    said = complaint_at("methods.0.search.lr", **searching(lr={"low": 0.2, "high": 0.1}))
    assert said == "a range runs from low to high, got low 0.2 and high 0.1"


def test_a_logarithmic_range_that_begins_at_0_is_refused() -> None:
    said = complaint_at("methods.0.search.lr", **searching(lr={"low": 0.0, "high": 0.1, "log": True}))
    assert said == "a logarithmic range lies above 0, got low 0"


def test_one_alternative_is_nothing_to_search() -> None:
    assert "at least 2" in complaint_at("methods.0.search.loop", **searching(loop=["mixed"]))


@pytest.mark.parametrize(
    ("dimensions", "wrong"),
    [
        ({"density": {"low": 0.1, "high": 1.5}}, "density: wanted a number of at most 1, got 1.5"),
        ({"epochs": {"low": 0, "high": 3}}, "epochs: wanted a number of at least 1, got 0"),
        ({"loop": ["mixed", "mixd"]}, "loop: wanted 'sequential' or 'mixed', got 'mixd'; did you mean mixed?"),
    ],
    ids=["high", "low", "choice"],
)
def test_an_end_of_a_range_outside_the_methods_own_bounds_is_refused(dimensions: dict[str, Any], wrong: str) -> None:
    lines = complaints(**searching(**dimensions))
    assert any(line.startswith("methods.0.") and line.endswith(wrong) for line in lines)


def searched(**entry: Any) -> dict[str, Any]:
    [choice] = parse_study(content(methods=[entry]), "study.yaml").methods
    return choice.search


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.ranges])
def test_the_default_search_is_over_the_ranges_that_the_method_declares(name: str) -> None:
    assert searched(name=name, search="default") == METHODS[name].ranges


def test_the_default_search_leaves_out_what_is_fixed() -> None:
    assert searched(name="fine_tune", lr=0.01, search="default").keys() == {"schedule"}


def test_a_single_range_may_be_the_declared_one() -> None:
    found = searched(name="salun", search={"lr": "default", "loop": ["sequential", "mixed"]})
    assert found == {"lr": SalUn.ranges["lr"], "loop": Choices(choices=("sequential", "mixed"))}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "nothing", "search": "default"}, "search: nothing has no default ranges, none left to search"),
        (
            {"name": "fine_tune", "lr": 0.1, "schedule": "cosine", "search": "default"},
            "search: fine_tune has default ranges for lr, schedule alone, none left to search",
        ),
        (
            {"name": "fine_tune", "search": {"momentum": "default"}},
            "search.momentum: fine_tune has default ranges for lr, schedule alone",
        ),
        ({"name": "fine_tune", "search": "defualt"}, "wanted a mapping of options, or default, got 'defualt'"),
        ({"name": "fine_tun", "search": "default"}, "unknown method 'fine_tun'; did you mean fine_tune?"),
    ],
    ids=["none", "all fixed", "one", "another word", "unknown method"],
)
def test_a_default_search_that_cannot_be_is_refused(entry: dict[str, Any], said: str) -> None:
    [line] = complaints(methods=[entry])
    assert said in line


def test_an_option_that_is_both_fixed_and_searched_is_refused() -> None:
    method = {"name": "salun", "lr": 0.1, "search": {"lr": {"low": 0.01, "high": 0.1}}}
    assert complaint_at("methods.0.lr", methods=[method]) == "given as fixed and under search; keep one"


def test_a_method_is_asked_once() -> None:
    with pytest.raises(StudyError, match="methods: named twice: salun"):
        parse_study(content(methods=[{"name": "salun"}, {"name": "salun", "density": 0.3}]), "study.yaml")


def test_the_tuning_seeds_are_by_default_the_first_three_that_are_not_reported_on() -> None:
    for seeds, tuning in (({}, (0, 4, 5)), ({"reporting": [1, 2]}, (0, 3, 4)), ({"reporting": [0, 7]}, (1, 2, 3))):
        assert parse_study(content(seeds=seeds), "s").seeds.tuning == tuning


def test_options_of_a_search_that_do_not_go_together_are_refused() -> None:
    said = complaint_at("search", search={"seconds": 60.0, "early_stopping": {}})
    assert said.startswith("seconds counts trials in the order of their numbers, which early_stopping does not keep")
    with pytest.raises(StudyError, match=r"mean_plus_sd takes a standard deviation .*, and seeds\.tuning names one"):
        parse_study(content(search={"choose": "mean_plus_sd"}, seeds={"tuning": [0], "reporting": [1, 2]}), "s")


@pytest.mark.parametrize(
    "search", [{}, {"racing": None}, {"racing": {"first": 2}}, {"seconds": 60.0, "choose": "mean_plus_sd"}]
)
def test_the_race_and_its_budget_are_written_only_where_they_say_something(search: dict[str, Any]) -> None:
    study = parse_study(content(search=search), "s")
    text = write_study(study)
    assert read_text(text, "again") == study
    assert [name for name in ("racing", "seconds", "choose") if f"  {name}:" in text] == [
        name for name in ("racing", "seconds", "choose") if name in search
    ]


def test_a_study_never_reports_on_seeds_that_it_tuned_on() -> None:
    said = complaint_at("seeds", seeds={"tuning": [0, 1], "reporting": [1, 2]})
    assert said.startswith("tuning and reporting share the seeds [1]")


@pytest.mark.parametrize(("name", "seeds"), [("tuning", [0, 0]), ("reporting", [1, 2, 1])])
def test_a_seed_that_comes_twice_is_refused(name: str, seeds: list[int]) -> None:
    assert complaint_at("seeds", seeds={name: seeds} | ({"tuning": [9]} if name == "reporting" else {})) == (
        f"{name} names a seed twice: {seeds}"
    )


def test_the_share_of_a_trial_is_a_share_or_auto() -> None:
    said = complaint_at("resources.trial", resources={"trial": "aut"})
    assert said == "wanted 'auto' or a mapping of options, got 'aut'; did you mean auto?"
    said = complaint_at("resources.trial.gpus", resources={"trial": {"gpus": 1}})
    assert said == "no such option here; did you mean gpu? Valid are cpu, gpu"
    assert parse_study(content(resources={"trial": "auto"}), "study.yaml").resources.trial == "auto"


def test_a_whole_gpu_more_than_one_is_not_cut() -> None:
    assert "got 1.5" in complaint_at("resources.trial", resources={"trial": {"gpu": 1.5}})


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("search.trials=40", lambda study: study.search.trials == 40),
        ("data.0.size=64", lambda study: study.data == (Synthetic(size=64),)),
        ("data.0={source: synthetic, size: 32}", lambda study: study.data == (Synthetic(size=32),)),
        ("augmentations=[none, standard]", lambda study: study.augmentations == ("none", "standard")),
        ("seeds.reporting=[4, 5]", lambda study: study.seeds.reporting == (4, 5)),
        ("methods.0.search.lr={low: 0.1, high: 0.2}", lambda study: "lr" in study.methods[0].search),
        ("training.schedule.kind=constant", lambda study: study.training.schedule.factor(0.9) == 1),
        ("results=s3://bucket/a=b", lambda study: study.results == "s3://bucket/a=b"),
    ],
)
def test_an_override_changes_one_place(tmp_path: Path, override: str, read: Any) -> None:
    path = small_file(tmp_path)
    assert not read(read_study(path))
    assert read(read_study(path, [override]))


def test_overrides_apply_in_their_order(tmp_path: Path) -> None:
    study = read_study(small_file(tmp_path), ["search.trials=3", "search.trials=5", "search.window=2"])
    assert (study.search.trials, study.search.window) == (5, 2)


@pytest.mark.parametrize(
    ("override", "wrong"),
    [
        ("search.trials", "wanted KEY=VALUE, such as search.trials=40"),
        ("=3", "wanted KEY=VALUE"),
        ("search.trials=[1", "the value is not YAML"),
        ("data.1.size=64", "wanted a position 0 ... 0 in a list, got '1'"),
        ("data.first.size=64", "wanted a position 0 ... 0 in a list, got 'first'"),
        ("data.1={source: synthetic}", "wanted a position 0 ... 0 in a list, got '1'"),
        ("name.first=a", "'name' holds 'small', which has no parts"),
        ("name.first.letter=a", "'first' is sought in 'small', which has no parts"),
    ],
)
def test_an_override_without_a_place_or_a_value_is_told_back(tmp_path: Path, override: str, wrong: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(small_file(tmp_path), [override])
    assert str(caught.value).startswith(repr(override))
    assert wrong in str(caught.value)


def test_a_misspelt_override_is_told_like_a_misspelt_option(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="serch: no such option here"):
        read_study(small_file(tmp_path), ["serch.trials=3"])


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b\n", "a list"), ("", "nothing"), ("words\n", "a str")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, kind: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(StudyError, match="wanted a mapping") as caught:
        read_study(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(f"got {kind}")


def test_a_file_that_is_not_yaml_is_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"is not YAML(.|\n)*line 2"):
        read_study(written(tmp_path, "name: a\ndata: ]\n"))


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere.yaml", "there is no such study"), (".", "wanted a regular file as study, got a folder")]
)
def test_a_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / name
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert str(caught.value) == f"{path}: {why}"


def test_an_arm_that_comes_twice_and_a_file_of_another_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="augmentations: named twice: none"):
        parse_study(content(augmentations=["none", "none"]), "study.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Zürich".encode("latin-1"))
    with pytest.raises(StudyError, match="is not UTF-8 text"):
        read_study(path)


def test_a_wrong_item_of_a_list_is_one_error() -> None:
    with pytest.raises(StudyError, match="1 error\n"):
        parse_study(content(augmentations=["fancy"]), "study.yaml")


def test_a_number_as_text_among_a_methods_options_is_told_as_such() -> None:
    with pytest.raises(StudyError, match=r"methods\.0\.lr: .*without quotes: 1e-3"):
        parse_study(content(methods=[{"name": "salun", "lr": "1e-3"}]), "study.yaml")


def test_a_methods_example_and_longest_run_know_the_types_of_what_is_searched() -> None:
    ranges = {"epochs": {"low": 2, "high": 8}, "batch_size": {"low": 32, "high": 256, "log": True}}
    [choice] = parse_study(searching(loop=["mixed", "sequential"], **ranges), "study.yaml").methods
    assert choice.example == SalUn(epochs=2, batch_size=32, loop="mixed")
    assert choice.longest == 8
    [fixed] = parse_study(searching(batch_size={"low": 32, "high": 256}), "study.yaml").methods
    assert fixed.longest == SalUn().epochs


def test_a_name_that_leaves_no_room_for_those_of_its_files_is_refused(tmp_path: Path) -> None:
    """The longest file is a confirmation's, while it is written: a file system takes 255 bytes."""
    assert "at most 160 characters" in complaint_at("name", name="x" * 205)
    longest = Study.model_validate(content(name="x" * 160)).name
    StorageRoot.at(tmp_path).write(f"{longest}-12345678-12345678-{2**63}.parquet", b"")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": {"name": "resnet19"}}, "network.name: unknown network 'resnet19'; did you mean resnet18?"),
        ({"network": "cnn"}, "network: wanted a mapping of options, got 'cnn'"),
        ({"data": [{"size": 64}]}, "data.0.source: is needed"),
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


def data_of(study: Study) -> list[Any]:
    return [getattr(source, "path", None) or getattr(source, "root", None) for source in study.data]


def test_paths_in_a_file_count_from_its_folder_and_those_of_overrides_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "studies"
    folder.mkdir()
    sources = [
        {"source": "folder", "path": "scans", "size": 28},
        {"source": "npz", "path": "/data/a.npz"},
        {"source": "npz", "path": "~/b.npz"},
        {"source": "medmnist", "name": "bloodmnist", "root": "../sets"},
        {"source": "table", "path": "images.csv", "cache": "kept"},
    ]
    asked = [
        {"kind": "indices", "file": "withdrawn.csv"},
        {"kind": "where", "column": "file", "values_file": "files.txt"},
    ]
    file = written(folder, yaml.safe_dump(content(data=sources, forget=asked)))
    study = read_study(file)
    assert data_of(study) == [
        folder / "scans",
        Path("/data/a.npz"),
        Path.home() / "b.npz",
        folder / "../sets",
        folder / "images.csv",
    ]
    assert study.data[4].cache == folder / "kept"  # type: ignore[union-attr]
    assert study.forget[0].file == folder / "withdrawn.csv"  # type: ignore[union-attr]
    assert study.forget[1].values_file == folder / "files.txt"  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    assert read_study(Path("studies/study.yaml")).data[0].path == Path("studies/scans")  # type: ignore[union-attr]
    changed = read_study(file, ["data.0.path=mine", "results=there"])
    assert data_of(changed)[0] == Path("mine")
    assert changed.results == "there"


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"name": "ssd", "keep": "rewind"}, "rewind takes a trial of 1 or more epochs, got 0 of ssd; wanted last"),
        ({"name": "salun", "epochs": 1, "keep": "best"}, "best takes a trial of 2 or more epochs, got 1 of salun"),
        ({"name": "scrub", "rewind": True, "keep": "rewind"}, "this setting of scrub returns to an epoch by itself"),
        ({"name": "salun", "keep": "bset"}, "wanted 'last', 'best' or 'rewind', got 'bset'; did you mean best?"),
    ],
    ids=["no epochs", "one epoch", "rewinds already", "misspelt"],
)
def test_keeping_an_epoch_is_refused_where_there_is_none_to_choose(method: dict[str, Any], said: str) -> None:
    assert said in complaint_at("methods.0.keep", methods=[method])


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"objectives": ["gap", "gap"]}, "objectives: names one twice: gap, gap"),
        ({"limits": {"compute": 0.1}}, "limits: compute is no objective of the search; objectives are gap"),
        ({"choose": "knee"}, "choose: knee is a point of the front of several objectives, got one"),
        (
            {"objectives": ["compute", "gap"], "choose": "mean_plus_sd"},
            "choose: mean_plus_sd wants gap as the first of objectives, got compute",
        ),
        (
            {"objectives": ["gap", "compute"], "early_stopping": {}},
            "early_stopping ranks trials by the gap alone; leave it or the other objectives out",
        ),
        (
            {"fused": True},
            "fused: wanted trials on several tuning seeds, and racing tries each setting on one at a time: set racing",
        ),
        (
            {"objectives": ["gap", "compte"]},
            "objectives.1: wanted 'gap', 'ua_gap', 'va_drop' or 'compute', got 'compte'",
        ),
    ],
    ids=["twice", "limit of none", "knee of one", "spread of another", "early stopping", "fused", "misspelt"],
)
def test_objectives_that_do_not_go_together_are_refused(search: dict[str, Any], said: str) -> None:
    [line] = complaints(search=search)
    assert line.removeprefix("search.").removeprefix("search: ").startswith(said)


def test_the_best_epoch_and_several_objectives_are_refused() -> None:
    [line] = complaints(methods=[{"name": "salun", "keep": "best"}], search={"objectives": ["gap", "compute"]})
    assert "keep: best is the epoch of the smallest gap, and search.objectives are gap, compute" in line
