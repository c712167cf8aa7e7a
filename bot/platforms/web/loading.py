"""How far the load of the model is: for `/api/info`, and as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web

from bot.platforms.platform import Core
from bot.platforms.web.exchange import Event
from bot.platforms.web.guard import locale_of
from bot.platforms.web.streams import as_sse, begin_stream
from bot.texts import say
from inference.errors import ModelUnavailable
from inference.progress import LoadProgress

EVERY_S = 0.5
"""How often a page gets a report."""


_PARTS = {
    "the vision encoder": "loading_vision_encoder",
    "the language model": "loading_language_model",
    "the pocket model": "loading_pocket_model",
}
"""What the pocket's loading reports → its text. Anything else is a name, in every language."""


class LoadingHandlers:
    """Handlers over the core."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [web.get("/api/loading", self._follow)]

    def info(self, locale: str) -> dict[str, Any]:
        """What `/api/info` says of it."""
        progress = self._core.load_progress
        if progress is None:
            return {"state": "ready", "progress": None}
        return {"state": "loading", "progress": _as_json(progress, locale)}

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        response = await begin_stream(request)
        with suppress(ConnectionResetError):  # a page that goes away
            async with aclosing(self._events(locale_of(request))) as events:
                async for event in events:
                    await response.write(as_sse(event))
        return response

    async def _events(self, locale: str) -> AsyncGenerator[Event, None]:
        """``progress`` again and again; at the end ``ready`` or ``failed``."""
        loading = asyncio.ensure_future(self._core.loaded())
        try:
            while not loading.done():
                if (progress := self._core.load_progress) is not None:
                    yield ("progress", _as_json(progress, locale))
                await asyncio.wait({loading}, timeout=EVERY_S)
            try:
                loading.result()
            except ModelUnavailable as exc:
                # The operator's sentence, in the operator's language: it names settings.
                yield ("failed", {"message": str(exc)})
            else:
                yield ("ready", {})
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)


def _as_json(progress: LoadProgress, locale: str) -> dict[str, Any]:
    part = _PARTS.get(progress.what)
    return {
        "phase": progress.phase.value,
        "what": progress.what if part is None else say(locale, part),
        "done_bytes": progress.done_bytes,
        "total_bytes": progress.total_bytes,
        "bytes_per_s": progress.bytes_per_s,
        "remaining_s": progress.remaining_s,
    }
