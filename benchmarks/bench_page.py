"""How large the page of a thousand trials is, and when a browser has it ready.

    python benchmarks/bench_page.py
    python benchmarks/bench_page.py --scenarios 48 --trials 4000

The results are generated: scenarios of seven rows on five seeds, searched by four methods, with the predictions of the
forget samples. Chromium, without a screen, opens the page again and again. A page is *ready* at the end of its last
task of more than 50 ms, from the beginning of the navigation: from then on it answers a click at once. *unfolded* is
how long after a click on its first fold a figure in it is drawn. Medians over the repeats. Needs the packages chromium
and chromium-driver.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from generated_boards import BOARD, CONFIRMATION
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from timing import parser, show, timed

from lethe.report.page import render_page
from lethe.results import BoardRow, ConfirmationRow, EpochRow, PredictionRow, Row, TrialRow
from lethe.results.part import encode
from lethe.results.rows import TABLES
from lethe.results.schema import to_table
from lethe.storage.layout import MERGED, SUFFIX
from lethe.storage.root import StorageRoot

METHODS: Final = ("salun", "scrub", "ssd", "fine_tune")
ROWS: Final = ("original", "oracle", *METHODS, "salun density 1.0")
SEEDS: Final = range(1, 6)
EPOCHS: Final = 3
FORGOTTEN: Final = 60

TRIAL: Final[dict[str, Any]] = {
    **dict.fromkeys(("study_seed", "seconds_load", "seconds_unlearn", "seconds_evaluate", "seconds_attack"), 0),
    **{name: [] for name in ("training_seeds", "unlearning_seeds", "gap_per_seed", "originals", "oracles")},
}
"""Columns of a trial's row that say nothing here."""

EPOCH: Final[dict[str, Any]] = {
    **dict.fromkeys(("seconds_unlearn", "seconds_evaluate", "seconds_attack"), 0),
    "gap_per_seed": [],
}
"""The same of an epoch's."""

QUIET_S: Final = 3.0
"""Seconds without a long task after which there is none to come."""

PATIENCE_S: Final = 60.0

WATCH: Final = """
window.lastTask = 0;
new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.lastTask = Math.max(window.lastTask, task.startTime + task.duration);
}).observe({ type: "longtask", buffered: true });
"""

UNFOLD: Final = """
const [done] = [...arguments].slice(-1);
const fold = [...document.querySelectorAll("details")].find((one) => one.querySelector(".canvas"));
const started = performance.now();
const look = () => (fold.querySelector(".trace") ? done(performance.now() - started) : requestAnimationFrame(look));
fold.querySelector("summary").click();
fold.scrollIntoView();
look();
"""
"""JavaScript: opens the first fold with a figure, and calls back with the milliseconds until that is drawn."""


def confirmations_of(number: int, random: np.random.Generator) -> Iterator[Row]:
    """Make the rows of a scenario's models: what they measure, the board that asks for them, what they predict."""
    about: dict[str, Any] = {"study": "s", "scenario": f"q{number}"}
    for row in ROWS:
        for seed in SEEDS:
            values = dict(zip(("ua", "ra", "ta", "mia"), random.uniform(0.1, 0.9, 4).tolist(), strict=True))
            unit: dict[str, Any] = {
                "confirmation_id": f"{row}-{number}-{seed}".replace(" ", "-"),
                "row": row,
                "training_seed": seed,
            }
            model = {"method": row.split()[0], "method_search": f"c-{number}-{row}" if row in METHODS else None}
            measured = {"gap": 0.0 if row == "oracle" else float(random.uniform(0, 0.3)), "compute_share": 0.2}
            measured |= values | {f"oracle_{name}": value + 0.1 for name, value in values.items()}
            known = about | unit | model | {"setting": json.dumps({"name": row, "lr": 0.1})}
            named = {"forget": f"class {number}", "dataset": "generated", "augmentation": "none", "network": "cnn"}
            yield ConfirmationRow(**CONFIRMATION | known | named | measured)
            yield BoardRow(**BOARD | about | unit | model)
            for image, confidence in enumerate(random.uniform(0, 1, FORGOTTEN).tolist()):
                predicted = int(confidence < 0.5)
                yield PredictionRow(
                    **about,
                    **unit,
                    image=image,
                    label=0,
                    label_name="nevus",
                    predicted=predicted,
                    predicted_name=("nevus", "melanoma")[predicted],
                    confidence=confidence,
                    called_nonmember=confidence < 0.7,
                )


def trials_of(number: int, trials: int, random: np.random.Generator) -> Iterator[Row]:
    """Make the trials of a scenario, dealt to its searches, and their epochs."""
    shared = {name: value for name, value in CONFIRMATION.items() if name in TrialRow.__dataclass_fields__}
    for trial in range(trials):
        method = METHODS[trial % len(METHODS)]
        setting = {"name": method, "lr": float(random.uniform(0.001, 0.1)), "density": float(random.uniform(0, 1))}
        unit: dict[str, Any] = {
            "study": "s",
            "trial_id": f"t-{number}-{trial}",
            "method_search": f"c-{number}-{method}",
        }
        tried = {"number": trial // len(METHODS), "setting": json.dumps(setting), "original_gap": 0.2}
        tried |= {"method": method, "lr": setting["lr"], "density": setting["density"]}
        tried |= {"gap": float(random.uniform(0, 0.3)), "seconds_total": 10.0, "epochs_done": EPOCHS}
        yield TrialRow(**TRIAL | shared | unit | {"scenario": f"q{number}", "forget": f"class {number}"} | tried)
        for epoch in range(1, EPOCHS + 1):
            yield EpochRow(**EPOCH, **unit, epoch=epoch, ua=0.1, ra=0.9, va=0.8, mia=0.2)


def write(root: StorageRoot, scenarios: int, trials: int) -> None:
    """Write the results as a compaction leaves them: one part a table."""
    random = np.random.default_rng(0)
    rows: dict[type[Row], list[Row]] = {}
    for number in range(scenarios):
        own = trials // scenarios + (number < trials % scenarios)
        for row in (*confirmations_of(number, random), *trials_of(number, own, random)):
            rows.setdefault(type(row), []).append(row)
    tables = {row_type: table for table, row_type in TABLES.items()}
    for row_type, of_table in rows.items():
        merged = f"tables/{tables[row_type]}/s/{MERGED}/00000001-0000000a{SUFFIX}"
        root.write(merged, encode(to_table(of_table, row_type)))


def opened(path: Path, repeats: int) -> tuple[float, float]:
    """Open a page; return the median seconds until it is ready, and until its first fold has its figure."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
    try:
        browser.set_page_load_timeout(PATIENCE_S)
        browser.set_script_timeout(PATIENCE_S)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        found = [(_ready(browser, path), browser.execute_async_script(UNFOLD) / 1000) for _ in range(repeats)]
    finally:
        browser.quit()
    return median(ready for ready, _ in found), median(unfolded for _, unfolded in found)


def _ready(browser: webdriver.Chrome, path: Path) -> float:
    browser.get(path.as_uri())
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        now, task = browser.execute_script("return [performance.now(), window.lastTask]")
        if now - task > 1000 * QUIET_S:
            return float(task / 1000)
        time.sleep(0.2)
    raise TimeoutError(f"{path} was never quiet for {QUIET_S:.0f} s within {PATIENCE_S:.0f} s")


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--scenarios", type=int, default=12)
    options.add_argument("--trials", type=int, default=1000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, path = StorageRoot.at(Path(folder) / "results"), Path(folder) / "report.html"
        write(root, asked.scenarios, asked.trials)
        rendering = timed(lambda: path.write_text(render_page(root, None).html, encoding="utf-8"))
        ready, unfolded = opened(path, asked.repeats)
        row = {
            "scenarios": asked.scenarios,
            "trials": asked.trials,
            "rendered s": rendering,
            "MB": path.stat().st_size / 1e6,
            "ready s": ready,
            "unfolded s": unfolded,
        }
    show("The page of a study", [row], asked.out)


if __name__ == "__main__":
    main()
