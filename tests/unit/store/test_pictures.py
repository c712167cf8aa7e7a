"""Where pictures' bytes are kept: a private folder, a shared one, a bucket of a real protocol."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, update

from bot.store import PicturesUnusable, Store, StoreFailed, running_store
from bot.store.database.sqlite import migrate
from bot.store.pictures.keeping import OLD_S
from bot.store.pictures.rows import RESERVED
from bot.store.schema import pictures
from bot.values.messages import Author, IncomingMessage, MessageKey, Receipt, ThreadKey
from bot.values.picture_places import (
    PictureBucket,
    PictureFolder,
    PicturePlace,
)
from bot.values.pictures import NormalisedPicture
from tests.pictures import plain_picture
from tests.servers.s3.server import KEY, SECRET, S3Server, StoredObject, running_s3
from tests.waiting import until

THREAD = ThreadKey(platform="web", team="t", channel="c", thread="1")
RED, BLUE = plain_picture((250, 0, 0)), plain_picture((0, 0, 250))

KINDS = ("folder", "shared folder", "bucket")
"""The first beside SQLite, as one process has it; the others with PostgreSQL."""


@dataclass
class Place:
    """Where a test keeps pictures, and how it looks there."""

    at: PicturePlace | None
    folder: Path
    s3: S3Server
    database: URL | None = None

    def open(self) -> AbstractAsyncContextManager[Store]:
        return running_store(self.folder / "data", url=self.database, pictures_at=self.at)

    def open_with_another_database(self) -> AbstractAsyncContextManager[Store]:
        return running_store(self.folder / "another", pictures_at=self.at)

    @property
    def is_bucket(self) -> bool:
        return isinstance(self.at, PictureBucket)

    @property
    def root(self) -> Path:
        return self.at.path if isinstance(self.at, PictureFolder) else self.folder / "data/pictures"

    def kept(self) -> list[bytes]:
        if self.is_bucket:
            return self.s3.pictures()
        return [it.read_bytes() for it in self.root.glob("*/*") if it.is_file()]

    def put(self, name: str, *, age_s: float = 0) -> None:
        """As somebody else leaves it there."""
        if self.is_bucket:
            at = datetime.now(UTC) - timedelta(seconds=age_s)
            self.s3.objects[f"pictures/{name}"] = StoredObject(b"left", at)
        else:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"left")
            os.utime(path, (time.time() - age_s,) * 2)

    def names(self) -> set[str]:
        if self.is_bucket:
            return {it.removeprefix("pictures/") for it in self.s3.objects}
        return {str(it.relative_to(self.root)) for it in self.root.rglob("*") if it.is_file()}


@pytest.fixture
async def s3() -> AsyncIterator[S3Server]:
    async with running_s3() as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Place:
    at = {
        "folder": None,
        "shared folder": PictureFolder(tmp_path / "everybody" / "pictures", is_shared=True),
        "bucket": s3.place("pictures"),
    }
    url = None if request.param == KINDS[0] else request.getfixturevalue("postgresql_url")
    return Place(at[request.param], tmp_path, s3, url)


@pytest.fixture(params=KINDS[1:])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server, postgresql_url: URL
) -> Place:
    folder = PictureFolder(tmp_path / "everybody", is_shared=True)
    at = folder if request.param == KINDS[1] else s3.place("pictures")
    return Place(at, tmp_path, s3, postgresql_url)


def incoming(message: str = "m1", *, thread: str = "1") -> IncomingMessage:
    return IncomingMessage(
        key=MessageKey(platform="web", team="t", channel="c", message=message),
        thread=replace(THREAD, thread=thread),
        author=Author(id="u"),
        text="What is it?",
    )


async def ask(store: Store, message: IncomingMessage, *shown: object) -> None:
    assert await store.inbox.claim(message)
    assert await begin(store, message, *shown)


async def begin(store: Store, message: IncomingMessage, *shown: object) -> bool:
    return await store.begin_turn(
        message,
        question=message.text,
        new_pictures=[NormalisedPicture(name="a", picture=it) for it in shown],  # type: ignore[arg-type]
        receipt=Receipt(),
    )


# -- in every place -----------------------------------------------------------------------------


async def test_the_pixels_stay_wherever_they_are_kept(place: Place) -> None:
    async with place.open() as store:
        await ask(store, incoming(), RED, BLUE, RED)
    async with place.open() as store:
        (turn,) = await store.turns(THREAD)
        read = [(await store.read_picture(it)).data for it in turn.pictures]
        assert read == [RED.data, BLUE.data, RED.data]
        file = await store.picture_file(THREAD, 2)
        assert file is not None
        assert file.data == BLUE.data
    assert sorted(place.kept()) == sorted([RED.data, BLUE.data])  # the same one is kept once


async def test_erasing_deletes_the_bytes_that_no_other_thread_shows(place: Place) -> None:
    async with place.open() as store:
        await ask(store, incoming("m1"), RED, BLUE)
        await ask(store, incoming("m2", thread="2"), BLUE)
        await store.forget_thread(THREAD)
        assert place.kept() == [BLUE.data]
        await store.forget_author("web", None, "u")
        assert place.kept() == []


async def test_a_picture_that_is_shown_again_after_its_erasure_is_there(place: Place) -> None:
    async with place.open() as store:
        for number in range(3):
            await ask(store, incoming(f"m{number}"), RED)
            (turn,) = await store.turns(THREAD)
            assert (await store.read_picture(turn.pictures[0])).data == RED.data
            await store.forget_thread(THREAD)
            assert place.kept() == []


async def test_a_thread_that_was_erased_meanwhile_leaves_no_bytes(place: Place) -> None:
    async with place.open() as store:
        await ask(store, incoming())
        await store.forget_thread(THREAD)
        assert not await begin(store, incoming(), RED)
        assert place.kept() == []


async def test_what_a_crash_left_between_row_and_turn_goes_after_an_hour(place: Place) -> None:
    async with place.open() as store:
        await store._pictures.write([RED])
        await store._pictures.sweep()
        assert place.kept() == [RED.data]  # perhaps another process is about to use it

        def an_hour_passes(connection: Connection) -> None:
            connection.execute(update(pictures).values(reserved_until=datetime.now(UTC) - RESERVED))

        await store.database.write(an_hour_passes)
        await store._pictures.sweep()
        assert place.kept() == []


async def test_a_sweep_leaves_young_files_and_what_is_no_picture(place: Place) -> None:
    old, young, foreign = "ab/abcdef01.png", "ab/abcdef02.png", "ab/holiday.png"
    async with place.open() as store:
        await ask(store, incoming(), RED)
        before = place.names()
        for name, age_s in ((old, OLD_S + 60), (young, 60), (foreign, OLD_S + 60)):
            place.put(name, age_s=age_s)
        await store._pictures.sweep()
        assert place.names() == before | {young, foreign}


async def test_many_files_are_swept(place: Place) -> None:
    async with place.open() as store:
        for number in range(10):  # more than the local bucket lists at once
            place.put(f"0{number}/abcdef{number:02}.jpg", age_s=OLD_S + 60)
        await ask(store, incoming(), RED)
        await store._pictures.sweep()
        assert place.kept() == [RED.data]


async def test_pictures_of_an_earlier_version_stay_where_they_are(tmp_path: Path) -> None:
    await asyncio.to_thread(migrate, tmp_path / "llava-bot.db", to="0006")
    with contextlib.closing(sqlite3.connect(tmp_path / "llava-bot.db")) as database:
        for row in (
            "threads VALUES (1, 'web', 't', 'c', '1', 'Old', '2026-11-22', 0, '', 0)",
            "turns VALUES (1, 1, 'm1', 0, '', 'What?', 'answered', 'Red.', '{}', 1)",
            "pictures VALUES (:digest, 'png', 64, 64, 9)",
            "turn_pictures VALUES (1, 0, 1, :digest, 'a.png', '[]')",
        ):
            database.execute(f"INSERT INTO {row}", {"digest": RED.digest})
        database.commit()
    path = tmp_path / "pictures" / RED.digest[:2] / f"{RED.digest}.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(RED.data)
    async with running_store(tmp_path) as store:
        file = await store.picture_file(THREAD, 1)
        assert file is not None
        assert file.data == RED.data
        await store.forget_thread(THREAD)
    assert not path.exists()


# -- several processes --------------------------------------------------------------------------


async def test_one_erases_a_picture_while_another_shows_it(shared: Place) -> None:
    """Each step of the one between each two of the other: no turn ever lacks its bytes."""
    async with shared.open() as one, shared.open() as other:
        for number in range(12):
            mine, theirs = (incoming(f"{it}{number}", thread=f"{it}{number}") for it in "ab")
            await ask(one, mine, RED)
            assert await other.inbox.claim(theirs)

            async def erase(number: int = number, mine: IncomingMessage = mine) -> None:
                await asyncio.sleep(number % 6 * 0.002)
                await one.forget_thread(mine.thread)

            await asyncio.gather(erase(), begin(other, theirs, RED))
            (turn,) = await one.turns(theirs.thread)
            assert (await one.read_picture(turn.pictures[0])).data == RED.data
            await other.forget_thread(theirs.thread)
            assert shared.kept() == []


async def test_a_writer_that_slept_through_its_reservation_writes_again(
    shared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shared.open() as sleeper, shared.open() as other:
        assert await sleeper.inbox.claim(incoming())
        write = sleeper._pictures.write
        names: list[dict[str, str]] = []

        async def write_and_sleep(shown: object) -> dict[str, str]:
            names.append(await write(shown))  # type: ignore[arg-type]
            if len(names) == 1:  # an hour passes, and another process sweeps
                await other.database.write(
                    lambda it: it.execute(update(pictures).values(reserved_until=None)).rowcount
                )
                await other._pictures.sweep()
                assert await asyncio.to_thread(shared.kept) == []
            return names[-1]

        monkeypatch.setattr(sleeper._pictures, "write", write_and_sleep)
        assert await begin(sleeper, incoming(), RED)
        assert len(names) == 2
        assert names[0] != names[1]
        (turn,) = await other.turns(THREAD)
        assert (await other.read_picture(turn.pictures[0])).data == RED.data


async def test_another_process_starting_removes_nothing_that_is_being_written(
    shared: Place,
) -> None:
    async with shared.open() as store:
        names = await store._pictures.write([RED])
        async with shared.open() as other:
            await other._pictures.sweep()
        assert await store._pictures.read(names[RED.digest], RED.digest) == RED.data


async def test_a_place_of_another_database_is_refused(shared: Place) -> None:
    async with shared.open() as store:
        await ask(store, incoming(), RED)
    with pytest.raises(PicturesUnusable, match=r"of another database .* prefix of its own"):
        async with shared.open_with_another_database():
            pass
    assert shared.kept() == [RED.data]


# -- when it fails ------------------------------------------------------------------------------


async def test_a_picture_that_cannot_be_written_ends_with_a_sentence(place: Place) -> None:
    async with place.open() as store:
        assert await store.inbox.claim(incoming())
        if place.is_bucket:
            place.s3.down = True
        else:
            place.root.mkdir(parents=True, exist_ok=True)
            (place.root / RED.digest[:2]).write_bytes(b"no folder")
        with pytest.raises(StoreFailed) as failed:
            await begin(store, incoming(), RED)
        assert failed.value.key == "store_failed"
        assert await store.turns(THREAD) == ()


async def test_a_bucket_that_fails_once_is_asked_again(tmp_path: Path, s3: S3Server) -> None:
    async with running_store(tmp_path, pictures_at=s3.place()) as store:
        s3.faults = [(503, "SlowDown"), (500, "InternalError")]
        await ask(store, incoming(), RED)
        assert s3.faults == []
    assert s3.pictures() == [RED.data]


async def test_a_full_bucket_is_a_full_disk(tmp_path: Path, s3: S3Server) -> None:
    async with running_store(tmp_path, pictures_at=s3.place()) as store:
        await store.inbox.claim(incoming())
        s3.faults = [(507, "XMinioStorageFull")] * 9
        with pytest.raises(StoreFailed) as failed:
            await begin(store, incoming(), RED)
        assert failed.value.key == "disk_full"


async def test_what_cannot_be_deleted_now_is_deleted_later(tmp_path: Path, s3: S3Server) -> None:
    async with running_store(tmp_path, pictures_at=s3.place()) as store:
        await ask(store, incoming(), RED)
        s3.down = True
        with pytest.raises(StoreFailed):
            await store.forget_thread(THREAD)
        s3.down = False
        assert s3.pictures() == [RED.data]
        assert not await store.forget_thread(THREAD)  # as a late write asks again
        assert s3.pictures() == []


async def test_a_slow_bucket_keeps_nobody_from_the_database(tmp_path: Path, s3: S3Server) -> None:
    async with running_store(tmp_path, pictures_at=s3.place()) as store:
        await store.inbox.claim(incoming())
        s3.answers.clear()
        slow = [asyncio.create_task(store._pictures.write([RED])) for _ in range(20)]
        await until(lambda: len(s3.requests) > 3)
        for number in range(5):
            assert await store.inbox.claim(incoming(f"other {number}"))
        assert not any(task.done() for task in slow)
        s3.answers.set()
        await asyncio.gather(*slow)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret_access_key": "wrong"}, "AWS_SECRET_ACCESS_KEY does not belong to"),
        ({"access_key_id": "AKOTHER"}, "does not know this AWS_ACCESS_KEY_ID"),
        ({"region": "mars"}, "it is in another region"),
        ({"bucket": "nobodys"}, "no such bucket"),
    ],
)
async def test_a_bucket_that_cannot_be_used_is_named_at_the_start(
    changes: dict[str, str], sentence: str, tmp_path: Path, s3: S3Server
) -> None:
    with pytest.raises(PicturesUnusable, match=sentence) as refused:
        async with running_store(tmp_path, pictures_at=s3.place("a", **changes)):
            pass
    assert str(refused.value).startswith("PICTURES_URL: s3://")


async def test_temporary_keys_bring_their_token(tmp_path: Path, s3: S3Server) -> None:
    s3.token = "temporary"
    async with running_store(tmp_path, pictures_at=s3.place()) as store:
        await ask(store, incoming(), RED)
    with pytest.raises(PicturesUnusable):
        async with running_store(tmp_path, pictures_at=s3.place(session_token="old")):
            pass


async def test_a_folder_that_cannot_be_written_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    place = PictureFolder(tmp_path / "file" / "pictures", is_shared=True)
    with pytest.raises(PicturesUnusable, match=r"cannot be written .* that this user may write"):
        async with running_store(tmp_path / "data", pictures_at=place):
            pass


async def test_no_key_and_nothing_signed_reaches_a_log_or_a_repr(
    tmp_path: Path, s3: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = s3.place()
    said = [repr(place), str(place)]
    async with running_store(tmp_path, pictures_at=place) as store:
        s3.faults = [(403, "SignatureDoesNotMatch")] * 9
        await store.inbox.claim(incoming())
        with pytest.raises(StoreFailed) as failed:
            await begin(store, incoming(), RED)
        said += [repr(failed.value), failed.value.sentence("en"), repr(failed.value.__cause__)]
        s3.faults = [(403, "SignatureDoesNotMatch")] * 9
        await store._pictures.sweep()
    said.append(caplog.text)
    assert "pictures were not swept" in caplog.text
    assert not [it for it in said if KEY in it or SECRET in it]
