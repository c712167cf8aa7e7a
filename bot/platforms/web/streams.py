"""An answer as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from bot.platforms.web.exchange import LAST, Event, PlaygroundExchange, failed
from bot.platforms.web.guard import HEADERS, locale_of
from bot.texts import say
from inference.errors import safe_traceback

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 15


async def stream(
    request: web.Request,
    exchange: PlaygroundExchange,
    events: AsyncIterator[Event],
    revoked: asyncio.Event,
) -> web.StreamResponse:
    """Send events until the last one; a page that goes away only stops following.

    `revoked`: set when the visitor may no longer read the thread; then nothing more is sent of it.

    The response begins with the first event, which comes after the claim: a 200 means that the
    question is stored.
    """
    event = await anext(events)
    if exchange.http_status is not None:
        error = {"error": event[1]["message"]}
        return web.json_response(error, status=exchange.http_status)
    response = await begin_stream(request)
    coming: asyncio.Future[Event] | None = None
    ending: asyncio.Future[bool] = asyncio.ensure_future(revoked.wait())
    try:
        await response.write(as_sse(event))
        while event[0] not in LAST:
            coming = coming or asyncio.ensure_future(anext(events))
            awaited: set[asyncio.Future[Any]] = {coming, ending}
            done, _ = await asyncio.wait(
                awaited, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if ending in done:
                await response.write(as_sse(failed(say(locale_of(request), "http_unshared"))))
                break
            if not done:
                await response.write(b": keep-alive\n\n")
                continue
            event, coming = coming.result(), None
            await response.write(as_sse(event))
    except ConnectionResetError:
        pass
    except Exception as exc:  # noqa: BLE001 - once begun, a stream can only report it in an event
        log.error("a stream failed: %s", safe_traceback(exc))
        await response.write(as_sse(failed(say(locale_of(request), "something_broke"))))
    finally:
        ending.cancel()
        if coming is not None:
            coming.cancel()
    return response


async def begin_stream(request: web.Request) -> web.StreamResponse:
    """Send the headers of a stream of events."""
    response = web.StreamResponse(
        headers=HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    return response


def as_sse(event: Event) -> bytes:
    """An event as it is sent."""
    name, data = event
    sent = f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
    return sent.encode("utf-8", "replace")
