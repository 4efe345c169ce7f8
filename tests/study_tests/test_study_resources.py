"""The section `resources`."""

from smallest_study import complaint_at, content

from lethe.study import parse_study


def test_the_share_of_a_trial_is_a_share_or_auto() -> None:
    said = complaint_at("resources.trial", resources={"trial": "aut"})
    assert said == "wanted 'auto' or a mapping of options, got 'aut'; did you mean auto?"
    said = complaint_at("resources.trial.gpus", resources={"trial": {"gpus": 1}})
    assert said == "no such option here; did you mean gpu? Valid are cpu, gpu"
    assert parse_study(content(resources={"trial": "auto"}), "study.yaml").resources.trial == "auto"


def test_a_whole_gpu_more_than_one_is_not_cut() -> None:
    assert "got 1.5" in complaint_at("resources.trial", resources={"trial": {"gpu": 1.5}})
