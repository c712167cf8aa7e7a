"""“Thinking…” is a promise: whatever ends the process, its person gets an answer or a sentence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.platforms.discord import deferrals
from bot.texts import say
from tests.engines import ScriptedModel
from tests.scenario.command import running_bot as running_process
from tests.scenario.core import RED
from tests.scenario.discord.stage import Stage, running_bot
from tests.scenario.discord.test_process import settings
from tests.servers.discord.interactions import Asked
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import LOADING
from tests.servers.faults import Fault
from tests.store_faults import locked
from tests.waiting import until

LOST = say("en", "discord_command_lost")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferrals, "ENDS_WITHIN_S", 0)


async def asked_with_nothing_claimed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> Asked:
    """A person sees that the bot thinks, and the process is about to end."""
    discord = stage.discord
    await until(lambda: bool(discord.world.commands))

    claiming = asyncio.Event()

    async def never(*_: Any, **__: Any) -> Any:
        claiming.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(stage.store.inbox, "claim", never)
    if how == "command":
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
    else:
        discord.use_menu(discord.say("my cat", discord.upload("red.png", RED)))
        await until(lambda: bool(discord.interactions.modals))
        asked = discord.submit({"question": "what is it?"})
    await until(lambda: asked.response is not None and claiming.is_set())
    return asked


def shown(asked: Asked) -> tuple[str, bool]:
    """(what the response says, whether the bot still thinks)."""
    assert asked.response is not None
    return asked.response["content"], bool(asked.response["flags"] & LOADING)


@pytest.mark.parametrize("how", ["command", "modal"])
async def test_a_process_that_ends_before_the_claim_leaves_the_sentence_to_the_next(
    how: str,
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        asked = await asked_with_nothing_claimed(stage, monkeypatch, how)
    assert shown(asked) == ("", True)
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: shown(asked) == (LOST, False))
        await until_none_is_left(stage)
    assert backend.requests == []


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_the_sentence_outlasts_a_discord_that_cannot_be_reached_at_the_next_start(
    cut: str,
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        asked = await asked_with_nothing_claimed(stage, monkeypatch, "command")
    discord.faults.next("update_original_webhook_message", Fault(cut=cut), times=2)
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: shown(asked) == (LOST, False))
        await until_none_is_left(stage)


async def until_none_is_left(stage: Stage) -> None:
    async with asyncio.timeout(30):
        while await stage.store.deferrals.unended("discord"):  # noqa: ASYNC110 - it polls the store
            await asyncio.sleep(0.02)


async def test_one_that_was_claimed_is_answered_and_told_nothing(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.hold()
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: bool(discord.world.commands))

        async def fails(*_: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr(stage.store.deferrals, "end", fails)  # as if it were killed there
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        await until(lambda: bool(backend.requests))
        assert asked.response is not None
        assert await stage.store.deferrals.unended("discord")
    backend.release()
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(asked.response["id"])
        await until_none_is_left(stage)
        assert LOST not in str(discord.world.messages)


async def test_one_that_discord_shows_although_it_refused_it_does_not_think_for_ever(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: bool(discord.world.commands))
        fault = Fault(status=400, after=True)
        discord.faults.next("create_interaction_response", fault)
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        await until(lambda: asked.response is not None and shown(asked) == (LOST, False))
        await until_none_is_left(stage)


async def test_what_is_kept_leaves_no_record(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: bool(discord.world.commands))
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        await until(lambda: asked.response is not None)
        assert asked.response is not None
        await stage.answered(asked.response["id"])
        told = discord.slash("llava status")
        await until(lambda: bool(told.said))
        await until_none_is_left(stage)


@pytest.mark.parametrize("busy_s", [0.2, 60], ids=["fails", "slow"])
async def test_without_a_record_nothing_is_promised_and_the_response_is_a_sentence(
    busy_s: float, tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: bool(discord.world.commands))
        with locked(stage.store):
            stage.store.database.busy_s = busy_s
            asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
            await until(lambda: asked.response is not None)
            assert shown(asked) == (say("en", "store_failed"), False)
            # What needs no store is said all the same.
            helped = discord.slash("llava help")
            await until(lambda: any(it != say("en", "store_failed") for it in helped.said))
        await until_none_is_left(stage)
    assert backend.requests == []


@pytest.mark.heavy
async def test_killed_between_thinking_and_the_claim_the_person_gets_a_sentence(
    tmp_path: Path, talkative: str, discord: LocalDiscord
) -> None:
    sign = tmp_path / "held"
    options = ("--model", talkative, "--max-new-tokens", "20")
    held = {"HANGS_WITH": str(tmp_path / "never"), "HOLDS_CLAIMS": str(sign)}
    async with running_process(
        tmp_path, *options, module="tests.scenario.hanging_bot", **held, **settings(discord)
    ) as bot:
        await bot.wait_until_ready()
        await until(lambda: bool(discord.world.commands), timeout_s=60)
        sign.touch()
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        await until(lambda: asked.response is not None, timeout_s=60)
        bot.process.kill()
        await bot.exit_code()
    async with running_process(tmp_path, *options, **settings(discord)):
        await until(lambda: shown(asked) == (LOST, False), timeout_s=60)


@pytest.mark.parametrize("how", ["command", "menu"])
async def test_a_store_that_cannot_say_who_may_ask_costs_nobody_the_response(
    how: str,
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await until(lambda: bool(discord.world.commands))
        answers = asyncio.Event()

        async def slow(*_: Any) -> tuple[str, ...]:
            await answers.wait()
            return ()

        monkeypatch.setattr(stage.store.channels, "people", slow)
        if how == "command":
            asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        else:
            asked = discord.use_menu(discord.say("my cat", discord.upload("red.png", RED)))
        await until(lambda: asked.said == [say("en", "store_failed")])
        answers.set()
