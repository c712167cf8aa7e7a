"""`.env` takes new settings and keeps everything else, at every moment whole and private."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bot.errors import ConfigurationError
from bot.setup.env_merging import merged
from bot.setup.env_saving import check_env_file, save_settings

KEPT = """\
# The team's bot.
export MODEL=pocket   # small

# QUANTIZE=none
SLACK_BOT_TOKEN='xoxb-old'

THREAD_DAYS = 7
"""


def test_a_setting_keeps_its_line_and_its_comment() -> None:
    assert merged(KEPT, {"MODEL": "a/b", "SLACK_BOT_TOKEN": "xoxb-new"}) == KEPT.replace(
        "pocket", "a/b"
    ).replace("'xoxb-old'", "xoxb-new")


def test_a_setting_that_is_commented_out_is_set_below_its_comment_and_others_at_the_end() -> None:
    added = merged(KEPT, {"QUANTIZE": "nf4", "DISCORD_BOT_TOKEN": "x.y.z"})
    assert added == KEPT.replace("# QUANTIZE=none\n", "# QUANTIZE=none\nQUANTIZE=nf4\n") + (
        "DISCORD_BOT_TOKEN=x.y.z\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "MODEL=a\n"),
        ("A=1", "A=1\nMODEL=a\n"),
        ("MODEL", "MODEL=a\n"),
        ("MODEL=", "MODEL=a"),
        ("MODEL=old\nMODEL=older\n", "MODEL=old\nMODEL=a\n"),
        ("A=1\r\nMODEL=b # c\r\n", "A=1\r\nMODEL=a # c\r\n"),
        ("A=1\r\n", "A=1\r\nMODEL=a\r\n"),
        ("\ufeffA=1\n", "\ufeffA=1\nMODEL=a\n"),
        ("\ufeff", "\ufeffMODEL=a\n"),
        ('A="one\ntwo"\nMODEL="one\ntwo" # both\n', 'A="one\ntwo"\nMODEL=a # both\n'),
        ("MODEL=b#c\n", "MODEL=a\n"),
        ("MODEL_REVISION=main\n# MODELS=x\n", "MODEL_REVISION=main\n# MODELS=x\nMODEL=a\n"),
    ],
)
def test_every_form_of_a_file_takes_a_setting(old: str, new: str) -> None:
    assert merged(old, {"MODEL": "a"}) == new


@pytest.mark.parametrize(
    "value", ["two words", "it's", "a#b", "a #b", 'say "x"', "C:\\new", "日本"]
)
def test_what_is_written_is_read_again(value: str) -> None:
    for old in ("", KEPT):
        read = dotenv_values(stream=io.StringIO(merged(old, {"MODEL": value, "AFTER": "1"})))
        assert (read["MODEL"], read["AFTER"]) == (value, "1")


def test_a_value_that_would_be_read_as_another_is_refused_without_quoting_it() -> None:
    with pytest.raises(ConfigurationError, match="MODEL: its value cannot") as refused:
        merged("", {"MODEL": "planted-${HOME}"})
    assert "planted" not in str(refused.value)


def test_the_file_is_private_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    save_settings(path, {"MODEL": "pocket"})
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("MODEL=pocket\n", 0o600)
    path.write_text(KEPT)
    path.chmod(0o644)
    save_settings(path, {"MODEL": "a/b"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert [it.name for it in tmp_path.iterdir()] == [".env"]


def test_a_link_stays_and_the_file_it_leads_to_is_changed(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    real, link = tmp_path / "secrets" / "env", tmp_path / ".env"
    real.write_text("A=1\n")
    link.symlink_to(real)
    save_settings(link, {"MODEL": "pocket"})
    assert link.is_symlink()
    assert real.read_text() == "A=1\nMODEL=pocket\n"


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_interrupts_the_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    path = tmp_path / ".env"
    path.write_text(KEPT)

    def fails(_: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises((ConfigurationError, KeyboardInterrupt)):
        save_settings(path, {"MODEL": "a/b"})
    assert path.read_text() == KEPT
    assert [it.name for it in tmp_path.iterdir()] == [".env"]


def test_a_file_that_cannot_be_understood_or_written_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    path = tmp_path / ".env"
    check_env_file(path)
    path.write_text("MODEL='open\n")
    with pytest.raises(ConfigurationError, match="line 1: it is not NAME=value"):
        check_env_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigurationError, match="is no file"):
        check_env_file(path)
