"""Who may talk to the playground, and what a surprise shows."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

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
