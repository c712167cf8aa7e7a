"""The stage: a local Discord, the real adapter over the real core, a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bot.core.access import AllowList
from bot.core.answer import Answers
from bot.core.answering.options import AnswerOptions
from bot.images.reading.pool import ReadingPool
from bot.platforms.discord.events import message_key, thread_key
from bot.platforms.discord.platform import Discord
from bot.platforms.discord.settings import DiscordSettings, DiscordTiming
from bot.store import Store
from bot.values.limits import QuestionBounds
from bot.values.messages import MessageKey, ThreadKey
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.core import running_core
from tests.servers.discord.people import button_ids
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import BOT, GUILD, PICTURES, Json
from tests.waiting import until

MENTION = f"<@{BOT}>"


@dataclass
class Stage:
    """Everything a test touches."""

    discord: LocalDiscord
    bot: Discord
    answers: Answers
    store: Store
    backend: ScriptedModel

    def key(self, message: str, channel: str = PICTURES) -> MessageKey:
        return message_key(GUILD, channel, message)

    def thread(self, thread: str, channel: str = PICTURES) -> ThreadKey:
        return thread_key(GUILD, channel, thread)

    def replies(self, place: str) -> list[Json]:
        """The bot's messages in a thread or channel."""
        return self.discord.world.by_bot(place)

    def landed(self, place: str) -> list[Json]:
        """Those that have their final form."""
        return [it for it in self.replies(place) if has_button(it, "again")]

    async def answered(self, place: str, *, times: int = 1) -> Json:
        """Wait until so many answers have landed in a thread or channel. Returns: the last one."""
        await until(lambda: len(self.landed(place)) >= times, timeout_s=60)
        return self.landed(place)[-1]

    async def quiet(self) -> None:
        """Wait until every event so far has been handled and no question is in flight."""
        await self.discord.gateway.delivered()
        await until(lambda: not is_handling())
        await until(lambda: not self.answers.num_in_flight)


def is_handling() -> bool:
    """Whether an event, or a sentence that answers one, is still being worked on."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return any(name.startswith("discord.py: on_") or name == "discord-aside" for name in names)


def text_of(message: Json) -> str:
    """What a person reads, without the small text."""
    return "\n".join(it for it in message["content"].split("\n") if not it.startswith("-# "))


def small_of(message: Json) -> str:
    """The small text under it."""
    lines = [it for it in message["content"].split("\n") if it.startswith("-# ")]
    return " ".join(it.removeprefix("-# ").replace("\\", "") for it in lines)


def has_button(message: Json, action: str) -> bool:
    """Whether it has that button."""
    return any(it.split(":")[1] == action for it in button_ids(message))


@asynccontextmanager
async def running_bot(
    folder: Path,
    discord: LocalDiscord,
    backend: ScriptedModel,
    *,
    follow_ups: Any = "thread",
    allow: AllowList | None = None,
    answer_options: AnswerOptions | None = None,
    bounds: QuestionBounds | None = None,
    questions_per_user: int = 10,
    load: HeldLoad | None = None,
    beside: Mapping[str, ScriptedModel] | None = None,
    readings: ReadingPool | None = None,
    store_at: Mapping[str, Any] | None = None,
    wait: bool = True,
    **options: Any,
) -> AsyncIterator[Stage]:
    """The adapter, connected, over a core with its state in `folder`."""
    if "pace_s" not in options:
        # Rates and paces are tested where they matter; elsewhere they would only take time.
        options["pace_s"], discord.buckets.on = 0.1, False
    async with running_core(
        folder,
        backend,
        options=answer_options,
        bounds=bounds,
        questions_per_user=questions_per_user,
        max_waiting=1000,
        load=load,
        beside=beside,
        readings=readings,
        store_at=store_at,
        allow={"discord": allow} if allow is not None else None,
    ) as core:
        answers, store = core.answers, core.store
        settings = {
            "bot_token": discord.world.token,
            "resolve_to": discord.address,
            "ca_file": discord.ca_file,
        }
        settings |= {it: options.pop(it) for it in DiscordSettings.model_fields if it in options}
        times = [it.name for it in fields(DiscordTiming)]
        quick = {"api_timeout_s": 10, "guild_ready_s": 0.1}
        quick |= {it: options.pop(it) for it in times if it in options}
        bot = Discord(
            **core.adapter_parts(follow_ups),
            settings=DiscordSettings.model_validate(settings),
            timing=DiscordTiming(**quick),
            **{"fetch_links": True, "pictures_per_question": 2} | options,
        )
        try:
            for message in await store.inbox.unfinished():
                bot.resume(message)
            await bot.start()
            if wait:
                await until(lambda: is_connected(bot))
            yield Stage(discord, bot, answers, store, backend)
            await bot.stop_intake()
            await answers.drain(0)
        finally:
            await answers.drain(0)
            await bot.close()


def is_connected(bot: Discord) -> bool:
    """Whether it knows its servers, and its commands are published."""
    client = bot.connection._client
    return client is not None and client.is_ready()
