"""A study's file that is no study, no YAML or no file: one sentence, at once, and never a traceback."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.study import StudyError, read_study, read_text
from lethe.study._read import STUDY_LIMIT_BYTES

NAMES = "abcdefghijklm"
LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise(NAMES)
)
MERGED_LAUGHS = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n" for before, name in pairwise(NAMES)
)

HOSTILE = {
    "empty": ("", "wanted a mapping of options"),
    "null": ("null", "wanted a mapping of options"),
    "list": ("[]", "wanted a mapping of options"),
    "text": ("x", "wanted a mapping of options"),
    "number": ("1", "wanted a mapping of options"),
    "object": ("{}", "is needed"),
    "torn": ("name: {", "is not YAML"),
    "a zero byte": ("name: \0", "is not YAML"),
    "nested": ("[" * 2_000, "nests deeper than 32 levels in line 1"),
    "nested by dashes": ("- " * 100_000, "nests deeper than 32 levels in line 1"),
    "nested objects": ("{a: " * 1000 + "1" + "}" * 1000, "nests deeper than 32 levels in line 1"),
    "a billion laughs": (LAUGHS, "holds more than 100,000 values, through aliases"),
    "a billion laughs, merged": (MERGED_LAUGHS, "holds more than 100,000 values, through aliases"),
    "itself": ("name: &a [*a]", "holds itself, through an alias, in line 1"),
    "a key twice": ("name: a\nsearch: {trials: 3, trials: 4}", "has the key 'trials' twice, in lines 2 and 2"),
    "month 99": ("name: 2026-99-99", "is not YAML: a value does not fit its kind: month"),
    "tagged int": ("name: !!int x", "is not YAML: a value does not fit its kind"),
    "tagged empty int": ("name: !!int ''", "is not YAML: a value does not fit its kind"),
    "tagged time": ("name: !!timestamp x", "is not YAML: a value does not fit its kind"),
    "tagged truth": ("name: !!bool x", "is not YAML: a value does not fit its kind"),
    "tagged code": ("name: !!python/object/apply:os.system [ls]", "is not YAML: could not determine a constructor"),
    "list as key": ("? [a]\n: c", "is not YAML: while constructing a mapping"),
    "huge number": ("training: {epochs: 0x" + "f" * 5000 + "}", "a whole number outside 64 bits in line 1"),
    "number of 5000 digits": ("training: {epochs: " + "1" * 5000 + "}", "is not YAML: a value does not fit its kind"),
    "no number": ("training: {lr: .nan}", "training.lr: wanted a finite number, got nan"),
    "key as number": ("1: 2", "1: wanted text as a key, got 1"),
    "half a surrogate": ('name: "\\ud800"', "name: wanted text, got"),
    "long text": ("search: {trials: " + "x" * 5000 + "}", "search.trials: wanted a number, got the text 'xxx"),
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_study_holds_is_told_in_few_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError) as caught:
        read_study(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert len(message) < 1500
    with pytest.raises(StudyError):
        read_text(text, "a specification")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("search=" + "[" * 2_000, "the value nests deeper than 32 levels"),
        ("search={trials: 1, trials: 2}", "the value has the key 'trials' twice"),
        ("search=&a [*a]", "the value holds itself"),
        ("name=2026-99-99", "the value is not YAML"),
        ("data.\u00b2.size=64", "wanted a position 0 ... 0 in a list"),
        ("data.9" + "9" * 5000 + ".size=64", "wanted a position 0 ... 0 in a list"),
        ("data.-1.size=64", "wanted a position 0 ... 0 in a list"),
        ("data.0.size.x=1", "which has no parts"),
        (".".join(["a"] * 5000) + "=1", "has more parts than"),
        ("...=1", "no such option here"),
        ("=", "wanted KEY=VALUE"),
        ("x", "wanted KEY=VALUE"),
    ],
    ids=lambda text: text[:20],
)
def test_whatever_an_override_holds_is_told(write_study: Callable[..., Path], override: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(write_study(), [override])
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize(
    ("encoding", "readable"), [("utf-8", True), ("utf-8-sig", True), ("utf-16", False), ("utf-16-le", False)]
)
def test_a_study_is_utf_8_with_or_without_its_mark(
    write_study: Callable[..., Path], encoding: str, readable: bool
) -> None:
    path = write_study()
    path.write_bytes(path.read_text().encode(encoding))
    if readable:
        assert read_study(path).name == "tiny"
    else:
        with pytest.raises(StudyError):
            read_study(path)


def test_aliases_within_reason_are_read(write_study: Callable[..., Path]) -> None:
    path = write_study()
    text = path.read_text() + "\n"
    lr = "{low: 0.001, high: 0.1, log: true}"
    methods = f"methods:\n- {{name: salun, search: {{lr: &lr {lr}}}}}\n- {{name: fine_tune, search: {{lr: *lr}}}}\n"
    head, _, tail = text.partition("methods:")
    rest = tail[tail.index("\nname:") + 1 :]
    path.write_text(head + methods + rest)
    salun, fine_tune = read_study(path).methods
    assert salun.search == fine_tune.search


def make_a_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def make_a_little_too_large(path: Path) -> None:
    path.write_bytes(b"#" * (STUDY_LIMIT_BYTES + 1))


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("make", [make_a_pipe, make_a_device, make_huge, make_a_little_too_large, Path.mkdir])
def test_a_study_that_is_no_file_ends_the_command_at_once(
    tmp_path: Path, make: Callable[[Path], None], command: str
) -> None:
    path = tmp_path / "study.yaml"
    make(path)
    done = CliRunner().invoke(app, [command, str(path), "--results", str(tmp_path / "results")])
    assert done.exit_code == 2, done.output
    assert done.output.startswith(f"{path}: wanted a ")
    assert not (tmp_path / "results").exists()
