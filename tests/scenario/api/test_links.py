"""Pictures whose address a request gives are fetched only where the operator allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.platforms.api.chat import BODIES_PER_KEY
from tests.engines import ScriptedModel
from tests.scenario.api.conftest import scripted_api
from tests.scenario.core import RED


@asynccontextmanager
async def picture_host() -> AsyncIterator[tuple[str, list[str]]]:
    """Where a picture lies, and what was asked for there."""
    asked: list[str] = []

    async def picture(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=RED if request.path == "/red.png" else b"x" * 200_000)

    app = web.Application()
    app.add_routes([web.get("/{name}", picture)])
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"127.0.0.1:{server.port}", asked


def at(*addresses: str) -> Any:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": address}} for address in addresses
    ]
    return {"role": "user", "content": [*parts, {"type": "text", "text": "?"}]}


async def test_the_same_address_is_fetched_once_and_large_files_are_refused(
    tmp_path: Path,
) -> None:
    model = ScriptedModel()
    async with picture_host() as (host, asked):
        hosts = frozenset({host})
        async with (
            scripted_api(tmp_path, model, fetch_links=True, private_hosts=hosts) as stage,
            stage.client() as client,
        ):
            red = f"http://{host}/red.png"
            await client.chat.completions.create(model="scripted", messages=[at(red, red)])
            assert len(model.requests[0].messages[0].pictures) == 2
            assert asked == ["/red.png"]
            for address, sentence in (
                (f"http://{host}/large.png", "larger than"),
                ("http://127.0.0.1:9/private.png", "could not be fetched"),
            ):
                with pytest.raises(openai.BadRequestError, match=sentence) as refused:
                    await client.chat.completions.create(model="scripted", messages=[at(address)])
                assert refused.value.param == "messages[0].content[0].image_url.url"


async def test_a_slow_host_holds_up_nobody_who_brings_pictures_along(tmp_path: Path) -> None:
    asked, answers = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        asked.release()
        await answers.wait()
        return web.Response(body=RED)

    app = web.Application()
    app.add_routes([web.get("/{name}", slow)])
    async with TestServer(app, host="127.0.0.1") as server:
        host = f"127.0.0.1:{server.port}"
        async with (
            scripted_api(
                tmp_path, ScriptedModel(), fetch_links=True, private_hosts=frozenset({host})
            ) as stage,
            stage.client() as client,
        ):
            ask = partial(client.chat.completions.create, model="scripted")
            waiting = [
                asyncio.ensure_future(ask(messages=[at(f"http://{host}/{number}.png")]))
                for number in range(BODIES_PER_KEY)
            ]
            for _ in waiting:
                await asked.acquire()
            assert await ask(messages=[{"role": "user", "content": "?"}])
            answers.set()
            await asyncio.gather(*waiting)


async def test_by_default_nobody_is_asked(tmp_path: Path) -> None:
    async with picture_host() as (host, asked):
        hosts = frozenset({host})
        async with (
            scripted_api(tmp_path, ScriptedModel(), private_hosts=hosts) as stage,
            stage.client() as client,
        ):
            with pytest.raises(openai.BadRequestError, match="API_FETCH_LINKS"):
                await client.chat.completions.create(
                    model="scripted", messages=[at(f"http://{host}/red.png")]
                )
        assert asked == []
