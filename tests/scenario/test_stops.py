"""A stop that was acknowledged holds, whatever happens to the process then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.postgresql import postgresql
from tests.scenario.command import RunningBot, running_bot
from tests.scenario.playground import events
from tests.servers.postgresql import PostgresqlServer

__all__ = ["postgresql"]

OPTIONS = ("--temperature", "1", "--max-new-tokens", "20")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings that say where the store is."""
    if request.param == "SQLite":
        return {}
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return {
        "DATABASE_URL": server.new_database().render_as_string(hide_password=False),
        "PICTURES_URL": (tmp_path / "pictures").as_uri(),
    }


@pytest.mark.heavy
@pytest.mark.timeout(300)
async def test_a_stop_holds_although_the_process_is_killed_right_after_it_was_acknowledged(
    database: dict[str, str], tmp_path: Path, talkative: str
) -> None:
    settings = {
        "HANGS_WITH": str(tmp_path / "never"),
        "HOLDS_ANSWERS": str(tmp_path / "held"),
        **database,
    }
    (tmp_path / "held").touch()
    folder = tmp_path / "bot"
    folder.mkdir(mode=0o700)
    options = ("--model", talkative, *OPTIONS)
    async with running_bot(
        folder, *options, module="tests.scenario.hanging_bot", **settings
    ) as bot:
        await bot.wait_until_ready()
        async with aiohttp.ClientSession(bot.address) as http:
            async with http.post("/api/threads") as made:
                thread = (await made.json())["thread_id"]
            form = aiohttp.FormData({"text": "what is it?"}, default_to_multipart=True)
            async with http.post(f"/api/threads/{thread}/messages", data=form) as response:
                async for event, _ in events(response):
                    if event == "delta":
                        break
                async with http.post(f"/api/threads/{thread}/stop") as stopped:
                    assert stopped.status == 204
        bot.process.kill()
    async with running_bot(folder, *options, **settings) as bot:
        turn = await ended_turn(bot, thread)
        assert (turn["state"], turn["receipt"]["notes"]) == ("stopped", ["Stopped."])


async def ended_turn(bot: RunningBot, thread: str) -> dict[str, Any]:
    """The thread's only turn, once it has ended."""
    await bot.wait_until_ready()
    async with aiohttp.ClientSession(bot.address) as http:
        while True:
            async with http.get(f"/api/threads/{thread}") as response:
                (turn,) = (await response.json())["turns"]
            if turn["state"] != "pending":
                return dict(turn)
