"""HTTP mode in front of the internet: only what Slack has just signed is read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from pathlib import Path

import aiohttp
import pytest

from bot.platforms.slack import states
from tests.engines import ScriptedModel
from tests.scenario.slack.stage import Stage, running_bot
from tests.scenario.slack.test_connection import OAUTH
from tests.servers.slack.server import LocalSlack

BODY = json.dumps({"token": "t", "challenge": "abc", "type": "url_verification"}).encode()


def signed(secret: str, body: bytes = BODY, *, age_s: int = 0, stamp: str = "") -> dict[str, str]:
    stamp = stamp or str(int(time.time()) - age_s)
    digest = hmac.new(secret.encode(), b"v0:%s:%s" % (stamp.encode(), body), hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest.hexdigest()}",
    }


async def test_only_what_slack_has_signed_within_five_minutes_is_read(
    http: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    assert http.bot.http is not None
    address = f"{http.bot.http.address}/slack/events"
    secret = http.slack.signing_secret
    right = signed(secret)
    not_utf8 = b"\xff\xfe{}"
    ssl_check = b"ssl_check=1&token=x"
    table: list[tuple[str, bytes, dict[str, str], int]] = [
        ("right", BODY, right, 200),
        ("four minutes old", BODY, signed(secret, age_s=240), 200),
        ("six minutes old", BODY, signed(secret, age_s=360), 401),
        ("from the future", BODY, signed(secret, age_s=-360), 401),
        ("another secret", BODY, signed("another"), 401),
        ("another body", BODY + b" ", right, 401),
        ("no headers", BODY, {"Content-Type": "application/json"}, 401),
        ("no signature", BODY, {**right, "X-Slack-Signature": ""}, 401),
        ("no number", BODY, signed(secret, stamp="now"), 401),
        ("a sign", BODY, signed(secret, stamp=f"+{int(time.time())}"), 401),
        ("other digits", BODY, {**right, "X-Slack-Request-Timestamp": "１２３"}, 401),
        ("infinite", BODY, signed(secret, stamp="9" * 400), 401),
        ("no ASCII", BODY, {**right, "X-Slack-Signature": "v0=é"}, 401),
        ("upper case", BODY, {**right, "X-Slack-Signature": "V0=" + "A" * 64}, 401),
        ("no UTF-8", not_utf8, signed("another", not_utf8), 401),
        ("an odd charset", BODY, {**signed("x"), "Content-Type": "text/plain; charset=bogus"}, 401),
        ("a check of TLS", ssl_check, {"Content-Type": "application/x-www-form-urlencoded"}, 401),
        ("too large", bytes(1_000_001), signed(secret, bytes(1_000_001)), 413),
    ]
    async with aiohttp.ClientSession() as slack:
        for name, body, headers, status in table:
            async with slack.post(address, data=body, headers=headers) as response:
                assert response.status == status, name
                assert response.headers["Server"] == "llava-bot", name
        async with slack.get(f"{http.bot.http.address}/nothing") as response:
            assert (response.status, response.headers["Server"]) == (404, "llava-bot")
    assert http.backend.requests == []
    assert not [it for it in caplog.records if it.levelno >= logging.ERROR]


async def test_two_signatures_are_none(http: Stage) -> None:
    assert http.bot.http is not None
    right = signed(http.slack.signing_secret)
    twice = [*right.items(), ("X-Slack-Signature", "v0=" + "0" * 64)]
    async with (
        aiohttp.ClientSession() as slack,
        slack.post(f"{http.bot.http.address}/slack/events", data=BODY, headers=twice) as response,
    ):
        assert response.status == 401


async def test_a_body_that_does_not_come_is_given_up(
    http: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.slack.http.BODY_S", 0.2)
    assert http.bot.http is not None
    host, port = http.bot.http.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    async with asyncio.timeout(30):
        assert b" 408 " in await reader.readline()
    writer.transport.abort()


async def test_installations_that_strangers_begin_do_not_fill_the_store(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "MAX_STATES", 3)
    monkeypatch.setattr("bot.platforms.slack.installation.STATE_S", -1)
    async with (
        running_bot(tmp_path, slack, backend, **OAUTH) as stage,
        aiohttp.ClientSession() as stranger,
    ):
        assert stage.bot.http is not None
        address = f"{stage.bot.http.address}/slack/install"
        for _ in range(5):  # each has expired when the next one comes
            async with stranger.get(address) as page:
                assert page.status == 200
    monkeypatch.setattr("bot.platforms.slack.installation.STATE_S", 600)
    async with (
        running_bot(tmp_path, slack, backend, **OAUTH) as stage,
        aiohttp.ClientSession() as stranger,
    ):
        assert stage.bot.http is not None
        statuses = []
        for _ in range(5):
            async with stranger.get(f"{stage.bot.http.address}/slack/install") as page:
                statuses.append(page.status)
        assert statuses == [200, 200, 200, 503, 503]
