"""Several models, of which a channel has one."""

from __future__ import annotations

from pathlib import Path

from tests.engines import ScriptedModel
from tests.scenario.discord.stage import MENTION, running_bot, small_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import BEN, GUILD, PICTURES
from tests.waiting import until


async def test_a_channels_model_is_chosen_by_its_admins_with_a_command_or_in_the_settings(
    tmp_path: Path, discord: LocalDiscord, backend: ScriptedModel
) -> None:
    good = ScriptedModel(name="large/one")
    async with running_bot(tmp_path, discord, backend, beside={"good": good}) as stage:
        await until(lambda: bool(stage.discord.world.commands))
        asked = discord.slash("llava model", user=BEN)
        await until(lambda: bool(asked.said))
        assert "• good: large/one" in asked.said[0]
        asked = discord.slash("llava model", name="good", user=BEN)
        await until(lambda: bool(asked.said))
        assert "Only admins" in asked.said[0]
        asked = discord.slash("llava model", name="good")
        await until(lambda: bool(asked.said))
        assert "the model good answers" in asked.said[0]
        question = discord.say(f"{MENTION} what is it?")
        assert "Answered by the model good." in small_of(await stage.answered(question))
        discord.slash("llava settings")
        await until(lambda: bool(discord.interactions.modals))
        _, modal = discord.interactions.modals[-1]
        (names,) = [
            label["component"]["options"]
            for label in modal["components"]
            if label["component"]["custom_id"] == "model"
        ]
        assert [(one["value"], one["default"]) for one in names] == [
            ("*", False),
            ("first", False),
            ("good", True),
        ]
        discord.submit({"note": "a note", "model": "first"})
        await stage.quiet()
        chosen = await stage.store.channels.settings("discord", GUILD, PICTURES)
        assert (chosen.model, chosen.note) == ("first", "a note")
