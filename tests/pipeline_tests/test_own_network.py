"""A network of the user's own from a study to its rows: a transformer with one logit, from a file beside the study."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from rich.console import Console

import lethe
from lethe.artifacts import ArtifactStore
from lethe.pipeline.plan import Plan, make_plan
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import StudyError, read_study
from lethe.submit import pack

WriteStudy = Callable[..., Path]

MODULE = Path(__file__).parents[1] / "networks" / "own_networks.py"
ONE = "\n\ndef vit(channels, **options):\n    return ViT(channels, 1, **options)\n"
STUDY: dict[str, Any] = {
    "data": [{"source": "synthetic", "train": 80, "val": 40, "test": 40, "size": 12, "classes": 2}],
    "training": {"epochs": 1, "batch_size": 32, "lr": 0.05},
    "search": {"trials": 1},
    "network": {"import": "beside_the_study:vit", "args": {"width": 4}},
}
METHODS = [
    {"name": "salun", "epochs": 1, "batch_size": 32},
    {"name": "fine_tune", "epochs": 1, "batch_size": 32},
    {"name": "scrub", "epochs": 1, "batch_size": 32},
    {"name": "ssd", "alpha": 2.0},
    {"name": "head_distillation", "epochs": 1, "batch_size": 32},
]


@pytest.fixture
def study(write_study: WriteStudy, tmp_path: Path) -> Iterator[WriteStudy]:
    """Writes a study with a module beside it, which is forgotten afterwards."""
    path = list(sys.path)

    def write(**changes: Any) -> Path:
        (tmp_path / "beside_the_study.py").write_text(MODULE.read_text() + ONE)
        return write_study(**(STUDY | changes))

    yield write
    sys.path[:] = path
    sys.modules.pop("beside_the_study", None)


def plan(study: Path, results: Path) -> Plan:
    root = StorageRoot.at(results)
    return make_plan(read_study(study), ArtifactStore(root, keep=False), Store(root))


def test_a_transformer_of_one_logit_is_trained_unlearned_audited_and_named_in_rows(
    study: WriteStudy, tmp_path: Path
) -> None:
    audits = [{"name": "head_probe"}, {"name": "cka"}]
    written = study(methods=METHODS, audits=audits)
    finished = lethe.run(written, tmp_path / "results", local=True, console=Console(quiet=True))
    assert finished.problems == ()
    rows = finished.query("select row, count(*) n from confirmations group by row").to_pylist()
    assert {row["row"] for row in rows} >= {"original", "oracle", *(str(method["name"]) for method in METHODS)}
    [named] = finished.query("select distinct network, network_version, network_package from trials").to_pylist()
    assert named == {"network": "beside_the_study:vit width 4", "network_version": 1, "network_package": None}
    [measured] = finished.query("select min(value) low, max(value) high from measures where metric = 'ta'").to_pylist()
    assert 0 <= measured["low"] <= measured["high"] <= 1
    assert plan(written, tmp_path / "results").complete


def test_a_changed_file_and_another_size_are_other_networks(
    study: WriteStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = METHODS[1:2]
    first = plan(study(methods=methods), tmp_path / "results").method_searches[0].scenario
    resized = study(methods=methods, network={**STUDY["network"], "resize": 12})
    other = plan(resized, tmp_path / "results").method_searches[0].scenario
    monkeypatch.setattr("unlearning.imported._READ", {})  # as in another process
    sys.modules.pop("beside_the_study")
    written = study(methods=methods)
    (tmp_path / "beside_the_study.py").write_text(MODULE.read_text() + ONE + "# changed\n")
    changed = plan(written, tmp_path / "results").method_searches[0].scenario
    assert len({first.fingerprint, other.fingerprint, changed.fingerprint}) == 3
    assert first.stream == changed.stream != other.stream
    assert first.recipe_id != changed.recipe_id


def test_a_network_that_does_not_fit_ends_the_plan_before_anything_is_trained(
    study: WriteStudy, tmp_path: Path
) -> None:
    sizes = study(methods=METHODS[1:2], network={**STUDY["network"], "args": {"size": 28}})
    with pytest.raises(StudyError) as caught:
        plan(sizes, tmp_path / "results")
    said = str(caught.value)
    assert said.startswith(
        "tiny: the network does not fit the data\n  network: synthetic: beside_the_study:vit size 28 "
    )
    assert "cannot evaluate images of 1 x 12 x 12: RuntimeError: " in said
    classes = [{**STUDY["data"][0], "classes": 3}]
    with pytest.raises(StudyError, match=r"wanted an output of \(N, 3\), a logit for each class, got \(2, 1\)"):
        plan(study(methods=METHODS[1:2], data=classes), tmp_path / "results")
    odd = {"import": "beside_the_study:Odd"}
    with pytest.raises(StudyError, match="methods: ct: wanted a network with a Conv2d to train, got one without"):
        plan(study(methods=[{"name": "ct", "epochs": 1}], network=odd), tmp_path / "results")


def test_a_network_that_cannot_be_trained_in_one_step_with_others_is_refused_where_that_is_asked_for(
    study: WriteStudy, tmp_path: Path
) -> None:
    search = {"trials": 1, "racing": None, "fused": True}
    asked = study(methods=METHODS[1:2], search=search, seeds={"tuning": [0, 3], "reporting": [1, 2]})
    with pytest.raises(StudyError, match=r"search\.fused: synthetic: .* has weights, and only Conv2d, .* wanted false"):
        plan(asked, tmp_path / "results")


def test_a_study_lists_what_is_wrong_with_its_network_beside_its_other_errors(study: WriteStudy) -> None:
    wrong = study(network={"import": "beside_the_study:vitt", "args": {}}, margin=2.0, methods=METHODS[1:2])
    with pytest.raises(StudyError) as caught:
        read_study(wrong)
    said = str(caught.value)
    assert "2 errors" in said
    assert "network.import: beside_the_study has no vitt; it has " in said
    assert "margin: wanted a number below 1, got 2.0" in said
    with pytest.raises(StudyError, match=r"network.normalise.mean: is needed"):
        read_study(study(network={**STUDY["network"], "normalise": {"std": [0.5]}}, methods=METHODS[1:2]))


def test_a_job_takes_the_files_of_the_network_along_and_means_the_same(study: WriteStudy, tmp_path: Path) -> None:
    written = study(methods=METHODS[1:2])
    (tmp_path / "there").mkdir()
    bundle = pack(written, [], None, tmp_path)
    assert any("as code that it imports: beside_the_study.py." in note for note in bundle.notes)
    with ZipFile(bundle.archive) as archive:
        assert set(archive.namelist()) == {"study.yaml", "beside_the_study.py"}
        archive.extractall(tmp_path / "there")
    assert yaml.safe_load((tmp_path / "there" / "study.yaml").read_text())["network"]["folder"] == "."
    here = bundle.study.network
    sys.modules.pop("beside_the_study")
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    (tmp_path / "beside_the_study.py").unlink()
    there = read_study(tmp_path / "there" / "study.yaml").network
    assert (there.code, there.title, there.identity) == (here.code, here.title, here.identity)
