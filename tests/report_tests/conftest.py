"""A real browser for pages: Chromium without a screen, driven through selenium."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium_axe_python import Axe

CHROMIUM: Final = Path("/usr/bin/chromium")
CHROMEDRIVER: Final = Path("/usr/bin/chromedriver")

FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--window-size=1280,1000",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests, with a profile of its own; without it they are skipped, or fail as LETHE_BROWSER says.

    Driver and browser are named, so that selenium looks for neither and downloads nothing.
    """
    missing = [str(path) for path in (CHROMIUM, CHROMEDRIVER) if not path.exists()]
    if missing:
        tell = pytest.fail if os.environ.get("LETHE_BROWSER") == "required" else pytest.skip
        tell(f"no {' and no '.join(missing)}: needs the Debian packages chromium and chromium-driver")
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(str(CHROMEDRIVER)))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> webdriver.Chrome:
    """The browser as a test wants it: an empty page, no cookies, nothing stored, empty logs."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    return chromium


@pytest.fixture
def violations(browser: webdriver.Chrome) -> Callable[..., list[str]]:
    """Returns what axe-core finds wrong with the page as it is: each rule with the elements that break it.

    Labels inside figures are tried for all but contrast, which would take minutes: their colours are those of the page.
    Nor is contrast tried where the caller has had it tried already: it is most of the time.
    """
    with_all = "{resultTypes: ['violations']}"
    without_contrast = "{resultTypes: ['violations'], rules: {'color-contrast': {enabled: false}}}"

    def found(within: str = "html", *, contrast: bool = True) -> list[str]:
        browser.set_script_timeout(300)
        axe = Axe(browser)
        axe.inject()
        context = f"{{include: [['{within}']], exclude: [['.svg-container']]}}"
        results = axe.run(context, with_all if contrast else without_contrast)["violations"]
        if browser.execute_script(f"return document.querySelector('{within} .svg-container')"):
            results += axe.run(f"{{include: [['{within} .svg-container']]}}", without_contrast)["violations"]
        return [f"{one['id']}: {node['html']}" for one in results for node in one["nodes"]]

    return found
