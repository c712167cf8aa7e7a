"""`llava-bot store migrate`: from a folder to PostgreSQL, and on with every thread."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import URL, Connection, func, select

from bot.store import running_store
from bot.store.moving.rows import NOT_MOVED, Digest, moved_tables
from bot.store.schema import metadata, threads
from bot.values.messages import Outcome, ThreadKey
from bot.values.usage import Spent, Use
from tests.engines import ScriptedModel
from tests.postgresql import postgresql, postgresql_url
from tests.scenario.command import Result, llava_bot
from tests.scenario.core import message, red, running_core
from tests.scenario.exchange import FakeExchange
from tests.servers.s3.server import KEY, REGION, SECRET, S3Server, running_s3

THREAD = message("?").thread

__all__ = ["postgresql", "postgresql_url"]


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """The folder of a bot that has been asked about a picture, and has a question left."""
    folder = tmp_path / "old"
    backend = ScriptedModel()
    async with running_core(folder, backend) as core:
        exchange = red()
        assert await core.answers.ask(message("What is it?", "red"), exchange)
        assert exchange.ending.outcome is Outcome.ANSWERED
        await core.store.people.remember_name("web", "ann", "Ann\0 猫")
        assert await core.store.inbox.claim(message("left over"))
    return folder


@pytest.fixture
async def s3() -> AsyncIterator[S3Server]:
    async with running_s3() as server:
        yield server


def state_of(folder: Path) -> dict[str, str]:
    """Every file but the lock, by its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.lock"
    }


async def migrate(source: Path, url: URL, *arguments: str, **settings: str) -> Result:
    given = {"DATABASE_URL": url.render_as_string(hide_password=False), **settings}
    folder = source.parent / "new"
    folder.mkdir(exist_ok=True)
    return await llava_bot(
        "store", "migrate", "--from", str(source), *arguments, data_dir=folder, variables=given
    )


async def num_threads(url: URL, folder: Path) -> int:
    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(threads)).scalar_one()

    async with running_store(folder, url=url) as store:
        return await store.database.read(count)


async def test_a_moved_store_is_asked_on_in_its_old_thread_with_its_picture(
    source: Path, postgresql_url: URL, s3: S3Server
) -> None:
    before = state_of(source)
    bucket = s3.place("pictures")
    settings = {
        "PICTURES_URL": f"s3://{bucket.bucket}/pictures?endpoint={bucket.endpoint}&region={REGION}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    result = await migrate(source, postgresql_url, **settings)
    assert result.code == 0, result.err
    assert "1 threads, 1 turns" in result.out
    assert "1 pictures" in result.out
    assert state_of(source) == before
    assert len(s3.pictures()) == 1

    backend = ScriptedModel()
    store_at = {"url": postgresql_url, "pictures_at": bucket}
    async with running_core(source.parent / "new", backend, store_at=store_at) as core:
        exchange = FakeExchange()
        assert await core.answers.ask(message("And its colour?"), exchange)
        assert exchange.ending.outcome is Outcome.ANSWERED
        (request,) = backend.requests
        assert [len(it.pictures) for it in request.messages] == [1, 0, 0]
        asked = [turn.question for turn in await core.store.turns(THREAD)]
        assert asked == ["What is it?", "And its colour?"]
        assert [it.text for it in await core.store.inbox.unfinished()] == ["left over"]
        # The same copy of a message is answered by neither database twice.
        assert not await core.store.inbox.claim(message("What is it?", "red"))


async def test_counts_of_what_was_asked_move_with_the_threads(
    source: Path, postgresql_url: URL
) -> None:
    async with running_store(source) as store:
        for number in range(3):
            await store.usage.add(
                Use(
                    platform="slack",
                    team="T1",
                    channel="C1",
                    person=f"U{number}",
                    outcome="refused" if number else "answered",
                    reason="queue_full" if number else "",
                    spent=Spent(model="m", pictures=2, prompt_tokens=600, generated_tokens=20),
                )
            )
        before = await store.usage.sums("day", "platform", "person", "outcome", "reason")
    assert len(before) == 4  # of the bot that was asked, too
    assert (await migrate(source, postgresql_url, "--quiet")).code == 0
    async with running_store(source.parent / "new", url=postgresql_url) as store:
        assert await store.usage.sums("day", "platform", "person", "outcome", "reason") == before


async def test_without_a_place_of_their_own_pictures_go_into_the_new_folder(
    source: Path, postgresql_url: URL
) -> None:
    result = await migrate(source, postgresql_url, "--quiet")
    assert (result.code, result.err) == (0, "")
    async with running_store(source.parent / "new", url=postgresql_url) as store:
        assert await store.picture_file(THREAD, 1) is not None
        # Everything expires there as it would have.
        assert await store.forget_older_than(timedelta(days=1)) == 0


async def test_a_database_that_somebody_has_used_is_refused(
    source: Path, postgresql_url: URL, tmp_path: Path
) -> None:
    async with running_store(tmp_path / "other", url=postgresql_url) as store:
        await store.make_thread(ThreadKey(platform="web", team="", channel="", thread="theirs"))
    result = await migrate(source, postgresql_url)
    assert result.code == 1
    assert "is not empty" in result.last_sentence
    assert await num_threads(postgresql_url, tmp_path / "other") == 1


@pytest.mark.heavy
async def test_a_folder_that_a_bot_runs_on_or_that_holds_none_is_refused(
    source: Path, postgresql_url: URL, tmp_path: Path
) -> None:
    with FileLock(source / "run.lock"):
        result = await migrate(source, postgresql_url)
    assert (result.code, "A bot runs on" in result.last_sentence) == (1, True)
    (tmp_path / "empty").mkdir()
    result = await migrate(tmp_path / "empty", postgresql_url)
    assert (result.code, "holds no store" in result.last_sentence) == (1, True)
    result = await llava_bot(
        "store",
        "migrate",
        "--from",
        "~nobodys/old",
        data_dir=tmp_path,
        variables={"DATABASE_URL": postgresql_url.render_as_string(hide_password=False)},
    )
    assert (result.code, "~nobodys/old holds no store" in result.last_sentence) == (1, True)
    result = await llava_bot("store", "migrate", "--from", str(source), data_dir=tmp_path)
    assert (result.code, "DATABASE_URL" in result.last_sentence) == (1, True)


@pytest.mark.heavy
async def test_a_damaged_picture_stops_the_move_and_the_same_command_begins_again(
    source: Path, postgresql_url: URL, tmp_path: Path
) -> None:
    (picture,) = (source / "pictures").glob("*/*.*")
    right = picture.read_bytes()
    picture.write_bytes(b"\x89PNG damaged")
    result = await migrate(source, postgresql_url)
    assert (result.code, "is damaged" in result.last_sentence) == (1, True)
    assert await num_threads(postgresql_url, tmp_path / "other") == 0
    picture.write_bytes(right)
    shutil.rmtree(tmp_path / "new" / "pictures")
    assert (await migrate(source, postgresql_url)).code == 0
    assert await num_threads(postgresql_url, tmp_path / "other") == 1


@pytest.mark.heavy
async def test_a_damaged_source_is_named_and_moves_nothing(
    source: Path, postgresql_url: URL, tmp_path: Path
) -> None:
    database = source / "llava-bot.db"
    whole = database.read_bytes()
    with closing(sqlite3.connect(database)) as opened:
        ((size,),) = opened.execute("PRAGMA page_size")
        ((page,),) = opened.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'turns'")
    database.write_bytes(whole[: (page - 1) * size] + b"\1" * size + whole[page * size :])
    result = await migrate(source, postgresql_url)
    assert result.code == 1
    assert "could not be moved (SQLITE_CORRUPT" in result.err
    database.write_bytes(b"no database" * 1000)
    result = await migrate(source, postgresql_url)
    assert result.code == 1
    assert f"{database} is damaged" in result.err
    database.write_bytes(whole)
    assert (await migrate(source, postgresql_url)).code == 0
    assert await num_threads(postgresql_url, tmp_path / "other") == 1


def test_every_table_is_moved_or_said_not_to_be() -> None:
    assert {it.name for it in moved_tables()} | NOT_MOVED >= set(metadata.tables)


def test_a_digest_sees_every_value_and_no_order() -> None:
    rows = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]
    digest = Digest().plus(rows[0]).plus(rows[1])
    assert digest == Digest().plus(rows[1]).plus(rows[0])
    assert digest != Digest().plus(rows[0]).plus({"id": 2, "text": "c"})
    assert digest != digest.plus(rows[0])
