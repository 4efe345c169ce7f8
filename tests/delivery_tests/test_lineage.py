"""What lies beside models and rows: unfinished trainings, quarantine, decoded images, conditions that name people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.delivery import Trace, find_withdrawal, plan_purge, purge
from lethe.errors import InputError
from lethe.results import PredictionRow, Store, StudyRow
from lethe.storage.layout import Layout
from lethe.storage.writer_lock import writing_study
from lethe.study import parse_study, write_study

Record = Callable[..., None]
Make = Callable[..., Any]


def traces(store: Store) -> dict[str, Trace]:
    plan = plan_purge(find_withdrawal(store.root, "s", "random 10 %"))
    return {one.where: one for one in (*plan.removed, *plan.kept)}


def specify(store: Store, make: Make, cache: Path) -> None:
    source = {"source": "folder", "path": "images", "cache": str(cache)}
    study = parse_study(
        {
            "name": "s",
            "data": [source],
            "forget": [{"kind": "random", "fraction": 0.1}],
            "methods": [{"name": "salun"}],
        },
        "s.yaml",
    )
    store.append([make(StudyRow, specification=write_study(study))])


def test_decoded_images_that_a_source_keeps_go_and_nothing_else_in_that_folder(
    store: Store, confirm: Record, make: Make, tmp_path: Path
) -> None:
    confirm("salun", [0.1])
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("images-0123.npy", "images-4567.npy", "notes.txt"):
        (cache / name).write_bytes(b"pixels")
    specify(store, make, cache)
    asked = find_withdrawal(store.root, "s", "random 10 %")
    plan, _ = purge(asked, None)
    assert [one.file for one in plan.removed] == [cache / "images-0123.npy", cache / "images-4567.npy"]
    assert str(tmp_path) not in plan.removed[0].where
    assert [path.name for path in cache.iterdir()] == ["notes.txt"]


def test_an_unfinished_training_and_a_broken_artifact_stay_unless_everything_is_to_go(
    store: Store, confirm: Record
) -> None:
    confirm("salun", [0.1])
    layout = Layout(store.root)
    layout.checkpoints("ab12").write("state.safetensors", b"state")
    layout.artifact("trained_model", "cd34").write("manifest.json", b"{}")
    found = find_withdrawal(store.root, "s", "random 10 %")
    kept = plan_purge(found).kept
    assert [one.where for one in kept] == ["artifacts/trained_model/cd34", "artifacts/checkpoints/ab12"]
    purge(found, None, everything=True)
    assert not store.root.child("artifacts").names(recursive=True)


def test_what_lies_in_quarantine_goes_too(store: Store, confirm: Record) -> None:
    confirm("salun", [0.1])
    layout = Layout(store.root)
    layout.artifact("trained_model", "cd34").write("weights-1.safetensors", b"torn")
    store.root.quarantine("artifacts/trained_model/cd34")
    store.root.quarantine_copy("tables/predictions/s/k0.parquet", b"torn")
    store.root.quarantine_copy("tables/trials/s/t0.parquet", b"torn")
    plan, _ = purge(find_withdrawal(store.root, "s", "random 10 %"), None)
    assert [one.what for one in plan.removed] == [
        "broken artifact in quarantine",
        "broken rows of predictions in quarantine",
    ]
    assert [name.partition(".")[0] for name in layout.quarantine.names(recursive=True)] == ["tables/trials/s/t0"]


def test_rows_about_an_image_are_found_in_every_scenario_of_the_data(store: Store, confirm: Record, make: Make) -> None:
    """Another request of the study forgets an image more; its row about that one stays."""
    confirm("salun", [0.1])
    confirm("salun", [0.1], scenario="r", forget="random 20 %", forget_hash="g")
    for scenario, images in (("q", [5]), ("r", [5, 6])):
        name = {"confirmation_id": f"salun-{scenario}-1", "scenario": scenario}
        store.append([make(PredictionRow, **name, image=image) for image in images])
    assert traces(store)["tables/predictions/s"].what == "2 rows of predictions for single images"
    purge(find_withdrawal(store.root, "s", "random 10 %"), None)
    assert store.read("predictions")["image"].to_pylist() == [6]


def test_a_condition_that_may_name_people_is_listed_for_somebody_to_remove(store: Store, confirm: Record) -> None:
    confirm("salun", [0.1], forget_kind="query")
    quoted = traces(store)["tables/studies/s"]
    assert quoted.by_hand
    assert "may name people" in quoted.why


def test_one_request_on_several_data_sets_is_told_apart_by_their_hash(store: Store, confirm: Record) -> None:
    confirm("salun", [0.1])
    confirm("salun", [0.1], scenario="r", data_hash="e")
    with pytest.raises(InputError, match="several requests of study s called 'random 10 %'"):
        find_withdrawal(store.root, "s", "random 10 %")
    assert find_withdrawal(store.root, "s", "random 10 %", "e").own == {"r"}


def test_a_request_of_two_labels_is_found_by_each_of_them(store: Store, confirm: Record) -> None:
    """A list of patients and one of positions may select the same images."""
    confirm("salun", [0.1], forget="patient in withdrawn.csv")
    confirm("salun", [0.1], scenario="r", forget="positions in withdrawn.txt")
    first, second = (
        find_withdrawal(store.root, "s", f"p{rest}")
        for rest in ("atient in withdrawn.csv", "ositions in withdrawn.txt")
    )
    assert first == second
    assert first.label == "patient in withdrawn.csv or positions in withdrawn.txt"
    assert first.own == {"q", "r"}
    with pytest.raises(InputError, match=r"'patient in withdrawn\.csv' or 'positions in withdrawn\.txt', hash f"):
        find_withdrawal(store.root, "s", "x")


def test_what_a_killed_process_left_goes_unless_somebody_may_be_writing_it(store: Store, confirm: Record) -> None:
    confirm("salun", [0.1])
    results = Path(store.root.address)
    half = "artifacts/trained_model/ab12/.weights-1.safetensors.cd34.tmp", "tables/predictions/s/.k0.parquet.ef56.tmp"
    for path in half:
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).write_bytes(b"half")
    (results / "artifacts" / "trained_model" / "ab12" / "logits-1.safetensors").write_bytes(b"whole")
    asked = find_withdrawal(store.root, "s", "random 10 %")
    with writing_study(store.root, "another", on_lost=pytest.fail):
        kept = plan_purge(asked).kept
    assert {one.where for one in kept} == {*half, "artifacts/trained_model/ab12"}
    plan, _ = purge(asked, None)
    assert {one.where for one in plan.removed} == {*half}
    assert "never finished" in plan.kept[0].why
    assert not [one for one in half if (results / one).exists()]


def test_rows_that_lead_to_those_of_another_study_stay_with_them(store: Store, confirm: Record, make: Make) -> None:
    """The other study has another request; only this one's rows say which images are meant."""
    confirm("salun", [0.1])
    confirm("salun", [0.1], study="t", scenario="r", forget="random 20 %", forget_hash="g")
    store.append([make(PredictionRow, confirmation_id="salun-q-1", image=5)])
    store.append([make(PredictionRow, study="t", scenario="r", confirmation_id="salun-r-1", image=5)])
    asked = find_withdrawal(store.root, "s", "random 10 %")
    plan, _ = purge(asked, None)
    assert [one.needed_by for one in plan.kept] == [("finding those of study t",), ("study t",)]
    plan, _ = purge(asked, None, everything=True)
    assert [one.study for one in plan.removed] == ["s", "t"]
    assert len(store.read("predictions")) == 0
