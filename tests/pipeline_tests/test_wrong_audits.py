"""Audits that a study cannot have: what is wrong is said before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from lethe.artifacts import ArtifactStore
from lethe.pipeline.plan import make_plan
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import StudyError, read_study
from unlearning.audits import AUDITS
from unlearning.audits._rmia import RMIA
from unlearning.metrics import METRICS, Metric, Value

WriteStudy = Callable[..., Path]
AddPart = Callable[..., None]

THE_AUDITS = f"audits are {', '.join(AUDITS)} (lethe 0.1.0)"


@pytest.mark.parametrize(
    ("audits", "problem"),
    [
        (["rmia"], "audits.0: wanted a mapping of options, got 'rmia'; write {name: rmia}"),
        (
            [{"name": "rmi"}],
            f"audits.0.name: unknown audit 'rmi'; did you mean rmia? The {THE_AUDITS}",
        ),
        ([{}], f"audits.0.name: is needed; the {THE_AUDITS}"),
        ([{"name": "rmia"}, {"name": "rmia", "a": 1.0}], "audits: named twice: rmia"),
        ([{"name": "rmia", "rmia": 1}], "audits.0.rmia: no such option here; valid are name, references, targets, a"),
    ],
)
def test_what_is_wrong_with_an_audit_is_said_with_its_key(
    write_study: WriteStudy, audits: list[Any], problem: str
) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(write_study(audits=audits))
    assert str(caught.value).splitlines()[1:] == [f"  {problem}"]


def test_all_that_is_wrong_with_audits_is_said_at_once(write_study: WriteStudy) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(write_study(audits=[{"name": "rmia", "references": 0, "aa": 1}, {"name": "lira"}], margin=2.0))
    assert [line.strip().partition(":")[0] for line in str(caught.value).splitlines()[1:]] == [
        "audits.0.references",
        "audits.0.aa",
        "audits.1.name",
        "margin",
    ]


def test_two_measures_of_one_name_are_refused(write_study: WriteStudy, add_part: AddPart) -> None:
    def compute(evaluation: object) -> list[Value]:
        return [Value(None, 1.0)]

    add_part(METRICS, Metric(name="rmia_auc", version=1, title="one", compute=compute))
    with pytest.raises(StudyError, match="audits: rmia: its measure rmia_auc has the name of a metric"):
        read_study(write_study(metrics=["rmia_auc"], audits=[{"name": "rmia"}]))


def test_critical_classes_that_the_data_lacks_are_refused_by_the_plan_all_at_once(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    data = [{"source": "synthetic", "train": 160, "val": 80, "test": 80, "size": 12, "classes": k} for k in (3, 5)]
    study = read_study(write_study(data=data, audits=[{"name": "clinical", "critical": [4, "mole"]}]))
    root = StorageRoot.at(tmp_path)
    with pytest.raises(StudyError) as caught:
        make_plan(study, ArtifactStore(root), Store(root))
    first, of_three, of_five = str(caught.value).splitlines()
    assert first == "tiny: audits that do not fit the data"
    assert ": critical: no class 4, 'mole'; the classes are 0 (pattern 0), 1 (pattern 1), 2 (pattern 2)" in of_three
    assert of_three.startswith("  audits: clinical: ")
    assert ": critical: no class 'mole'; the classes are 0 " in of_five


class Untitled(RMIA):
    name: Literal["untitled"] = "untitled"  # type: ignore[assignment]
    title: ClassVar[str] = ""
    version: ClassVar[int] = 1


def test_an_audit_that_does_not_say_what_it_is_is_refused_before_anything_runs(
    write_study: WriteStudy, add_part: AddPart
) -> None:
    add_part(AUDITS, Untitled)
    with pytest.raises(StudyError, match="audits: untitled: wanted a title, a text, got ''"):
        read_study(write_study(audits=[{"name": "untitled"}]))
