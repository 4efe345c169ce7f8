"""Text of unknown origin: what a terminal would obey is shown, all else stays as it is."""

import json

import pytest

from lethe.cli._common import console
from lethe.results.visible import visible, visible_in_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é 漢 🙂 שלום\tand\nlines", "plain, é 漢 🙂 שלום\tand\nlines"),
        ("\x1b[2J\x07\r", r"\x1b[2J\x07\x0d"),
        ("\x00\x7f\x85\x9b31m", r"\x00\x7f\x85\x9b31m"),
        ("\u202egnp.exe\u2066\u2029", r"\u202egnp.exe\u2066\u2029"),
        ("\udcff.png", r"\udcff.png"),
    ],
)
def test_control_characters_are_written_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown
    assert json.loads(visible_in_json(json.dumps(text, ensure_ascii=False))) == text


def test_the_console_shows_control_characters_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("head\x1b", title="title\x9b")
    table.add_row("cell\x1b[31m", style="red")
    console().print(Text("text\u202e"), table)
    printed = capsys.readouterr().out
    assert not set("\x1b\x9b\u202e") & set(printed)
    for shown in (r"text\u202e", r"title\x9b"):
        assert shown in printed
