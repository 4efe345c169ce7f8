"""Takes the picture of a report page's first screen that README shows; needs Chromium and its driver.

lethe run configs/quickstart.yaml && lethe report -o report.html
python docs/picture.py report.html
"""

import io
import sys
import time
from pathlib import Path
from typing import Final

from PIL import Image
from selenium import webdriver

PICTURE: Final = Path(__file__).with_name("page.png")
WIDTH: Final = 1280
HEIGHT: Final = 1150
COLOURS: Final = 128
DRAWN_S: Final = 5.0
"""What the figures are given to be drawn."""


def first_screen(page: Path) -> bytes:
    """Return a PNG of what a window of `WIDTH` times `HEIGHT` pixels shows of a page."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options)
    try:
        browser.get(page.resolve().as_uri())
        time.sleep(DRAWN_S)
        picture: bytes = browser.get_screenshot_as_png()
        return picture
    finally:
        browser.quit()


if __name__ == "__main__":
    shown = Image.open(io.BytesIO(first_screen(Path(sys.argv[1])))).convert("RGB")
    shown.quantize(COLOURS).save(PICTURE, optimize=True)
