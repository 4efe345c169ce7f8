"""A study that is written out reads back as the same study."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lethe.results.columns import specification
from lethe.study import Study, read_study, read_text
from lethe.study import write_study as write_study_text

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def written_and_read(study: Study) -> Study:
    return read_text(write_study_text(study), "written")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_study_of_ours_reads_back(path: Path) -> None:
    study = read_study(path)
    assert written_and_read(study) == study


@pytest.mark.parametrize(
    "changes",
    [
        {"search": {"trials": 3, "early_stopping": {"grace_epochs": 2}}},
        {"resources": {"trial": "auto", "training": {"cpu": 2, "gpu": 0.5}, "workers": 3}},
        {"methods": [{"name": "salun", "search": {"batch_size": [16, 32], "relabel": ["any", "other"]}}]},
        {"methods": [{"name": "fine_tune", "lr": 0.01}, {"name": "gradient_ascent", "epochs": 1, "search": {}}]},
        {
            "forget": [{"kind": "class", "class_index": 1}, {"kind": "random", "fraction": 0.5}],
            "augmentations": ["none", "standard"],
        },
        {"forget": [{"kind": "class", "class": "10"}, {"kind": "class", "class": "no", "fraction": 0.5}]},
        {"audits": [{"name": "rmia", "references": 2}]},
        {"search": {"objectives": ["gap", "compute"], "limits": {"compute": 0.2}, "choose": "knee"}},
        {"methods": [{"name": "fine_tune", "keep": "rewind"}, {"name": "salun", "keep": "best", "epochs": 3}]},
        {"training": {"epochs": 2, "schedule": {"kind": "one-cycle"}, "precision": "bfloat16"}},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_whatever_a_study_may_say_reads_back(changes: dict[str, object], write_study: Callable[..., Path]) -> None:
    study = read_study(write_study(**changes))
    assert written_and_read(study) == study


def test_the_defaults_of_the_study_are_written_out(write_study: Callable[..., Path]) -> None:
    text = specification(read_study(write_study())).specification
    for name in ("weight_decay: 0.0005", "kind: cosine", "hung_after_s: 3600.0", "sampler: tpe"):
        assert name in text


def test_metrics_and_audits_are_written_only_where_there_are_any(write_study: Callable[..., Path]) -> None:
    text = write_study_text(read_study(write_study()))
    assert "metrics:" not in text
    assert "audits:" not in text
    assert "attack_classes:" not in text
    audited = write_study_text(read_study(write_study(audits=[{"name": "rmia"}])))
    assert "audits:\n- name: rmia\n  references: 4\n  targets: 2\n  a: null\n" in audited


def test_a_class_by_its_position_is_written_as_before_it_could_have_a_name(write_study: Callable[..., Path]) -> None:
    study = read_study(write_study(forget=[{"kind": "class", "class_index": 1}]))
    assert "forget:\n- kind: class\n  class_index: 1\n  fraction: 1.0\nnetwork:" in specification(study).specification


def test_the_same_study_has_the_same_specification_and_another_has_not(write_study: Callable[..., Path]) -> None:
    first, again = (specification(read_study(write_study())).specification_id for _ in range(2))
    assert first == again
    assert specification(read_study(write_study(seed=1))).specification_id != first


def test_credentials_of_a_results_place_are_not_kept(write_study: Callable[..., Path]) -> None:
    study = read_study(write_study(results="s3://KEY:SECRET@bucket/results?secret_key=HIDDEN"))
    text = specification(study).specification
    assert "SECRET" not in text
    assert "HIDDEN" not in text
    assert read_text(text, "row") == study.model_copy(update={"results": "results"})
