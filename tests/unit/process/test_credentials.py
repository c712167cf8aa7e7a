"""Secrets are read from files of their own, and what is wrong with one is a sentence without it."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from bot.configuration import read_configuration, secret_variables, variables
from bot.credentials.files import MAX_BYTES
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.slack.settings import SlackSettings
from bot.settings import revealed

pytestmark = pytest.mark.usefixtures("clean_environment")

PLANTED = "xoxb-1-planted"
FORMS = {
    "API_KEYS": "script=a-planted-secret-of-32-characters",
    "DATABASE_URL": "postgresql+asyncpg://bot:planted@db/x",
    "MODEL_SERVER_KEYS": "http://gpu-1:8000/v1=a-planted-secret",
}
"""What is read of secrets that have a form."""


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "")


def slack_token(**arguments: object) -> str | None:
    configuration = read_configuration(**arguments)
    assert configuration.problems == ()
    return revealed(configuration.of(SlackSettings).bot_token)


def problems() -> tuple[str, ...]:
    found = read_configuration().problems
    assert PLANTED not in "".join(found)
    return found


def credential(name: str, text: str) -> None:
    folder = Path("credentials")
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    os.environ["CREDENTIALS_DIRECTORY"] = str(folder)  # the fixture restores it


@pytest.mark.parametrize("variable", secret_variables())
def test_every_secret_can_be_read_from_a_file(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FORMS.get(variable, "a-planted-secret")
    Path("secret").write_text(f"{text}\n")
    monkeypatch.setenv(f"{variable}_FILE", "secret")
    configuration = read_configuration()
    assert (configuration.problems, configuration.unknown) == ((), ())
    assert value_of(variable) == text


def value_of(variable: str) -> str | None:
    configuration = read_configuration()
    for group in configuration.groups:
        for name in type(group).model_fields:
            if f"{group.prefix}{name.upper()}" == variable:
                return revealed(getattr(group, name))
    raise AssertionError(variable)


def test_tokens_passwords_and_keys_are_secrets_and_nothing_else_is() -> None:
    secrets = secret_variables()
    assert {"SLACK_BOT_TOKEN", "DISCORD_BOT_TOKEN", "PLAYGROUND_PASSWORD", "DATABASE_URL"} <= set(
        secrets
    )
    assert not {"MODEL", "CONTEXT_TOKENS", "PLAYGROUND_PORT"} & set(secrets)
    assert set(secrets) < set(variables())


def test_the_environment_wins_over_a_credential_which_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("SLACK_BOT_TOKEN=xoxb-3\n")
    credential("slack_bot_token", "xoxb-2\n")
    assert slack_token() == "xoxb-2"
    Path("secret").write_text("xoxb-1\n")
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", "secret")
    assert slack_token() == "xoxb-1"
    assert slack_token(slack_bot_token="xoxb-0") == "xoxb-0"


def test_env_may_name_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "a token").write_text("xoxb-1")
    Path(".env").write_text(f"slack_bot_token_file='{tmp_path}/a token'\n")
    assert slack_token() == "xoxb-1"


@pytest.mark.parametrize(
    "name",
    ["slack_bot_token", "SLACK_BOT_TOKEN", "slack-bot-token", "llava-bot_slack_bot_token"],
)
def test_a_units_credential_is_called_as_its_setting(name: str) -> None:
    credential(name, "xoxb-1\n")
    credential("tls.key", "another program's")
    credential("..data", "Kubernetes' own")
    assert slack_token() == "xoxb-1"
    assert read_configuration().unknown == ()


def test_a_credential_of_a_misspelt_name_is_told() -> None:
    credential("slack_bot_tokn", PLANTED)
    (sentence,) = read_configuration().unknown
    assert sentence == (
        "The credential slack_bot_tokn is no secret setting: did you mean SLACK_BOT_TOKEN?"
    )


def test_a_misspelt_name_of_a_files_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKN_FILE", "/run/secrets/planted")
    (sentence,) = read_configuration().unknown
    assert sentence.endswith("did you mean SLACK_BOT_TOKEN_FILE?")


def test_both_at_once_is_a_mistake_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text(PLANTED)
    monkeypatch.setenv("SLACK_BOT_TOKEN", PLANTED)
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", "secret")
    assert problems() == (
        "SLACK_BOT_TOKEN and SLACK_BOT_TOKEN_FILE are both set in the environment: leave one out.",
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (f"{PLANTED}\nsecond".encode(), "more than one line"),
        (f"{PLANTED}\0".encode(), "more than one line"),
        (PLANTED.encode("utf-16"), "not UTF-8"),
        (b"x" * (MAX_BYTES + 1), "is larger than 64 KiB"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_sentence(
    content: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        Path("secret").write_bytes(content)
    monkeypatch.setenv("DISCORD_BOT_TOKEN_FILE", "secret")
    (sentence,) = problems()
    assert sentence.startswith("DISCORD_BOT_TOKEN_FILE (set in the environment): secret ")
    assert why in sentence
    assert read_configuration().of(DiscordSettings).bot_token is None


def test_what_is_no_file_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as it:
        it.bind("socket")
    for name, why in {
        "folder": "is a folder",
        "loop": "link to itself",
        "socket": "neither a file nor a pipe",
        "/dev/zero": "neither a file nor a pipe",
        "~nobody-of-this-name/x": "home",
    }.items():
        monkeypatch.setenv("HF_TOKEN_FILE", name)
        (sentence,) = problems()
        assert why in sentence


def test_a_pipe_of_a_password_manager_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_text, args=("xoxb-1\n",))
    writer.start()
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", "pipe")
    assert slack_token() == "xoxb-1"
    writer.join()


def test_a_folder_of_credentials_that_is_gone_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "gone")
    (sentence,) = problems()
    assert sentence.startswith("CREDENTIALS_DIRECTORY names gone, which cannot be read")


def test_a_wrong_value_is_told_with_its_file_and_without_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("secret").write_text(f"mysql://{PLANTED}")
    monkeypatch.setenv("DATABASE_URL_FILE", "secret")
    (sentence,) = problems()
    assert sentence.endswith("(set in secret, which DATABASE_URL_FILE names).")
