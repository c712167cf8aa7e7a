"""Visitors of one playground: each with a browser, and perhaps a name, of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.scenario.playground import Client

PASSWORD = "pw"
NO_THREAD = (404, {"error": "There is no such thread."})


def signed_in(name: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(name, PASSWORD, encoding="utf-8")}


@dataclass
class Visitor(Client):
    """A client with a cookie jar, and perhaps a user name, of its own."""


@asynccontextmanager
async def visiting(
    client: Client, name: str = "", jar: aiohttp.CookieJar | None = None, **headers: str
) -> AsyncIterator[Visitor]:
    """A visitor, signed in with the password and a name."""
    jar = aiohttp.CookieJar(unsafe=True) if jar is None else jar  # of an IP address, too
    async with aiohttp.ClientSession(
        client.playground.address, cookie_jar=jar, headers=signed_in(name) | headers
    ) as http:
        await (await http.get("/")).read()
        shared = (client.answers, client.store, client.questions, client.playground, client.folder)
        yield Visitor(http, *shared)


async def status(visitor: Client, method: str, path: str, body: object = None) -> int:
    async with visitor.http.request(method, path, json=body) as response:
        return response.status


async def threads_of(visitor: Client) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await visitor.get("/api/threads"))[1]["threads"]
    return listed


async def me(visitor: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await visitor.get("/api/me"))[1]
    return found


async def cannot_reach(visitor: Client, thread: str) -> None:
    """Nothing of a thread is there for a person."""
    assert thread not in {listed["thread_id"] for listed in await threads_of(visitor)}
    path = f"/api/threads/{thread}"
    assert await visitor.get(path) == NO_THREAD
    for method, rest in (
        ("DELETE", ""),
        ("GET", "/pictures/1"),
        ("GET", "/events"),
        ("POST", "/again"),
        ("POST", "/stop"),
        ("POST", "/share"),
        ("DELETE", "/share"),
        ("POST", "/leave"),
    ):
        assert await status(visitor, method, path + rest) == 404, (method, rest)
    async with await visitor.ask(thread, "q") as response:
        assert response.status == 404
