"""The store of a bot, also while it runs, and new private files beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.errors import CommandFailed
from bot.private_files import DATABASE, FILE, FOLDER
from bot.settings import Settings, revealed
from bot.store import Store, address_of, is_current, running_store


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Open it. Raises: CommandFailed: there is none."""
    database_url = revealed(settings.database_url)
    own = settings.data_dir / DATABASE
    if database_url is None and not await asyncio.to_thread(own.is_file):
        raise CommandFailed(
            f"{settings.data_dir} holds no store of the bot's: name its folder with --data-dir."
        )
    url = None if database_url is None else address_of(database_url)
    if database_url is None and not await asyncio.to_thread(is_current, own):
        raise CommandFailed(
            f"{own} was not written by this version of llava-bot: run `llava-bot run` once, then "
            "this command."
        )
    async with running_store(
        settings.data_dir, url=url, pictures_at=settings.pictures_at, only_reads=True
    ) as store:
        yield store


def new_folder(path: Path) -> Path:
    """Make a folder that did not exist, or was empty. Raises: CommandFailed."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise CommandFailed(f"{path} exists and is not empty: name a new folder.")
    path.mkdir(FOLDER, parents=True, exist_ok=True)
    return path


def write_new(path: Path, data: bytes) -> None:
    """Write a file that did not exist; only its owner may read it. Raises: CommandFailed."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
    except FileExistsError:
        raise CommandFailed(f"{path} exists: name a new file.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
