"""Interactions over restarts, with other lists and other intents."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.access import AllowList
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.core import RED
from tests.scenario.discord.stage import Stage, running_bot, small_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import ANN, BEN, BOT, PICTURES
from tests.servers.faults import Fault
from tests.waiting import until


async def commands_published(stage: Stage) -> None:
    await until(lambda: bool(stage.discord.world.commands))


async def test_a_command_taken_up_again_shows_its_question_and_is_answered_once(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.faults.next("update_original_webhook_message", Fault(status=503), times=2)
    async with running_bot(tmp_path, discord, backend) as stage:
        await commands_published(stage)
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        await until(lambda: asked.response is not None)
        await until(lambda: bool(discord.faults.happened))
        assert asked.response is not None
        assert stage.backend.requests == []
    async with running_bot(tmp_path, discord, backend) as stage:
        reply = await stage.answered(asked.response["id"])
        assert small_of(reply) == "Picture 1: red.png"
        assert asked.response["content"] == f"<@{ANN}> asks: what?"
        await stage.quiet()
    assert len(backend.requests) == 1


async def test_a_command_told_twice_is_handled_once(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await commands_published(stage)
        discord.gateway.rules.duplicates = 1
        asked = discord.slash("ask", question="what?", file=discord.upload("red.png", RED))
        await until(lambda: asked.response is not None)
        assert asked.response is not None
        await stage.answered(asked.response["id"])
        await stage.quiet()
        assert len(discord.calls("create_interaction_response")) == 1


@pytest.mark.parametrize("there_is_no_thread_at_first", [True, False])
async def test_a_message_made_before_a_crash_is_found_wherever_it_was_made(
    tmp_path: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    there_is_no_thread_at_first: bool,
) -> None:
    """As `/ask`: its thread may be created late, or at another time not at all."""
    no_thread = Fault(status=429, retry_after_s=600)
    if there_is_no_thread_at_first:
        discord.faults.next("create_thread_from_message", no_thread)
    load = HeldLoad(backend)
    async with running_bot(tmp_path, discord, backend, load=load) as stage:
        asked = discord.say(f"<@{BOT}> what is it?")
        place = PICTURES if there_is_no_thread_at_first else asked
        await until(lambda: len(stage.replies(place)) == 1)
        await stage.store.replies.forget_parts(stage.thread(asked), stage.key(asked))
    if not there_is_no_thread_at_first:
        discord.faults.next("create_thread_from_message", no_thread)
    async with running_bot(tmp_path, discord, backend) as stage:
        await stage.answered(place)
        await stage.quiet()
        others = {asked, PICTURES} - {place}
        assert [stage.replies(it) for it in others] == [[]]
        assert len(stage.replies(place)) == 1


async def test_a_modal_filled_in_after_a_restart_is_answered(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await commands_published(stage)
        shown = discord.say("my cat", discord.upload("red.png", RED))
        discord.use_menu(shown)
        await until(lambda: bool(discord.interactions.modals))
    async with running_bot(tmp_path, discord, backend) as stage:
        discord.submit({"question": "what is it?"})
        assert small_of(await stage.answered(shown)) == "Picture 1: red.png"


async def test_the_menu_needs_no_message_content_intent(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    discord.gateway.rules.content_intent = False
    async with running_bot(tmp_path, discord, backend) as stage:
        await commands_published(stage)
        shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
        discord.use_menu(shown)
        await until(lambda: bool(discord.interactions.modals))
        discord.submit({"question": "what?"})
        assert "Picture 1: red.png" in small_of(await stage.answered(shown))


@pytest.mark.parametrize("what", ["deleted", "denied", "restarted"])
async def test_a_modal_that_cannot_be_answered_ends_in_a_sentence_to_one_alone(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel, what: str
) -> None:
    async with running_bot(tmp_path, discord, backend) as stage:
        await commands_published(stage)
        shown = discord.say("my cat", discord.upload("red.png", RED), user=BEN)
        discord.use_menu(shown)
        await until(lambda: bool(discord.interactions.modals))
        if what == "deleted":
            discord.delete(shown)
        elif what == "denied":
            discord.deny("send_messages_in_threads")
        else:
            discord.faults.next("create_message", Fault(slow_s=30))
        asked = discord.submit({"question": "what?"})
        if what != "restarted":
            await until(lambda: bool(asked.said))
        else:
            await until(lambda: bool(discord.faults.happened))
    if what == "deleted":
        assert asked.said == ["The message you asked about no longer exists."]
    elif what == "denied":
        assert "“Send Messages in Threads”" in asked.said[0]
    else:
        async with running_bot(tmp_path, discord, backend) as stage:
            await stage.answered(shown)
            await until(lambda: asked.said == [f"The answer is in <#{shown}>."])


async def test_commands_too_are_for_those_on_the_lists(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    allow = AllowList(users=frozenset({BEN}))
    async with running_bot(tmp_path, discord, backend, allow=allow) as stage:
        await commands_published(stage)
        refused = [discord.slash("llava status"), discord.slash("llava settings")]
        await until(lambda: all("can't answer you here" in str(it.said) for it in refused))
        forgotten = discord.slash("llava forget-me")
        await until(lambda: "have forgotten" in str(forgotten.said))
