"""Pictures in rows and files together."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from bot.store.database import Database, StoreFailed, store_failures
from bot.store.pictures.files import MARKER, PictureFiles, PictureLost, PicturesUnusable
from bot.store.pictures.rows import (
    PictureGone,
    discard_unused,
    discarded,
    forget_discarded,
    identify,
    known,
    reserve,
    settle,
)
from bot.values.documents import SentDocument
from inference.types import Picture

log = logging.getLogger(__name__)

T = TypeVar("T")

NUM_THREADS = 8
"""Of a slow store: pictures wait for each other, and nothing else does."""
FILES_AT_ONCE = 500
OLD_S = 24 * 3600
"""A file without a row is removed at this age: another process's clock may be wrong."""


class Pictures:
    """Keeps pictures' bytes where their rows say, and removes what nothing refers to.

    Other processes may do the same at the same time (`bot.store.pictures.rows` says why that is
    safe).
    """

    def __init__(self, database: Database, files: PictureFiles) -> None:
        self._database = database
        self._files = files
        self._threads = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="pictures")

    @property
    def is_shared(self) -> bool:
        """Whether other processes may keep pictures at the same place."""
        return self._files.is_shared

    async def claim_place(self) -> None:
        """Mark a shared place as this database's: another's sweep would empty it.

        Raises:
            PicturesUnusable: it is another database's.
        """
        if not self.is_shared:
            return
        ours = await self._database.write(identify)
        try:
            whose = (await self._run(self._files.read, MARKER)).decode(errors="replace").strip()
        except FileNotFoundError:
            whose = ours
            with store_failures():
                await self._run(self._files.write, MARKER, ours.encode())
        if whose != ours:
            raise PicturesUnusable(
                "PICTURES_URL: pictures of another database are kept there, and two would remove "
                "each other's: give this one a folder or a prefix of its own."
            )

    async def write(self, new: Sequence[Picture | SentDocument]) -> dict[str, str]:
        """Reserve and write pictures and documents. Returns: digest → file, for `settle`.

        Raises:
            StoreFailed: one could not be written.
        """
        if not new:
            return {}
        by_digest = {kept.digest: kept for kept in new}

        names = await self._database.write(
            lambda connection: {
                digest: reserve(connection, kept)
                for digest, kept in sorted(by_digest.items())  # in one order: no deadlocks
            }
        )
        await self._each(
            lambda digest: self._files.write(names[digest], by_digest[digest].data), names
        )
        return names

    async def read(self, file: str, digest: str) -> bytes:
        """A picture's bytes, as they were written.

        Raises:
            PictureLost: its file is gone, or was changed.
            StoreFailed: it cannot be had now.
        """
        with store_failures():
            return await self._run(self._read, file, digest)

    def _read(self, file: str, digest: str) -> bytes:
        try:
            data = self._files.read(file)
        except FileNotFoundError:
            log.error("the picture file %s is gone", file)
            raise PictureLost from None
        if hashlib.sha256(data).hexdigest() != digest:
            log.error("the picture file %s was changed by another program", file)
            raise PictureLost
        return data

    async def release(self, files: Mapping[str, str]) -> None:
        """Give up what `write` reserved: no turn came to refer to it."""

        def work(connection: Connection) -> None:
            with contextlib.suppress(PictureGone):
                settle(connection, files)
            discard_unused(connection)

        if files:
            await self._database.write(work)
            await self.remove_discarded()

    async def remove_discarded(self) -> None:
        """Remove the files of removed rows, those too that could not be removed before.

        Raises:
            StoreFailed: some could not be removed; the next call tries them again.
        """
        files = await self._database.read(discarded)
        for start in range(0, len(files), FILES_AT_ONCE):
            batch = files[start : start + FILES_AT_ONCE]
            await self._each(self._files.remove, batch)
            await self._database.write(partial(forget_discarded, files=batch))

    async def sweep(self, *, is_start: bool = False) -> None:
        """Remove what crashes have left behind, and files that no row knows. Never raises.

        `is_start`: nothing is being written yet.
        """
        try:
            await self._sweep(0 if is_start and not self.is_shared else OLD_S)
        except StoreFailed as exc:
            log.warning("pictures were not swept: %s", exc.reason)

    async def _sweep(self, age_s: float) -> None:
        await self._database.write(discard_unused)
        await self.remove_discarded()
        with store_failures():
            await self._run(lambda: self._files.remove_unfinished(older_than_s=age_s))
            batches = self._files.names(older_than_s=age_s)
            while (names := await self._run(next, batches, None)) is not None:
                for start in range(0, len(names), FILES_AT_ONCE):
                    await self._remove_unknown(names[start : start + FILES_AT_ONCE])

    async def _remove_unknown(self, names: list[str]) -> None:
        found = await self._database.read(lambda connection: known(connection, names))
        if unknown := [name for name in names if name not in found]:
            log.info("%d picture files without a row are removed", len(unknown))
            await self._each(self._files.remove, unknown)

    async def _each(self, work: Callable[[str], None], names: Iterable[str]) -> None:
        """Run work for each name, side by side, to the end. Raises: StoreFailed: the first one."""
        results = await asyncio.gather(
            *(self._run(work, name) for name in names), return_exceptions=True
        )
        for result in results:
            if isinstance(result, OSError):
                raise StoreFailed(result) from result
            if isinstance(result, BaseException):
                raise result

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def close(self) -> None:
        """Finish what is being written. Blocking."""
        self._threads.shutdown()
