"""How the bot stays in touch: Socket Mode under a watchdog, HTTP mode, several workspaces."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.oauth.installation_store import Bot, Installation

from bot.platforms.platform import PlatformUnavailable
from bot.platforms.slack.settings import SlackSettings
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.slack.stage import QUICK, Stage, context_of, running_bot, text_of
from tests.servers.faults import Fault
from tests.servers.slack.server import LocalSlack
from tests.servers.slack.web_api import METHODS
from tests.waiting import until

BOT = "<@U0BOT>"
OAUTH: dict[str, Any] = {
    "bot_token": None,
    "client_id": "1.2",
    "client_secret": "s",
    "http_port": 0,
}


@pytest.fixture
async def stage(tmp_path: Path, slack: LocalSlack, backend: ScriptedModel) -> AsyncIterator[Stage]:
    async with running_bot(tmp_path, slack, backend, timeouts=QUICK) as stage:
        yield stage


# -- Socket Mode ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["warning", "refresh_requested", "link_disabled", "too_many_websockets"]
)
async def test_a_disconnect_is_followed_by_a_new_connection(stage: Stage, reason: str) -> None:
    slack = stage.slack
    await slack.sockets.disconnect(reason)
    await until(lambda: slack.sockets.connected >= 2 and len(slack.sockets.open) == 1)
    ts = slack.say(f"{BOT} hello")
    await stage.answered(ts)


async def test_a_connection_that_breaks_is_made_again_and_nothing_is_lost(stage: Stage) -> None:
    slack = stage.slack
    await slack.sockets.cut()
    ts = slack.say(f"{BOT} hello", slack.upload("red.png", RED))
    await stage.answered(ts)
    assert len(stage.replies(ts)) == 1


async def test_an_address_that_is_refused_for_ever_is_given_up_for_a_new_one(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.socket_rules.refuse = True
    await slack.sockets.disconnect("refresh_requested")
    await until(lambda: slack.sockets.refused_tickets >= 2)
    slack.socket_rules.refuse = False
    slack.sockets._tickets.clear()  # the address the SDK goes on trying is dead
    ts = slack.say(f"{BOT} hello")
    await stage.answered(ts)
    assert stage.bot.socket is not None
    assert stage.bot.socket.replaced >= 1


async def test_a_socket_that_is_connected_and_deaf_is_replaced(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    timeouts = replace(QUICK, quiet_s=0.5)
    async with running_bot(tmp_path, slack, backend, timeouts=timeouts) as stage:
        assert stage.bot._catching_up is not None
        await stage.bot._catching_up
        slack.socket_rules.deaf = True
        before = slack.sockets.connected
        ts = slack.say(f"{BOT} hello")
        await until(lambda: slack.sockets.connected > before)
        await stage.answered(ts)  # found in the channel's history
        assert len(stage.replies(ts)) == 1


async def test_without_a_network_at_the_start_the_bot_connects_when_there_is_one(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    slack.socket_rules.refuse = True
    timeouts = replace(QUICK, connect_s=0.3)
    async with running_bot(tmp_path, slack, backend, timeouts=timeouts) as stage:
        await until(lambda: slack.sockets.refused_tickets >= 1)
        slack.socket_rules.refuse = False
        await until(lambda: bool(slack.sockets.open))
        ts = slack.say(f"{BOT} hello")
        await stage.answered(ts)


def between_addresses(slack: LocalSlack) -> list[float]:
    """The seconds between any two requests for an address."""
    times = [at for method, at in slack.asked if method == "apps.connections.open"]
    return [after - before for before, after in itertools.pairwise(times)]


async def test_at_the_start_a_rate_is_waited_out_and_holds_nothing_up(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    slack.faults.next("apps.connections.open", Fault(status=429, retry_after_s=1), times=2)
    timeouts = replace(QUICK, connect_s=0.3, unconnected_s=0.1)
    async with running_bot(tmp_path, slack, backend, timeouts=timeouts) as stage:
        assert slack.sockets.open == []  # it has started all the same
        await until(lambda: bool(slack.sockets.open))
        ts = slack.say(f"{BOT} hello")
        await stage.answered(ts)
    assert min(between_addresses(slack)[:2]) >= 0.95  # a busy machine may connect once more


async def test_neither_the_sdk_nor_the_watchdog_asks_for_a_socket_before_slack_allows_it(
    stage: Stage,
) -> None:
    slack = stage.slack
    slack.asked.clear()
    slack.faults.next("apps.connections.open", Fault(status=429, retry_after_s=1.5))
    await slack.sockets.cut()  # the watchdog steps in after 0.6 s
    await until(lambda: slack.sockets.connected >= 2)
    ts = slack.say(f"{BOT} hello")
    await stage.answered(ts)
    assert between_addresses(slack)[0] >= 1.45


async def test_more_reconnects_than_slack_allows_end_in_a_connection(stage: Stage) -> None:
    slack = stage.slack
    open_socket = METHODS["apps.connections.open"]
    used = slack.api._recent["apps.connections.open"]
    used.extendleft([time.monotonic() - 59.5] * (open_socket.per_minute - len(used)))
    await slack.sockets.cut()
    await until(lambda: "apps.connections.open" in slack.api.limited)
    await until(lambda: bool(slack.sockets.open))
    ts = slack.say(f"{BOT} hello")
    await stage.answered(ts)
    assert slack.api.limited == ["apps.connections.open"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"bot_token": "xoxb-wrong"}, "SLACK_BOT_TOKEN"),
        ({"app_token": "xapp-wrong"}, "SLACK_APP_TOKEN"),
        ({"app_token": None}, "SLACK_SIGNING_SECRET"),
        ({"bot_token": None}, "SLACK_CLIENT_ID"),
    ],
)
async def test_what_is_wrong_with_the_tokens_is_one_sentence(
    tmp_path: Path,
    slack: LocalSlack,
    backend: ScriptedModel,
    options: Any,
    name: str,
) -> None:
    with pytest.raises(PlatformUnavailable, match=name):
        async with running_bot(tmp_path, slack, backend, **options):
            pass


# -- HTTP mode ------------------------------------------------------------------------------------


async def test_in_http_mode_everything_works_as_in_socket_mode(http: Stage) -> None:
    slack = http.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await http.answered(ts)
    assert context_of(reply) == "Picture 1: red.png"
    http.backend.answer = lambda _: "another answer"
    await slack.press(reply["ts"], "llava_again")
    await until(lambda: text_of(reply) == "another answer")
    await slack.command("help")
    await until(lambda: bool(slack.responses))
    assert set(slack.http_answers) == {200}


async def test_slacks_challenge_is_answered(http: Stage) -> None:
    body = json.dumps({"token": "t", "challenge": "abc", "type": "url_verification"})
    assert "abc" in await http.slack.post_signed(body, "application/json")


async def test_a_retry_with_its_headers_is_answered_once(http: Stage) -> None:
    slack = http.slack
    ts = slack.say(f"{BOT} hello")
    await http.answered(ts)
    event = dict(slack.workspace.messages["C1"][0]) | {"channel": "C1", "type": "app_mention"}
    body = json.dumps(
        {"type": "event_callback", "team_id": "T1", "event": event, "event_id": "Ev1"}
    )
    await slack.post_signed(body, "application/json", retry=1)
    await http.quiet()
    assert slack.http_answers[-1] == 200
    assert len(http.backend.requests) == 1


@pytest.mark.parametrize(("secret", "age_s"), [("wrong", 0), (None, 600)], ids=["forged", "old"])
async def test_what_slack_has_not_signed_just_now_is_refused(
    http: Stage, secret: str | None, age_s: int
) -> None:
    slack = http.slack
    event = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1ANN"}
    body = json.dumps(
        {
            "type": "event_callback",
            "team_id": "T1",
            "event": event | {"text": "hello", "ts": "1.1"},
        }
    )
    await slack.post_signed(body, "application/json", secret=secret, age_s=age_s)
    await http.quiet()
    assert slack.http_answers[-1] == 401
    assert http.backend.requests == []


# -- several workspaces ---------------------------------------------------------------------------


async def test_a_workspace_that_has_installed_the_app_is_answered_with_its_own_token(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, slack, backend, **OAUTH) as stage:
        ts = slack.say(f"{BOT} hello")
        await asyncio.sleep(0.3)
        assert stage.replies(ts) == []  # nobody has installed it yet
        installations = stage.bot._installations
        assert installations is not None
        await installations.async_save(
            Installation(
                app_id="A1",
                team_id="T1",
                user_id="U1ANN",
                bot_token=slack.workspace.bot_token,
                bot_id="B0BOT",
                bot_user_id="U0BOT",
            )
        )
        ts = slack.say(f"{BOT} hello", slack.upload("red.png", RED))
        assert context_of(await stage.answered(ts)) == "Picture 1: red.png"
        found = await installations.async_find_bot(enterprise_id=None, team_id="T1")
        assert isinstance(found, Bot)
        await slack.tell_event({"type": "app_uninstalled"})
        await until(lambda: not stage.bot._workspaces._known)
        async with asyncio.timeout(30):
            while await installations.async_find_bot(enterprise_id=None, team_id="T1"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_the_installation_page_leads_to_slack_with_the_scopes(
    tmp_path: Path,
    slack: LocalSlack,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "1.2")  # bolt would read them too
    async with (
        running_bot(tmp_path, slack, backend, **OAUTH) as stage,
        aiohttp.ClientSession() as browser,
    ):
        assert stage.bot.http is not None
        async with browser.get(f"{stage.bot.http.address}/slack/install") as page:
            text = await page.text()
        assert page.status == 200
        assert f"{slack.base}/oauth/v2/authorize" in text
        assert "files:read" in text


async def test_a_slow_slack_does_not_hold_up_other_threads(stage: Stage) -> None:
    slack = stage.slack
    slack.faults.next("chat.startStream", Fault(slow_s=1.5))
    slow, quick = slack.say(f"{BOT} slow"), slack.say(f"{BOT} quick")
    await until(lambda: bool(stage.landed(slow) or stage.landed(quick)))
    assert not (stage.landed(slow) and stage.landed(quick))
    await stage.answered(slow)
    await stage.answered(quick)


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=503)], ids=["500", "503"])
async def test_a_slack_that_is_ill_at_the_start_is_tried_again(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, fault: Fault
) -> None:
    slack.faults.next("apps.connections.open", fault, times=2)
    async with running_bot(tmp_path, slack, backend) as stage:
        await until(lambda: bool(slack.sockets.open))
        ts = slack.say(f"{BOT} hello")
        await stage.answered(ts)


async def test_the_backfill_at_the_start_covers_every_installed_workspace(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    installation = Installation(
        app_id="A1",
        team_id="T1",
        user_id="U1ANN",
        bot_token=slack.workspace.bot_token,
        bot_id="B0BOT",
        bot_user_id="U0BOT",
    )
    gone = Installation(app_id="A1", team_id="T0", user_id="U1ANN", bot_token="xoxb-gone")
    async with running_bot(tmp_path, slack, backend, **OAUTH) as stage:
        assert stage.bot._installations is not None
        await stage.bot._installations.async_save(gone)
        await stage.bot._installations.async_save(installation)
    ts = slack.say(f"{BOT} missed", told=False)
    async with running_bot(tmp_path, slack, backend, **OAUTH) as stage:
        await stage.answered(ts)


def test_tokens_do_not_stand_in_a_repr() -> None:
    secrets = {"bot_token": "xoxb", "app_token": "xapp", "signing_secret": "sig"}
    settings = SlackSettings.model_validate(secrets | {"client_secret": "cs'"})
    assert not any(secret in repr(settings) for secret in ("xoxb", "xapp", "sig'", "cs'"))
