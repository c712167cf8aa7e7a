"""Who may talk to the playground, and what a surprise shows."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.platforms.web.guard import HEADERS
from tests.engines import ScriptedModel
from tests.scenario.playground import Client, running_playground


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "["},
        {"Origin": "http://["},
    ],
)
async def test_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/api/threads"), ("GET", "/api/threads"), ("GET", "/api/info")):
        async with client.http.request(method, path, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["error"]
    _, listed = await client.get("/api/threads")
    assert listed == {"threads": []}


async def test_a_link_from_another_site_opens_the_page_but_nothing_else(client: Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with client.http.get("/", headers=link) as response:
        assert response.status == 200
    async with client.http.get("/api/threads", headers=link) as response:
        assert response.status == 403


async def test_the_page_may_load_nothing_from_elsewhere(client: Client) -> None:
    async with client.http.get("/") as response:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "http" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")


ORIGINS: list[tuple[dict[str, str], int]] = [
    ({"Origin": "http://bot.example", "Host": "bot.example"}, 200),
    ({"Origin": "http://bot.example:80", "Host": "bot.example"}, 200),
    ({"Origin": "http://BOT.example", "Host": "bot.example:80"}, 200),
    ({"Origin": "http://[::1]:8787", "Host": "[::1]:8787"}, 200),
    # A proxy ends TLS, and says so or does not.
    ({"Origin": "https://bot.example", "Host": "bot.example"}, 200),
    ({"Origin": "https://bot.example", "Host": "bot.example:443"}, 200),
    (
        {"Origin": "https://a.example", "Host": "a.example", "X-Forwarded-Proto": "https"},
        200,
    ),
    # Whoever sits between can make a page of the same name without TLS.
    ({"Origin": "http://a.example", "Host": "a.example", "X-Forwarded-Proto": "https"}, 403),
    ({"Origin": "https://bot.example", "Host": "bot.example:80"}, 403),
    ({"Origin": "http://bot.example:8788", "Host": "bot.example:8787"}, 403),
    ({"Origin": "http://bot.example:8787", "Host": "bot.example"}, 403),
    ({"Origin": "http://bot.example@evil.example", "Host": "evil.example"}, 403),
    ({"Origin": "http://evil.example@bot.example", "Host": "bot.example"}, 403),
    ({"Origin": "http://bot.example/", "Host": "bot.example"}, 403),
    ({"Origin": "ftp://bot.example", "Host": "bot.example"}, 403),
    ({"Origin": "bot.example", "Host": "bot.example"}, 403),
    ({"Origin": "http://bot.example:x", "Host": "bot.example:x"}, 403),
    ({"Origin": "http://", "Host": "bot.example"}, 403),
]


async def test_scheme_host_and_port_of_an_origin_are_compared(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    known = frozenset({"bot.example", "a.example", "evil.example"})
    async with running_playground(tmp_path, backend, allowed_hosts=known) as client:
        for headers, status in ORIGINS:
            async with client.http.get("/api/threads", headers=headers) as response:
                assert response.status == status, headers


async def test_no_route_that_changes_something_can_be_called_by_another_site(
    client: Client,
) -> None:
    runner = client.playground._runner
    assert isinstance(runner, web.AppRunner)
    routes = [route for route in runner.app.router.routes() if route.method not in {"GET", "HEAD"}]
    assert len(routes) > 10
    for route in routes:
        assert route.resource is not None
        path = route.resource.canonical.replace("{", "").replace("}", "")
        for other in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            async with client.http.request(route.method, path, headers=other) as response:
                assert response.status == 403, (route.method, path)


async def test_with_a_password_any_name_will_do_unless_names_are_given(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    auth = aiohttp.encode_basic_auth("", "some long words")
    for allowed, statuses in ((frozenset(), (200, 200)), (frozenset({"bot.example"}), (200, 403))):
        async with running_playground(
            tmp_path, backend, password="some long words", allowed_hosts=allowed
        ) as client:
            for name, status in zip(("BOT.example:8080", "evil.example"), statuses, strict=True):
                headers = {"Host": name, "Authorization": auth}
                async with client.http.get("/api/threads", headers=headers) as response:
                    assert response.status == status
            own = {"Authorization": auth}
            async with client.http.get("/api/threads", headers=own) as response:
                assert response.status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/static/app.js", 200),
        ("/api/threads", 200),
        ("/api/nothing", 404),
    ],
)
async def test_every_response_has_the_headers_and_names_no_version(
    client: Client, path: str, status: int
) -> None:
    async with client.http.get(path) as response:
        assert response.status == status
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert set(policy) >= {
            "default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'",
            "frame-ancestors 'none'",
        }  # fmt: skip
        assert not [rule for rule in policy if "unsafe" in rule]
        shown = {name: response.headers[name] for name in HEADERS}
        assert shown == HEADERS
        assert response.headers.getall("Server") == ["llava-bot"]


async def test_what_aiohttp_refuses_by_itself_names_no_version(client: Client) -> None:
    headers = {"Expect": "the unexpected"}
    async with client.http.post("/api/threads", headers=headers) as response:
        assert response.status == 417
        assert response.headers.getall("Server") == ["llava-bot"]


async def test_with_a_password_nothing_is_shown_without_it(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    def basic(text: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    async with running_playground(tmp_path, backend, password="pässword") as client:
        for path in ("/", "/api/threads", "/static/app.js"):
            for headers in ({}, basic("x:wrong"), {"Authorization": "Basic %%%"}):
                async with client.http.get(path, headers=headers) as response:
                    assert response.status == 401
                    assert "Basic" in response.headers["WWW-Authenticate"]
            async with client.http.get(path, headers=basic("x:pässword")) as response:
                assert response.status == 200


class OneBrowser:
    """What a browser sends along: a password, and the cookies it was given."""

    def __init__(self, client: Client, host: str) -> None:
        self._client = client
        self._host = host
        self._jar = aiohttp.CookieJar(unsafe=True)

    async def tries(self, password: str, path: str = "/") -> tuple[int, dict[str, str], bytes]:
        connector = aiohttp.TCPConnector(local_addr=(self._host, 0))
        auth = {"Authorization": aiohttp.encode_basic_auth("", password)}
        async with (
            aiohttp.ClientSession(
                self._client.playground.address,
                connector=connector,
                connector_owner=True,
                cookie_jar=self._jar,
                headers=auth,
            ) as http,
            http.get(path) as response,
        ):
            return response.status, dict(response.headers), await response.read()


async def test_who_guesses_the_password_has_to_wait_and_others_do_not(
    tmp_path: Path, backend: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_playground(tmp_path, backend, password="some long words") as client:
        colleague = OneBrowser(client, "127.0.0.2")  # behind the same address as the attacker
        assert (await colleague.tries("some long words"))[0] == 200
        attacker = OneBrowser(client, "127.0.0.2")
        tried = [(await attacker.tries(f"guess {number}"))[0] for number in range(30)]
        assert tried == [401] * 5 + [429] * 25
        # The right one is not tried out either while one waits: guessing would go on.
        status, headers, body = await attacker.tries("some long words")
        assert status == 429
        assert int(headers["Retry-After"]) > 0
        assert json.loads(body)["error"].startswith("Too many wrong passwords. Try again in 1 sec")
        assert (await colleague.tries("some long words", "/api/threads"))[0] == 200
        assert (await OneBrowser(client, "127.0.0.1").tries("some long words"))[0] == 200
        # A known browser has its own five, and no more.
        tried = [(await colleague.tries(f"guess {number}"))[0] for number in range(7)]
        assert tried == [401] * 5 + [429] * 2
    (line,) = [it.getMessage() for it in caplog.records if "127.0.0.2" in it.getMessage()]
    assert line.startswith("127.0.0.2 guesses the playground's password")
    assert "guess 1" not in caplog.text


async def test_an_open_page_with_an_old_password_keeps_nobody_out(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_playground(tmp_path, backend, password="some long words") as client:
        page = OneBrowser(client, "127.0.0.1")
        assert {(await page.tries("an old password"))[0] for _ in range(20)} == {401}
        assert (await page.tries("some long words"))[0] == 200


@pytest.mark.parametrize(
    "sent", ["x" * 100_000, "Basic " + "A" * 6000, "Basic", "Bearer x", "Basic é"]
)
async def test_an_odd_authorization_is_a_wrong_password(
    tmp_path: Path, backend: ScriptedModel, sent: str
) -> None:
    async with (
        running_playground(tmp_path, backend, password="some long words") as client,
        client.http.get("/", headers={"Authorization": sent}) as response,
    ):
        assert response.status in {400, 401}


async def test_links_to_threads_cannot_be_guessed_quickly(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_playground(tmp_path, backend, password="some long words") as client:
        auth = {"Authorization": aiohttp.encode_basic_auth("ann", "some long words")}
        statuses = []
        for number in range(8):
            path = f"/api/shared/{number}"
            async with client.http.post(path, headers=auth) as response:
                statuses.append(response.status)
        assert statuses == [404] * 5 + [429] * 3


async def test_an_unknown_address_gets_a_sentence(client: Client) -> None:
    status, body = await client.get("/api/nothing")
    assert (status, body["error"]) == (404, "There is nothing at this address.")


async def test_a_surprise_is_a_sentence_and_its_message_stays_out_of_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    private = "what somebody wrote"

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(private)

    monkeypatch.setattr(client.store.listing, "page", broken)
    status, body = await client.get("/api/threads")
    assert status == 500
    assert body["error"].startswith("Something went wrong")
    assert "RuntimeError" in caplog.text
    assert private not in caplog.text + str(body)
    await asyncio.sleep(0)
