"""What the log tells of an exception: what its codes mean, never what it was given."""

from __future__ import annotations

import asyncio
import builtins
import errno
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
import slack_sdk.errors
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import exc as sqlalchemy_errors

from bot.errors import refusal_of
from bot.store.database import DatabaseUnusable
from bot.store.database.sqlite import migrate
from inference.errors import GenerationFailed, QueueFull, safe_traceback
from inference.failures import in_one_line
from inference.safe_messages import is_disk_full, safe_message

SECRET = "planted"


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (OSError(errno.ENOSPC, SECRET, SECRET), "No space left on device"),
        (PermissionError(errno.EACCES, SECRET), "Permission denied"),
        (OSError(errno.EMFILE, SECRET), "Too many open files"),
        (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, SECRET), "name or service not known"),
        (socket.gaierror(socket.EAI_AGAIN, SECRET), "temporary failure in name resolution"),
        (TimeoutError(SECRET), "timed out"),
        (OSError(SECRET), ""),
        (OSError(987654, SECRET), ""),
        (ValueError(SECRET), ""),
        (KeyError(SECRET), ""),
    ],
)
def test_a_code_is_told_in_the_systems_words(failure: BaseException, message: str) -> None:
    assert safe_message(failure) == message


def test_a_full_database_is_told_through_the_library_that_wraps_it(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (words TEXT)")
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(sqlalchemy_errors.OperationalError) as failed:
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", (SECRET * 10_000,))
    engine.dispose()
    assert safe_message(failed.value) == "database or disk is full"
    assert is_disk_full(failed.value)
    told = safe_traceback(failed.value)
    assert told.startswith("sqlalchemy.exc.OperationalError: database or disk is full\n")
    assert SECRET not in told
    assert len(told.splitlines()) <= 4


async def test_a_name_that_nobody_knows_is_told_through_aiohttp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, SECRET)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError) as failed:
            await session.get(f"http://{SECRET}.invalid/")
    assert in_one_line(failed.value) == "ClientConnectorDNSError: name or service not known"


async def test_a_certificate_that_nobody_vouches_for_is_told() -> None:
    trustme = pytest.importorskip("trustme")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def hang_up(_: object, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError) as failed:
            await session.get(f"https://127.0.0.1:{port}/{SECRET}")
    told = in_one_line(failed.value)
    assert "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate" in told


def kinds(module: Any) -> Iterator[type[BaseException]]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, BaseException):
            yield found


LIBRARIES = (builtins, sqlite3, socket, ssl, aiohttp, discord, slack_sdk.errors, sqlalchemy_errors)
KINDS = sorted({kind for library in LIBRARIES for kind in kinds(library)}, key=repr)
ATTRIBUTES = (
    "reason", "verify_message", "strerror", "filename", "errno", "text", "message", "status",
    "code", "sqlite_errorname", "sqlite_errorcode", "verify_code", "statement", "params",
    "response", "os_error", "orig", "library",
)  # fmt: skip


@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from([SECRET, SECRET.encode(), [SECRET], {"error": SECRET}]), max_size=4),
    st.dictionaries(st.sampled_from(ATTRIBUTES), st.just(SECRET), max_size=4),
    st.booleans(),
)
def test_nothing_that_an_exception_was_given_is_told(
    kind: type[BaseException],
    arguments: list[object],
    attributes: dict[str, object],
    wrapped: bool,
) -> None:
    try:
        failure = kind(*arguments)
    except Exception:  # noqa: BLE001 - many are particular about what they are given
        is_group = issubclass(kind, BaseExceptionGroup)
        failure = kind.__new__(kind, *([SECRET, [ValueError(SECRET)]] if is_group else []))
        failure.args = tuple(arguments)
    for name, value in attributes.items():
        try:
            setattr(failure, name, value)
        except (AttributeError, TypeError, DeprecationWarning):
            continue
    if wrapped:
        failure = sqlalchemy_errors.OperationalError(SECRET, {SECRET: SECRET}, failure)
    assert SECRET not in safe_message(failure)
    assert SECRET not in in_one_line(failure)
    assert SECRET not in safe_traceback(failure)


def test_a_cause_is_told_where_the_exception_itself_has_nothing_to_tell() -> None:
    failure = ValueError(SECRET)
    failure.__cause__ = OSError(errno.EROFS, SECRET)
    assert safe_message(failure) == "Read-only file system"
    circle = ValueError()
    circle.__cause__ = circle
    assert safe_message(circle) == ""


def test_of_a_traceback_our_own_frames_are_told_and_the_innermost(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseUnusable) as failed:
        migrate(tmp_path / "x.db")
    cause = failed.value.__context__
    assert cause is not None
    head, *frames = safe_traceback(cause).splitlines()
    assert head == "sqlalchemy.exc.DatabaseError: file is not a database"
    files = [frame.split()[1].partition(":")[0] for frame in frames]
    assert (files[0], len(files)) == ("bot/store/database/sqlite.py", 3)
    assert "sqlalchemy" not in "".join(files[:-1])


@pytest.mark.parametrize(
    ("failure", "key"),
    [
        (OSError(errno.ENOSPC, SECRET), "disk_full"),
        (OSError(errno.EDQUOT, SECRET), "disk_full"),
        (OSError(errno.EIO, SECRET), "something_broke"),
        (ValueError(SECRET), "something_broke"),
        (GenerationFailed(), "generation_failed"),
        (QueueFull(3), "queue_full"),
    ],
)
def test_a_person_is_told_of_a_full_disk(failure: Exception, key: str) -> None:
    assert refusal_of(failure).key == key
