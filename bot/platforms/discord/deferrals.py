"""“llava-bot is thinking…” is a promise: written down before it is made, kept even after a crash.

Discord takes a first response within three seconds; a command's question is known by the message
that this response makes. So the promise is made before the question can be claimed. A process that
ends in between leaves it to the next one, which says that the command was lost. Where the store
cannot write in time, nothing is promised: a sentence is the response.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import discord

from bot.errors import UserFacingError
from bot.platforms.discord.api import DiscordRefused, read
from bot.platforms.discord.events import PLATFORM, message_key
from bot.platforms.discord.origin import Token
from bot.platforms.discord.replies.context import AdapterContext
from bot.platforms.discord.replies.responses import ORIGINAL, Responses
from bot.store import StoreFailed
from bot.texts import say
from bot.values.messages import TryLater
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

T = TypeVar("T")

RECORD_WITHIN_S = 1.5
"""A store that takes longer must not cost the person the response."""
LEAST_S = 0.3
"""What is left for the record, even if a look-up before it took most of the time."""
STORE_AGAIN_S = 5.0
ENDS_WITHIN_S = 10.0
"""A promise that is older is no process's any more."""

Interaction = discord.Interaction[discord.Client]


class NotRecorded(UserFacingError):
    """The store could not record a promise in time, so that none may be made."""


async def in_time(looking: Coroutine[Any, Any, T]) -> T:
    """Look something up before anything is deferred. Raises: NotRecorded: it takes too long."""
    task = asyncio.ensure_future(looking)
    await asyncio.wait({task}, timeout=RECORD_WITHIN_S)
    if task.done():
        return task.result()
    task.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody asks for it
    failed = StoreFailed(TimeoutError())
    log.warning("a command is not taken: %s", failed)
    raise NotRecorded(failed.key)


@dataclass(slots=True)
class Deferral:
    """A promise of this run."""

    is_kept: bool = True
    """Whether the response was given, or its question is claimed."""


class Deferrals:
    """Records them, and ends those of an earlier run. Lives as long as the adapter."""

    def __init__(self, adapter: AdapterContext, responses: Responses) -> None:
        self._adapter = adapter
        self._connection = adapter.connection
        self._store = adapter.store
        self._responses = responses

    @asynccontextmanager
    async def recorded(
        self, interaction: Interaction, locale: str, *, since: float | None = None
    ) -> AsyncIterator[Deferral]:
        """Within it a response is deferred, and given or its question claimed.

        `since`: on the monotonic clock, when its person began to wait, if that was before.

        Raises: NotRecorded: nothing may be deferred.
        """
        token = Token.of(interaction)
        id_ = str(interaction.id)
        held: dict[str, Any] = {
            "application": token.application,
            "token": token.token,
            "given_at": token.given_at,
            "guild": str(interaction.guild_id or ""),
            "channel": str(interaction.channel_id or ""),
            "locale": locale,
        }
        waited_s = 0.0 if since is None else time.monotonic() - since
        await self._begin(id_, held, within_s=max(RECORD_WITHIN_S - waited_s, LEAST_S))
        deferral = Deferral()
        try:
            yield deferral
        except Exception:  # Discord may show all the same that the bot thinks
            self._adapter.in_background(self._settle(id_, held, token))
            raise
        if deferral.is_kept:
            await self._end(id_)

    async def _settle(self, id_: str, held: dict[str, Any], token: Token) -> None:
        try:
            await self._end_one(id_, held, token)
            await self._end(id_)
        except Exception as exc:  # noqa: BLE001 - the end of a task; the next start tries again
            log.error("a response stays as it is: %s", safe_traceback(exc))

    async def _begin(self, id_: str, held: dict[str, Any], *, within_s: float) -> None:
        recording = asyncio.ensure_future(self._store.deferrals.begin(PLATFORM, id_, held))
        await asyncio.wait({recording}, timeout=within_s)
        failed = recording.exception() if recording.done() else StoreFailed(TimeoutError())
        if failed is None:
            return
        self._adapter.in_background(self._withdraw(id_, recording))
        if isinstance(failed, StoreFailed):
            log.warning("a command is not taken: %s", failed)
            raise NotRecorded(failed.key)
        raise failed

    async def _withdraw(self, id_: str, recording: asyncio.Future[None]) -> None:
        """It may be written all the same, by now or later."""
        await asyncio.gather(recording, return_exceptions=True)
        await self._end(id_)

    async def _end(self, id_: str) -> None:
        try:
            await self._store.deferrals.end(PLATFORM, id_)
        except StoreFailed:
            self._store.late.add(lambda: self._store.deferrals.end(PLATFORM, id_))

    # -- after a crash ------------------------------------------------------------------------

    async def end_those_left(self) -> None:
        """Say in each response that an earlier run promised that its command was lost."""
        try:
            await self._end_those_left()
        except Exception as exc:  # noqa: BLE001 - the end of a task
            log.error("responses of an earlier run stay as they are: %s", safe_traceback(exc))

    async def _end_those_left(self) -> None:
        left = await self._store.deferrals.unended(PLATFORM)
        # At once: one that Discord puts off keeps none of the others thinking.
        await asyncio.gather(*(self._end_left(id_, held) for id_, held in left.items()))

    async def _end_left(self, id_: str, held: dict[str, Any]) -> None:
        token = Token(held["application"], held["token"], held["given_at"])
        await asyncio.sleep(max(0, token.given_at + ENDS_WITHIN_S - time.time()))
        if id_ in await self._store.deferrals.unended(PLATFORM):  # else another process has kept it
            await self._settle(id_, held, token)

    async def _end_one(self, id_: str, held: dict[str, Any], token: Token) -> None:
        """Say that a command was lost, however often Discord or the store must be asked."""
        while token.is_good:
            try:
                await self._say_lost(id_, held, token)
            except DiscordRefused as exc:
                log.info("a response stays as it is: %s", exc)
            except (TryLater, StoreFailed) as exc:
                log.info("a response stays as it is for now: %s", exc)
                await asyncio.sleep(exc.after_s if isinstance(exc, TryLater) else STORE_AGAIN_S)
                continue
            return

    async def _say_lost(self, id_: str, held: dict[str, Any], token: Token) -> None:
        response = await read(lambda: self._response(token), timeout_s=self._connection.timeout_s)
        for message in (id_, str(response.id)):
            if await self._store.inbox.knows(message_key(held["guild"], held["channel"], message)):
                return  # it is answered
        if response.flags.loading:
            await self._responses.show(token, say(held["locale"], "discord_command_lost"))

    async def _response(self, token: Token) -> discord.WebhookMessage:
        webhook = discord.Webhook.partial(
            token.application, token.token, client=self._connection.client
        )
        return await webhook.fetch_message(cast("int", ORIGINAL))
