"""The admin's page: its password, and what it tells."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bot.values.limits import QuestionBounds
from tests.engines import ScriptedModel
from tests.pictures import plain_picture
from tests.scenario.playground import Client, running_playground
from tests.scenario.web import visitors
from tests.scenario.web.visitors import visiting
from tests.store_faults import locked

PASSWORD = "long-and-secret"


async def enter(client: Client, password: object) -> int:
    """Give the password. Its cookie is sent from then on, as a browser does."""
    body = {"password": password}
    async with client.http.post("/api/admin/session", json=body) as response:
        # aiohttp's own jar takes none of an address.
        for cookie in response.cookies.values():
            assert cookie["httponly"]
            assert (cookie["samesite"], cookie["path"]) == ("Strict", "/api/admin")
            client.http.headers["Cookie"] = f"{cookie.key}={cookie.value}"
        return response.status


async def test_without_a_password_of_its_own_there_is_no_such_page(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_playground(tmp_path, backend) as client:
        assert (await client.get("/admin"))[0] == 404
        assert (await client.get("/api/admin/overview"))[0] == 404


async def test_only_who_knows_the_password_sees_it_until_they_leave(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_playground(tmp_path, backend, admin_password=PASSWORD) as client:
        overview = "/api/admin/overview"
        assert (await client.get(overview))[0] == 403
        assert await enter(client, "another one") == 403
        assert await enter(client, None) == 400
        assert (await client.get(overview))[0] == 403
        assert await enter(client, PASSWORD) == 204
        assert (await client.get(overview))[0] == 200
        async with client.http.delete("/api/admin/session") as response:
            assert response.status == 204
        assert (await client.get(overview))[0] == 403


async def test_who_guesses_the_password_has_to_wait(tmp_path: Path, backend: ScriptedModel) -> None:
    async with running_playground(tmp_path, backend, admin_password=PASSWORD) as client:
        for number in range(6):
            assert await enter(client, f"guess {number}") in {403, 429}
        async with client.http.post("/api/admin/session", json={"password": PASSWORD}) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) > 0


async def test_it_counts_what_was_asked_and_tells_nobodys_words(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with running_playground(tmp_path, backend, admin_password=PASSWORD) as client:
        thread = await client.make_thread()
        picture = ("marked-name.png", plain_picture().data)
        await client.answer(thread, "marked-question", picture)
        backend.raises = RuntimeError("marked-failure")
        await client.answer(thread, "marked-question too")
        backend.raises = None
        await enter(client, PASSWORD)
        status, told = await client.get("/api/admin/overview")
        assert status == 200
        assert "marked" not in str(told)
        assert (told["ready"], told["problems"]) == (True, [])
        ended = {one["outcome"]: one["questions"] for one in told["days"]}
        assert ended == {"answered": 1, "failed": 1}
        (reason,) = told["reasons"]
        assert (reason["reason"], reason["questions"]) == ("generation_failed", 1)
        assert [one["questions"] for one in told["people"]] == [2]
        (platform,) = told["platforms"]
        assert (platform["platform"], platform["connected"]) == ("web", True)
        assert platform["last_event_at"] > 0
        assert told["now"]["first_token_s"]["p50"] is not None
        assert told["disk_free_bytes"] > 0


async def test_what_fails_is_told_with_what_to_do_and_the_page_still_answers(
    tmp_path: Path, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.monitoring.problems.LITTLE_ROOM_BYTES", 10**30)
    async with running_playground(tmp_path, backend, admin_password=PASSWORD) as client:
        thread = await client.make_thread()
        await enter(client, PASSWORD)
        with locked(client.store):
            await client.ask(thread, "?")
            japanese = {"Accept-Language": "ja"}
            async with client.http.get("/api/admin/overview", headers=japanese) as response:
                told = await response.json()
        assert not told["ready"]
        whats = [problem["what"] for problem in told["problems"]]
        assert [("SQLITE_BUSY" in what, "ディスク" in what) for what in whats] == [
            (True, False),
            (False, True),
        ]
        assert all(problem["remedy"] for problem in told["problems"])


async def test_it_shows_what_is_left_of_the_quotas_of_a_day(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    bounds = QuestionBounds(user_per_day=3, channel_per_day=50)
    async with running_playground(
        tmp_path, backend, admin_password=PASSWORD, bounds=bounds
    ) as client:
        await enter(client, PASSWORD)
        assert (await client.get("/api/admin/overview"))[1]["quotas"] == []
        thread = await client.make_thread()
        for _ in range(2):
            await client.answer(thread, "marked-question")
        told = (await client.get("/api/admin/overview"))[1]["quotas"]
    assert [(one["bound"], one["left"], one["limit"]) for one in told] == [
        ("user_per_day", 1, 3),
        ("channel_per_day", 48, 50),
    ]
    assert [one["whose"] for one in told] == ["local", told[1]["whose"]]
    assert all(one["renews_at"] > time.time() for one in told)
    assert "marked" not in str(told)


async def guess(visitor: Client, password: str) -> int:
    async with visitor.http.post("/api/admin/session", json={"password": password}) as response:
        return response.status


async def test_one_browser_that_guesses_does_not_shut_out_another_at_its_address(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with (
        running_playground(
            tmp_path, backend, password=visitors.PASSWORD, admin_password=PASSWORD
        ) as client,
        visiting(client) as guesser,
        visiting(client) as admin,
    ):
        for number in range(6):
            await guess(guesser, f"guess {number}")
        assert await guess(guesser, PASSWORD) == 429
        assert await guess(admin, PASSWORD) == 204


async def test_who_makes_new_browsers_to_guess_is_slowed_and_known_admins_are_not(
    tmp_path: Path, backend: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.web.admin.gate.FREE_FAILURES_AN_ADDRESS", 3)
    async with (
        running_playground(
            tmp_path, backend, password=visitors.PASSWORD, admin_password=PASSWORD
        ) as client,
        visiting(client) as admin,
    ):
        assert await guess(admin, PASSWORD) == 204
        for number in range(4):
            async with visiting(client) as fresh:
                last = await guess(fresh, f"guess {number}")
        assert last in {403, 429}
        async with visiting(client) as fresh:
            assert await guess(fresh, PASSWORD) == 429
        assert await guess(admin, PASSWORD) == 204
