"""From a place to the pictures that are kept there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.store.database import Database
from bot.store.pictures.bucket import BucketFiles
from bot.store.pictures.files import PictureFiles
from bot.store.pictures.folder import FolderFiles
from bot.store.pictures.keeping import Pictures
from bot.values.picture_places import PictureBucket, PicturePlace

SWEEP_S = 3600


def open_picture_files(place: PicturePlace) -> PictureFiles:
    """Files in a folder or objects in a bucket. Blocking. Raises: PicturesUnusable."""
    files: PictureFiles = (
        BucketFiles(place)
        if isinstance(place, PictureBucket)
        else FolderFiles(place.path, is_shared=place.is_shared)
    )
    files.check()
    return files


@asynccontextmanager
async def running_pictures(
    database: Database, place: PicturePlace, *, sweeps: bool = True
) -> AsyncIterator[Pictures]:
    """Pictures at a place, swept at the start and every hour. Raises: PicturesUnusable."""
    kept = Pictures(database, await asyncio.to_thread(open_picture_files, place))
    try:
        await kept.claim_place()
        if not sweeps:
            yield kept
            return
        if not kept.is_shared:
            await kept.sweep(is_start=True)
        sweeping = asyncio.create_task(_sweep(kept), name="sweep pictures")
        try:
            yield kept
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
    finally:
        await asyncio.to_thread(kept.close)


async def _sweep(kept: Pictures) -> None:
    if kept.is_shared:  # listing it may take long
        await kept.sweep()
    while True:
        await asyncio.sleep(SWEEP_S)
        await kept.sweep()
