"""The gateway: broken, refused, resumed, replayed, sharded."""

from __future__ import annotations

import asyncio
import time
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.core.access import AllowList
from bot.platforms.discord.settings import DiscordSettings
from bot.platforms.platform import PlatformUnavailable
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord.stage import MENTION, Stage, running_bot, text_of
from tests.servers.discord.server import LocalDiscord, running_discord
from tests.servers.discord.state import ANN, ARTISTS, BEN, GUILD, KEI, LOUNGE, PICTURES, TEXT
from tests.waiting import until


@pytest.mark.parametrize("how", ["op 7", "closed", "op 9, resumable"])
async def test_a_connection_that_ends_is_resumed_and_nothing_is_lost(
    stage: Stage, how: str
) -> None:
    discord = stage.discord
    gateway = discord.gateway
    gateway.rules.replays = 10
    first = discord.say(f"{MENTION} first")
    await stage.answered(first)
    match how:
        case "op 7":
            gateway.reconnect()
        case "closed":
            await gateway.close_lines(4000)
        case _:
            gateway.invalidate(resumable=True)
    asked = discord.say(f"{MENTION} what is it?")
    assert text_of(await stage.answered(asked)) == "answer to what is it?"
    await until(lambda: gateway.resumed >= 1)
    await stage.quiet()
    assert len(stage.backend.requests) == 2
    assert gateway.identified == 1


async def test_a_session_that_is_lost_is_begun_anew_and_the_gap_is_looked_through(
    stage: Stage,
) -> None:
    discord = stage.discord
    discord.gateway.rules.resumes = False
    answered = discord.say(f"{MENTION} before")
    await stage.answered(answered)
    await discord.gateway.close_lines(4000)
    asked = discord.say(f"{MENTION} in the gap")
    assert text_of(await stage.answered(asked)) == "answer to in the gap"
    await until(lambda: discord.gateway.identified >= 2)
    await stage.quiet()
    assert len(stage.backend.requests) == 2


async def test_an_invalid_session_is_begun_anew(stage: Stage) -> None:
    discord = stage.discord
    discord.gateway.invalidate()
    await until(lambda: discord.gateway.identified >= 2, timeout_s=60)
    asked = discord.say(f"{MENTION} hello")
    await stage.answered(asked)


async def test_a_deaf_connection_is_replaced(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend, heartbeat_timeout_s=2) as stage:
        discord.gateway.deafen()
        asked = discord.say(f"{MENTION} hello")
        await stage.answered(asked)
        assert discord.gateway.resumed >= 1


@pytest.mark.parametrize(
    ("code", "fix"), [(4004, "DISCORD_BOT_TOKEN"), (4010, "SHARD_IDS"), (4013, "update llava-bot")]
)
async def test_a_fatal_close_names_the_fix_and_is_not_tried_again(
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
    code: int,
    fix: str,
) -> None:
    discord.gateway.rules.closes_identify = code
    async with running_bot(tmp_path, discord, backend, wait=False) as stage:
        await until(lambda: fix in caplog.text)
        running = stage.bot.connection._running
        assert running is not None
        await until(running.done)


async def test_a_wrong_token_is_one_sentence(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    with pytest.raises(PlatformUnavailable, match="Reset Token"):
        async with running_bot(tmp_path, discord, backend, bot_token="wrong"):
            pass


async def test_without_a_network_at_the_start_it_connects_when_there_is_one(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    discord = LocalDiscord()
    async with running_discord(discord=discord):
        port, ca = discord.port, discord.ca_file.read_bytes()
    kept = tmp_path / "ca.pem"
    await asyncio.to_thread(kept.write_bytes, ca)
    discord.ca_file = kept
    async with (
        running_bot(tmp_path / "state", discord, backend, wait=False) as stage,
        running_discord(discord=discord, port=port),
    ):
        # This server has another certificate.
        stage.bot.connection._network = None
        stage.bot.connection._settings = stage.bot.connection._settings.model_copy(
            update={"ca_file": discord.ca_file}
        )
        await until(lambda: bool(discord.gateway.connected), timeout_s=60)
        await stage.bot.close()


async def test_each_attempt_without_a_network_is_one_line_with_the_growing_wait(
    tmp_path: Path, backend: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    discord = LocalDiscord()
    async with running_discord(discord=discord):
        ca = discord.ca_file.read_bytes()
    discord.ca_file = tmp_path / "ca.pem"
    await asyncio.to_thread(discord.ca_file.write_bytes, ca)
    async with running_bot(tmp_path / "state", discord, backend, wait=False) as stage:
        await until(lambda: caplog.text.count("trying again in") >= 2, timeout_s=60)
        await stage.bot.close()
    told = [it.getMessage() for it in caplog.records if "trying again in" in it.getMessage()]
    why = "no connection to Discord (ClientConnectorError: Connection refused): trying again in"
    assert told[:2] == [f"{why} 1 s", f"{why} 2 s"]


async def test_a_certificate_that_cannot_be_read_is_named(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    with pytest.raises(PlatformUnavailable, match="DISCORD_CA_FILE"):
        async with running_bot(tmp_path, discord, backend, ca_file=tmp_path / "none.pem"):
            pass


async def test_a_server_that_does_not_show_the_certificate_is_not_talked_to(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend, ca_file=None, wait=False) as stage:
        await asyncio.sleep(0.3)
        assert discord.recorded == []
        assert stage.bot.connection._client is None or not stage.bot.connection.client.is_ready()


async def test_what_breaks_each_session_is_not_tried_again_at_once(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.gateway.rules.breaks_ready = True
    async with running_bot(tmp_path, discord, backend, wait=False):
        began = time.monotonic()
        await until(lambda: discord.gateway.identified >= 3, timeout_s=60)
        assert time.monotonic() - began >= 2  # tried again after 1, 2, 4 … seconds


async def test_a_close_of_discord_pys_own_that_was_cut_short_cancels_no_stop(stage: Stage) -> None:
    client = stage.bot.connection.client
    closing = asyncio.create_task(client.close())
    await until(lambda: client._closing_task is not None)
    assert client._closing_task is not None
    client._closing_task.cancel()
    await asyncio.wait({closing})
    assert closing.cancelled()
    await stage.bot.close()
    assert client.http._HTTPClient__session.closed  # type: ignore[attr-defined]


async def test_sockets_that_cannot_be_closed_break_no_stop(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails() -> None:
        raise OSError

    closes = stage.bot.connection.client.http.close
    with monkeypatch.context() as patched:
        patched.setattr(stage.bot.connection.client.http, "close", fails)
        await stage.bot.close()
    await closes()


async def test_what_was_missed_knows_the_roles_of_who_said_it(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    asked = discord.say(f"{MENTION} hello", user=KEI, told=False)
    discord.say(f"{MENTION} hello", user=BEN, told=False)
    allow = AllowList(roles=frozenset({ARTISTS}))
    async with running_bot(tmp_path, discord, backend, allow=allow) as stage:
        await stage.answered(asked)
        await stage.quiet()
    assert len(backend.requests) == 1


async def test_what_it_may_not_read_is_not_asked_for(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.say("secret", channel=LOUNGE, told=False)
    discord.deny("view_channel", channel=LOUNGE, told=False)
    asked = discord.say(f"{MENTION} hello", told=False)
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(asked)
    assert [it for it in discord.recorded if it.status == 403] == []


async def test_the_newest_mention_of_a_busy_channel_is_found(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    for number in range(230):
        discord.say(f"talk {number}", told=False)
    asked = discord.say(f"{MENTION} hello", told=False)
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(asked)


@pytest.mark.parametrize("where", ["channel", "voice"])
async def test_what_was_deleted_while_it_was_away_is_forgotten(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, where: str
) -> None:
    channel = PICTURES if where == "channel" else LOUNGE
    backend.hold()
    async with running_bot(tmp_path, discord, backend) as stage:
        asked = discord.say(f"{MENTION} hello", channel=channel)
        place = asked if where == "channel" else LOUNGE
        await until(lambda: len(backend.requests) == 1)
        await until(lambda: bool(stage.replies(place)))
    message = discord.world.message(channel, asked)
    assert message is not None
    discord.world.messages[channel].remove(message)
    backend.release()
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: stage.replies(place) == [])
        await stage.quiet()
        assert await stage.store.inbox.unfinished() == []
        assert await stage.store.turns(stage.thread(asked, channel)) == ()
    assert len(backend.requests) == 1


async def test_what_was_edited_while_it_was_away_is_answered_anew_once(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        asked = discord.say(f"{MENTION} what is it?")
        await stage.answered(asked)
    discord.edit(asked, f"{MENTION} what was it?")
    for _ in range(2):
        async with running_bot(tmp_path, discord, backend) as stage:
            await until(lambda: stage.bot._backfill.rounds > 0)
            await until(
                lambda: [text_of(it) for it in stage.replies(asked)] == ["answer to what was it?"]
            )
            await stage.quiet()
    assert len(backend.requests) == 2


# -- shards ---------------------------------------------------------------------------------------


async def test_two_shards_each_hear_their_servers(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    other = str(int(GUILD) + (1 << 22))
    discord.world.add_guild(other, "The Other")
    discord.world.join(other, ANN, [])
    discord.world.add_channel("100000004194307001", "talk", TEXT, guild=other)
    discord.gateway.rules.shards = 2
    async with running_bot(tmp_path, discord, backend) as stage:
        assert sorted(it.shard for it in discord.gateway.connected) == [0, 1]
        here = discord.say(f"{MENTION} here")
        there = discord.say(f"{MENTION} there", channel="100000004194307001")
        await stage.answered(here)
        await stage.answered(there)


async def test_a_process_may_hold_some_of_the_shards(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    shard = (int(GUILD) >> 22) % 4
    options: dict[str, Any] = {"shard_count": 4, "shard_ids": frozenset({shard})}
    async with running_bot(tmp_path, discord, backend, **options) as stage:
        (session,) = discord.gateway.connected
        assert (session.shard, session.of) == (shard, 4)
        asked = discord.say(f"{MENTION} hello")
        await stage.answered(asked)


# -- who may ask ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "asks", "answered"),
    [
        (AllowList(roles=frozenset({ARTISTS})), KEI, True),
        (AllowList(roles=frozenset({ARTISTS})), ANN, False),
        (AllowList(channels=frozenset({PICTURES})), ANN, True),
        (AllowList(channels=frozenset({LOUNGE})), ANN, False),
        (AllowList(teams=frozenset({GUILD})), ANN, True),
        (AllowList(teams=frozenset({"1"})), ANN, False),
        (AllowList(users=frozenset({BEN})), ANN, False),
        (AllowList(users=frozenset({BEN}), teams=frozenset({GUILD})), BEN, True),
    ],
)
async def test_only_who_is_on_every_list_is_answered(
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    allow: AllowList,
    asks: str,
    answered: bool,
) -> None:
    async with running_bot(tmp_path, discord, backend, allow=allow) as stage:
        asked = discord.say(f"{MENTION} hello", user=asks)
        if answered:
            await stage.answered(asked)
        else:
            await until(lambda: bool(stage.replies(PICTURES)))
            assert backend.requests == []


@pytest.mark.parametrize(
    ("allow", "answered"),
    [
        (AllowList(), True),
        (AllowList(direct=False), False),
        (AllowList(teams=frozenset({GUILD})), False),
        (AllowList(teams=frozenset({GUILD}), users=frozenset({ANN})), True),
        (AllowList(users=frozenset({BEN})), False),
    ],
)
async def test_direct_messages_are_answered_where_they_may_be(
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    allow: AllowList,
    answered: bool,
) -> None:
    async with running_bot(tmp_path, discord, backend, allow=allow) as stage:
        channel = discord.world.direct(ANN)
        discord.say("what is it?", discord.upload("red.png", RED), channel=channel)
        if answered:
            await stage.answered(channel)
        else:
            await until(lambda: "can't answer you here" in str(stage.replies(channel)))
            assert backend.requests == []


# -- the local Discord itself ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zlib-stream", "zstd-stream", ""])
async def test_the_local_gateway_speaks_both_compressions(discord: LocalDiscord, kind: str) -> None:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))
    headers = {"Host": "gateway.discord.gg"}
    address = f"https://{discord.address}/?v=10&encoding=json"
    async with session, session.ws_connect(f"{address}&compress={kind}", headers=headers) as ws:
        received = (await ws.receive()).data
    if kind == "zlib-stream":
        received = zlib.decompressobj().decompress(received)
    elif kind == "zstd-stream":
        import zstandard

        received = zstandard.ZstdDecompressor().decompressobj().decompress(received)
    assert b'"op": 10' in received


def test_the_token_does_not_stand_in_a_repr() -> None:
    assert "secret" not in repr(DiscordSettings.model_validate({"bot_token": "secret"}))
