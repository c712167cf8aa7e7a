"""One writer a reply: paced, latest text wins, the final text always lands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.core.answering import outcomes
from bot.core.splitting import split
from bot.values.messages import (
    Ending,
    Exchange,
    LongText,
    Outcome,
    ReplyLimits,
    Status,
    TryLater,
)
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

FINAL_ATTEMPTS = 4
FIRST_RETRY_S = 0.5
PATIENCE_S = 600
"""How long a final text waits in all for a platform that asks for later."""
FIRST_STATUS_WITHIN_S = 0.03
"""The first status yields so long at most to the question's way to the model: nobody sees it."""


class Reply:
    """A reply as it grows. Made by `running_reply`; `status` and `append` never wait."""

    def __init__(
        self, exchange: Exchange, *, platform: str = "", asked_at: float | None = None
    ) -> None:
        """`platform`, and when the question came (`time.monotonic`): for what is counted."""
        self._exchange = exchange
        self._platform = platform
        self._asked_at = time.monotonic() if asked_at is None else asked_at
        self._num_writes = 0
        self._status: Status | None = None
        self._text = ""
        self._shown: list[str] = []
        self._changed = asyncio.Event()
        self._submitted = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def text(self) -> str:
        """The text so far."""
        return self._text

    def status(self, status: Status) -> None:
        """Show what the user waits for; a later status replaces an earlier one."""
        self._status = status
        self._changed.set()

    def submitted(self) -> None:
        """The model has the question: from now on a status delays nothing."""
        self._submitted.set()

    def append(self, text: str) -> None:
        """Add to the text."""
        self._text += text
        self._changed.set()

    async def finish(self, ending: Ending) -> bool:
        """Let the final text land, however often the platform must be asked.

        Returns: false when the platform kept asking for later: the next start should try again.
        """
        self._status = None
        landed = True
        if ending.outcome is not Outcome.REFUSED:
            self._text = ending.text
            is_bounded = self._exchange.limits.max_length is not None
            if ending.long is not None and is_bounded:
                landed = await self._put_into_file(ending.long)
            landed = landed and await self._retry_until_delivered(
                lambda: self._write(complete=True)
            )
        landed = landed and await self._retry_until_delivered(lambda: self._exchange.end(ending))
        outcomes.WRITES.observe(self._num_writes + 1, self._platform)
        outcomes.DURATION_S.observe(time.monotonic() - self._asked_at, self._platform)
        return landed

    async def _put_into_file(self, long: LongText) -> bool:
        """Post the file, and show what stands beside it; where there can be none, the beginning."""
        self._text = long.without_file

        async def attach() -> None:
            if await self._exchange.attach(long.file):
                self._text = long.beside_file

        return await self._retry_until_delivered(attach)

    async def write(self) -> None:
        """The writer: at most one call to the platform at a time, `pace_s` apart, until `close`."""
        while not self._closing.is_set():
            await self._changed.wait()
            self._changed.clear()
            pause_s = self._exchange.limits.pace_s
            try:
                await self._write()
            except TryLater as later:
                self._put_off(later.after_s)
                pause_s = max(pause_s, later.after_s)
                self._changed.set()
            except Exception as exc:  # noqa: BLE001 - whatever an SDK raises: the next edit repairs it
                outcomes.EDIT_FAILURES.add(self._platform)
                log.warning("an edit failed: %s", safe_traceback(exc))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()

    def close(self) -> None:
        """End the writer after its current call: a call cut short could still land later."""
        self._closing.set()
        self._changed.set()
        self._submitted.set()

    async def _write(self, *, complete: bool = False) -> None:
        if self._status is not None:
            await self._yield_to_the_question()
        # The latest one: what was set before the wait may be over.
        status, self._status = self._status, None
        if status is not None:
            try:
                await self._exchange.status(status)
            except TryLater:
                self._status = self._status or status
                raise
        limits = self._exchange.limits
        # In a thread: a long text takes longer than the loop may be held.
        parts = await asyncio.to_thread(_parts, self._text, limits, complete=complete)
        for index, part in enumerate(parts):
            if index == len(self._shown):
                await self._show(index, part)
                self._shown.append(part)
            elif self._shown[index] != part:
                await self._show(index, part)
                self._shown[index] = part

    async def _show(self, index: int, part: str) -> None:
        self._num_writes += 1
        await self._exchange.show(index, part)
        if not self._shown:
            outcomes.FIRST_TEXT_S.observe(time.monotonic() - self._asked_at, self._platform)

    async def _yield_to_the_question(self) -> None:
        """The first status lets the question reach the model first, unless that takes longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_STATUS_WITHIN_S):
                await self._submitted.wait()
        self._submitted.set()

    async def _retry_until_delivered(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Call until it succeeds; false if rate limits outlasted our patience.

        Gives up, and returns true, after repeated errors.
        """
        delay_s = FIRST_RETRY_S
        attempt = 1
        waited_s = 0.0
        while attempt <= FINAL_ATTEMPTS:
            try:
                await call()
            except TryLater as later:
                if waited_s > PATIENCE_S:
                    log.warning("the final edit was put off too long")
                    return False
                pause_s = min(later.after_s, PATIENCE_S)
                self._put_off(pause_s)
                await asyncio.sleep(pause_s)
                waited_s += pause_s
            except Exception as exc:  # noqa: BLE001 - whatever an SDK raises: the final text must land
                outcomes.EDIT_FAILURES.add(self._platform)
                log.warning("the final edit failed (%d): %s", attempt, safe_traceback(exc))
                if attempt == FINAL_ATTEMPTS:
                    return True
                await asyncio.sleep(delay_s)
                delay_s *= 2
                attempt += 1
            else:
                return True
        return True

    def _put_off(self, seconds: float) -> None:
        outcomes.RATE_WAITS.add(self._platform)
        outcomes.RATE_WAIT_S.add(self._platform, by=seconds)


def _parts(text: str, limits: ReplyLimits, *, complete: bool) -> list[str]:
    return split(limits.render(text, complete), limits)


@asynccontextmanager
async def running_reply(
    exchange: Exchange, *, platform: str = "", asked_at: float | None = None
) -> AsyncIterator[Reply]:
    """A reply with its writer; see `Reply`.

    Call `finish` behind the block: two writers never meet.
    """
    reply = Reply(exchange, platform=platform, asked_at=asked_at)
    writer = asyncio.create_task(reply.write(), name="reply-writer")
    try:
        yield reply
    finally:
        reply.close()
        await writer
