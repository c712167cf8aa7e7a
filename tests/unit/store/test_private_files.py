"""What people write and show lies where nobody else can read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer

from bot.platforms.web.uploads import Uploads
from bot.private_files import OpenToOthers, protect
from bot.store import running_store
from bot.values.limits import PictureLimits
from bot.values.messages import Author, IncomingMessage, MessageKey, Receipt, ThreadKey
from bot.values.pictures import NormalisedPicture
from tests.pictures import plain_picture


@pytest.fixture(autouse=True)
def nothing_is_masked() -> Iterator[None]:
    """The modes are the bot's own doing, not the shell's."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What others could read, were they let into the folder."""
    found = [folder, *folder.rglob("*")]
    return sorted(it.name for it in found if it.lstat().st_mode & 0o077)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make(folder: Path, *files: str) -> Path:
    """An open folder with open files."""
    folder.mkdir(exist_ok=True)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    return folder


async def test_whatever_the_store_makes_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "data"
    key = MessageKey(platform="p", team="", channel="", message="1")
    thread = ThreadKey(platform="p", team="", channel="", thread="1")
    message = IncomingMessage(key=key, thread=thread, author=Author(id="u"), text="q")
    async with running_store(folder) as store:
        await store.inbox.claim(message)
        await store.begin_turn(
            message,
            question="q",
            new_pictures=[NormalisedPicture(name="a", picture=plain_picture())],
            receipt=Receipt(),
        )
        assert {it.name for it in folder.glob("*")} == {
            "llava-bot.db",
            "llava-bot.db-wal",
            "llava-bot.db-shm",
            "pictures",
        }
        assert open_to_others(tmp_path / "above") == []


async def test_an_upload_is_private_while_it_waits(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", PictureLimits(max_bytes=1000), max_files=1)

    async def receive(request: web.Request) -> web.Response:
        await uploads.receive(request, "1", sender="", person="")
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    async with TestClient(TestServer(app)) as client:
        form = FormData()
        form.add_field("images", b"bytes", filename="a.png")
        await client.post("/", data=form)
    assert (tmp_path / "uploads" / "1" / "0").read_bytes() == b"bytes"
    assert open_to_others(tmp_path / "uploads") == []


def test_the_bots_open_folder_is_closed_with_all_state_in_it(tmp_path: Path) -> None:
    files = ("llava-bot.db", "llava-bot.db-wal", "run.lock", "pictures/ab/1.png", "uploads/1/0")
    folder = make(tmp_path / "data", *files, "models/pocket/weights", "notes.txt")
    protect(folder)
    assert mode_of(folder) == 0o700
    assert mode_of(folder / "pictures" / "ab" / "1.png") == 0o600
    assert open_to_others(folder) == ["models", "notes.txt", "pocket", "weights"]


@pytest.mark.parametrize("files", [(), ("models/pocket/weights",), (".env",)])
def test_an_open_folder_made_for_the_bot_is_closed(files: tuple[str, ...], tmp_path: Path) -> None:
    folder = make(tmp_path / "data", *files)
    protect(folder)
    assert mode_of(folder) == 0o700


def test_an_open_folder_of_others_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", "letters.txt")
    with pytest.raises(OpenToOthers, match=r"name a folder of the bot's own, for example .*/data/"):
        protect(folder)
    assert mode_of(folder) == 0o777


def test_a_world_writable_folder_is_refused_whatever_is_in_it(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", "llava-bot.db")
    folder.chmod(0o1777)
    with pytest.raises(OpenToOthers):
        protect(folder)
    assert mode_of(folder) == 0o1777


def test_where_permissions_cannot_be_changed_a_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "data", "llava-bot.db")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(OpenToOthers, match=r"cannot be changed \(Operation not permitted\)"):
        protect(folder)
    monkeypatch.setattr(Path, "chmod", lambda *_, **__: None)  # as on a Windows share
    with pytest.raises(OpenToOthers, match=r"the file system does not keep it"):
        protect(folder)


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "data")
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(OpenToOthers, match="belongs to another user"):
        protect(folder)


def test_the_target_of_a_symbolic_link_is_left_alone(tmp_path: Path) -> None:
    elsewhere = make(tmp_path / "elsewhere", "photo.png")
    folder = make(tmp_path / "data", "llava-bot.db", "uploads/1")
    (folder / "pictures").symlink_to(elsewhere)
    (folder / "uploads" / "link").symlink_to(elsewhere / "photo.png")
    protect(folder)
    assert mode_of(elsewhere / "photo.png") == 0o666
