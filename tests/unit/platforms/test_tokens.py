"""What is seen of a token without asking its platform; its text is never quoted."""

from __future__ import annotations

import logging

import pytest

from bot import app
from bot.configuration import Configuration
from bot.platforms.api.settings import ApiSettings
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.platform import PlatformUnavailable
from bot.platforms.registry import PLATFORMS
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings

BOT = "xoxb-2-planted"
APP = "xapp-1-planted"
DISCORD = "MTA5ODc2NTQzMjEwOTg3NjU0.Plantd.planted-planted-planted-plan"


def slack(bot: str, app_token: str = APP) -> SlackSettings:
    return SlackSettings.model_validate({"bot_token": bot, "app_token": app_token})


def discord(token: str) -> DiscordSettings:
    return DiscordSettings.model_validate({"bot_token": token})


def test_tokens_of_the_right_shape_are_fine() -> None:
    slack(BOT).check()
    slack("xoxe.xoxb-1-planted").check()  # one that Slack rotates
    discord(DISCORD).check()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (slack(APP, BOT), "SLACK_BOT_TOKEN: what it holds belongs in SLACK_APP_TOKEN"),
        (slack(BOT, "xoxb-planted"), "SLACK_APP_TOKEN: what it holds belongs in SLACK_BOT_TOKEN"),
        (slack("xoxp-planted"), "SLACK_BOT_TOKEN: it does not look like one (xoxb-…): copy"),
        (slack("planted"), "SLACK_BOT_TOKEN: it does not look like one"),
        (slack("xoxb-…"), "SLACK_BOT_TOKEN: it is still the example's text"),
        (slack("xoxb-..."), "SLACK_BOT_TOKEN: it is still the example's text"),
        (slack("xoxb-your-token"), "SLACK_BOT_TOKEN: it is still the example's text"),
        (slack("<planted>"), "SLACK_BOT_TOKEN: it is still the example's text"),
        (slack(f'"{BOT}"'), "SLACK_BOT_TOKEN: there are quotation marks around it: remove"),
        (slack(f"“{BOT}”"), "SLACK_BOT_TOKEN: there are quotation marks around it: remove"),
        (slack(f"{BOT}\n"), "SLACK_BOT_TOKEN: there is a space or a line break around it"),
        (slack("xoxb-1 planted"), "SLACK_BOT_TOKEN: it does not look like one"),
        (discord("abc"), "DISCORD_BOT_TOKEN: it does not look like one (three parts with dots"),
        (discord("YOUR_TOKEN_HERE"), "DISCORD_BOT_TOKEN: it is still the example's text"),
        (discord(f"Bot {DISCORD}"), "DISCORD_BOT_TOKEN: it does not look like one"),
        (discord(DISCORD.rpartition(".")[0]), "DISCORD_BOT_TOKEN: it does not look like one"),
    ],
)
def test_a_token_of_another_shape_is_told_with_what_to_do(
    settings: SlackSettings | DiscordSettings, problem: str
) -> None:
    with pytest.raises(PlatformUnavailable) as refused:
        settings.check()
    assert str(refused.value).startswith(problem)
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({"bot_token": APP, "app_token": BOT}, ["SLACK_BOT_TOKEN: ", "SLACK_APP_TOKEN: "]),
        ({"bot_token": "hello", "app_token": "world"}, ["SLACK_BOT_TOKEN: ", "SLACK_APP_TOKEN: "]),
        ({"bot_token": "hello"}, ["SLACK_BOT_TOKEN: ", "Set SLACK_APP_TOKEN "]),
        ({"client_id": "1.2"}, ["Set SLACK_APP_TOKEN ", "Set SLACK_BOT_TOKEN "]),
    ],
)
def test_everything_that_is_wrong_with_the_tokens_is_told_at_once(
    given: dict[str, str], begins: list[str]
) -> None:
    with pytest.raises(PlatformUnavailable) as refused:
        SlackSettings.model_validate(given).check()
    told = refused.value.problems
    assert len(told) == len(begins)
    assert all(map(str.startswith, told, begins))
    assert str(refused.value) == " ".join(told)


def test_a_platform_with_such_a_token_is_left_out_before_anything_is_loaded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "bot.app")
    configuration = Configuration(
        [
            PlaygroundSettings.model_validate({}),
            slack(APP),
            discord("abc"),
            ApiSettings.model_validate({}),
        ]
    )
    sound = app._with_sound_settings(configuration, PLATFORMS)
    assert [entry.name for entry in sound] == ["web", "api"]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Slack does not run",
        "Discord does not run",
    ]
