"""The stage: a local Slack, the real adapter over the real core, a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.core.access import AllowList
from bot.core.answer import Answers
from bot.core.answering.options import AnswerOptions
from bot.images.reading.pool import ReadingPool
from bot.platforms.slack.events import message_key, thread_key
from bot.platforms.slack.platform import Slack
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.slack.socket import WatchdogTimeouts
from bot.store import Store
from bot.values.limits import QuestionBounds
from bot.values.messages import MessageKey, ThreadKey
from tests.engines import HeldLoad, ScriptedModel
from tests.scenario.core import running_core
from tests.servers.slack.server import LocalSlack
from tests.servers.slack.state import Message
from tests.waiting import until

QUICK = WatchdogTimeouts(check_s=0.05, unconnected_s=0.6, quiet_s=900, connect_s=2, ping_s=0.2)
"""For tests of the connection itself: a busy machine may lose it in between."""
STEADY = replace(QUICK, connect_s=10, ping_s=5)
"""A connection that breaks is still replaced soon; one that is only slow is kept."""


@dataclass
class Stage:
    """Everything a test touches."""

    slack: LocalSlack
    bot: Slack
    answers: Answers
    store: Store
    backend: ScriptedModel

    def key(self, ts: str, channel: str = "C1") -> MessageKey:
        return message_key(self.slack.workspace.team, channel, ts)

    def thread(self, ts: str, channel: str = "C1") -> ThreadKey:
        return thread_key(self.slack.workspace.team, channel, ts)

    def replies(self, thread_ts: str, channel: str = "C1") -> list[Message]:
        """The bot's messages in a thread."""
        return self.slack.workspace.by_bot(channel, thread_ts)

    async def answered(self, ts: str, *, times: int = 1, channel: str = "C1") -> Message:
        """Wait until a thread has so many finished answers. Returns: the last one."""
        await until(lambda: len(self.landed(ts, channel)) >= times)
        return self.landed(ts, channel)[-1]

    def landed(self, ts: str, channel: str = "C1") -> list[Message]:
        """The bot's messages in a thread that have their final form."""
        return [reply for reply in self.replies(ts, channel) if _has(reply, "feedback_buttons")]

    async def quiet(self) -> None:
        """Wait until every event was handled and no question is in flight."""
        await until(lambda: not self.slack.sockets._acks)
        await asyncio.sleep(0.1)
        await until(lambda: not self.answers.num_in_flight)


def text_of(message: Message) -> str:
    """What a person reads: the markdown of the blocks, or the streamed text."""
    markdown = [block["text"] for block in message["blocks"] if block["type"] == "markdown"]
    return "\n".join(markdown) if markdown else str(message["text"])


def context_of(message: Message) -> str:
    """The small text under it."""
    return " ".join(
        element["text"]
        for block in message["blocks"]
        if block["type"] == "context"
        for element in block["elements"]
    )


def has_button(message: Message, action_id: str) -> bool:
    """Whether it has a button of that action."""
    return any(
        element.get("action_id") == action_id
        for block in message["blocks"]
        for element in block.get("elements", ())
    )


def _has(message: Message, kind: str) -> bool:
    return any(
        element.get("type") == kind
        for block in message["blocks"]
        for element in block.get("elements", ())
    )


@asynccontextmanager
async def running_bot(
    folder: Path,
    slack: LocalSlack,
    backend: ScriptedModel,
    *,
    follow_ups: Any = "thread",
    allow: AllowList | None = None,
    answer_options: AnswerOptions | None = None,
    bounds: QuestionBounds | None = None,
    questions_per_user: int = 10,
    load: HeldLoad | None = None,
    store_at: Mapping[str, Any] | None = None,
    beside: Mapping[str, ScriptedModel] | None = None,
    readings: ReadingPool | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """The adapter, connected, over a core with its state in `folder`."""
    async with running_core(
        folder,
        backend,
        options=answer_options,
        bounds=bounds,
        questions_per_user=questions_per_user,
        max_waiting=1000,
        load=load,
        store_at=store_at,
        beside=beside,
        readings=readings,
        allow={"slack": allow} if allow is not None else None,
    ) as core:
        answers, store = core.answers, core.store
        port = slack.base.rpartition(":")[2]
        settings = {
            "api_url": slack.api_url,
            "bot_token": slack.workspace.bot_token,
            "app_token": slack.workspace.app_token,
        }
        settings |= {
            name: options.pop(name) for name in SlackSettings.model_fields if name in options
        }
        arguments: dict[str, Any] = {
            "fetch_links": True,
            "pictures_per_question": 2,
            "private_hosts": frozenset({f"127.0.0.1:{port}"}),
            "timeouts": STEADY,
            "api_timeout_s": 5,
        }
        bot = await asyncio.to_thread(
            Slack,
            **core.adapter_parts(follow_ups),
            settings=SlackSettings.model_validate(settings),
            **(arguments | options),
        )
        try:
            for message in await store.inbox.unfinished():
                bot.resume(message)
            await bot.start()
            yield Stage(slack, bot, answers, store, backend)
            await bot.stop_intake()
            await answers.drain(0)
        finally:
            await answers.drain(0)
            await bot.close()
