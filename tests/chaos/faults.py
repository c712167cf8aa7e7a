"""The faults: each is injected at a random moment, lasts for a while, and is healed."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bot.private_files import DATABASE
from tests.chaos import engine
from tests.chaos.on_discord import ChaosDiscord
from tests.chaos.on_playground import PlaygroundPeople
from tests.chaos.on_slack import ChaosSlack
from tests.chaos.process import BotProcess
from tests.servers.faults import Fault, Faults

SLACK_CALLS = (
    "chat.postMessage", "chat.update", "chat.startStream", "chat.appendStream", "chat.stopStream",
    "chat.delete", "conversations.replies", "conversations.history", "users.info",
    "agents.sessions.setStatus", "apps.connections.open",
)  # fmt: skip
DISCORD_CALLS = (
    "create_message", "update_message", "create_thread_from_message", "list_messages",
    "get_channel", "create_interaction_response", "update_original_webhook_message",
)  # fmt: skip
CALLS_THAT_FAIL = 4


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What faults are injected into."""

    random: Random
    bot: BotProcess
    slack: ChaosSlack
    discord: ChaosDiscord
    playground: PlaygroundPeople
    data_dir: Path
    orders: Path
    is_own_disk: bool
    """Whether the directory is a small disk of its own, which can be filled."""


Inject = Callable[[Scene, float], AbstractAsyncContextManager[None]]
"""Takes the scene and how long the fault lasts, in seconds; healed on exit."""


@asynccontextmanager
async def killed(scene: Scene, _lasts_s: float) -> AsyncIterator[None]:
    """SIGKILL, then a start."""
    await scene.bot.restart(signal.SIGKILL)
    yield


@asynccontextmanager
async def terminated(scene: Scene, _lasts_s: float) -> AsyncIterator[None]:
    """SIGTERM, then a start."""
    await scene.bot.restart(signal.SIGTERM)
    yield


@asynccontextmanager
async def slack_cut(scene: Scene, _lasts_s: float) -> AsyncIterator[None]:
    """Slack's sockets break."""
    await scene.slack.sockets.cut()
    yield


@asynccontextmanager
async def discord_cut(scene: Scene, _lasts_s: float) -> AsyncIterator[None]:
    """Discord closes its connections; the session may be resumed, or not."""
    scene.discord.gateway.rules.resumes = scene.random.random() < 0.5
    await scene.discord.gateway.close_lines(4000)
    yield


@asynccontextmanager
async def playground_cut(scene: Scene, _lasts_s: float) -> AsyncIterator[None]:
    """The playground's pages lose their connections."""
    scene.playground.cut()
    yield


@asynccontextmanager
async def disk_full(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
    """Nothing more can be written."""
    with _filled(scene.data_dir) if scene.is_own_disk else _limited(scene.bot.pid):
        await asyncio.sleep(lasts_s)
        yield


@contextlib.contextmanager
def _filled(folder: Path) -> Iterator[None]:
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
        yield
    finally:
        ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def _limited(pid: int) -> Iterator[None]:
    """Like a quota: no file of the process grows any more."""
    try:
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    except ProcessLookupError:
        before = None
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@asynccontextmanager
async def database_locked(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
    """Another process holds the database's lock, at times for longer than anybody waits."""
    if scene.random.random() < 0.2:
        lasts_s += 6

    def lock() -> sqlite3.Connection | None:
        other = sqlite3.connect(
            scene.data_dir / DATABASE, isolation_level=None, check_same_thread=False
        )
        try:
            other.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            other.close()
            return None
        return other

    other = await asyncio.to_thread(lock)
    try:
        await asyncio.sleep(lasts_s)
        yield
    finally:
        if other is not None:
            other.close()


@asynccontextmanager
async def events_late(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
    """Events come up to a second late, each by another time: they change places."""
    scene.slack.late_s = scene.discord.late.late_s = scene.random.random
    try:
        await asyncio.sleep(lasts_s)
        yield
    finally:
        scene.slack.late_s = scene.discord.late.late_s = lambda: 0


@asynccontextmanager
async def events_twice(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
    """Half of the events come twice."""
    slack, discord = scene.slack.socket_rules, scene.discord.gateway.rules
    slack.duplicates = discord.duplicates = 0.5
    try:
        await asyncio.sleep(lasts_s)
        yield
    finally:
        slack.duplicates = discord.duplicates = 0


@asynccontextmanager
async def events_reordered(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
    """Each event of Slack's comes after the next one."""
    scene.slack.socket_rules.reorder = True
    try:
        await asyncio.sleep(lasts_s)
        yield
    finally:
        scene.slack.socket_rules.reorder = False


def calls_fail(fault: Fault) -> Inject:
    """Some of the next calls of the bot fail."""

    @asynccontextmanager
    async def inject(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
        fates = ((scene.slack.faults, SLACK_CALLS), (scene.discord.faults, DISCORD_CALLS))
        faults, calls = scene.random.choice(fates)
        for call in scene.random.sample(calls, 4):
            faults.next(call, fault, times=CALLS_THAT_FAIL)
        try:
            await asyncio.sleep(lasts_s)
            yield
        finally:
            forget(faults)

    return inject


def forget(faults: Faults) -> None:
    """Calls work again."""
    for waiting in faults._waiting.values():
        waiting.clear()


def model_fails(order: str) -> Inject:
    """The device fails in its next step."""

    @asynccontextmanager
    async def inject(scene: Scene, lasts_s: float) -> AsyncIterator[None]:
        await scene.bot.wait_until_ready()
        value = f"{lasts_s:.2f}" if order == engine.HANG else ""
        path = scene.orders / f"{order}={value}={scene.bot.pid}"
        path.touch()
        try:
            await asyncio.sleep(lasts_s)
            yield
        finally:
            path.unlink(missing_ok=True)

    return inject


FAULTS: dict[str, tuple[int, Inject]] = {
    "SIGKILL": (10, killed),
    "SIGTERM": (4, terminated),
    "Slack's sockets cut": (6, slack_cut),
    "Discord's connection closed": (6, discord_cut),
    "the playground's connections cut": (6, playground_cut),
    "disk full": (8, disk_full),
    "database locked": (8, database_locked),
    "events late": (5, events_late),
    "events twice": (5, events_twice),
    "events reordered": (5, events_reordered),
    "429": (6, calls_fail(Fault(status=429, retry_after_s=0.3))),
    "500": (6, calls_fail(Fault(status=500))),
    "500 after the effect": (4, calls_fail(Fault(cut="after"))),
    "call cut off": (4, calls_fail(Fault(cut="before"))),
    "call slow": (4, calls_fail(Fault(slow_s=1))),
    "model exception": (5, model_fails(engine.EXCEPTION)),
    "model out of memory": (5, model_fails(engine.OUT_OF_MEMORY)),
    "model hangs": (5, model_fails(engine.HANG)),
    "device lost": (2, model_fails(engine.DEVICE_LOST)),
}
"""Name → (how often, how)."""
