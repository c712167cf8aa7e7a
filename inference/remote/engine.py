"""The engine of a model that servers run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from inference.errors import (
    ContextExceeded,
    RequestRejected,
    ServerFailed,
    TooManyPictures,
)
from inference.progress import LoadProgress
from inference.remote.answering import Answer
from inference.remote.attempts import Attempts
from inference.remote.counting import PromptCounter
from inference.remote.messages import body_of
from inference.remote.options import ServerOptions
from inference.remote.refusals import Overloaded
from inference.remote.server import Piece, Server
from inference.remote.servers import Servers
from inference.remote.waiting import WaitingRoom
from inference.types import (
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelInfo,
    Queued,
    Started,
)

log = logging.getLogger(__name__)

FEWEST_TOKENS = 16
"""An answer that has less room is not worth asking for."""


class RemoteEngine:
    """Implements `inference.engine.Engine`; it never dies, since servers come back."""

    def __init__(
        self,
        servers: Servers,
        room: WaitingRoom,
        *,
        model: ModelInfo,
        options: ServerOptions,
        counter: PromptCounter,
        thinking: bool,
    ) -> None:
        self._servers = servers
        self._room = room
        self._model = model
        self._options = options
        self._counter = counter
        self._thinking = thinking
        self.died = asyncio.Event()
        """Never set."""

    @property
    def model(self) -> ModelInfo:
        """See `Engine.model`. It takes less once a server has said so."""
        least = self._servers.context_tokens
        if least is not None and least < self._model.context_tokens:
            self._model = replace(self._model, context_tokens=least)
        return self._model

    @property
    def load_progress(self) -> LoadProgress | None:
        """See `Engine.load_progress`: the server has the model."""
        return None

    async def loaded(self) -> ModelInfo:
        """See `Engine.loaded`."""
        return self.model

    async def admitted(self) -> ModelInfo:
        """See `Engine.admitted`."""
        self._room.check_room()
        return self.model

    async def prompt_tokens(self, messages: tuple[Message, ...]) -> int:
        """See `Engine.prompt_tokens`; an estimate as far as pictures go."""
        given = sum(len(message.pictures) for message in messages)
        if given > self._model.max_pictures:
            raise TooManyPictures(given, self._model.max_pictures)
        return await self._counter.count(messages)

    async def clear_caches(self) -> None:
        """See `Engine.clear_caches`: servers forget by themselves, and at once if they can."""
        await asyncio.gather(
            *(
                server.clear(server.kind.clear_path)
                for server in self._servers.well
                if server.kind.clear_path
            )
        )

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See `Engine.stream`.

        If a server fails before the first text, another one takes the request. If it breaks off
        later, another one goes on with the answer, where one can.
        """
        ticket = self._room.enter(request.user_id, is_background=request.background)
        try:
            async with aclosing(self._room.positions(ticket)) as positions:
                async for position in positions:
                    yield Queued(position)
            answer = Answer(request)
            async with aclosing(self._run(answer)) as events:
                async for event in events:
                    yield event
        finally:
            self._room.leave(ticket)

    async def _run(self, answer: Answer) -> AsyncGenerator[GenerationEvent, None]:
        """Have it answered by one server after the other, until one does."""
        attempts = Attempts(self._servers, answer, self._options)
        while not attempts.is_done:
            server = attempts.next()
            if server is None:
                pause_s = attempts.pause_s(num_waiting=self._room.num_waiting)
                yield Queued(1)
                await asyncio.sleep(pause_s)
                continue
            try:
                async with aclosing(self._on(server, answer)) as events:
                    async for event in events:
                        yield event
            except Overloaded as exc:
                attempts.overloaded(exc)
            except ServerFailed as exc:
                attempts.failed(server, exc)
            except RequestRejected as exc:
                self._learn_from(exc)
                raise
            else:
                attempts.succeeded(server)
        if not answer.is_finished:  # it was cut behind its last word
            async with aclosing(self._end(answer)) as events:
                async for event in events:
                    yield event

    async def _on(self, server: Server, answer: Answer) -> AsyncGenerator[GenerationEvent, None]:
        """Run it on one server. Raises: Overloaded, InferenceError."""
        try:
            async with aclosing(self._attempt(server, answer)) as events:
                async for event in events:
                    yield event
        except ContextExceeded as exc:
            # Prompt and answer together were too long: the server has said by how much.
            room = exc.context_tokens - exc.needed_tokens
            if not FEWEST_TOKENS <= room < answer.max_tokens:
                raise
            answer.max_tokens = room
        else:
            return
        async with aclosing(self._attempt(server, answer)) as events:
            async for event in events:
                yield event

    async def _attempt(
        self, server: Server, answer: Answer
    ) -> AsyncGenerator[GenerationEvent, None]:
        body = await asyncio.to_thread(
            body_of,
            answer.request,
            model=self._servers.model,
            kind=server.kind,
            max_tokens=answer.max_tokens,
            thinking=self._thinking,
            max_picture_bytes=self._options.max_picture_bytes,
            begun=answer.begin_attempt(),
        )
        sent_s = time.monotonic()
        pieces = server.answer(
            body, num_pictures=answer.num_pictures, context_tokens=self._model.context_tokens
        )
        async with aclosing(pieces):
            await anext(pieces)  # the server has taken it
            first = asyncio.create_task(_next_piece(pieces), name="first-token")
            try:
                if not answer.has_started:
                    async with aclosing(self._positions(server, first)) as positions:
                        async for position in positions:
                            yield Queued(position)
                            sent_s = time.monotonic()
                    yield Started()
                    answer.started(sent_s)
                for event in answer.push(await first):
                    yield event
            finally:
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
            async for piece in pieces:
                for event in answer.push(piece):
                    yield event
                if answer.is_over:  # it loops, or writes without end: closing stops the server
                    break
        async with aclosing(self._end(answer)) as events:
            async for event in events:
                yield event

    async def _positions(
        self, server: Server, first: asyncio.Task[Piece]
    ) -> AsyncGenerator[int, None]:
        """Its position in the server's queue, as far as that can be told, until it runs there.

        The server says how many wait. Those that came later wait behind it, so its position is at
        most the smallest such number since then.
        """
        position: int | None = None
        await asyncio.wait({first}, timeout=self._options.figures_every_s / 4)
        while not first.done():
            asking = asyncio.create_task(server.num_waiting(), name="ask-for-waiting")
            try:
                await asyncio.wait({first, asking}, return_when=asyncio.FIRST_COMPLETED)
                waiting = asking.result() if asking.done() else None
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            if not waiting:
                return
            if position is None or waiting < position:
                position = waiting
                yield position
            await asyncio.wait({first}, timeout=self._options.figures_every_s)

    async def _end(self, answer: Answer) -> AsyncGenerator[GenerationEvent, None]:
        messages = answer.request.messages
        estimate = 0
        if answer.prompt_tokens is None:
            estimate = await self._counter.count(messages)
        for event in answer.finish(prompt_tokens=estimate):
            yield event
        if answer.prompt_tokens is not None:
            await self._counter.learn(messages, answer.prompt_tokens)

    def _learn_from(self, exc: RequestRejected) -> None:
        if isinstance(exc, TooManyPictures) and 0 < exc.limit < self._model.max_pictures:
            log.warning("the model's server takes %d pictures per prompt", exc.limit)
            self._model = replace(self._model, max_pictures=exc.limit)


async def _next_piece(pieces: AsyncGenerator[Piece, None]) -> Piece:
    return await anext(pieces, Piece())
