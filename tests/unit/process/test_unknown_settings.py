"""Misspelt settings are told with what was meant; other programs' variables are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.configuration import known_names, load_configuration, variables
from bot.unknown_settings import unknown_in_environment

pytestmark = pytest.mark.usefixtures("clean_environment")


def unknown() -> tuple[str, ...]:
    return load_configuration().unknown


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("MODLE=llava", "MODEL"),
        ("modle=llava", "MODEL"),
        ("MODEL_NAME=llava", "MODEL"),
        ("LOGLEVEL=debug", "LOG_LEVEL"),
        ("DATADIR=/srv", "DATA_DIR"),
        ("PORT=80", "PLAYGROUND_PORT"),
        ("LLAVA_BOT_PROT=9000", "PLAYGROUND_PORT"),
        ("LLAVA_BOT_MODEL=llava", "MODEL"),
        ("SLAK_BOT_TOKEN=xoxb-planted", "SLACK_BOT_TOKEN"),
        ("SLACK_TOKEN=xoxb-planted", "SLACK_BOT_TOKEN"),
        ("SLACK_TOKEN=xapp-planted", "SLACK_APP_TOKEN"),
        (
            "TOKEN=MTA5ODc2NTQzMjEwOTg3NjU0.Planted.planted-planted-planted-plan",
            "DISCORD_BOT_TOKEN",
        ),
        ("DISCORD_TOKEN=planted", "DISCORD_BOT_TOKEN"),
        ("MAX_TOKENS=3", "MAX_NEW_TOKENS"),
        ("PICTURE_MB=3", "PICTURE_MAX_MB"),
        ("LLAVA_PORT=9", "PLAYGROUND_PORT"),
        ("LLAVA_MODLE=llava", "MODEL"),
        ("LLAVA_MAX_TOKENS=3", "MAX_NEW_TOKENS"),
        ("SLACK_MODEL=llava", "MODEL"),
        ("SLACK_PORT=80", "SLACK_HTTP_PORT"),
        ("LOAD_4BIT=1", "QUANTIZE"),
        ("MODEL_PATH=llava", "MODEL"),
        ("QUANTIZATION=nf4", "QUANTIZE"),
        ("PLAYGROUND_PASS=planted", "PLAYGROUND_PASSWORD"),
        ("SLACK_TOKEN=planted", "SLACK_BOT_TOKEN or SLACK_APP_TOKEN"),
        ("TOKEN=planted", "SLACK_BOT_TOKEN, SLACK_APP_TOKEN or DISCORD_BOT_TOKEN"),
    ],
)
def test_a_misspelt_name_is_told_with_the_setting_that_was_meant(written: str, meant: str) -> None:
    Path(".env").write_text(f"# mine\nMAX_WAITING=3\n{written}\n")
    (sentence,) = unknown()
    name = written.split("=", maxsplit=1)[0]
    assert sentence == f".env, line 3, has {name}, which is no setting: did you mean {meant}?"


def test_a_name_with_a_prefix_of_ours_is_told_even_when_nothing_is_near() -> None:
    Path(".env").write_text("SLACK_FLAVOUR=planted\n")
    assert unknown() == (
        ".env, line 1, has SLACK_FLAVOUR, which is no setting: .env.example lists them all.",
    )


def test_a_misspelt_name_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODLE", "planted")
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-planted")
    assert unknown() == (
        "The environment has MODLE, which is no setting: did you mean MODEL?",
        "The environment has SLACK_TOKEN, which is no setting: did you mean SLACK_BOT_TOKEN?",
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAX_TOKENS", "MAX_NEW_TOKENS"),
        ("LLAVA_PORT", "PLAYGROUND_PORT"),
        ("LOAD_4BIT", "QUANTIZE"),
        ("QUANTIZATION", "QUANTIZE"),
        ("PLAYGROUND_PASS", "PLAYGROUND_PASSWORD"),
    ],
)
def test_another_word_for_a_setting_is_told_in_the_environment_too(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    assert unknown() == (f"The environment has {name}, which is no setting: did you mean {meant}?",)


def test_where_too_many_settings_fit_none_is_named() -> None:
    Path(".env").write_text("SLACK=planted\n")
    assert unknown() == (
        ".env, line 1, has SLACK, which is no setting: .env.example lists them all.",
    )


OF_OTHERS = (
    "OPENAI_API_KEY", "PATH", "GH_TOKEN", "GITHUB_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "USER",
    "CUDA_VISIBLE_DEVICES", "XDG_DATA_DIRS", "HTTPS_PROXY", "POSTGRES_PASSWORD", "REDIS_PORT",
    "COMPOSE_PROJECT_NAME", "SYSTEMROOT", "SYSTEMD_EXEC_PID", "SESSION_MANAGER", "MAX_JOBS",
    "TZ", "LANG", "TMPDIR", "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip


def test_other_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("".join(f"{name}=x\n" for name in OF_OTHERS))
    for name in (*OF_OTHERS, "MODE", "PORT", "HOST", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(name, "x")
    assert not unknown()


def test_no_setting_and_no_former_name_is_taken_for_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = known_names()
    values = dict.fromkeys([*known.settings, *known.former], "x")
    assert not unknown_in_environment(values, known)


@given(st.sampled_from(variables()), st.integers(0, 99), st.sampled_from("XQ_"), st.integers(0, 3))
def test_one_slip_in_any_setting_is_seen(name: str, at: int, letter: str, slip: int) -> None:
    at %= len(name)
    misspelt = [
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at:],
        name[:at] + letter + name[at + 1 :],
        name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
    ][slip]
    known = known_names()
    if misspelt in known or len(misspelt) < 3:  # two letters could mean anything
        return
    assert known.meant_in_file(misspelt, "x")
