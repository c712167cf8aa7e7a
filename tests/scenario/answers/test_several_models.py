"""Several models: a channel has one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.commands import Command, Commands
from bot.values.messages import Author
from bot.values.turns import ChannelSettings
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, running_core


@pytest.fixture
def quick() -> ScriptedModel:
    return ScriptedModel(name="small/one")


@pytest.fixture
def good() -> ScriptedModel:
    return ScriptedModel(name="large/one", max_pictures=1)


@pytest.fixture
async def core(tmp_path: Path, quick: ScriptedModel, good: ScriptedModel) -> AsyncIterator[Core]:
    async with running_core(tmp_path, quick, beside={"good": good}) as core:
        yield core


async def run(core: Core, argument: str = "", *, is_admin: bool = True) -> str:
    commands: Commands = core.adapter_parts("thread")["commands"]
    return await commands.run(
        Command.MODEL,
        platform="test",
        team="",
        channel="",
        thread=None,
        author=Author(id="ann"),
        locale="en",
        is_admin=is_admin,
        argument=argument,
    )


async def test_where_nothing_is_chosen_the_first_answers_and_the_receipt_names_it(
    core: Core, quick: ScriptedModel, good: ScriptedModel
) -> None:
    exchange = red()
    await core.answers.ask(message("What is it?", "red"), exchange)
    assert (len(quick.requests), len(good.requests)) == (1, 0)
    assert exchange.ending.receipt.notes == ("Answered by the model first.",)


async def test_a_channels_model_answers_its_old_threads_too_within_its_own_limits(
    core: Core, quick: ScriptedModel, good: ScriptedModel
) -> None:
    await core.answers.ask(message("What is it?", "red"), red())
    assert await run(core, "Good") == "From now on, the model good answers in this channel."
    exchange = red()
    await core.answers.ask(message("And this?", "red"), exchange)
    assert (len(quick.requests), len(good.requests)) == (1, 1)
    assert [len(one.pictures) for one in good.requests[0].messages] == [0, 0, 1]
    assert "Answered by the model good." in exchange.ending.receipt.notes


async def test_everybody_sees_the_models_and_admins_choose(core: Core) -> None:
    listed = await run(core, is_admin=False)
    assert listed.splitlines()[1:] == ["• first: small/one ✓", "• good: large/one"]
    assert "Only admins" in await run(core, "good", is_admin=False)
    assert "There are: first, good" in await run(core, "gooood")
    assert (await core.store.channels.settings("test", "", "")).model == ""
    await run(core, "good")
    assert (await run(core)).splitlines()[1:] == ["• first: small/one", "• good: large/one ✓"]


async def test_a_model_that_is_no_longer_there_is_answered_for_by_the_first(
    core: Core, quick: ScriptedModel
) -> None:
    await core.store.channels.choose("test", "", "", ChannelSettings(model="gone"))
    exchange = red()
    await core.answers.ask(message("What is it?", "red"), exchange)
    assert len(quick.requests) == 1
    assert exchange.ending.receipt.notes == ("Answered by the model first.",)


async def test_where_there_is_one_model_it_is_named_and_receipts_stay_as_they_are(
    tmp_path: Path, quick: ScriptedModel
) -> None:
    async with running_core(tmp_path / "one", quick) as core:
        assert await run(core, "good") == "One model answers everywhere here: small/one."
        exchange = red()
        await core.answers.ask(message("What is it?", "red"), exchange)
        assert exchange.ending.receipt.notes == ()
