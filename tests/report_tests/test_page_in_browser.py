"""The page in a browser: nothing fetched, no errors, every figure drawn, fit for keyboard, phone and paper."""

import base64
import json
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report.live import LiveReport, ReportServer
from lethe.report.page import render_page
from lethe.results.progress import Best, Part, RunProgress, write_progress
from lethe.storage.root import StorageRoot
from lethe.study import read_study

PATIENCE_S = 30.0

CANVASES = "return document.querySelectorAll('.canvas').length"
DRAWN = "return document.querySelectorAll('.canvas.js-plotly-plot').length"
ROWS = "JSON.parse(document.querySelector('article script.rows').textContent)"
UNFOLD = "document.querySelectorAll('details').forEach(fold => fold.open = true)"
UA = 5
"""The column of the leaderboard, counted from 1."""

WITHOUT_TRACE = """
return [...document.querySelectorAll('.canvas')]
    .filter(canvas => !canvas.querySelector('.trace path, .trace use, .point path, .bars path'))
    .map(canvas => canvas.ariaLabel)
"""


@pytest.fixture(scope="module")
def _written() -> list[Path]:
    """The page, once it was written: the run that it shows takes seconds, and no test changes it."""
    return []


@pytest.fixture
def path(_written: list[Path], write_study: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the tiny study, with two methods and two forget requests."""
    if not _written:
        _written.append(write(write_study, tmp_path_factory.mktemp("page")))
    return _written[0]


def write(write_study: Callable[..., Path], folder: Path) -> Path:
    fine_tune = {"name": "fine_tune", "epochs": 2, "search": {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}}}
    density = {"low": 0.1, "high": 0.9}
    salun = {"name": "salun", "epochs": 2, "search": {"lr": fine_tune["search"]["lr"], "density": density}}
    requests = [{"kind": "random", "fraction": 0.2}, {"kind": "class", "class_index": 1}]
    root = StorageRoot.at(folder / "results")
    with Progress(Console(quiet=True)) as progress:
        search = {"trials": 5, "window": 2, "curves": True}
        study = read_study(write_study(methods=[salun, fine_tune], forget=requests, search=search))
        StudyRun(study, root, progress).run(local=True)
    path = folder / "report.html"
    path.write_text(render_page(root, None).html, encoding="utf-8")
    return path


def show(browser: webdriver.Chrome, path: Path, width: int, scheme: str = "light") -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme_only = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme_only)
    browser.get(path.as_uri())


def draw_all(browser: webdriver.Chrome) -> None:
    """Unfold everything and scroll through it, as a reader would."""
    browser.execute_script(UNFOLD)
    deadline = time.monotonic() + PATIENCE_S
    root = 0
    while browser.execute_script(DRAWN) < browser.execute_script(CANVASES):
        assert time.monotonic() < deadline, "figures were not drawn"
        root = 0 if root > browser.execute_script("return document.body.scrollHeight") else root + 600
        browser.execute_script(f"scrollTo(0, {root})")
        time.sleep(0.05)


def fetched(browser: webdriver.Chrome) -> set[str]:
    """The addresses that the page asked for, those that it holds itself left out."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return {
        one["request"]["url"]
        for one in asked
        if one["documentURL"].startswith("file:") and not one["request"]["url"].startswith(("data:", "blob:"))
    }


def column(browser: webdriver.Chrome, number: int) -> list[str]:
    found = browser.find_elements(By.CSS_SELECTOR, f"article table.sortable tbody tr > :nth-child({number})")
    table_rows = len(
        browser.find_element(By.CSS_SELECTOR, "article table.sortable tbody").find_elements(By.TAG_NAME, "tr")
    )
    return [cell.text for cell in found[:table_rows]]


def test_the_page_fetches_nothing_tells_no_errors_and_draws_every_figure(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    draw_all(browser)
    assert browser.execute_script(CANVASES) == 2 * (2 + 4 + 4 + 2 * 4 + 1) + 1
    assert browser.execute_script(WITHOUT_TRACE) == []
    assert fetched(browser) == {path.as_uri()}
    assert browser.get_log("browser") == []


def test_figures_that_are_folded_away_are_not_drawn(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    browser.execute_script("document.querySelectorAll('details').forEach(fold => fold.open = false)")
    browser.refresh()
    assert browser.execute_script(DRAWN) < browser.execute_script(CANVASES)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("unfolded", [False, True])
def test_the_page_never_scrolls_sideways(browser: webdriver.Chrome, path: Path, width: int, unfolded: bool) -> None:
    show(browser, path, width)
    if unfolded:
        draw_all(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_a_header_sorts_by_number_up_down_and_back_by_keyboard_too(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    before = column(browser, UA)
    header = browser.find_elements(By.CSS_SELECTOR, "article table.sortable thead th")[UA - 1]
    header.find_element(By.TAG_NAME, "button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert column(browser, UA) == sorted(before, key=float)
    header.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "descending"
    assert column(browser, UA) == sorted(before, key=float, reverse=True)
    header.find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE)
    assert header.get_attribute("aria-sort") == "none"
    assert column(browser, UA) == before


def test_rows_without_a_number_sort_last_both_ways(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    button = browser.find_elements(By.CSS_SELECTOR, "article table.sortable thead button")[10]
    for _ in ("up", "down"):
        button.click()
        shown = column(browser, 12)
        assert all(shown[:-2])
        assert shown[-2:] == ["", ""]


def looks(browser: webdriver.Chrome) -> tuple[Any, Any]:
    """The background of the page, and the colour of a figure's labels."""
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    label = browser.execute_script("return getComputedStyle(document.querySelector('.canvas .xtitle')).fill")
    return background, label


def test_the_theme_follows_the_system_and_its_button_which_a_reload_keeps(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=1280)
    draw_all(browser)
    light = looks(browser)
    browser.execute_script("scrollTo(0, 0)")
    browser.find_element(By.ID, "theme").click()
    dark = looks(browser)
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    browser.refresh()
    draw_all(browser)
    assert looks(browser) == dark
    assert browser.get_log("browser") == []


def test_a_system_in_dark_is_shown_in_dark(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280, scheme="dark")
    assert browser.find_element(By.ID, "theme").text == "Light"


def test_paper_gets_every_figure_and_every_fold_and_the_screen_its_own_back(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=1280, scheme="dark")
    browser.execute_script("""
        window.onPaper = null;
        addEventListener("beforeprint", () => {
            window.onPaper = {
                drawn: document.querySelectorAll(".canvas.js-plotly-plot").length,
                folded: document.querySelectorAll("details:not([open])").length,
                background: getComputedStyle(document.body).backgroundColor,
            };
        });
    """)
    folded = browser.execute_script("return document.querySelectorAll('details:not([open])').length")
    pages = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    paper = browser.execute_script("return window.onPaper")
    assert pages.startswith(b"%PDF")
    assert paper["drawn"] == browser.execute_script(CANVASES)
    assert paper["folded"] == 0
    assert paper["background"] == "rgb(251, 251, 249)"
    assert browser.execute_script("return document.querySelectorAll('details:not([open])').length") == folded > 0
    assert browser.get_log("browser") == []


POOR_CONTRAST = """
const channels = text => text.match(/[\\d.]+/g).map(Number);
const over = (top, below) => {
    const share = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(at => share * top[at] + (1 - share) * below[at]);
};
const behind = element => element
    ? over(channels(getComputedStyle(element).backgroundColor), behind(element.parentElement)) : [255, 255, 255];
const luminance = colour => colour
    .map(value => value / 255).map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + [0.2126, 0.7152, 0.0722][at] * value, 0);
return [...document.querySelectorAll("main *:not(script):not(svg *)")]
    .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .filter(element => element.checkVisibility() && !element.closest(".hidden"))
    .map(element => {
        const background = behind(element);
        const ink = over(channels(getComputedStyle(element).color), background);
        const [dark, light] = [luminance(ink), luminance(background)].sort((a, b) => a - b);
        return [(light + 0.05) / (dark + 0.05), element.textContent.trim().slice(0, 40)];
    })
    .filter(([ratio]) => ratio < 4.5);
"""
"""JavaScript: texts whose contrast is below the 4.5 of WCAG 2.2, success criterion 1.4.3."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser: webdriver.Chrome, path: Path, scheme: str) -> None:
    show(browser, path, width=1280, scheme=scheme)
    browser.execute_script(UNFOLD)
    assert browser.execute_script(POOR_CONTRAST) == []
    browser.execute_script("document.querySelector('.headline').style.color = 'rgb(120, 120, 120)'")
    assert len(browser.execute_script(POOR_CONTRAST)) == 1


def test_a_phone_shows_the_gap_beside_the_row_and_the_answer_on_its_first_screen(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=390)
    table = browser.find_element(By.CSS_SELECTOR, "article table.sortable")
    assert [cell.text for cell in table.find_elements(By.TAG_NAME, "th")[:2]] == ["row", "gap [95 %]"]
    for cell in table.find_elements(By.CSS_SELECTOR, "tbody td.gap:nth-child(2)"):
        assert cell.text
        assert cell.rect["x"] + cell.rect["width"] <= 390
    headline = browser.find_element(By.CSS_SELECTOR, ".headline")
    assert headline.rect["y"] + headline.rect["height"] <= 900


def test_what_is_wider_than_the_screen_is_reached_by_keyboard(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=390)
    wide = "return [...document.querySelectorAll('.scroll')].find(one => one.scrollWidth > one.clientWidth)"
    region = browser.execute_script(wide)
    region.send_keys(Keys.ARROW_RIGHT)
    assert browser.execute_script("return document.activeElement === arguments[0]", region)
    scrolled = "return arguments[0].scrollLeft"
    deadline = time.monotonic() + PATIENCE_S
    while not browser.execute_script(scrolled, region):
        assert time.monotonic() < deadline, "the arrow did not scroll"
        time.sleep(0.05)
    assert region.accessible_name


def test_tables_have_headers_and_headings_skip_no_level(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    assert browser.execute_script("return document.querySelectorAll('th:not([scope])').length") == 0
    assert browser.execute_script("return [...document.querySelectorAll('table')].every(one => one.tHead)")
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3, h4')].map(one => +one.tagName[1])"
    )
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_paper_cuts_no_table(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    browser.execute_script("""
        const [cell] = document.querySelectorAll("article table.sortable tbody td");
        cell.textContent = "a wide cell ".repeat(20);
        window.cut = null;
        addEventListener("beforeprint", () => {
            window.cut = [...document.querySelectorAll(".scroll")]
                .filter(one => one.firstElementChild.getBoundingClientRect().width > one.clientWidth + 1).length;
        });
    """)
    screen = browser.execute_script("return document.querySelectorAll('.scroll > table[style]').length")
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert browser.execute_script("return window.cut") == 0
    assert (
        browser.execute_script("return document.querySelectorAll('.scroll > table[style*=zoom]').length") == screen == 0
    )


def boxes(browser: webdriver.Chrome) -> list[Any]:
    return browser.find_elements(By.CSS_SELECTOR, "article:first-of-type .pick")


def test_two_rows_are_compared_side_by_side_and_a_third_takes_the_place_of_the_first(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=1280)
    panel = browser.find_element(By.CSS_SELECTOR, "article .compare")
    original, oracle, fine_tune, *_ = boxes(browser)
    original.click()
    assert panel.text == "Pick a second row to compare it with."
    oracle.click()
    assert "original (do nothing) beside oracle (noise floor)" in panel.text
    assert "sensitivity to " in panel.text
    deadline = time.monotonic() + PATIENCE_S
    browser.execute_script("arguments[0].scrollIntoView()", panel)
    thresholds = browser.execute_script(f"return {ROWS}.slice(0, 2).flatMap((row) => row.thresholds.at).length")
    assert thresholds
    for part, wanted in ((".bars path", 2), (".shapelayer path", thresholds)):
        while len(panel.find_elements(By.CSS_SELECTOR, f".canvas.js-plotly-plot {part}")) < wanted:
            assert time.monotonic() < deadline, f"the histogram was not drawn: {part}"
            time.sleep(0.1)
    assert "the threshold of the attack behind MIA" in panel.text
    fine_tune.click()
    assert "oracle (noise floor) beside fine_tune" in panel.text
    assert "lr " in panel.text
    assert [box.is_selected() for box in (original, oracle, fine_tune)] == [False, True, True]
    for box in (oracle, fine_tune):
        box.click()
    assert not panel.is_displayed()
    assert browser.get_log("browser") == []


def test_the_tables_are_filtered_and_their_columns_chosen(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    form = browser.find_element(By.ID, "filter")
    assert form.text.splitlines()[0] == "forget"
    browser.find_element(By.CSS_SELECTOR, "#filter option:nth-child(2)").click()
    articles = browser.find_elements(By.TAG_NAME, "article")
    assert sorted(article.is_displayed() for article in articles) == [False, True]
    browser.find_element(By.CSS_SELECTOR, "#filter option:first-child").click()
    assert all(article.is_displayed() for article in articles)
    head = browser.find_element(By.CSS_SELECTOR, "table.leaderboard th:nth-child(5)")
    assert head.text == "UA"
    browser.find_element(By.CSS_SELECTOR, ".columns summary").click()
    browser.find_element(By.CSS_SELECTOR, ".columns label:nth-of-type(3) input").click()
    assert not head.is_displayed()


def test_a_table_is_saved_as_csv_as_it_is_shown(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    browser.execute_script(
        "window.saved = []; "
        "URL.createObjectURL = (blob) => { blob.text().then((text) => saved.push(text)); return '#'; }"
    )
    browser.find_element(By.CSS_SELECTOR, "article .tools button").click()
    deadline = time.monotonic() + PATIENCE_S
    while not (saved := browser.execute_script("return window.saved")):
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.1)
    first, *rows = saved[0].splitlines()
    assert first.startswith("row,gap [95 %],over the floor [95 %],")
    assert [row[:21] for row in rows[:2]] == ["original (do nothing)", "oracle (noise floor),"]


def test_a_link_to_a_row_stays_the_same_and_finds_it(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    browser.get(f"{path.as_uri()}#tiny/synthetic/none/random-20/salun")
    row = browser.find_element(By.CSS_SELECTOR, "tr:target")
    assert row.find_element(By.CSS_SELECTOR, "a.self").text == "salun"


def test_a_heading_says_what_it_means(browser: webdriver.Chrome, path: Path) -> None:
    show(browser, path, width=1280)
    button = browser.find_element(By.CSS_SELECTOR, "table.leaderboard th:nth-child(5) button")
    assert button.get_attribute("title").startswith("error on the forget set")


def pick_two(browser: webdriver.Chrome) -> None:
    for box in boxes(browser)[:2]:
        box.click()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing_wrong_with_the_page_two_rows_compared_in_it_and_a_sample_opened(
    browser: webdriver.Chrome, path: Path, violations: Callable[..., list[str]], width: int, scheme: str
) -> None:
    show(browser, path, width, scheme)
    pick_two(browser)
    browser.execute_script(UNFOLD)
    assert violations(contrast=width > 390) == []
    browser.find_element(By.CSS_SELECTOR, ".sample button").click()
    assert violations("#viewer") == []


def test_axe_finds_what_is_wrong(browser: webdriver.Chrome, path: Path, violations: Callable[..., list[str]]) -> None:
    show(browser, path, width=1280)
    browser.execute_script("document.querySelector('.scroll').removeAttribute('aria-label')")
    browser.execute_script("document.querySelector('.sample img').removeAttribute('alt')")
    browser.execute_script("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert {one.split(":")[0] for one in violations()} == {"image-alt", "button-name"}


def test_axe_finds_nothing_wrong_with_the_live_page(
    browser: webdriver.Chrome, path: Path, violations: Callable[..., list[str]]
) -> None:
    root = StorageRoot.at(path.parent / "results")
    half = Part(done=1, total=2)
    best = Best(scenario="synthetic, augmentation none, forget random 20 %", method="salun", gap=0.1, original_gap=0.2)
    run = RunProgress(
        study="other",
        artifacts=half,
        trials=half,
        confirmations=half,
        share=0.5,
        running=1,
        failed=0,
        seconds_left=9.0,
        best=(best,),
        ended=None,
    )
    write_progress(root, run)
    server = ReportServer(LiveReport(root), "127.0.0.1", 0, None)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        browser.get(f"http://127.0.0.1:{server.port}/")
        WebDriverWait(browser, PATIENCE_S).until(lambda _: browser.find_element(By.ID, "runs").is_displayed())
        assert violations() == []
        browser.get("about:blank")
    finally:
        server.stop()
        thread.join()
        server.close()


def opened(browser: webdriver.Chrome) -> str:
    viewer = browser.find_element(By.ID, "viewer")
    return viewer.find_element(By.CLASS_NAME, "of").text if viewer.is_displayed() else ""


def test_a_forget_sample_opens_and_the_others_by_arrow_keys_and_escape_goes_back_to_it(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=1280)
    browser.execute_script(UNFOLD)
    samples = browser.find_elements(By.CSS_SELECTOR, ".gallery:first-of-type .sample")[:24]
    samples[0].find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert opened(browser) == "1 of 24"
    keys = webdriver.ActionChains(browser)
    keys.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT).perform()
    assert opened(browser) == "2 of 24"
    viewer = browser.find_element(By.ID, "viewer")
    pictures = [one.find_element(By.TAG_NAME, "img").get_attribute("src") for one in (samples[1], viewer)]
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith("data:image/png;base64,")
    both = [one.find_element(By.TAG_NAME, "dl").get_attribute("textContent") for one in (samples[1], viewer)]
    own, shown = ("".join(text.split()) for text in both)
    assert shown == own != ""
    webdriver.ActionChains(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT).perform()
    assert opened(browser) == "1 of 24"
    webdriver.ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert opened(browser) == ""
    assert browser.switch_to.active_element == samples[0].find_element(By.TAG_NAME, "button")
    assert browser.get_log("browser") == []


def test_the_samples_of_a_method_take_no_more_than_a_screen_and_paper_has_their_pictures(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=1280)
    browser.execute_script(UNFOLD)
    assert all(one.rect["height"] < 900 for one in browser.find_elements(By.CLASS_NAME, "gallery"))
    browser.execute_cdp_cmd("Page.printToPDF", {})
    unloaded = "return [...document.querySelectorAll('.sample img')].filter(one => !one.src).length"
    assert browser.execute_script(unloaded) == 0


def test_paper_keeps_headings_with_what_follows_them_and_totals_at_the_end(
    browser: webdriver.Chrome, path: Path
) -> None:
    show(browser, path, width=1280)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    style = "return [...document.querySelectorAll(arguments[0])].map(one => getComputedStyle(one)[arguments[1]])"
    assert set(browser.execute_script(style, "h2, h3, summary, .title, .key:has(+ .plots)", "breakAfter")) == {"avoid"}
    assert set(browser.execute_script(style, "tfoot", "display")) == {"table-row-group"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
