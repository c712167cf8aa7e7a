"""A file dropped onto a terminal is a picture; words about files are words."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.platforms.terminal.dropped import find_dropped, path_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.png", "my photo.png", "it's.png", "ü.png"):
        (tmp_path / name).touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "names", "question"),
    [
        ("{home}/a.png", ["a.png"], ""),
        ("{home}/a.png What is it?", ["a.png"], "What is it?"),
        ("What is it? {home}/a.png ", ["a.png"], "What is it?"),
        ("'{home}/my photo.png' and this?", ["my photo.png"], "and this?"),
        ('"{home}/my photo.png" "{home}/a.png"', ["my photo.png", "a.png"], ""),
        ("{home}/my\\ photo.png", ["my photo.png"], ""),
        ("{home}/it\\'s.png what's this?", ["it's.png"], "what's this?"),
        ("file://{home}/my%20photo.png", ["my photo.png"], ""),
        ("~/a.png ./ü.png differ?", ["a.png", "ü.png"], "differ?"),
    ],
)
def test_a_path_in_full_is_a_picture(
    line: str, names: list[str], question: str, home: Path
) -> None:
    paths, rest = find_dropped(line.format(home=home))
    assert [Path(path).name for path in paths] == names
    assert rest == question


@pytest.mark.parametrize(
    "line",
    [
        "What is a.png about?",
        "What's “a” / 'b'?",
        "/home/nobody/missing.png What?",
        "{home} is a folder, isn't it?",
        "~nobody-knows/a.png",
        "an 'open quote",
        "C:\\temp\\a.png",
        "/" + "x" * 5000,
        "two  spaces\nand a line",
    ],
)
def test_anything_else_is_left_as_it_was_typed(line: str, home: Path) -> None:
    line = line.format(home=home)
    assert find_dropped(line) == ([], line)


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        ("photo.png", "photo.png"),
        ("my photo.png", "my photo.png"),
        ("'my photo.png'", "my photo.png"),
        ("my\\ photo.png", "my photo.png"),
        ("https://host/a.png?b=1", "https://host/a.png?b=1"),
    ],
)
def test_the_path_after_a_command_may_be_quoted_or_not(argument: str, path: str) -> None:
    assert path_in(argument) == path
