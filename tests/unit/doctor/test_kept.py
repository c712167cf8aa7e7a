"""`doctor` reads the database, and writes a picture where they are kept, and leaves no trace."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.configuration import Configuration
from bot.doctor import kept
from bot.platforms.findings import Finding, Status
from bot.private_files import DATABASE
from bot.settings import Settings
from bot.store import open_database
from tests.servers.s3.server import KEY, REGION, SECRET, running_s3


def configured(tmp_path: Path, **settings: Any) -> Configuration:
    return Configuration([Settings.model_validate({"data_dir": tmp_path, **settings})])


def found(tmp_path: Path) -> Finding:
    (finding,) = kept.database(configured(tmp_path))
    return finding


def made(tmp_path: Path) -> Path:
    async def make() -> None:
        async with open_database(tmp_path / DATABASE):
            pass

    asyncio.run(make())
    return tmp_path / DATABASE


def files_in(folder: Path) -> dict[str, int]:
    return {it.name: it.stat().st_mtime_ns for it in folder.iterdir()}


def test_a_whole_database_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    assert kept.database(configured(tmp_path)) == []
    path = made(tmp_path)
    before = files_in(tmp_path)
    assert found(tmp_path) == Finding(f"the database {path} is whole")
    assert files_in(tmp_path) == before


async def test_the_database_of_a_bot_that_runs_is_read(tmp_path: Path) -> None:
    async with open_database(tmp_path / DATABASE):
        finding = await asyncio.to_thread(found, tmp_path)
    assert finding == Finding(f"the database {tmp_path / DATABASE} is whole")


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    path = made(tmp_path)
    whole = path.read_bytes()
    for damaged in (b"no database", whole[: len(whole) // 2], b"", whole[:4096] + b"\xff" * 8192):
        path.write_bytes(damaged)
        finding = found(tmp_path)
        assert (finding.status, finding.what) == (
            Status.WRONG,
            f"the database {path} is damaged",
        )
        assert "a backup" in finding.fix


def test_a_database_of_a_newer_bot_is_told(tmp_path: Path) -> None:
    with closing(sqlite3.connect(made(tmp_path))) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    assert "bring this llava-bot up to date" in found(tmp_path).fix


def test_a_folder_for_pictures_is_written_once(tmp_path: Path) -> None:
    assert kept.pictures(configured(tmp_path)) == []
    folder = tmp_path / "pictures"
    (finding,) = kept.pictures(configured(tmp_path, pictures_url=f"file://{folder}"))
    assert finding.is_well
    assert list(folder.iterdir()) == []
    (tmp_path / "file").touch()
    (finding,) = kept.pictures(configured(tmp_path, pictures_url=f"file://{tmp_path}/file/here"))
    assert finding.status is Status.WRONG
    assert "name a folder that this user may write" in finding.fix


async def test_a_bucket_is_written_with_its_keys_which_are_never_shown(tmp_path: Path) -> None:
    async with running_s3() as store:
        place = store.place("p")
        right = {
            "pictures_url": f"s3://{place.bucket}/p?endpoint={place.endpoint}&region={REGION}",
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
            "aws_session_token": store.token,
        }
        (finding,) = await asyncio.to_thread(kept.pictures, configured(tmp_path, **right))
        assert finding.is_well
        assert store.objects == {}
        wrong = right | {"aws_secret_access_key": "planted"}
        (finding,) = await asyncio.to_thread(kept.pictures, configured(tmp_path, **wrong))
    assert "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID." in finding.fix
    assert "planted" not in str(finding)
