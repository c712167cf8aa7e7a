"""Workloads for the engine: requests to a worker on an event loop, as the bot sends them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from PIL import Image

from inference.scheduling.lookup import Decoded
from inference.serving.worker import Worker
from inference.types import (
    Finished,
    GenerationRequest,
    Message,
    ModelInfo,
    Picture,
    Role,
    Sampling,
    TextDelta,
)

PICTURE_PX = (640, 480)
MEGAPIXEL_PX = (1024, 1024)
"""Where a picture's tokens follow its size."""
LAG_INTERVAL_S = 0.005
PASSAGE = (
    "The harbour was built in 1872. Its canal is 1,140 metres long and lined with warehouses of "
    "brick, gas lamps and small glass shops. In February candles float on the water, and visitors "
    "arrive by the slow train to see them in the snow."
)
LONGEST_ANSWERS = 16
"""How many times as long as asked for answers may become, for all threads to decode at once."""


def picture_px(model: ModelInfo) -> tuple[int, int]:
    """Return the size of the pictures to show a model."""
    return PICTURE_PX if model.picture_bound is None else MEGAPIXEL_PX


def picture_of(number: int, size_px: tuple[int, int] = PICTURE_PX) -> Picture:
    """Return a picture; every number gives a different one."""
    colours = random.Random(number).randbytes(8 * 6 * 3)  # noqa: S311 - a pattern, no secret
    image = Image.frombytes("RGB", (8, 6), colours).resize(size_px)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    data = file.getvalue()
    width_px, height_px = size_px
    return Picture(
        digest=hashlib.sha256(data).hexdigest(),
        data=data,
        width_px=width_px,
        height_px=height_px,
    )


@dataclass(slots=True)
class Answered:
    """One answer, with its timing as the client sees it."""

    asked_at: float
    times: list[float] = field(default_factory=list)
    """Arrival time of each piece of text."""
    text: str = ""
    finished: Finished | None = None
    ended_at: float = 0.0

    @property
    def end(self) -> Finished:
        """The final event. Raises: RuntimeError if there is none."""
        if self.finished is None:
            raise RuntimeError("the answer did not end")
        return self.finished

    @property
    def first_token_ms(self) -> float:
        """From the request to the first text, or to the end of an answer without text."""
        return ((self.times[0] if self.times else self.ended_at) - self.asked_at) * 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Throughput of threads that decode together."""

    threads: int
    same_picture: bool
    new_tokens: int
    """Of each answer: more than asked for, where prefilling all prompts takes long."""
    tokens_per_second: float
    """While all of them decode."""
    whole_tokens_per_second: float
    """From the first request to the last token, pictures and prefills included."""
    step_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    """One thread, greedy, whose answer can be proposed from the thread's own text."""

    tokens_per_second: float
    """From the first text to the last."""
    tokens_per_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTokens:
    """Median times to first token on an idle machine."""

    new_picture_ms: float
    """From the request: decoding, resizing and encoding the picture, and the prefill."""
    new_picture_device_ms: float
    """The part of it from the device starting on the request."""
    follow_up_ms: float
    follow_up_device_ms: float
    prefix_hit: float
    """Share of the conversation's tokens that the follow-up found in the prefix cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Gaps between the tokens of decoding threads while new pictures arrive."""

    threads: int
    pictures: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


class Client:
    """Asks a worker about pictures. Prompts have `text_tokens` of text besides the picture."""

    def __init__(
        self, worker: Worker, *, text_tokens: int, new_tokens: int, temperature: float
    ) -> None:
        self.worker = worker
        self.new_tokens = new_tokens
        self._text_tokens = text_tokens
        self._temperature = temperature
        self._pictures: list[Picture] = []
        self._made = 0
        self._words = "?"

    async def prepare(self, pictures: int) -> None:
        """Make the pictures, off the event loop, and find words that fill the prompt."""
        await self.stock(pictures)
        picture = self.new_picture()
        picture_tokens = await self.worker.prompt_tokens((self._question("a", picture),))
        picture_tokens -= await self.worker.prompt_tokens(
            (self._question("a"),)
        )  # the picture's share
        missing = 1 << 30
        while True:
            (question,) = self.question(picture)
            left = self._text_tokens - (
                await self.worker.prompt_tokens((question,)) - picture_tokens
            )
            if left <= 0 or left >= missing:
                return
            missing = left
            self._words += " a" * (left // 2) or "a"

    async def stock(self, pictures: int) -> None:
        """Make pictures, off the event loop, until there are so many that no request was about."""
        size_px = picture_px(self.worker.model)
        first = self._made
        self._made += max(0, pictures - len(self._pictures))
        self._pictures += await asyncio.to_thread(
            lambda: [picture_of(number, size_px) for number in range(first, self._made)]
        )

    def new_picture(self) -> Picture:
        """Return a picture that no request was about."""
        return self._pictures.pop()

    def question(self, picture: Picture, number: int = 0) -> tuple[Message, ...]:
        """Return a thread's first question; numbers change its last word only."""
        return (self._question(self._words + str(number % 10), picture),)

    def _question(self, text: str, *pictures: Picture) -> Message:
        return Message(role=Role.USER, text=text, pictures=pictures)

    async def ask(
        self,
        messages: tuple[Message, ...],
        *,
        seed: int = 0,
        tokens: int | None = None,
        temperature: float | None = None,
        into: Answered | None = None,
    ) -> Answered:
        """Send a request and record when each piece of text arrives, in `into` if it is given."""
        request = GenerationRequest(
            messages=messages,
            sampling=Sampling(
                temperature=self._temperature if temperature is None else temperature,
                max_new_tokens=tokens or self.new_tokens,
                seed=seed,
                ignore_eos=True,  # all answers reach the requested length
            ),
        )
        answered = into or Answered(time.perf_counter())
        async with aclosing(self.worker.stream(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    answered.times.append(time.perf_counter())
                    answered.text += event.text
                elif isinstance(event, Finished):
                    answered.finished = event
                    answered.ended_at = time.perf_counter()
        return answered


async def measure_throughput(client: Client, threads: int, *, same_picture: bool) -> Throughput:
    """Start all threads at once and measure while all of them decode.

    The first time warms up. Prefilling many prompts takes long: then answers are longer, so that
    the first thread still decodes for a while when the last one starts.
    """
    tokens = client.new_tokens * max(1, threads // 16 - 1)
    is_warm = False
    while True:
        answers = await _together(client, threads, tokens, same_picture=same_picture)
        begin = max(answer.times[0] if answer.times else answer.ended_at for answer in answers)
        end = min(answer.ended_at for answer in answers)
        begun = min(answer.asked_at for answer in answers)
        suffices = end - begin > (begin - begun) / 4
        if is_warm and (suffices or tokens >= LONGEST_ANSWERS * client.new_tokens):
            break
        is_warm = True
        if not suffices:
            tokens *= 2
    whole_s = max(answer.ended_at for answer in answers) - begun
    # A token without text (half a character, say) arrives with the next one's text.
    tokens_in_window = sum(
        sum(begin < at <= end for at in answer.times)
        * (answer.end.new_tokens / max(1, len(answer.times)))
        for answer in answers
    )
    rate = tokens_in_window / (end - begin) if end > begin else 0.0
    return Throughput(
        threads=threads,
        same_picture=same_picture,
        new_tokens=tokens,
        tokens_per_second=rate,
        whole_tokens_per_second=sum(answer.end.new_tokens for answer in answers) / whole_s,
        step_ms=1e3 * threads / rate if rate else 0.0,
    )


async def measure_quoting(client: Client, decoded: Decoded) -> Quoting:
    """Ask a question again whose answer is in the thread, once to warm up.

    Random weights do not quote, but their greedy answers repeat themselves.

    Args:
        client: asks.
        decoded: the engine's count.
    """
    await client.stock(1)
    question = client.question(client.new_picture())
    thread = (*question, Message(role=Role.ASSISTANT, text=PASSAGE), *question)
    await client.ask(thread, temperature=0.0)
    before = decoded.steps, decoded.tokens
    answered = await client.ask(thread, temperature=0.0)
    took = answered.ended_at - (answered.times[0] if answered.times else answered.asked_at)
    steps = decoded.steps - before[0]
    return Quoting(
        tokens_per_second=(answered.end.new_tokens - 1) / took if took else 0.0,
        tokens_per_step=(decoded.tokens - before[1]) / steps if steps else 0.0,
    )


async def _together(
    client: Client, threads: int, tokens: int, *, same_picture: bool
) -> list[Answered]:
    """Ask so many questions at once, each about a new picture, or all about the same one."""
    await client.stock(threads + 1)
    shared = client.new_picture()
    pictures = [shared if same_picture else client.new_picture() for _ in range(threads)]
    asked = (
        client.ask(client.question(picture, i), seed=i, tokens=tokens)
        for i, picture in enumerate(pictures)
    )
    return await asyncio.gather(*asked)


async def measure_first_tokens(client: Client, rounds: int, follow_up_tokens: int) -> FirstTokens:
    """Ask about a new picture, then a follow-up, with no other requests."""
    new, follow, hits = [], [], []
    await client.stock(rounds)
    for i in range(rounds):
        first = client.question(client.new_picture(), i)
        answered = await client.ask(first, seed=i, tokens=16)
        words = "a" * max(1, follow_up_tokens - 18)
        thread = (
            *first,
            Message(role=Role.ASSISTANT, text=answered.text.strip()),
            Message(role=Role.USER, text=words),
        )
        again = await client.ask(thread, seed=i, tokens=4)
        new.append(answered)
        follow.append(again)
        held = answered.end.prompt_tokens + answered.end.new_tokens
        hits.append(again.end.cached_tokens / held)
    return FirstTokens(
        new_picture_ms=_median(answer.first_token_ms for answer in new),
        new_picture_device_ms=_median(answer.end.first_token_s * 1e3 for answer in new),
        follow_up_ms=_median(answer.first_token_ms for answer in follow),
        follow_up_device_ms=_median(answer.end.first_token_s * 1e3 for answer in follow),
        prefix_hit=min(hits),
    )


async def measure_gaps(client: Client, threads: int, pictures: int, every_s: float) -> Gaps:
    """Let threads decode while requests with new pictures arrive."""
    await client.stock(threads + 1 + pictures)
    decoding = [
        asyncio.create_task(
            client.ask(
                client.question(client.new_picture(), i), seed=i, tokens=2 * client.new_tokens
            )
        )
        for i in range(threads)
    ]
    # Their own prefills finish before the new pictures arrive.
    await client.ask(client.question(client.new_picture()), tokens=2)
    begun = time.perf_counter()
    arriving = []
    for i in range(pictures):
        question = client.question(client.new_picture(), i)
        arriving.append(asyncio.create_task(client.ask(question, seed=i, tokens=4)))
        await asyncio.sleep(every_s)
    await asyncio.gather(*arriving)
    ended = time.perf_counter()
    gaps = []
    for answer in await asyncio.gather(*decoding):
        times = [at for at in answer.times if begun <= at <= ended]
        gaps += [(later - earlier) * 1e3 for earlier, later in pairwise(times)]
    gaps.sort()
    return Gaps(
        threads=threads,
        pictures=pictures,
        p50_ms=quantile(gaps, 0.5),
        p99_ms=quantile(gaps, 0.99),
        worst_ms=gaps[-1] if gaps else 0.0,
    )


@asynccontextmanager
async def watching_the_loop() -> AsyncIterator[list[float]]:
    """Record the event loop's lag, in milliseconds, while the block runs."""
    lags: list[float] = []

    async def watch() -> None:
        while True:
            due = time.perf_counter() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            lags.append((time.perf_counter() - due) * 1e3)

    task = asyncio.create_task(watch())
    try:
        yield lags
    finally:
        task.cancel()


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of values in any order; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
