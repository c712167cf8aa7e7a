"""`/llava status` says to everybody what answers, and to admins how the bot is."""

from __future__ import annotations

from pathlib import Path

from bot.core.commands import Command, Commands
from bot.core.status_report import StatusReport
from bot.texts import say
from bot.values.messages import Author
from bot.values.presence import Presences
from tests.engines import ScriptedModel
from tests.scenario.core import Core, running_core
from tests.waiting import until


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def report(core: Core, presences: Presences, clock: Clock) -> StatusReport:
    return StatusReport(
        store=core.store,
        questions=core.questions,
        engine=core.engine,
        presences=presences,
        clock=clock,
    )


async def test_admins_see_connections_work_and_what_fails(tmp_path: Path) -> None:
    clock, presences = Clock(), Presences()
    for name in ("discord", "slack", "web"):
        presences.of(name)._clock = clock
    presences.of("slack").connected()
    clock.now = 7000
    presences.of("slack").event()
    presences.of("discord").connected()
    presences.of("discord").disconnected()
    clock.now = 7300
    async with running_core(tmp_path, ScriptedModel()) as core:
        await until(lambda: core.engine.model is not None, timeout_s=30)
        status = report(core, presences, clock)
        everybody = await status.of("slack", "T1", "en", is_admin=False)
        admins = await status.of("slack", "T1", "en", is_admin=True)
        japanese = await status.of("slack", "T1", "ja", is_admin=True)
    assert len(everybody.splitlines()) == 1
    first, work, *connections = admins.splitlines()
    assert first == everybody
    assert work == say("en", "status_device", waiting=0, running=0)
    assert connections == [
        say("en", "status_not_connected", platform="discord", time="5 min"),
        say("en", "status_connected_event", platform="slack", time="3 h", event="5 min"),
        say("en", "status_never_connected", platform="web"),
    ]
    assert "• slack は 3 時間前から接続しています（最後のイベントは 5 分前）" in japanese


async def test_the_command_tells_admins_alone(tmp_path: Path) -> None:
    presences = Presences()
    presences.of("web").disconnected(stands_by=True)
    async with running_core(tmp_path, ScriptedModel()) as core:
        await until(lambda: core.engine.model is not None, timeout_s=30)
        commands = Commands(
            store=core.store,
            questions=core.questions,
            erasure=core.erasure,
            engine=core.engine,
            presences=presences,
        )

        async def said(*, is_admin: bool) -> str:
            return await commands.run(
                Command.STATUS,
                platform="slack",
                team="T1",
                thread=None,
                author=Author(id="U1", name="Ann"),
                locale="en",
                is_admin=is_admin,
            )

        standby = say("en", "status_standby", platform="web")
        assert standby in await said(is_admin=True)
        assert standby not in await said(is_admin=False)
