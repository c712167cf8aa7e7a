"""The real playground on a loopback port, and a client that reads its event streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp

from bot.core.answer import Answers
from bot.core.in_flight import InFlightQuestions
from bot.monitoring.health import Health
from bot.monitoring.history import running_history
from bot.monitoring.overview import Overview
from bot.platforms.listening.senders import Senders
from bot.platforms.web.admin.gate import AdminGate
from bot.platforms.web.admin.handlers import AdminHandlers
from bot.platforms.web.server import Playground
from bot.platforms.web.uploads import Uploads
from bot.store import Store
from bot.values.limits import PictureLimits
from bot.values.presence import Presences
from tests.engines import ScriptedModel
from tests.scenario.core import running_core


@dataclass
class Client:
    """What a page does, without the page."""

    http: aiohttp.ClientSession
    answers: Answers
    store: Store
    questions: InFlightQuestions
    playground: Playground
    folder: Path
    streams: list[aiohttp.ClientResponse] = field(default_factory=list)

    async def make_thread(self) -> str:
        async with self.http.post("/api/threads") as response:
            assert response.status == 201
            thread_id: str = (await response.json())["thread_id"]
            return thread_id

    async def ask(
        self, thread_id: str, text: str, *files: tuple[str, bytes], **headers: str
    ) -> aiohttp.ClientResponse:
        """Post a question; the response is the event stream."""
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("text", text)
        for name, data in files:
            form.add_field("images", data, filename=name)
        path = f"/api/threads/{thread_id}/messages"
        return await self.http.post(path, data=form, headers=headers)

    async def answer(
        self, thread_id: str, text: str, *files: tuple[str, bytes], **headers: str
    ) -> list[tuple[str, dict[str, Any]]]:
        """Post a question and read all its events."""
        async with await self.ask(thread_id, text, *files, **headers) as response:
            assert response.status == 200, await response.text()
            return [event async for event in events(response)]

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.http.get(path) as response:
            return response.status, await response.json(content_type=None)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Parse an event stream as the standard says, for the fields that are used."""
    name, data = "", ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
        elif not line and name:
            yield name, json.loads(data)
            name, data = "", ""


@asynccontextmanager
async def running_playground(
    folder: Path,
    backend: ScriptedModel,
    *,
    port: int = 0,
    password: str | None = None,
    allowed_hosts: frozenset[str] = frozenset(),
    pictures_per_question: int = 2,
    threads: Literal["private", "team"] = "private",
    sharing: bool = True,
    admin_password: str | None = None,
    presences: Presences | None = None,
    **settings: Any,
) -> AsyncIterator[Client]:
    """A playground over a scripted model, with its state in `folder`.

    `presences`: of platforms beside it, which the admin's page then shows.
    """
    presences = presences or Presences()
    settings |= {"pictures_per_question": pictures_per_question}
    async with running_core(folder, backend, **settings) as core, running_history() as history:
        answers, store = core.answers, core.store
        admin = None
        if admin_password is not None:
            health = Health(answers, store, presences=presences, folder=folder)
            admin = AdminHandlers(
                AdminGate(admin_password, senders=Senders()),
                Overview(health, store, history, bounds=settings.get("bounds")),
            )
        playground = Playground(
            core=answers,
            store=store,
            erasure=core.erasure,
            uploads=Uploads(
                folder / "uploads",
                PictureLimits(max_bytes=100_000),
                max_files=pictures_per_question,
            ),
            host="127.0.0.1",
            port=port,
            password=password,
            allowed_hosts=allowed_hosts,
            threads=threads,
            sharing=sharing,
            folder=folder,
            presence=presences.of("web"),
            admin=admin,
        )
        for message in await store.inbox.unfinished():
            playground.resume(message)
        await playground.start()
        try:
            async with aiohttp.ClientSession(playground.address) as http:
                yield Client(http, answers, store, core.questions, playground, folder)
                await answers.drain(0)
        finally:
            await playground.close()
