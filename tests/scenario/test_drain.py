"""SIGTERM drains, and nothing that hangs makes the process outlive its deadline."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from filelock import FileLock, Timeout

from bot.app import CLOSING_S
from bot.private_files import DATABASE
from tests.pictures import plain_picture
from tests.scenario.command import RunningBot, running_bot
from tests.scenario.slack.stage import has_button
from tests.servers.faults import Fault, Faults
from tests.servers.slack.server import running_slack
from tests.servers.slack.web_api import METHODS
from tests.waiting import until

DRAIN_S = 0.5
LATE_S = 10
"""What a busy machine may add; whatever hangs would add minutes."""
START_S = 120


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    other = sqlite3.connect(data_dir / DATABASE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


@asynccontextmanager
async def asked_in_slack(
    folder: Path, model: str, *, sign: Path, goes_on: bool
) -> AsyncIterator[RunningBot]:
    """A bot with a question of Slack's in flight, while Slack no longer answers calls."""
    async with running_slack() as slack:
        tokens = {
            "SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "SLACK_APP_TOKEN": slack.workspace.app_token,
            "SLACK_API_URL": slack.api_url,
        }
        options = ("--model", model, "--temperature", "1", "--max-new-tokens", "20")
        stage = {"DRAIN_S": str(DRAIN_S), "HANGS_WITH": str(sign)}
        async with running_bot(
            folder, *options, module="tests.scenario.hanging_bot", **tokens, **stage
        ) as bot:
            await bot.wait_until_ready()
            for method in METHODS:
                slack.faults.next(method, Fault(slow_s=600), times=1000)
            ts = slack.say("<@U0BOT> what is it?")
            await until(lambda: bool(slack.faults.happened), timeout_s=START_S)
            yield bot
        if goes_on:  # at the next start
            slack.faults = Faults()
            async with running_bot(folder, *options, **tokens):
                await until(
                    lambda: any(
                        has_button(it, "llava_again") for it in slack.workspace.by_bot("C1", ts)
                    ),
                    timeout_s=START_S,
                )


async def post(bot: RunningBot, text: str, *pictures: bytes) -> None:
    """Ask in the playground and do not wait for the end."""
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession(bot.address) as http:
            async with http.post("/api/threads") as made:
                thread = (await made.json())["thread_id"]
            form = aiohttp.FormData(default_to_multipart=True)
            form.add_field("text", text)
            for picture in pictures:
                form.add_field("images", picture, filename="a.png")
            async with http.post(f"/api/threads/{thread}/messages", data=form) as response:
                await response.content.readline()
                assert response.status == 200


@pytest.mark.heavy
async def test_a_slack_that_accepts_calls_and_never_answers_does_not_hold_up_an_orderly_end(
    tmp_path: Path, talkative: str
) -> None:
    async with asked_in_slack(tmp_path, talkative, sign=tmp_path / "never", goes_on=False) as bot:
        began = time.monotonic()
        bot.process.terminate()
        assert await bot.exit_code() == 0
        assert time.monotonic() - began < DRAIN_S + CLOSING_S + LATE_S
    assert not any("takes too long" in line or "Traceback" in line for line in bot.log)


@pytest.mark.heavy
async def test_whatever_hangs_the_process_ends_in_time_and_its_lock_with_it(
    tmp_path: Path, talkative: str
) -> None:
    sign = tmp_path / "hangs"
    async with asked_in_slack(tmp_path, talkative, sign=sign, goes_on=True) as bot:
        sign.touch()
        await asyncio.gather(post(bot, "model"), post(bot, "decoder", plain_picture().data))
        for what in ("model-hangs", "decoder-hangs"):
            await until((tmp_path / what).exists, timeout_s=START_S)
        with locked(tmp_path):
            began = time.monotonic()
            bot.process.terminate()
            exiting = asyncio.ensure_future(bot.exit_code())
            while not exiting.done():
                with pytest.raises(Timeout), FileLock(tmp_path / "run.lock", blocking=False):
                    pass
                await asyncio.wait({exiting}, timeout=0.2)
            assert await exiting == 0
            assert time.monotonic() - began < DRAIN_S + CLOSING_S + LATE_S
    assert any("takes too long" in line for line in bot.log)
    assert not any("Traceback" in line for line in bot.log)
    with FileLock(tmp_path / "run.lock", blocking=False):
        pass
