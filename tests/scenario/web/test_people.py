"""Each visitor of the playground is a person: their threads, limits and questions are their own."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.platform import PlatformUnavailable
from bot.platforms.web.person.sessions import MAX_AGE_S, Sessions
from bot.private_files import session_key
from tests.engines import ScriptedModel
from tests.scenario.core import RED
from tests.scenario.playground import Client, events, running_playground
from tests.scenario.web.visitors import (
    NO_THREAD,
    PASSWORD,
    Visitor,
    cannot_reach,
    me,
    signed_in,
    status,
    threads_of,
    visiting,
)
from tests.waiting import until


def session_in(cookie: str) -> str:
    return cookie.partition(".")[0]


@pytest.fixture
async def team(tmp_path: Path, backend: ScriptedModel) -> AsyncIterator[Client]:
    async with running_playground(tmp_path, backend, password=PASSWORD) as client:
        yield client


@pytest.mark.parametrize("names", [("", ""), ("ann", "bob"), ("ann", "")])
async def test_nobody_reaches_anything_of_anybody_elses_thread(
    names: tuple[str, str], team: Client
) -> None:
    async with visiting(team, names[0]) as ann, visiting(team, names[1]) as bob:
        thread = await ann.make_thread()
        await cannot_reach(bob, thread)
        await ann.answer(thread, "What is it?", ("a.png", RED))
        await cannot_reach(bob, thread)
        assert await status(ann, "GET", f"/api/threads/{thread}/pictures/1") == 200
        (listed,) = await threads_of(ann)
        assert (listed["thread_id"], listed["is_mine"]) == (thread, True)


async def test_a_stranger_neither_follows_nor_stops_an_answer(
    team: Client, backend: ScriptedModel
) -> None:
    backend.hold()
    async with visiting(team, "ann") as ann, visiting(team, "bob") as bob:
        thread = await ann.make_thread()
        async with await ann.ask(thread, "q") as response:
            stream = events(response)
            await anext(stream)
            await cannot_reach(bob, thread)
            assert team.answers.num_in_flight == 1
            backend.release()
            assert [event async for event in stream][-1][0] == "done"


async def test_the_same_name_is_the_same_person_on_every_device(team: Client) -> None:
    async with visiting(team, "Änn") as desk, visiting(team, "änn") as phone:
        thread = await desk.make_thread()
        await desk.answer(thread, "q")
        assert (await phone.get(f"/api/threads/{thread}"))[0] == 200
        assert (await me(phone))["name"] == "änn"
        # The name alone is the person: the browser's session is somebody else.
        path = f"/api/threads/{thread}"
        async with phone.http.get(path, headers=signed_in("")) as response:
            assert response.status == 404
        phone.http.cookie_jar.clear()
        assert (await phone.get(path))[0] == 200


async def test_a_session_survives_a_restart(tmp_path: Path, backend: ScriptedModel) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        running_playground(tmp_path, backend, password=PASSWORD) as client,
        visiting(client, jar=jar) as ann,
    ):
        thread = await ann.make_thread()
        await ann.answer(thread, "q")
        assert stat.S_IMODE((tmp_path / "session-key").stat().st_mode) == 0o600
    async with (
        running_playground(tmp_path, backend, password=PASSWORD) as client,
        visiting(client, jar=jar) as ann,
    ):
        assert [listed["thread_id"] for listed in await threads_of(ann)] == [thread]


async def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(
    team: Client,
) -> None:
    for headers, secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
        async with team.http.get("/", headers=signed_in("") | headers) as response:
            (cookie,) = response.cookies.values()
            assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
            assert bool(cookie["secure"]) is secure
        team.http.cookie_jar.clear()
    async with team.http.get("/static/app.js", headers=signed_in("")) as response:
        assert not response.cookies
    async with team.http.get("/") as response:
        assert response.status == 401
        assert not response.cookies


async def test_a_visit_to_the_page_prolongs_the_session(team: Client) -> None:
    async with visiting(team) as ann, ann.http.get("/") as response:
        (cookie,) = response.cookies.values()
        assert int(cookie["max-age"]) > 300 * 24 * 3600
        sent = {morsel.key: morsel.value for morsel in ann.http.cookie_jar}
        assert sent == {cookie.key: cookie.value}


async def test_a_tampered_cookie_is_a_new_person_and_no_error(team: Client) -> None:
    async with visiting(team) as ann:
        thread = await ann.make_thread()
        await ann.answer(thread, "q")
        (cookie,) = ann.http.cookie_jar
    session, made, signature = cookie.value.split(".")
    other = Sessions(b"another key")._signer
    for value in (
        f"{session}x.{made}.{signature}",
        f"{session}.{made}x.{signature}",
        f"{session}.{made}",
        f"{session}..{signature}",
        session,
        other.sign(session.encode()).decode(),
        cookie.value[:-1],
        "",
    ):
        headers = signed_in("") | {"Cookie": f"{cookie.key}={value}"}
        async with (
            aiohttp.ClientSession(team.playground.address) as http,
            http.get("/api/threads", headers=headers) as response,
        ):
            assert response.status == 200
            assert await response.json() == {"threads": []}
            assert response.cookies[cookie.key].value not in {value, cookie.value}


@given(value=st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_no_cookie_that_was_not_signed_here_is_anybodys(value: str) -> None:
    request = SimpleNamespace(cookies={SESSIONS.cookie: value})
    assert SESSIONS.read(request) is None  # type: ignore[arg-type]


SESSIONS = Sessions(b"k" * 32)


def test_a_key_that_is_not_whole_is_made_anew(tmp_path: Path) -> None:
    first = session_key(tmp_path)
    assert session_key(tmp_path) == first
    (tmp_path / "session-key").write_bytes(first[:7])
    again = session_key(tmp_path)
    assert len(again) == len(first)
    assert session_key(tmp_path) == again != first


def test_a_cookie_ends_on_the_server_too(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, at = SESSIONS._signer, int(time.time())
    monkeypatch.setattr(signer, "get_timestamp", lambda: at)
    request = SimpleNamespace(cookies={SESSIONS.cookie: signer.sign(b"x").decode()})
    assert SESSIONS.read(request) == "x"  # type: ignore[arg-type]
    monkeypatch.setattr(signer, "get_timestamp", lambda: at + MAX_AGE_S + 1)
    assert SESSIONS.read(request) is None  # type: ignore[arg-type]
    monkeypatch.setattr(signer, "get_timestamp", lambda: at - 3600)  # the clock was set back
    assert SESSIONS.read(request) == "x"  # type: ignore[arg-type]


async def test_a_key_that_cannot_be_kept_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "session-key").mkdir()
    with pytest.raises(PlatformUnavailable, match=r"cannot keep the key of its sessions in "):
        async with running_playground(tmp_path, ScriptedModel(), password=PASSWORD):
            pass


async def test_cookies_of_two_bots_on_one_host_do_not_overwrite_each_other() -> None:
    assert Sessions(b"a" * 32).cookie != Sessions(b"b" * 32).cookie


async def test_eight_people_with_a_question_each_are_all_admitted(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with running_playground(
        tmp_path, backend, password=PASSWORD, questions_per_user=1
    ) as client:

        async def ask(name: str) -> str:
            async with visiting(client, name) as visitor:
                return (await visitor.answer(await visitor.make_thread(), "q"))[-1][0]

        asked = [asyncio.create_task(ask(name)) for name in ("", "", "", "", "a", "b", "c", "d")]
        await until(lambda: client.answers.num_in_flight == 8)
        backend.release()
        assert await asyncio.gather(*asked) == ["done"] * 8
    assert (
        len({request.user_id for request in backend.requests}) == 8
    )  # each has turns of their own


async def test_the_limit_counts_each_persons_own_questions(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    backend.hold()
    async with (
        running_playground(tmp_path, backend, password=PASSWORD, questions_per_user=1) as client,
        visiting(client, "ann") as ann,
        visiting(client, "bob") as bob,
    ):
        first = await ann.ask(await ann.make_thread(), "q")
        await until(lambda: client.answers.num_in_flight == 1)
        name, data = (await ann.answer(await ann.make_thread(), "another"))[-1]
        assert name == "error"
        assert data["message"].startswith("You already have 1 question in progress")
        asking = asyncio.create_task(bob.answer(await bob.make_thread(), "q"))
        await until(lambda: client.answers.num_in_flight == 2)
        backend.release()
        assert (await asking)[-1][0] == "done"
        first.close()


async def test_without_a_password_there_is_one_person_and_no_cookie(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q")
    async with (
        aiohttp.ClientSession(client.playground.address) as other,
        other.get("/api/threads", headers=signed_in("bob")) as response,
    ):
        assert [it["thread_id"] for it in (await response.json())["threads"]] == [thread]
        assert not response.cookies
    found = await me(client)
    assert (found["kind"], found["sharing"]) == ("local", False)
    assert "everybody who uses it here sees all threads" in found["who_sees"][0]
    assert await status(client, "POST", f"/api/threads/{thread}/share") == 403


async def test_in_a_team_everybody_sees_continues_and_deletes_everything(
    tmp_path: Path, backend: ScriptedModel
) -> None:
    async with (
        running_playground(tmp_path, backend, password=PASSWORD, threads="team") as client,
        visiting(client, "Ann") as ann,
        visiting(client, "Bob") as bob,
    ):
        thread = await ann.make_thread()
        await ann.answer(thread, "first")
        await bob.answer(thread, "second")
        _, shown = await bob.get(f"/api/threads/{thread}")
        assert [turn["author"] for turn in shown["turns"]] == [
            {"name": "Ann", "is_me": False},
            {"name": "Bob", "is_me": True},
        ]
        assert backend.requests[-1].messages[-1].text == "Bob: second"
        assert (await me(bob))["who_sees"] == [
            "Everybody with the password sees all threads, and may continue and delete them."
        ]
        async with ann.http.post(f"/api/threads/{thread}/again") as response:
            assert [event async for event in events(response)][-1][0] == "done"
        assert await status(bob, "DELETE", f"/api/threads/{thread}") == 204
        assert await threads_of(ann) == []


async def test_a_name_is_given_once_and_stands_at_questions(team: Client) -> None:
    async with visiting(team) as ann:
        assert (await me(ann))["name"] == ""
        async with ann.http.put("/api/me", json={"name": " Ann\n\x00 "}) as response:
            assert (await response.json())["name"] == "Ann"
        thread = await ann.make_thread()
        await ann.answer(thread, "q")
        _, shown = await ann.get(f"/api/threads/{thread}")
        assert shown["turns"][0]["author"] == {"name": "Ann", "is_me": True}
    async with visiting(team, "bob") as bob:
        assert await status(bob, "PUT", "/api/me", {"name": "Ann"}) == 409


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"name": 1}', 400),
        (b'{"name": "%s"}' % (b"x" * 61), 400),
        (b'{"name": "%s"}' % (b"x" * 20_000), 413),
        (b"\xff", 400),
    ],
)
async def test_an_odd_name_gets_a_sentence(body: bytes, code: int, client: Client) -> None:
    async with client.http.put("/api/me", data=body) as response:
        assert response.status == code
        assert (await response.json())["error"]


async def test_forget_me_leaves_nothing_of_a_person_and_all_of_the_others(
    team: Client, tmp_path: Path
) -> None:
    async with visiting(team) as ann, visiting(team, "bob") as bob:
        await status(ann, "PUT", "/api/me", {"name": "Ann"})
        (before,) = (cookie.value for cookie in ann.http.cookie_jar)
        own, others = await ann.make_thread(), await bob.make_thread()
        await ann.answer(own, "q", ("a.png", RED))
        await bob.answer(others, "q")
        async with ann.http.delete("/api/me") as response:
            assert await response.json() == {"questions": 1}
        assert not list(ann.http.cookie_jar)
        assert not list((tmp_path / "pictures").rglob("*.png"))
        assert await threads_of(ann) == []
        assert (await me(ann))["name"] == ""
        (after,) = (cookie.value for cookie in ann.http.cookie_jar)
        assert session_in(after) != session_in(before)
        assert [listed["thread_id"] for listed in await threads_of(bob)] == [others]


async def test_forget_me_stops_what_is_being_answered(team: Client, backend: ScriptedModel) -> None:
    backend.hold()
    async with visiting(team, "ann") as ann:
        thread = await ann.make_thread()
        async with await ann.ask(thread, "q") as response:
            stream = events(response)
            await anext(stream)
            forgetting = asyncio.create_task(status(ann, "DELETE", "/api/me"))
            assert [event async for event in stream][-1][0] in {"done", "error"}
        assert await forgetting == 200
        assert await ann.get(f"/api/threads/{thread}") == NO_THREAD
    backend.release()


async def test_the_examples_by_hand_work_without_a_cookie_jar(team: Client) -> None:
    """With a name, each request of curl's comes from the same person."""
    jar, headers = aiohttp.DummyCookieJar(), signed_in("ann")
    async with aiohttp.ClientSession(
        team.playground.address, headers=headers, cookie_jar=jar
    ) as http:
        curl = Visitor(http, team.answers, team.store, team.questions, team.playground, team.folder)
        thread = await curl.make_thread()
        assert (await curl.answer(thread, "What is it?", ("a.png", RED)))[-1][0] == "done"
        assert (await curl.answer(thread, "What colour is it?"))[-1][0] == "done"
