"""`llava-bot setup` from its first question to its last, against the local Slack and Discord."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from bot import interrupts
from bot.configuration import variables
from bot.doctor.model import Gpu
from bot.errors import CommandFailed, ConfigurationError
from bot.platforms.discord.doctor import verify as _ask_discord
from bot.platforms.slack.doctor import verify as _ask_slack
from bot.setup import models, wizard
from bot.setup.wizard import Wishes, set_up
from bot.texts import say
from tests.servers.discord.server import running_discord
from tests.servers.slack.server import running_slack

IMPORTED = (_ask_discord, _ask_slack)  # before a loop is watched for imports

CARD = Gpu(name="NVIDIA RTX 4090", driver="580.82", total_bytes=25 * 10**9, free_bytes=24 * 10**9)


class Person:
    """Types one answer after another; what is not shown is typed with `secret`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[str | BaseException] = []
        self.asked: list[str] = []
        monkeypatch.setattr("builtins.input", self._next)
        monkeypatch.setattr("getpass.getpass", self._next)
        monkeypatch.setattr("sys.stdin", self)

    def isatty(self) -> bool:
        return True

    def _next(self, prompt: str = "") -> str:
        self.asked.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    return Person(monkeypatch)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder and an environment without settings, where signals are nobody's business."""
    monkeypatch.chdir(tmp_path)
    for name in (*variables(), "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(interrupts, "raise_keyboard_interrupt", lambda: None)
    monkeypatch.setattr(interrupts, "exit_immediately", lambda: None)
    monkeypatch.setattr(models, "gpus", lambda: ())
    looked: list[bool] = []

    def look(*_: object, asks_model: bool) -> int:
        looked.append(asks_model)
        return 0

    monkeypatch.setattr(wizard, "_look", look)
    monkeypatch.setattr(wizard, "fetch_models", lambda _: looked.append(True))
    yield tmp_path
    assert (tmp_path / ".env").exists() or not looked


def wishes(*, yes: bool = False, **given: Any) -> Wishes:
    return Wishes(given=given, takes_defaults=yes, downloads=True)


def written(folder: Path) -> dict[str, str | None]:
    path = folder / ".env"
    assert path.stat().st_mode & 0o777 == 0o600
    return dotenv_values(path)


async def test_both_chats_are_set_up_with_tokens_that_they_accept(
    clean: Path, person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_slack() as slack, running_discord() as discord:
        monkeypatch.setenv("SLACK_API_URL", slack.api_url)
        monkeypatch.setenv("DISCORD_RESOLVE_TO", discord.address)
        monkeypatch.setenv("DISCORD_CA_FILE", str(discord.ca_file))
        bot_token, app_token = slack.workspace.bot_token, slack.workspace.app_token
        person.answers = [
            *("maybe", "y"),
            *(app_token, "nonsense", "xoxb-999-planted", f' "{bot_token}" ', app_token),
            *("y", f"MTIzNDU2Nzg5MDEyMzQ1Njc4.planted.{'y' * 30}", discord.world.token),
            *("9", "pocket"),
        ]
        assert await asyncio.to_thread(set_up, wishes()) == 0
        token = discord.world.token
    assert person.answers == []
    assert await asyncio.to_thread(written, clean) == {
        "SLACK_BOT_TOKEN": bot_token,
        "SLACK_APP_TOKEN": app_token,
        "DISCORD_BOT_TOKEN": token,
        "MODEL": "pocket",
        "QUANTIZE": "none",
    }
    shown = capsys.readouterr().out
    for sentence in (
        say("en", "setup_yes_or_no"),
        say("en", "setup_token_other", name="SLACK_APP_TOKEN", form="xoxb-…"),
        say("en", "setup_token_form", form="xoxb-…"),
        say("en", "setup_token_refused", platform="Slack", detail="invalid_auth"),
        say("en", "setup_token_refused", platform="Discord", detail="401"),
        say("en", "setup_slack_next"),
        say("en", "setup_number", count=1),
        "https://api.slack.com/apps?new_app=1&manifest_json=%7B",
        "scope=bot+applications.commands",
    ):
        assert sentence in shown
    for secret in (bot_token, app_token, token, "planted"):
        assert secret not in shown + "".join(person.asked)


def test_the_model_that_suits_the_card_is_the_first_choice(
    clean: Path, person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "gpus", lambda: (CARD,))
    person.answers = ["n", "", ""]
    set_up(wishes())
    settings = written(clean)
    shown = capsys.readouterr().out
    assert settings == models.recommended_settings()
    assert settings["MODEL"] != "pocket"
    first = next(line for line in shown.splitlines() if line.startswith("  1. "))
    assert str(settings["MODEL"]) in first
    assert first.endswith("(recommended)")
    assert "NVIDIA RTX 4090 with 25.0 GB of memory" in shown


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("llava-hf/llava-1.5-7b-hf", "none"),
        ("llava-hf/llava-1.5-13b-hf", "int8"),
        ("somebody/huge-34b", "nf4"),
        ("somebody/nameless", "none"),
        ("openai:http://127.0.0.1:8000/v1#served", "none"),
    ],
)
def test_a_model_that_is_typed_gets_the_most_bits_that_fit(
    clean: Path,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    precision: str,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(clean / "hub"))
    monkeypatch.setattr(models, "gpus", lambda: (CARD,))
    person.answers = ["n", "n", "poket", model]
    set_up(wishes())
    assert written(clean) == {"MODEL": model, "QUANTIZE": precision}


def test_what_is_set_up_already_is_kept_with_everything_else_in_the_file(
    clean: Path, person: Person
) -> None:
    kept = (
        "# ours\nSLACK_BOT_TOKEN=xoxb-1\nSLACK_APP_TOKEN=xapp-1 # Ann's\n"
        "MODEL=pocket\nTHREAD_DAYS=7\n"
    )
    (clean / ".env").write_text(kept)
    person.answers = ["", "", ""]
    set_up(wishes())
    assert (clean / ".env").read_text() == kept
    person.answers = ["", "n", "n", ""]
    set_up(wishes())
    assert (clean / ".env").read_text() == f"{kept}QUANTIZE=none\n"


@pytest.mark.parametrize("moment", range(4))
@pytest.mark.parametrize("end", [KeyboardInterrupt, EOFError])
def test_ending_it_at_any_question_leaves_the_file_as_it_was(
    clean: Path, person: Person, moment: int, end: type[BaseException]
) -> None:
    (clean / ".env").write_text("THREAD_DAYS=7\n")
    person.answers = ["y", "", "n", "1"]
    person.answers[moment:] = [end()]
    with pytest.raises((KeyboardInterrupt, CommandFailed)):
        set_up(wishes())
    assert (clean / ".env").read_text() == "THREAD_DAYS=7\n"


def test_enter_alone_leaves_a_chat_out(clean: Path, person: Person) -> None:
    person.answers = ["y", "", "y", "", "1"]
    set_up(wishes())
    assert written(clean) == {"MODEL": "pocket", "QUANTIZE": "none"}


def test_a_chat_that_cannot_be_reached_is_tried_later(
    clean: Path, person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bot.platforms.slack.api.READ_ATTEMPTS", 1)
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api/")
    person.answers = ["y", "xoxb-1", "xapp-1", "n", "1"]
    set_up(wishes())
    assert written(clean)["SLACK_BOT_TOKEN"] == "xoxb-1"
    assert "Slack could not be asked about it" in capsys.readouterr().out


def test_japanese_is_asked_in_japanese(
    clean: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    person.answers = ["いいえ", "n", ""]
    set_up(wishes())
    assert person.asked[0].startswith("Slack でもボットが答えるようにしますか？")


# -- without questions ----------------------------------------------------------------------------


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def pipe(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    pipe("")
    return pipe


def test_arguments_standard_input_and_the_environment_are_enough(
    clean: Path, piped: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    piped("xoxb-1\nxapp-2\n")
    monkeypatch.setenv("DISCORD_BOT_TOKEN", f"{'M' * 24}.abcdef.{'y' * 30}")
    set_up(wishes(slack_bot_token="-", slack_app_token="-", model="pocket", thread_days=7))
    assert written(clean) == {
        "DISCORD_BOT_TOKEN": f"{'M' * 24}.abcdef.{'y' * 30}",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-2",
        "MODEL": "pocket",
        "THREAD_DAYS": "7",
    }


def test_without_a_terminal_what_is_missing_is_told_and_nothing_written(
    clean: Path, piped: Callable[[str], None]
) -> None:
    with pytest.raises(CommandFailed, match="--model"):
        set_up(wishes())
    with pytest.raises(CommandFailed, match="Set SLACK_APP_TOKEN"):
        set_up(wishes(yes=True, slack_bot_token="xoxb-1"))
    with pytest.raises(CommandFailed, match="SLACK_BOT_TOKEN: standard input has no line"):
        set_up(wishes(yes=True, slack_bot_token="-"))
    with pytest.raises(ConfigurationError, match="QUANTIZE"):
        set_up(wishes(yes=True, quantize="int5"))
    assert not (clean / ".env").exists()
    set_up(wishes(yes=True))
    assert written(clean) == {"MODEL": "pocket", "QUANTIZE": "none"}


def test_a_token_that_a_file_holds_is_not_set_twice(
    clean: Path, piped: Callable[[str], None]
) -> None:
    token = clean / "token"
    token.write_text("xoxb-old")
    token.chmod(0o600)
    (clean / ".env").write_text(f"SLACK_BOT_TOKEN_FILE={token}\nSLACK_APP_TOKEN=xapp-1\n")
    with pytest.raises(CommandFailed, match="SLACK_BOT_TOKEN_FILE"):
        set_up(wishes(yes=True, slack_bot_token="xoxb-2"))
