"""A backup made while the bot answers is whole, and the bot is asked on after it is restored."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from filelock import FileLock

from bot.errors import CommandFailed
from bot.store import BackedUp, Restored, back_up, restore, running_store
from bot.store.backup.manifest import MANIFEST, digested
from bot.values.messages import Outcome
from bot.values.picture_places import PictureFolder
from tests.engines import ScriptedModel
from tests.scenario.core import Core, message, red, running_core
from tests.scenario.exchange import FakeExchange
from tests.waiting import until

THREAD = message("?").thread


def nothing(*_: object) -> None: ...


def backed_up(source: Path, target: Path, progress: Callable[..., object] = nothing) -> BackedUp:
    place = PictureFolder(source / "pictures")
    return back_up(source, target, place, version="1", progress=progress)


def restored(source: Path, folder: Path) -> Restored:
    return restore(source, folder, None, progress=nothing)


def digests(folder: Path) -> dict[str, bytes]:
    """Every file but the lock, by its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.lock"
    }


@dataclass
class Old:
    """A bot's folder, and its backup."""

    folder: Path
    backup: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a bot that has been asked about a picture, has a question left, and was stopped."""
    folder = tmp_path_factory.mktemp("made")

    async def live() -> None:
        async with running_core(folder / "old", ScriptedModel()) as core:
            assert await core.answers.ask(message("What is it?", "red"), red())
            assert await core.store.inbox.claim(message("left over"))

    asyncio.run(live())
    (folder / "old" / "session-key").write_bytes(b"planted")
    backed_up(folder / "old", folder / "backup")
    return folder


@pytest.fixture
def old(made: Path, tmp_path: Path) -> Old:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Old(tmp_path / "old", tmp_path / "backup")


async def ask_on(core: Core, backend: ScriptedModel, *, pictures: list[int]) -> None:
    exchange = FakeExchange()
    assert await core.answers.ask(message("And its colour?"), exchange)
    assert exchange.ending.outcome is Outcome.ANSWERED
    assert [len(it.pictures) for it in backend.requests[-1].messages] == pictures


async def test_a_bot_that_answers_meanwhile_is_backed_up_and_asked_on_after_the_restore(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    backend = ScriptedModel()
    async with running_core(old, backend) as core:
        with FileLock(old / "run.lock"):
            assert await core.answers.ask(message("What is it?", "red"), red())
            backend.hold()
            answering = core.answers.ask(message("Still?"), FakeExchange())
            await until(lambda: len(backend.requests) == 2)
            done = await asyncio.to_thread(backed_up, old, tmp_path / "backup")
            assert (done.num_threads, done.num_pictures, done.missing) == (1, 1, 0)
            backend.release()
            assert await answering  # and nobody noticed
        turns = await core.store.turns(THREAD)
        assert [turn.outcome for turn in turns] == [Outcome.ANSWERED, Outcome.ANSWERED]
    assert (await asyncio.to_thread(restored, tmp_path / "backup", new)).num_ended == 1
    backend = ScriptedModel()
    async with running_core(new, backend) as core:
        # The bot that went on has answered it: a second answer would be one too many.
        assert await core.store.inbox.unfinished() == []
        turns = await core.store.turns(THREAD)
        assert [turn.outcome for turn in turns] == [Outcome.ANSWERED, Outcome.REFUSED]
        await ask_on(core, backend, pictures=[1, 0, 0])
        assert not await core.store.inbox.claim(message("What is it?", "red"))


async def test_a_backup_of_a_stopped_bot_keeps_what_it_had_left(old: Old, tmp_path: Path) -> None:
    done = await asyncio.to_thread(restored, old.backup, tmp_path / "new")
    assert done.num_ended == 0
    assert (tmp_path / "new" / "session-key").read_bytes() == b"planted"
    async with running_store(tmp_path / "new") as store:
        assert [it.text for it in await store.inbox.unfinished()] == ["left over"]
        assert await store.picture_file(THREAD, 1) is not None


async def test_questions_asked_all_the_time_do_not_tear_a_backup(tmp_path: Path) -> None:
    old = tmp_path / "old"
    async with running_core(old, ScriptedModel()) as core:
        assert await core.answers.ask(message("What is it?", "red"), red())
        ended = asyncio.Event()

        async def go_on_asking() -> int:
            number = 0
            while not ended.is_set():
                number += 1
                assert await core.answers.ask(message(f"And {number}?"), FakeExchange())
            return number

        asking = asyncio.create_task(go_on_asking())
        for number in range(5):
            await asyncio.to_thread(backed_up, old, tmp_path / f"backup-{number}")
        ended.set()
        assert await asking > 1
    for number in range(5):
        copy, new = tmp_path / f"backup-{number}", tmp_path / f"new-{number}"
        await asyncio.to_thread(restored, copy, new)
        async with running_store(new) as store:
            assert await store.picture_file(THREAD, 1) is not None


async def test_a_picture_that_is_erased_meanwhile_is_gone_and_the_rest_is_there(
    old: Old, tmp_path: Path
) -> None:
    first_picture(old.folder).unlink()
    done = await asyncio.to_thread(backed_up, old.folder, tmp_path / "second")
    assert (done.num_pictures, done.missing) == (0, 1)
    assert "1 pictures were gone or damaged" in done.summary()[-1]
    await asyncio.to_thread(restored, tmp_path / "second", tmp_path / "new")
    async with running_store(tmp_path / "new") as store:
        assert len(await store.turns(THREAD)) == 1


def test_a_damaged_picture_is_not_backed_up_as_if_it_were_whole(old: Old, tmp_path: Path) -> None:
    first_picture(old.folder).write_bytes(b"\x89PNG, once")
    assert backed_up(old.folder, tmp_path / "second").missing == 1


def test_everything_is_private(old: Old, tmp_path: Path) -> None:
    restored(old.backup, tmp_path / "new")
    for folder in (old.backup, tmp_path / "new"):
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


# -- what is refused ------------------------------------------------------------------------------


def refused(work: Callable[[], object], why: str, *untouched: Path) -> None:
    before = [digests(folder) for folder in untouched]
    with pytest.raises(CommandFailed, match=why):
        work()
    assert [digests(folder) for folder in untouched] == before


def test_a_backup_goes_into_a_folder_of_its_own_alone(old: Old, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (old.backup, old.folder, tmp_path / "file"):
        refused(partial(backed_up, old.folder, target), "is not empty", old.folder)
    (tmp_path / "empty").mkdir()
    backed_up(old.folder, tmp_path / "empty")
    refused(partial(backed_up, tmp_path / "none", tmp_path / "x"), "holds no store")
    assert not (tmp_path / "x").exists()


def test_a_folder_that_has_a_store_or_a_running_bot_is_never_restored_over(
    old: Old, tmp_path: Path
) -> None:
    refused(partial(restored, old.backup, old.folder), "is not empty", old.folder)
    new = tmp_path / "new"
    new.mkdir()
    with FileLock(new / "run.lock"):
        refused(partial(restored, old.backup, new), "A bot runs on", new)
    (new / "models").mkdir()  # which may stay
    restored(old.backup, new)


def state_of_place(place: PictureFolder) -> dict[str, bytes]:
    return digests(place.path) if place.path.exists() else {}


async def test_pictures_are_not_restored_into_another_databases_place(
    old: Old, tmp_path: Path
) -> None:
    place, new = PictureFolder(tmp_path / "shared", is_shared=True), tmp_path / "new"
    async with running_store(tmp_path / "another", pictures_at=place):
        pass  # it has marked the place as its own
    before = state_of_place(place)
    assert before

    def into_it() -> object:
        return restore(old.backup, new, place, progress=nothing)

    await asyncio.to_thread(refused, into_it, "of another database", new)
    assert state_of_place(place) == before
    shutil.rmtree(place.path)
    await asyncio.to_thread(into_it)
    async with running_store(new, pictures_at=place) as store:
        assert await store.picture_file(THREAD, 1) is not None


async def test_a_backup_goes_back_to_the_place_that_its_own_database_has_marked(
    tmp_path: Path,
) -> None:
    place, new = PictureFolder(tmp_path / "shared", is_shared=True), tmp_path / "new"
    source = tmp_path / "source"
    async with running_store(source, pictures_at=place):
        pass
    back = partial(back_up, source, tmp_path / "backup", place, version="1", progress=nothing)
    await asyncio.to_thread(back)
    await asyncio.to_thread(restore, tmp_path / "backup", new, place, progress=nothing)
    async with running_store(new, pictures_at=place):
        pass


def first_picture(backup: Path) -> Path:
    return next((backup / "pictures").glob("*/*.*"))


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def name_a_file_outside(backup: Path) -> None:
    data = json.loads((backup / MANIFEST).read_text())
    data["files"]["pictures/../../planted"] = data["files"]["llava-bot.db"]
    (backup / MANIFEST).write_text(json.dumps(data))


def change(backup: Path, **values: object) -> None:
    data = json.loads((backup / MANIFEST).read_text())
    (backup / MANIFEST).write_text(json.dumps(data | values))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda it: flip_a_byte(first_picture(it)), "is damaged: pictures/"),
        (lambda it: first_picture(it).unlink(), "is damaged: pictures/"),
        (lambda it: flip_a_byte(it / "llava-bot.db"), "is damaged: llava-bot.db"),
        (lambda it: (it / MANIFEST).unlink(), "is no finished backup"),
        (lambda it: (it / MANIFEST).write_text("{"), "manifest.json is damaged"),
        (lambda it: (it / MANIFEST).write_bytes(b"\xff"), "manifest.json is damaged"),
        (lambda it: (it / MANIFEST).write_text("[" * 100_000), "manifest.json is damaged"),
        (lambda it: (it / MANIFEST).write_text('{"format": 1e400}'), "manifest.json is damaged"),
        (lambda it: change(it, files=[]), "manifest.json is damaged"),
        (name_a_file_outside, "manifest.json is damaged"),
        (lambda it: change(it, files={}), "manifest.json is damaged"),
        (lambda it: change(it, format=2), "made by a newer llava-bot"),
        (lambda it: change(it, schema="9999"), "made by a newer llava-bot"),
        (shutil.rmtree, "is no finished backup"),
    ],
)
def test_a_backup_that_is_damaged_or_newer_restores_nothing(
    damage: Callable[[Path], object], why: str, old: Old, tmp_path: Path
) -> None:
    damage(old.backup)
    new = tmp_path / "new"
    new.mkdir()
    refused(partial(restored, old.backup, new), why, new)
    assert not (tmp_path / "planted").exists()


# -- what is interrupted --------------------------------------------------------------------------


class Killed(BaseException):
    """As the end of the process."""


def test_a_backup_that_is_interrupted_leaves_nothing(old: Old, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for what in ("pictures", "compared"):

        def interrupt(now: str, *_: object, what: str = what) -> None:
            if now == what:
                raise Killed

        with pytest.raises(Killed):
            backed_up(old.folder, tmp_path / "second", interrupt)
        assert sorted(tmp_path.iterdir()) == before
    (tmp_path / ".second.1234.part" / "pictures").mkdir(parents=True)  # of one that was killed
    backed_up(old.folder, tmp_path / "second")
    assert not list(tmp_path.glob(".*"))


def test_a_backup_that_another_process_makes_is_left_alone(old: Old, tmp_path: Path) -> None:
    target = tmp_path / "second"
    seen: list[str] = []

    def meanwhile(what: str, *_: object) -> None:
        if what == "pictures" and not seen:
            seen.append(what)
            (part,) = tmp_path.glob(".second.*.part")
            backed_up(old.folder, target)
            assert (part / "llava-bot.db").exists()

    refused(partial(backed_up, old.folder, target, meanwhile), "could not be written", old.folder)
    assert restored(target, tmp_path / "new").num_pictures == 1
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_is_full_is_a_sentence_and_leaves_nothing(old: Old, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    full = OSError(28, "No space left on device")
    with mock.patch("bot.store.backup.backup.write_file", side_effect=full):
        refused(partial(backed_up, old.folder, tmp_path / "x"), "No space left", old.folder)
    assert sorted(tmp_path.iterdir()) == before


def test_a_restore_that_fails_leaves_nothing_of_anybody(old: Old, tmp_path: Path) -> None:
    new = tmp_path / "new"
    full = OSError(28, "No space left on device")
    with mock.patch("bot.store.backup.restore.sync_folder", side_effect=full):
        refused(partial(restored, old.backup, new), "No space left", old.folder)
    assert {path.name for path in new.iterdir()} <= {"run.lock"}


def test_a_restore_that_is_killed_at_any_point_is_begun_again(old: Old, tmp_path: Path) -> None:
    """Every rename and every write is the last thing that happens, in turn."""
    num_points = 0
    for point in range(100):
        new = tmp_path / f"new-{point}"
        steps = iter(range(1000))

        def step(original: Callable[..., object], *arguments: object, point: int = point) -> object:
            if next(steps) == point:  # noqa: B023 - it is used within this turn alone
                raise Killed
            return original(*arguments)

        with (
            mock.patch.object(
                Path, "rename", lambda *its, step=step, rename=Path.rename: step(rename, *its)
            ),
            mock.patch(
                "bot.store.backup.restore.digested",
                lambda *its, step=step, digested=digested: step(digested, *its),
            ),
            suppress(Killed),
        ):
            restored(old.backup, new)
            num_points = point
            break
        assert not (new / "llava-bot.db").exists()
        restored(old.backup, new)
        assert integrity(new) == "ok"
        assert not (new / ".restoring").exists()
    assert num_points > 4


def integrity(folder: Path) -> str:
    connection = sqlite3.connect(folder / "llava-bot.db")
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
