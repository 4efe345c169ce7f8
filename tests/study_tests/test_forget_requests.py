"""What a forget request makes of scenarios and models: control halves, doses, planted images, shared oracles."""

from pathlib import Path

import pytest
import torch
from small_scenarios import cells_of, content

from lethe.artifacts import oracle, original, saliency
from lethe.study import MethodSearch, StudyError, expand, parse_study, planted_data, scenarios_of
from unlearning.data import DataError, load


def test_a_control_half_is_kept_out_of_originals_and_oracles_alike_and_names_scenario_and_models() -> None:
    [plain, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2}]))
    [scenario, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2, "control": True}]))
    of_scenario = scenario.partition(0)
    parts = [of_scenario.forgotten, scenario.retained, of_scenario.control]
    assert [len(part) for part in parts] == [
        len(plain.partition(0).forgotten),
        len(plain.retained) - len(parts[0]),
        len(parts[0]),
    ]
    assert torch.equal(of_scenario.everything.indices_M, of_scenario.control.rest.indices_M)
    assert torch.equal(original(scenario, 0).subset.indices_M, of_scenario.everything.indices_M)
    assert torch.equal(oracle(scenario, 0).subset.indices_M, scenario.retained.indices_M)
    for name_of in (lambda one: one.fingerprint, lambda one: one.stream, lambda one: original(one, 0)):
        assert name_of(scenario) != name_of(plain)
    [written_out, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2, "control": False}]))
    assert written_out.fingerprint == plain.fingerprint


def test_with_halves_per_seed_originals_and_what_is_made_of_them_differ_by_seed_and_oracles_serve_all() -> None:
    shared_request = {"kind": "random", "fraction": 0.2, "control": True}
    [shared, *_] = scenarios_of(cells_of(forget=[shared_request]))
    [scenario, *_] = scenarios_of(cells_of(forget=[{**shared_request, "halves": "per_seed"}]))
    first, second = scenario.partition(0), scenario.partition(1)
    assert scenario.partition(0) is first
    assert first.forgotten.hash != second.forgotten.hash
    assert first.candidates.hash == second.candidates.hash == shared.partition(0).candidates.hash
    assert shared.partition(0) is shared.partition(1)
    for seed in (0, 1):
        assert oracle(scenario, seed) == oracle(shared, seed)
        assert torch.equal(original(scenario, seed).subset.indices_M, scenario.partition(seed).everything.indices_M)
        assert saliency(scenario, seed).subset is scenario.partition(seed).forgotten
        dose = set(scenario.dosed(seed, 0.5).indices_M.tolist()) - set(scenario.retained.indices_M.tolist())
        assert dose < set(scenario.partition(seed).forgotten.indices_M.tolist())
    for name_of in (lambda one: one.fingerprint, lambda one: one.stream, lambda one: one.forget_hash):
        assert name_of(scenario) != name_of(shared)
    [written_out, *_] = scenarios_of(cells_of(forget=[{**shared_request, "halves": "shared"}]))
    assert written_out.fingerprint == shared.fingerprint


def test_a_dose_is_the_retain_set_with_whole_groups_of_the_forget_set_and_a_larger_one_holds_it() -> None:
    [scenario, *_] = scenarios_of(cells_of(forget=[{"kind": "random", "fraction": 0.2}]))
    doses = [set(scenario.dosed(0, share).indices_M.tolist()) for share in (0.1, 0.25, 0.5)]
    retained, forgotten = (set(one.indices_M.tolist()) for one in (scenario.retained, scenario.partition(0).forgotten))
    assert retained < doses[0] < doses[1] < doses[2] < retained | forgotten
    assert [len(dose - retained) for dose in doses] == [round(share * len(forgotten)) for share in (0.1, 0.25, 0.5)]


def test_doses_of_no_image_of_all_and_of_the_same_images_are_refused() -> None:
    few = [{"kind": "class", "class_index": 0, "fraction": 0.1}]
    with pytest.raises(DataError, match=r"doses: .*0\.01 is 0 images, 0\.5 is \d+ images; wanted different numbers"):
        cells_of(forget=few, doses=[0.5, 0.01])
    many = [{"kind": "random", "fraction": 0.2}]
    with pytest.raises(DataError, match=r"0\.25 is (\d+) images, 0\.251 is \1 images"):
        cells_of(forget=many, doses=[0.25, 0.251])
    with pytest.raises(StudyError, match=r"doses: wanted each share once, got 0\.5, 0\.5"):
        cells_of(forget=few, doses=[0.5, 0.5])


CONFUSION = {"kind": "confusion", "classes": [0, 1], "fraction": 0.5}


def test_a_request_that_plants_labels_has_data_of_its_own_and_leaves_other_requests_alone() -> None:
    requests = [{"kind": "random", "fraction": 0.1}, CONFUSION]
    study = parse_study(content(forget=requests), "study.yaml")
    datasets = {source: load(source) for source in study.data}
    plain, confused = (scenarios_of(expand(study, datasets))[index] for index in (0, 1))
    [planted] = planted_data(study, datasets)
    assert confused.data_hash == planted.content_hash != plain.data_hash
    assert planted.planted is not None
    assert torch.equal(planted.train.labels_N[confused.selected.indices_F], 1 - planted.planted.labels_F)
    [alone, *_] = scenarios_of(cells_of(forget=requests[:1]))
    assert alone.fingerprint == plain.fingerprint
    assert original(confused, 0) != original(plain, 0)


def test_an_audit_of_what_no_request_plants_is_refused() -> None:
    with pytest.raises(DataError, match=r"audits: confusion: looks for labels .*kind: confusion, .* got random 20 %"):
        cells_of(forget=[{"kind": "random", "fraction": 0.2}], audits=[{"name": "confusion"}])
    assert cells_of(forget=[CONFUSION], audits=[{"name": "confusion"}])


def test_an_audit_of_a_control_half_that_no_request_keeps_is_refused() -> None:
    with pytest.raises(DataError, match=r"audits: control, epsilon: compares .* control: true\}, got random 20 %"):
        cells_of(forget=[{"kind": "random", "fraction": 0.2}], audits=[{"name": "control"}, {"name": "epsilon"}])


def test_forget_requests_share_the_original_and_have_an_oracle_each(method_searches: list[MethodSearch]) -> None:
    random, whole_class, *other_arm = scenarios_of(method_searches)
    assert original(random, 0) == original(whole_class, 0)
    assert hash(original(random, 0)) == hash(original(whole_class, 0))
    assert oracle(random, 0) != oracle(whole_class, 0)
    assert saliency(random, 0) != saliency(whole_class, 0)
    assert original(random, 0) != original(random, 1)
    assert all(original(random, 0) != original(scenario, 0) for scenario in other_arm)


def test_requests_that_name_the_same_images_share_the_oracle(tmp_path: Path) -> None:
    of_class = {"kind": "class", "class_index": 2, "fraction": 0.5}
    (by_class,) = scenarios_of(cells_of(forget=[of_class], augmentations=["none"]))
    listed = tmp_path / "forget.txt"
    listed.write_text("\n".join(map(str, by_class.selected.indices_F.tolist())), encoding="utf-8")
    (by_list,) = scenarios_of(cells_of(forget=[{"kind": "indices", "file": str(listed)}], augmentations=["none"]))
    assert oracle(by_list, 0) == oracle(by_class, 0)


def test_a_list_that_names_the_images_of_another_request_is_refused(
    method_searches: list[MethodSearch], tmp_path: Path
) -> None:
    by_chance, listed = scenarios_of(method_searches)[0], tmp_path / "forget.txt"
    listed.write_text("\n".join(map(str, by_chance.selected.indices_F.tolist())), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"by two names: .*forget random 10 %; .*forget indices forget\.txt: .*; keep one"
    ):
        cells_of(forget=[content()["forget"][0], {"kind": "indices", "file": str(listed)}])


def test_an_original_and_its_oracle_are_paired_by_their_training_seed(method_searches: list[MethodSearch]) -> None:
    scenario = method_searches[0].scenario
    assert original(scenario, 3).inputs["training_seed"] == oracle(scenario, 3).inputs["training_seed"]
