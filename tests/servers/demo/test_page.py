"""What the demos' server lets a visitor do, without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.servers.discord.demo import GENERAL as DISCORD_GENERAL
from tests.servers.discord.demo import running_page
from tests.servers.discord.server import running_discord
from tests.servers.slack.demo import GENERAL as SLACK_GENERAL
from tests.servers.slack.demo import SlackDemo
from tests.servers.slack.server import LocalSlack, running_slack


@asynccontextmanager
async def slack_demo() -> AsyncIterator[tuple[str, str]]:
    local = LocalSlack()
    async with running_slack(*SlackDemo(local).routes(), slack=local) as slack:
        yield slack.base, SLACK_GENERAL


@asynccontextmanager
async def discord_demo() -> AsyncIterator[tuple[str, str]]:
    async with running_discord() as discord, running_page(discord, 0) as address:
        yield address, DISCORD_GENERAL


class Browser:
    """One browser: its cookies, and what the page asks with them."""

    def __init__(self, session: aiohttp.ClientSession, place: str) -> None:
        self._session = session
        self.place = place

    async def join(self, name: str) -> dict[str, Any]:
        async with self._session.post("/demo/join", json={"name": name}) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def state(self) -> dict[str, Any]:
        async with self._session.get("/demo/state") as response:
            state: dict[str, Any] = await response.json()
            return state

    async def say(self, text: str) -> int:
        data = {"text": text, "place": self.place}
        async with self._session.post("/demo/say", data=data) as response:
            return response.status

    async def do(self, what: str, **more: Any) -> int:
        asked = {"what": what, "place": self.place, **more}
        async with self._session.post("/demo/do", json=asked) as response:
            return response.status

    async def messages(self) -> list[dict[str, Any]]:
        state = await self.state()
        return [it for it in state["messages"] if it["place"] == self.place]

    async def policy(self) -> str:
        async with self._session.get("/") as response:
            return response.headers["Content-Security-Policy"]


@pytest.fixture(params=[slack_demo, discord_demo])
async def browsers(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Any]]:
    running: Callable[[], AbstractAsyncContextManager[tuple[str, str]]] = request.param
    async with AsyncExitStack() as stack:
        address, place = await stack.enter_async_context(running())

        async def opened() -> Browser:
            jar = aiohttp.CookieJar(unsafe=True)  # the address is a number
            session = aiohttp.ClientSession(address, cookie_jar=jar)
            return Browser(await stack.enter_async_context(session), place)

        yield opened


async def test_who_has_no_name_sees_no_messages_and_does_nothing(browsers: Any) -> None:
    stranger = await browsers()
    assert await stranger.say("hello") == 403
    assert await stranger.do("react", id="1", emoji="👍") == 403
    state = await stranger.state()
    assert (state["me"], state["messages"], state["presence"]) == ("", [], "starting")


async def test_each_browser_is_a_person_and_changes_their_own_messages_alone(browsers: Any) -> None:
    mia, tom = await browsers(), await browsers()
    assert await mia.join("  Mia ") == {}
    assert "already" in (await tom.join("MIA"))["error"]
    assert "choose a name" in (await tom.join("?!"))["error"]
    assert await tom.join("Tom") == {}

    await mia.say("hello @Tom")
    (message,) = await tom.messages()
    assert message["author"] == (await mia.state())["me"]
    assert {"tag": "user", "id": (await tom.state())["me"], "children": []} in message["parts"][0][
        "nodes"
    ][0]["children"]

    await tom.do("edit", id=message["id"], text="mine now")
    await tom.do("delete", id=message["id"])
    assert [it["raw"] for it in await tom.messages()] == ["hello @Tom"]
    await mia.do("edit", id=message["id"], text="good <b>morning</b> @Tom")
    (message,) = await tom.messages()
    assert (message["raw"], message["edited"]) == ("good <b>morning</b> @Tom", True)

    await tom.do("react", id=message["id"], emoji="👍")
    await mia.do("react", id=message["id"], emoji="👍")
    await tom.do("react", id=message["id"], emoji="👍")
    (message,) = await tom.messages()
    assert message["reactions"] == {"👍": [(await mia.state())["me"]]}

    await mia.do("delete", id=message["id"])
    assert await tom.messages() == []


async def test_the_page_runs_no_script_but_its_own(browsers: Any) -> None:
    policy = await (await browsers()).policy()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
