"""One writer a reply: paced, latest text wins, the final text always lands.

Text is split into parts that each fit one message of the platform: after a paragraph, else a
sentence, else a word, else between two characters as people count them; a code fence that must be
cut is closed and opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import regex

from bot.values.messages import Ending, Exchange, Outcome, ReplyLimits, Status, TryLater
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

FINAL_ATTEMPTS = 4
FIRST_RETRY_S = 0.5
PATIENCE_S = 600
"""How long a final text waits in all for a platform that asks for later."""
FIRST_STATUS_WITHIN_S = 0.03
"""The first status yields so long at most to the question's way to the model: nobody sees it."""

# As CommonMark has it: ticks have no tick after them on their line; and at any depth of a list.
FENCE = regex.compile(r"^[ \t]*(?|(```+)([^\n`]*)|(~~~+)([^\n]*))$", regex.MULTILINE)
# Where a text may be cut, best first; each match ends where the next part begins.
CUTS = (
    regex.compile(r"\n[ \t]*\n\s*"),
    regex.compile(r"(?<=[.!?…]['\"”’)\]]*)\s+|(?<=[。！？][」』）]*)|\n"),
    regex.compile(r"\s+"),
)
CHARACTER = regex.compile(r"\X")


class Reply:
    """A reply as it grows. Made by `running_reply`; `status` and `append` never wait."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
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
            landed = await _retry_until_delivered(self._write)
        return landed and await _retry_until_delivered(lambda: self._exchange.end(ending))

    async def write(self) -> None:
        """The writer: at most one call to the platform at a time, `pace_s` apart, until `close`."""
        while not self._closing.is_set():
            await self._changed.wait()
            self._changed.clear()
            pause_s = self._exchange.limits.pace_s
            try:
                await self._write()
            except TryLater as later:
                pause_s = max(pause_s, later.after_s)
                self._changed.set()
            except Exception as exc:  # noqa: BLE001 - whatever an SDK raises: the next edit repairs it
                log.warning("an edit failed: %s", safe_traceback(exc))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause_s)

    def close(self) -> None:
        """End the writer after its current call: a call cut short could still land later."""
        self._closing.set()
        self._changed.set()
        self._submitted.set()

    async def _write(self) -> None:
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
        for index, part in enumerate(split(self._text, self._exchange.limits)):
            if index == len(self._shown):
                await self._exchange.show(index, part)
                self._shown.append(part)
            elif self._shown[index] != part:
                await self._exchange.show(index, part)
                self._shown[index] = part

    async def _yield_to_the_question(self) -> None:
        """The first status lets the question reach the model first, unless that takes longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._submitted.wait(), FIRST_STATUS_WITHIN_S)
        self._submitted.set()


@asynccontextmanager
async def running_reply(exchange: Exchange) -> AsyncIterator[Reply]:
    """A reply with its writer. Call `finish` behind the block: two writers never meet."""
    reply = Reply(exchange)
    writer = asyncio.create_task(reply.write(), name="reply-writer")
    try:
        yield reply
    finally:
        reply.close()
        await writer


async def _retry_until_delivered(call: Callable[[], Awaitable[None]]) -> bool:
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
            await asyncio.sleep(pause_s)
            waited_s += pause_s
        except Exception as exc:  # noqa: BLE001 - whatever an SDK raises: the final text must land
            log.warning("the final edit failed (%d): %s", attempt, safe_traceback(exc))
            if attempt == FINAL_ATTEMPTS:
                return True
            await asyncio.sleep(delay_s)
            delay_s *= 2
            attempt += 1
        else:
            return True
    return True


# -- splitting ----------------------------------------------------------------------------------


def split(text: str, limits: ReplyLimits) -> list[str]:
    """Cut a text into parts that fit one message each; a short text is one part.

    Parts that are complete do not change when the text grows at its end. No part is blank.
    """
    if not text:
        return []
    if limits.max_length is None:
        return [text]
    parts = []
    while limits.measure(text) > limits.max_length:
        part, text = _cut(text, limits)
        parts.append(part)
    return [part for part in (*parts, text) if part.strip()]


def _cut(text: str, limits: ReplyLimits) -> tuple[str, str]:
    """Cut the first part off: (part, rest)."""
    room = _prefix_length(text, limits)
    at = _best_cut(text, room)
    fence = open_fence(text[:at])
    if fence is None:
        return text[:at].rstrip(), text[at:]
    opening, marker = fence
    if text[:at].strip() != opening.strip() and (before := _before_fence(text, opening, at)):
        return text[:before].rstrip(), text[before:]
    closing = f"\n{marker}"
    inner = ReplyLimits(
        max_length=(limits.max_length or 0) - limits.measure(closing), measure=limits.measure
    )
    at = _line_cut(text, _prefix_length(text, inner), len(opening))
    if at <= len(opening) + 1:
        # The opening line alone fills a part: no fence can be kept around that.
        return text[:room], text[room:]
    return text[:at].rstrip("\n") + closing, f"{opening}\n{text[at:]}"


def _prefix_length(text: str, limits: ReplyLimits) -> int:
    """The longest beginning that fits, in whole characters as people count them.

    A single character longer than a part (a letter under a hundred accents) is cut all the same.
    """
    limit = (limits.max_length or 0) * 4 + 64
    ends = [match.end() for match in CHARACTER.finditer(text, 0, limit)]
    if limits.measure(text[: ends[0]]) > (limits.max_length or 0):
        ends = list(range(1, ends[0] + 1))
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        if limits.measure(text[: ends[middle - 1]]) <= (limits.max_length or 0):
            low = middle
        else:
            high = middle - 1
    return ends[max(low, 1) - 1]


def _best_cut(text: str, room: int) -> int:
    """Where to cut within `room`: after a paragraph, a sentence, a word, or anywhere."""
    for cut in CUTS:
        ends = [match.end() for match in cut.finditer(text, 0, room + 1) if match.start() > 0]
        # A cut in the first third wastes more of the message than it helps the reader.
        good = [min(end, room) for end in ends if room // 3 < end]
        if good and text[: good[-1]].strip():
            return good[-1]
    return room


def open_fence(text: str) -> tuple[str, str] | None:
    """The fence still open at the end of a text: (its whole opening line, its marker)."""
    opened: tuple[str, str] | None = None
    for match in FENCE.finditer(text):
        marker, info = match.group(1), match.group(2).strip()
        if opened is None:
            opened = (match.group(0), marker)
        elif marker.startswith(opened[1]) and not info:
            opened = None
    return opened


def _before_fence(text: str, opening: str, at: int) -> int | None:
    """Just before the open fence, if enough of the message comes before it."""
    start = text.rfind(opening, 0, at)
    return start if start > at // 3 else None


def _line_cut(text: str, room: int, least: int) -> int:
    """After the last whole line of code that fits, else anywhere."""
    line_end = text.rfind("\n", least + 1, room)
    return line_end + 1 if line_end > least else room
