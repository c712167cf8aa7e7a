"""A member asks about a picture, and asks on."""

from __future__ import annotations

from tests.scenario.core import RED
from tests.scenario.discord.stage import MENTION, Stage, has_button, small_of, text_of


async def test_a_mention_with_a_picture_is_answered_in_a_thread_under_it(stage: Stage) -> None:
    discord = stage.discord
    asked = discord.say(f"{MENTION} what is it?", discord.upload("red.png", RED))
    reply = await stage.answered(asked)
    assert discord.world.channels[asked]["name"] == "what is it?"
    assert text_of(reply) == "answer to what is it?"
    assert small_of(reply) == "Picture 1: red.png"
    assert has_button(reply, "good")
    assert has_button(reply, "bad")
    assert not has_button(reply, "stop")
    (told,) = stage.backend.requests[-1].messages
    assert (told.text, len(told.pictures)) == ("what is it?", 1)
