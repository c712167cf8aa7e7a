"""`llava-bot store`: back up, restore, move and read what the bot remembers."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from bot.arguments import version
from bot.errors import CommandFailed, ConfigurationError
from bot.exporting.audit import audit
from bot.exporting.feedback import export_feedback
from bot.exporting.thread import export_thread
from bot.private_files import keep_private
from bot.settings import Settings, revealed
from bot.store import address_of, back_up, move_store, restore
from bot.values.picture_places import PictureFolder


def run_store_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run it, and print what was done. Raises: CommandFailed: nothing was."""
    keep_private()
    with _Bars(quiet=arguments.quiet) as bars:
        match arguments.what:
            case "backup":
                lines = _back_up(arguments, settings, bars)
            case "restore":
                lines = _restore(arguments, settings, bars)
            case "feedback" | "thread" | "audit":
                lines = _export(arguments, settings)
            case _:
                lines = _migrate(arguments, settings, bars)
    print("\n".join(lines))
    return 0


class _Bars:
    """Progress, a bar for each part; without a terminal, and where nobody wants it, none."""

    def __init__(self, *, quiet: bool) -> None:
        self._disable = True if quiet else None
        self._bars: dict[str, tqdm[Any]] = {}

    def __call__(self, what: str, done: int, num: int) -> None:
        if what not in self._bars:
            self._bars[what] = tqdm(total=num, desc=what, disable=self._disable)
        self._bars[what].update(done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.close()


def _back_up(arguments: argparse.Namespace, settings: Settings, bars: _Bars) -> Sequence[str]:
    target = _folder(arguments, "say where the backup goes: llava-bot store backup FOLDER")
    _check_sqlite(settings, "pg_dump backs it up, and the pictures are copied after it")
    place = settings.pictures_at or PictureFolder(settings.data_dir / "pictures")
    done = back_up(settings.data_dir, target, place, version=version(), progress=bars)
    return done.summary()


def _restore(arguments: argparse.Namespace, settings: Settings, bars: _Bars) -> Sequence[str]:
    source = _folder(arguments, "say what to restore: llava-bot store restore FOLDER")
    _check_sqlite(settings, "put the pictures back, then pg_restore it")
    return restore(source, settings.data_dir, settings.pictures_at, progress=bars).summary()


def _export(arguments: argparse.Namespace, settings: Settings) -> Sequence[str]:
    output = None if arguments.output is None else Path(arguments.output).absolute()
    match arguments.what:
        case "audit":
            return asyncio.run(audit(settings, as_json=arguments.json))
        case "feedback":
            if output is None or arguments.folder is not None:
                raise CommandFailed("Say where to: llava-bot store feedback --output FILE.")
            pictures = None if arguments.pictures is None else Path(arguments.pictures).absolute()
            return asyncio.run(export_feedback(settings, output, pictures))
        case _:
            if output is None or arguments.folder is None:
                raise CommandFailed(
                    "Say which and where to: llava-bot store thread LINK --output FOLDER."
                )
            return asyncio.run(export_thread(settings, arguments.folder, output))


def _folder(arguments: argparse.Namespace, missing: str) -> Path:
    if arguments.folder is None or arguments.source is not None:
        raise CommandFailed(f"{missing[0].upper()}{missing[1:]}.")
    return _path(arguments.folder).absolute()


def _path(given: str) -> Path:
    with suppress(RuntimeError):  # nobody's home: then it is a folder of that name
        return Path(given).expanduser()
    return Path(given)


def _check_sqlite(settings: Settings, instead: str) -> None:
    if settings.database_url is not None:
        raise CommandFailed(
            f"DATABASE_URL names a PostgreSQL database: {instead} (docs/operations.md)."
        )


def _migrate(arguments: argparse.Namespace, settings: Settings, bars: _Bars) -> Sequence[str]:
    if arguments.source is None or arguments.folder is not None:
        raise CommandFailed("Say what to move: llava-bot store migrate --from DATA_DIR.")
    if (database_url := revealed(settings.database_url)) is None:
        raise ConfigurationError("Say where to: set DATABASE_URL to a PostgreSQL database.")
    place = settings.pictures_at or PictureFolder(settings.data_dir / "pictures")
    source = _path(arguments.source)
    return asyncio.run(move_store(source, address_of(database_url), place, bars)).summary()
