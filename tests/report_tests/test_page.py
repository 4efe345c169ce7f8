"""The HTML report: honest sentences, one table a scenario, everything escaped, and a page whatever the results hold."""

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from lethe.cli import app
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report.page import Page, render_page
from lethe.results import BoardRow, EpochRow, PredictionRow, QueryError, Store, StudyRow, TrialRow, query
from lethe.storage.root import StorageRoot
from lethe.study import read_study
from unlearning.data import Synthetic
from unlearning.models import CNN

ARMS_AND_REQUESTS = {
    "augmentations": ["none", "standard"],
    "forget": [{"kind": "random", "fraction": 0.2}, {"kind": "class", "class_index": 1}],
    "search": {"trials": 5, "window": 2, "curves": True},
}

GIVEN = {
    "name": "given",
    "data": [{"source": "synthetic", "train": 60, "val": 30, "test": 30, "size": 12, "classes": 3}],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 4},
    "training": "none",
    "original": {"checkpoint": "model.pt"},
    "methods": [{"name": "fine_tune", "epochs": 1, "lr": 0.01}],
    "seeds": {"reporting": [1, 2]},
}

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"

EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture(scope="module")
def _ran() -> dict[str, StorageRoot]:
    """Places of studies that were run already: a run takes seconds, and no test changes its results."""
    return {}


@pytest.fixture
def ran(
    _ran: dict[str, StorageRoot], write_study: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., StorageRoot]:
    """Runs the tiny study in this process, once a module for the same changes; gives its place."""

    def run(name: str, **changes: Any) -> StorageRoot:
        if name not in _ran:
            root = StorageRoot.at(tmp_path_factory.mktemp(name))
            with Progress(Console(quiet=True)) as progress:
                StudyRun(read_study(write_study(name=name, **changes)), root, progress).run(local=True)
            _ran[name] = root
        return _ran[name]

    return run


@pytest.fixture(scope="module")
def _rendered() -> dict[str, Page]:
    """The page of the tiny study, once it was rendered."""
    return {}


@pytest.fixture
def tiny_page(_rendered: dict[str, Page], ran: Callable[..., StorageRoot]) -> Page:
    """The page of the tiny study as it was run."""
    if "tiny" not in _rendered:
        _rendered["tiny"] = render_page(ran("tiny"), None)
    return _rendered["tiny"]


@pytest.fixture
def page(store: Store) -> Callable[..., str]:
    """Renders the page of the store, and gives what a reader sees of it."""
    return lambda: text_of(render_page(store.root, None))


def text_of(page: Page) -> str:
    """What a reader sees, in ASCII where that can be: the page without scripts, styles and tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page.html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split()).replace(MINUS, "-").replace(TIMES, "x")


def figures(page: Page) -> list[dict[str, Any]]:
    return [
        json.loads(found)
        for found in re.findall(r'<script type="application/json">(.*?)</script>', page.html, re.DOTALL)
    ]


def titles(page: Page) -> list[str]:
    return re.findall(r'<p class="title">(.*?)</p>', page.html)


def test_a_study_has_all_its_sections_and_every_figure_has_traces(tiny_page: Page) -> None:
    text = text_of(tiny_page)
    for heading in ("What was asked, and the answer", "Leaderboard", "Tuning", "Epoch by epoch", "Forget samples"):
        assert heading in text
    for heading in ("Where the saliency sits", "What augmentation changes", "What it cost", "Where it comes from"):
        assert heading in text
    assert titles(tiny_page) == [
        "Every gap, with its 95 % interval",
        "Gap over learning rate and density",
        "Best gap against trials",
        "Best gap against time",
        "Searched options",
        "Trainable weights by layer",
        "Seconds by stage",
    ]
    assert all(figure["data"] for figure in figures(tiny_page))


def test_the_page_names_no_address_that_a_browser_would_fetch(tiny_page: Page) -> None:
    markup = re.sub(r"<(script|style)\b.*?</\1>", " ", tiny_page.html, flags=re.DOTALL)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', markup)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "connect-src 'none'" in tiny_page.html
    assert "@import" not in tiny_page.html.split("</style>")[0]


def test_each_scenario_has_a_table_and_each_method_a_sentence(ran: Callable[..., StorageRoot]) -> None:
    page = render_page(ran("both", **ARMS_AND_REQUESTS), None)
    assert len(re.findall(r"<article ", page.html)) == 4
    assert len(re.findall(r'<p class="asked">', page.html)) == 4
    assert text_of(page).count("SalUn's gap to retraining is") == 4
    assert "standard against none" in text_of(page)


def test_curves_have_each_epoch_that_was_measured(ran: Callable[..., StorageRoot]) -> None:
    root = ran("both", **ARMS_AND_REQUESTS)
    page = render_page(root, None)
    found = query("select list(100 * ra order by epoch) ra from epochs group by trial_id", root).to_pydict()["ra"]
    places = [index for index, title in enumerate(titles(page)) if title == "RA, on retain"]
    assert len(places) == 4
    for place in places:
        line = figures(page)[place]["data"][-1]
        assert line["x"] == [1, 2]
        assert any(line["y"] == pytest.approx(one, abs=0.01) for one in found)
    assert "Percent after each epoch of the chosen trial" in text_of(page)


def test_a_trial_that_was_measured_at_its_end_has_no_curve_but_a_sentence(tiny_page: Page) -> None:
    assert "RA, on retain" not in titles(tiny_page)
    assert "The chosen trial was measured after its last epoch alone. With search.curves: true" in text_of(tiny_page)
    assert "No trial was chosen" not in text_of(tiny_page)


def test_the_saliency_of_each_layer_adds_up_to_the_chosen_density(tiny_page: Page) -> None:
    figure = figures(tiny_page)[titles(tiny_page).index("Trainable weights by layer")]
    counts = [re.findall(r"[\d,]+", told) for told in figure["data"][0]["customdata"]]
    trainable, weights = (sum(int(pair[root].replace(",", "")) for pair in counts) for root in (0, 1))
    density = float(re.findall(r"lr [\d.]+, density ([\d.]+), with a gap", text_of(tiny_page))[0])
    assert trainable / weights == pytest.approx(density, abs=0.01)
    assert [name.split()[1] for name in figure["data"][0]["y"]][0::6] == ["Conv2d", "Linear"]


def test_a_pool_without_the_scores_is_told(ran: Callable[..., StorageRoot], tmp_path: Path) -> None:
    root = StorageRoot.at(shutil.copytree(str(ran("tiny")), tmp_path / "emptied"))
    root.delete("artifacts")
    assert "the scores are no longer in the artifact store" in text_of(render_page(root, None))


def test_the_forget_samples_are_the_ones_that_the_data_holds(tiny_page: Page) -> None:
    [held] = re.findall(r'<script type="application/json" id="pictures">(.*?)</script>', tiny_page.html)
    uris = json.loads(held)
    shown = re.findall(r'<img data-picture="(\d+)" alt="train image (\d+)', tiny_page.html)
    assert len(shown) == len(uris) == 24 == tiny_page.images
    images_NCHW = Synthetic(train=160, val=80, test=80, size=12, classes=3).read().splits["train"].images_NCHW
    for picture, image in shown:
        pixels_HW = np.array(Image.open(io.BytesIO(base64.b64decode(uris[int(picture)].partition("base64,")[2]))))
        assert np.array_equal(pixels_HW, images_NCHW[int(image), 0].numpy())
    assert "24 of 32 forget samples" in text_of(tiny_page)
    assert "holds 24 images that were asked to be forgotten" in text_of(tiny_page)


def test_samples_that_differ_from_the_oracle_on_most_seeds_come_first(
    store: Store, confirm: Callable[..., None], make: Callable[..., Any], page: Callable[..., str]
) -> None:
    said = {"original": ("a", "a"), "oracle": ("b", "b")}
    unlearned = {1: ("b", "b"), 2: ("a", "b"), 3: ("a", "a")}
    for row in ("original", "oracle", "salun"):
        confirm(row, (0.1, 0.2))
        for seed in (1, 2):
            predictions = []
            for image, answers in unlearned.items():
                name = said.get(row, answers)[seed - 1]
                told = {"row": row, "training_seed": seed, "image": image, "confirmation_id": f"{row}-q-{seed}"}
                predictions.append(make(PredictionRow, **told, predicted="ab".index(name), predicted_name=name))
            store.append(predictions)
    text = page()
    assert "3 of 3 forget samples; on 2 of them" in text
    samples = text[text.index("3 of 3 forget samples") :]
    assert re.findall(r"(\d) basophil a b (.*?) (\d) of 2", samples) == [
        ("3", "a", "2"),
        ("2", "a x1, b x1", "1"),
        ("1", "b", "0"),
    ]
    assert "No pictures" in text


def test_data_that_is_gone_leaves_a_table_without_pictures(write_study: Callable[..., Path], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 120), ("val", 40), ("test", 40)):
        arrays[f"{split}_images"] = random.integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % 3
    archive, root = tmp_path / "mine.npz", StorageRoot.at(tmp_path / "results")
    np.savez(archive, **arrays)
    with Progress(Console(quiet=True)) as progress:
        study = read_study(write_study(data=[{"source": "npz", "path": str(archive)}]))
        StudyRun(study, root, progress).run(local=True)
    assert render_page(root, None).images == 24
    archive.unlink()
    page = render_page(root, None)
    assert page.images == 0
    assert f"No pictures: {archive}: there is no such file." in text_of(page)
    assert "24 of 24 forget samples" in text_of(page)


def test_pictures_can_be_left_out(ran: Callable[..., StorageRoot]) -> None:
    page = render_page(ran("tiny"), None, images=False)
    assert page.images == 0
    assert "<img" not in page.html
    assert "left out with --no-images" in text_of(page)


def test_a_method_closer_than_doing_nothing_is_called_so_with_its_interval(
    confirm: Callable[..., None], page: Callable[..., str]
) -> None:
    confirm("original", (0.30, 0.31, 0.33))
    confirm("oracle", (0.01, 0.01, 0.01))
    confirm("salun", (0.10, 0.11, 0.12))
    assert (
        "closer than doing nothing SalUn's gap to retraining is 11.0 points [8.5, 13.5] over 3 seeds, against 31.3 for "
        "doing nothing (closer: -20.3 [-21.8, -18.9], p < 0.001). Its excess over the noise floor of 0.0 is "
        "+11.0 [+8.5, +13.5]: above what retraining on another seed changes." in page()
    )


def test_a_method_within_the_margin_is_called_equivalent_and_nothing_else_is(
    confirm: Callable[..., None], page: Callable[..., str]
) -> None:
    confirm("oracle", (0.000, 0.001, 0.002))
    confirm("original", (0.30, 0.31, 0.32))
    confirm("salun", (0.001, 0.002, 0.001))
    text = page()
    assert "equivalent, no more than the margin of 1.0 points farther from oracles than these are from each" in text
    assert "salun equivalent" in text
    assert "original (do nothing) above the floor" in text
    assert "indistinguishable" not in text


def test_a_method_that_these_seeds_do_not_decide_is_called_inconclusive(
    confirm: Callable[..., None], page: Callable[..., str]
) -> None:
    confirm("oracle", (0.01, 0.02, 0.06))
    confirm("original", (0.10, 0.01, 0.04))
    confirm("salun", (0.02, 0.09, 0.01))
    text = page()
    assert "doing nothing (inconclusive: " in text
    assert "inconclusive; about " in text


def test_a_method_farther_than_doing_nothing_is_called_so(
    confirm: Callable[..., None], page: Callable[..., str]
) -> None:
    confirm("original", (0.10, 0.11, 0.12))
    confirm("oracle", (0.01, 0.01, 0.01))
    confirm("salun", (0.30, 0.32, 0.32))
    assert "farther than doing nothing SalUn's gap" in page()


def test_one_seed_claims_no_interval(confirm: Callable[..., None], page: Callable[..., str]) -> None:
    confirm("original", (0.30,))
    confirm("oracle", (None,))
    confirm("salun", (0.10,))
    text = page()
    assert (
        "10.0 points over 1 seed, too few for an interval, against 30.0 for doing nothing (too few seeds: -20.0)"
        in text
    )
    assert "no noise floor to hold it against: it takes oracles of two seeds" in text
    assert "nan" not in text.lower().split()


def test_a_confirmed_setting_that_diverged_has_no_gap(confirm: Callable[..., None], page: Callable[..., str]) -> None:
    confirm("original", (0.30, 0.31))
    confirm("salun", (0.10, None), status="diverged")
    assert "SalUn has no gap: a run of the chosen setting diverged on at least one of 2 reporting seeds." in page()


def test_without_oracles_one_sentence_says_so_for_all_methods(
    confirm: Callable[..., None], page: Callable[..., str]
) -> None:
    for row in ("original", "salun", "fine_tune"):
        confirm(row, (None, None), ua=0.2, oracle=None)
    confirm("scrub", (None,), ua=0.2, oracle=None)
    text = page()
    assert text.count("nothing says how close to retraining") == len(["the answer", "note below the table"])
    assert "SCRUB has no gap: 1 of 2 reporting seeds are confirmed." in text


def test_a_search_of_which_all_trials_diverged_is_told(ran: Callable[..., StorageRoot]) -> None:
    root = ran(
        "diverged",
        methods=[{"name": "salun", "epochs": 1, "lr": 1.0e9, "search": {"density": {"low": 0.1, "high": 0.9}}}],
    )
    page = render_page(root, None)
    text = text_of(page)
    assert "SalUn has no answer: none of its 5 trials finished (5 diverged), so there is no setting to confirm." in text
    assert "5 runs diverged or failed" in text
    assert "No trial was chosen" in text


def test_one_trial_gives_a_page(ran: Callable[..., StorageRoot]) -> None:
    page = render_page(ran("single", search={"trials": 1, "window": 1}), None)
    assert "1 trial: 1 done. Chosen: trial 0" in text_of(page)
    assert "Searched options" not in titles(page)


def test_trials_without_a_confirmation_give_a_page_that_says_so(
    store: Store, make: Callable[..., Any], page: Callable[..., str]
) -> None:
    store.append([make(TrialRow, gap=0.05, original_gap=0.2)])
    text = page()
    assert "SalUn is not confirmed yet: of 1 trial 1 finished" in text
    assert "a gap of 5.0 points, against 20.0 for doing nothing" in text
    assert "Nothing is confirmed on reporting seeds yet, so there is no leaderboard." in text


def test_the_search_of_a_control_does_not_count_as_its_methods(
    store: Store, make: Callable[..., Any], page: Callable[..., str]
) -> None:
    searches = {"c": ("salun", 0.05), "d": ("salun random mask", 0.01)}
    awaited = {"confirmation_id": None, "method": "salun"}
    store.append([make(BoardRow, method_search=name, row=row, **awaited) for name, (row, _) in searches.items()])
    for name, (_, gap) in searches.items():
        store.append([make(TrialRow, trial_id=name, method_search=name, gap=gap, original_gap=0.2)])
    text = page()
    assert "SalUn is not confirmed yet: of 1 trial 1 finished" in text
    assert "a gap of 5.0 points, against 20.0 for doing nothing" in text


def test_a_study_of_which_nothing_ended_gives_a_page_that_says_so(
    store: Store, make: Callable[..., Any], page: Callable[..., str]
) -> None:
    store.append([make(StudyRow, specification="name: s\nunknown: 1")])
    text = page()
    assert "No trial has ended yet, so there is no answer." in text
    assert "Nothing was spent yet." in text


def test_the_page_of_a_specification_says_nothing_of_other_studies(store: Store, confirm: Callable[..., None]) -> None:
    for study in ("s", "z"):
        confirm("oracle", (0.0, 0.1, 0.2), study=study, specification_id=f"of-{study}")
    text = text_of(render_page(store.root, None, specification="of-s"))
    assert "No trial has ended yet" not in text
    assert "of-z" not in text


def test_a_place_without_results_or_without_the_study_is_an_error(store: Store, confirm: Callable[..., None]) -> None:
    with pytest.raises(QueryError, match="no results"):
        render_page(store.root, None)
    confirm("salun", (0.1,))
    with pytest.raises(QueryError, match=r"no results of study other .* studies there: s"):
        render_page(store.root, "other")


def test_markup_in_names_is_shown_and_never_run(
    store: Store, confirm: Callable[..., None], make: Callable[..., Any]
) -> None:
    for row in ("original", "oracle", "salun"):
        named = dict.fromkeys(("dataset", "forget", "augmentation", "network", "device", "node"), EVIL)
        confirm(row, (0.1, 0.2), method_search="c", **named)
        for seed in (1, 2):
            told = {"row": row, "training_seed": seed, "confirmation_id": f"{row}-q-{seed}"}
            store.append([make(PredictionRow, **told, label_name=EVIL, predicted_name=EVIL)])
    setting = json.dumps({"name": "salun", "loop": EVIL, "lr": 0.1})
    other = json.dumps({"name": "salun", "loop": "plain", "lr": 0.2})
    epoch = make(EpochRow, ua=0.1, ra=0.2, va=0.3, mia=0.4)
    store.append_trial(make(TrialRow, setting=setting, error=EVIL, dataset=EVIL), [epoch])
    store.append_trial(make(TrialRow, trial_id="t1", number=1, setting=other), [])
    store.append_trial(make(TrialRow, trial_id="t2", number=2, status="failed", gap=None, error=EVIL), [])
    store.append([make(StudyRow, specification=EVIL)])
    page = render_page(store.root, None)
    assert "alert(1)" in page.html
    assert "<script>alert" not in page.html
    for figure in figures(page):
        shown = json.dumps({"data": figure["data"], "layout": figure["layout"]})
        assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in page.html


def test_a_page_of_many_scenarios_draws_the_first_and_says_so(
    store: Store, confirm: Callable[..., None], make: Callable[..., Any]
) -> None:
    for number in range(22):
        scenario = f"q{number:02}"
        confirm("original", (0.1, 0.2), scenario=scenario, forget=scenario, method_search=scenario)
        trial = {"trial_id": f"t{number}", "method_search": scenario, "scenario": scenario, "forget": scenario}
        store.append([make(TrialRow, **trial)])
    page = render_page(store.root, None)
    assert len(re.findall(r"<article ", page.html)) == 22
    assert titles(page).count("Best gap against trials") == 20
    assert "drawn for the first 20 of 22 scenarios" in text_of(page)
    assert "--study NAME" in text_of(page)


def test_a_scenario_that_two_studies_share_is_drawn_for_those_within_the_limit(
    store: Store, confirm: Callable[..., None], make: Callable[..., Any]
) -> None:
    for study in ("one", "two"):
        for number in range(15):
            about = {"study": study, "scenario": f"q{number}"}
            confirm("original", (0.1,), method_search=f"c{number}", **about)
            store.append(
                [make(TrialRow, trial_id=f"{study}-t{number}", method_search=f"c{number}", epochs_done=0, **about)]
            )
        for row in ("oracle", "salun"):
            confirm(row, (0.1,), study=study, scenario="q14", method_search="c14")
        for row in ("original", "oracle", "salun"):
            told = {"study": study, "scenario": "q14", "confirmation_id": f"{row}-q14-1", "row": row}
            store.append([make(PredictionRow, **told)])
    page = render_page(store.root, None)
    assert titles(page).count("Best gap against trials") == 20
    assert text_of(page).count("1 of 1 forget sample") == 1


def test_studies_are_told_apart_and_can_be_asked_for_alone(store: Store, confirm: Callable[..., None]) -> None:
    for study in ("one", "two"):
        confirm("original", (0.1, 0.2), study=study)
    both, alone = render_page(store.root, None), render_page(store.root, "two")
    assert "Report of 2 studies" in text_of(both)
    assert len(re.findall(r"<section ", both.html)) == 2
    assert len(re.findall(r"<section ", alone.html)) == 1


def test_what_was_set_aside_is_named(store: Store, confirm: Callable[..., None], page: Callable[..., str]) -> None:
    confirm("original", (0.1, 0.2))
    store.root.write("artifacts/oracle/abc/manifest.json", b"{}")
    store.root.write("artifacts/oracle/abc/weights.safetensors", b"broken")
    store.root.quarantine("artifacts/oracle/abc")
    assert page().count("artifacts/oracle/abc.") == 1


def test_only_a_live_page_asks_its_server(store: Store, confirm: Callable[..., None]) -> None:
    confirm("original", (0.1, 0.2))
    live, dead = (render_page(store.root, None, live=live) for live in (True, False))
    assert '<meta name="lethe-live">' in live.html
    assert "connect-src 'self'" in live.html
    assert '<meta name="lethe-live">' not in dead.html


def test_the_command_writes_the_page_and_warns_of_its_images(ran: Callable[..., StorageRoot], tmp_path: Path) -> None:
    root = ran("tiny")
    output = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", "--results", root.address, "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert "It holds 24 images that were asked to be forgotten" in done.output
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")
    done = CliRunner().invoke(app, ["report", "--results", root.address, "-o", str(output), "--no-images"])
    assert "asked to be forgotten" not in done.output
    assert "<img" not in output.read_text(encoding="utf-8")


def test_the_command_tells_of_a_place_without_results(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "--results", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "no results" in done.output


def several(confirm: Callable[..., None], methods: int) -> None:
    """An original and methods in the order of their names, the first two hardly apart."""
    confirm("oracle", (0.00, 0.01, 0.03, 0.06, 0.10))
    confirm("original", (0.90, 0.92, 0.90, 0.91, 0.90))
    for number in range(methods):
        level = 0.001 * number if number < 2 else 0.1 * (number - 1)
        noise = (0.010, 0.012, 0.011, 0.010, 0.012)
        gaps = [level + one for one in noise[number:] + noise[:number]]
        confirm(f"method{number}", gaps, compute_share=0.5 / 2**number)


def test_many_methods_are_compared_in_a_matrix_by_rank(
    store: Store, confirm: Callable[..., None], page: Callable[..., str]
) -> None:
    several(confirm, 4)
    html = render_page(store.root, None).html
    [matrix] = re.findall(r'<table class="matrix">.*?</table>', html, re.DOTALL)
    classes = [re.findall(r'<td class="([a-z-]*)"', row) for row in matrix.split("<tr>")[2:]]
    assert classes == [
        ["closer", "", "inconclusive", "closer", "closer"],
        ["closer", "inconclusive", "", "closer", "closer"],
        ["closer", "farther", "farther", "", "closer"],
        ["closer", "farther", "farther", "farther", ""],
    ]
    text = page()
    assert "rank 1 [1, 2]" in text
    assert "4 methods against doing nothing, 6 pairs of methods" in text


def test_what_a_search_was_allowed_and_where_its_gap_was_tuned_are_on_the_page(ran: Callable[..., StorageRoot]) -> None:
    text = text_of(render_page(ran("tiny"), None))
    assert "Gap where a setting was chosen, and where it was not" in text
    assert "What each search was allowed" in text


def ward(folder: Path) -> Path:
    """A table of images of two classes, told apart by brightness, of three patients a split."""
    generator, lines = np.random.default_rng(0), ["file,label,split,patient"]
    for split, count in (("train", 60), ("val", 20), ("test", 20)):
        for number in range(count):
            pixels = (generator.integers(0, 128, (8, 8)) + 120 * (number % 2)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{split}{number}.png")
            lines.append(f"{split}{number}.png,{'ab'[number % 2]},{split},{split}-p{number % 3}")
    (folder / "images.csv").write_text("\n".join(lines))
    return folder / "images.csv"


def test_files_and_patients_are_named_only_where_that_is_asked_for(
    ran: Callable[..., StorageRoot], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    data = [{"source": "table", "path": str(ward(tmp_path_factory.mktemp("ward"))), "channels": 1}]
    withdrawn = tmp_path_factory.mktemp("list") / "withdrawn.txt"
    withdrawn.write_text("train-p0\n")
    root = ran("named", data=data, forget=[{"kind": "where", "column": "patient", "values_file": str(withdrawn)}])
    assert "train-p0" not in text_of(render_page(root, None))
    named = render_page(root, None, names=True)
    assert "file train0.png" in text_of(named)
    assert "patient train-p0" in text_of(named)
    assert named.images > 0
    alone = render_page(root, None, images=False, names=True)
    assert alone.images == 0
    assert "train0.png, patient train-p0" in text_of(alone).replace("file ", "")
    output = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["report", "--results", root.address, "-o", str(output), "--names"])
    assert "It names their files and patients" in done.output


def test_a_page_without_oracles_explains_none(tmp_path: Path) -> None:
    torch.save(CNN(width=4).build(1, 3, 0)[1].state_dict(), tmp_path / "model.pt")
    path = tmp_path / "given.yaml"
    path.write_text(yaml.safe_dump(GIVEN))
    root = StorageRoot.at(tmp_path / "results")
    with Progress(Console(quiet=True)) as progress:
        StudyRun(read_study(path), root, progress).run(local=True)
    page = render_page(root, None)
    text = text_of(page)
    assert "the given model, whose training is not known" in text
    assert "is held against the oracle" not in text
    assert "oracle's value" not in page.html
    assert "noise floor" not in text.lower()
    assert "No forget samples: there is no oracle that they could be held against." in text
