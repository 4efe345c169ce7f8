"""Builds the documentation as a site with search, in build/site; any broken link ends it with an error.

    python docs/build_site.py

README is the first page. Its links, and those from the pages of docs/ to files above them, are rewritten, since the
site has all pages in one folder.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / "build"
PAGES: Final = BUILD / "site-pages"
ABOVE: Final = {"README.md": "index.md", "LOG.md": "log.md", "CHANGELOG.md": "changelog.md"}
"""The pages that do not lie in docs/, and what the site calls them."""

CONFIG: Final = ROOT / "docs" / "zensical.toml"
BESIDE: Final = ("site.css", "page.png")
"""Files of docs/ that the site has beside its pages."""

LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)")


def pages() -> dict[str, Path]:
    """Return the file of each page, by its name in the site."""
    return {path.name: path for path in (ROOT / "docs").glob("*.md")} | {
        name: ROOT / above for above, name in ABOVE.items()
    }


def in_site(text: str, folder: Path) -> str:
    """Rewrite the links of a page of a folder to the names that the site has."""
    names = {path: name for name, path in pages().items()} | {ROOT / "docs" / name: name for name in BESIDE}

    def rewritten(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        return f"]({names.get(target, link[1])}{link[2] or ''})"

    return LINK.sub(rewritten, text)


def named_in(menu: list[dict[str, Any]]) -> Iterator[str]:
    """List the pages that a menu names."""
    for entry in menu:
        for below in entry.values():
            yield from named_in(below) if isinstance(below, list) else (below,)


def main() -> None:
    """Write the pages and build the site."""
    menu = set(named_in(tomllib.loads(CONFIG.read_text())["project"]["nav"]))
    if menu != pages().keys():
        sys.exit(f"{CONFIG.name}: its menu and the pages differ in: {', '.join(sorted(menu ^ pages().keys()))}")
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir(parents=True)
    for name, path in pages().items():
        (PAGES / name).write_text(in_site(path.read_text(), path.parent))
    for name in BESIDE:
        shutil.copy(CONFIG.with_name(name), PAGES)
    config = shutil.copy(CONFIG, BUILD)
    zensical = Path(sys.executable).with_name("zensical")
    command: list[str | Path] = [zensical, "build", "--strict", "--clean", "--config-file", config]
    sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
