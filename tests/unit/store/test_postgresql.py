"""What is PostgreSQL's own: its address, what passes, what is said where it cannot be used."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, text

from bot.store import DatabaseUnusable, StoreFailed, running_store, try_postgresql
from bot.store.database import open_database
from bot.store.database.folding import folded
from bot.store.database.opening import MIGRATION_LOCK, address_of
from bot.store.database.postgresql import engine_at
from bot.store.schema import channels
from bot.values.turns import ChannelSettings
from tests.servers.postgresql import PASSWORD, PostgresqlServer
from tests.unit.store.questions import THREAD, ask, ending, incoming, new
from tests.waiting import until


@pytest.mark.parametrize(
    ("given", "driver", "options"),
    [
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg", {}),
        ("postgresql://u:p@h/d?sslmode=require", "postgresql+asyncpg", {"ssl": "require"}),
        ("postgres://u@h:6432/d", "postgresql+asyncpg", {}),
    ],
)
def test_an_address_may_be_written_as_other_programs_have_it(
    given: str, driver: str, options: dict[str, str]
) -> None:
    url = address_of(given)
    assert (url.drivername, dict(url.query), url.database) == (driver, options, "d")


@pytest.mark.parametrize("given", ["postgresql+asyncpg://u:p@h:x/d", "nothing", "postgresql://h:0"])
def test_what_is_no_address_is_named_without_being_quoted(given: str) -> None:
    with pytest.raises(DatabaseUnusable, match=r"DATABASE_URL is no address") as failed:
        address_of(given)
    assert given not in str(failed.value)


async def refusal(url: URL) -> str:
    with pytest.raises(DatabaseUnusable) as failed:
        async with open_database(url):
            pass
    sentence = str(failed.value)
    assert PASSWORD not in sentence
    assert "\n" not in sentence
    return sentence


async def test_what_keeps_a_database_from_being_used_is_said_in_a_sentence(
    postgresql: PostgresqlServer,
) -> None:
    url = postgresql.url()
    assert "does not let bot in: check the user and the password" in await refusal(
        url.set(password="wrong")
    )
    assert "has no database nowhere" in await refusal(url.set(database="nowhere"))
    assert "host no.invalid cannot be found" in await refusal(url.set(host="no.invalid"))
    assert "does not know or take" in await refusal(url.set(query={"colour": "red"}))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = url.set(port=taken.getsockname()[1])
        assert "No PostgreSQL server answers at 127.0.0.1:" in await refusal(closed)
    latin = await asyncio.to_thread(
        postgresql.new_database, "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    assert "has the encoding LATIN1" in await refusal(latin)


async def test_an_old_server_is_named(postgresql_url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.database.opening.OLDEST_POSTGRESQL", 99)
    assert "llava-bot needs 99 or newer" in await refusal(postgresql_url)


async def test_a_newer_database_is_named(postgresql: PostgresqlServer) -> None:
    url = await asyncio.to_thread(postgresql.new_database)
    async with open_database(url) as database:
        newer = text("UPDATE alembic_version SET version_num = 'x'")
        await database.write(lambda connection: connection.execute(newer))
    assert "comes from a newer llava-bot" in await refusal(url)


async def test_a_database_that_is_only_looked_at_stays_as_it_is(
    postgresql: PostgresqlServer,
) -> None:
    url = await asyncio.to_thread(postgresql.new_database)
    tables = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")

    async def num_tables() -> int:
        engine = engine_at(url, pool_size=1)
        try:
            async with engine.connect() as connection:
                return int((await connection.execute(tables)).scalar_one())
        finally:
            await engine.dispose()

    await asyncio.to_thread(try_postgresql, url)
    assert await num_tables() == 0
    async with open_database(url):
        pass
    await asyncio.to_thread(try_postgresql, url)
    assert await num_tables() > 5


async def test_a_user_without_rights_is_named(postgresql: PostgresqlServer) -> None:
    url = await asyncio.to_thread(postgresql.new_database)
    await asyncio.to_thread(postgresql.execute, "CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = url.set(username="guest", password="guest")
    assert "does not let guest make and change tables" in await refusal(guest)
    async with open_database(url):
        pass
    assert "does not let guest make and change tables" in await refusal(guest)


async def test_a_locked_and_a_read_only_database_are_called_so(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(postgresql.new_database)
    monkeypatch.setattr("bot.store.database.postgresql.BUSY_S", 0.1)
    locked = text("SELECT pg_advisory_lock(:key)").bindparams(key=MIGRATION_LOCK)
    async with engine_at(url, pool_size=1).connect() as other:
        await other.execute(locked)
        assert "is locked, by another llava-bot that migrates it or" in await refusal(url)
        await other.rollback()
        await (await other.get_raw_connection()).driver_connection.close()  # type: ignore[union-attr]
    read_only = f"ALTER DATABASE {url.database} SET default_transaction_read_only = on"
    await asyncio.to_thread(postgresql.execute, read_only)
    assert "takes no changes (it is read-only): end that with ALTER DATABASE" in await refusal(url)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("53100", "has no room left on its disk: make room there"),
        ("53300", "has no connection left for llava-bot: raise its max_connections"),
        ("XX001", r"is damaged \(DataCorruptedError, XX001\): see the server"),
    ],
)
async def test_a_full_disk_and_a_damaged_database_of_the_server_are_called_so(
    state: str, sentence: str, postgresql: PostgresqlServer
) -> None:
    url = await asyncio.to_thread(postgresql.new_database)
    raises = f"$$ BEGIN RAISE SQLSTATE '{state}'; END $$"
    fails = (
        f"CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS {raises}",
        "CREATE EVENT TRIGGER refusal ON ddl_command_start EXECUTE FUNCTION refuse()",
    )
    await asyncio.to_thread(postgresql.execute, *fails, database=str(url.database))
    assert re.search(sentence, await refusal(url))


async def test_of_processes_that_start_at_once_one_migrates(postgresql: PostgresqlServer) -> None:
    url = await asyncio.to_thread(postgresql.new_database)

    async def start() -> None:
        async with open_database(url):
            pass

    await asyncio.gather(*(start() for _ in range(4)))


async def test_a_server_that_restarts_costs_nobody_a_question(
    postgresql: PostgresqlServer, postgresql_url: URL, tmp_path: Path
) -> None:
    async with running_store(tmp_path, url=postgresql_url) as store:
        await ask(store, incoming("m1"))
        await asyncio.to_thread(postgresql.stop)
        store.database.busy_s = 0.2
        with pytest.raises(StoreFailed):
            await store.inbox.claim(incoming("m2"))
        store.database.busy_s = 60
        claiming = asyncio.create_task(store.inbox.claim(incoming("m3")))
        await asyncio.to_thread(postgresql.start)
        assert await claiming
        assert len(await store.turns(THREAD)) == 1


async def test_a_call_that_is_cancelled_leaves_no_transaction_open(
    postgresql: PostgresqlServer, postgresql_url: URL, tmp_path: Path
) -> None:
    async with running_store(tmp_path, url=postgresql_url) as store:
        await store.channels.choose("web", "t", "c", ChannelSettings())
        begun = threading.Event()

        def work(connection: Connection) -> None:
            connection.execute(channels.update().values(note="whole"))
            begun.set()
            connection.execute(text("SELECT pg_sleep(0.3)"))

        writing = asyncio.create_task(store.database.write(work))
        await until(begun.is_set, timeout_s=30)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await asyncio.to_thread(postgresql.execute, OPEN_TRANSACTIONS) == "0"
        assert (await store.channels.settings("web", "t", "c")).note == "whole"


OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'llava-bot' AND state <> 'idle'
"""


async def test_a_deadlock_is_tried_again(postgresql_url: URL, tmp_path: Path) -> None:
    async with running_store(tmp_path, url=postgresql_url) as store:
        runs: list[str] = []
        for name in "ab":
            await store.channels.choose("web", "t", name, ChannelSettings())

        def change(first: str, second: str) -> Callable[[Connection], None]:
            def work(connection: Connection) -> None:
                runs.append(first)
                for channel in (first, second):
                    connection.execute(
                        channels.update()
                        .where(channels.c.channel == channel)
                        .values(note=channels.c.note + first)
                    )
                    connection.execute(text("SELECT pg_sleep(0.3)"))

            return work

        await asyncio.gather(
            store.database.write(change("a", "b")), store.database.write(change("b", "a"))
        )
        notes = [(await store.channels.settings("web", "t", name)).note for name in "ab"]
    assert [sorted(note) for note in notes] == [["a", "b"], ["a", "b"]]
    assert len(runs) == 3


async def test_letters_are_folded_as_python_does(postgresql_url: URL) -> None:
    lines = [
        "ＡＢＣ１２３",
        "Straße",
        "ÉCOLE",
        "ΣΊΣΥΦΟΣ",
        "ПРИВЕТ",
        "ｶﾞﾗｽ",
        "İstanbul",
        "ﬁne",
        "Åse",
    ]
    async with open_database(postgresql_url) as database:
        for line in lines:
            query = text("SELECT folded(:line)").bindparams(line=line)
            found = await database.read(partial(Connection.scalar, statement=query))
            assert found == folded(line)
        assert await database.read(lambda c: c.scalar(text("SELECT folded(NULL)"))) == ""


async def test_what_postgresql_cannot_store_is_left_out(
    postgresql_url: URL, tmp_path: Path
) -> None:
    async with running_store(tmp_path, url=postgresql_url) as store:
        await ask(store, incoming())
        await store.answer_turn(incoming(), ending("A\0 cat."))
        assert [turn.answer for turn in await store.turns(THREAD)] == ["A cat."]


async def test_pictures_of_two_processes_are_neither_lost_nor_left(
    postgresql_url: URL, tmp_path: Path
) -> None:
    async with (
        running_store(tmp_path, url=postgresql_url) as first,
        running_store(tmp_path, url=postgresql_url) as second,
    ):
        for number in range(8):
            theirs = incoming(f"m{number}")
            await ask(first, theirs, new())
            other = incoming(f"o{number}", thread=replace(THREAD, thread="2"))
            await asyncio.gather(ask(second, other, new()), first.forget_thread(THREAD))
            (turn,) = (await second.turns(other.thread))[-1:]
            assert (await second.read_picture(turn.pictures[0])).data == new().picture.data
            await second.forget_thread(other.thread)
            assert list((tmp_path / "pictures").rglob("*.png")) == []


async def test_the_password_is_in_no_representation(postgresql_url: URL) -> None:
    async with open_database(postgresql_url) as database:
        assert PASSWORD not in f"{database!r} {database.url!r} {database.url}"  # type: ignore[attr-defined]
