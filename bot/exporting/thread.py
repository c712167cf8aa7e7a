"""A thread as Markdown, with its pictures beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.errors import CommandFailed
from bot.exporting.opened import new_folder, opened_store, write_new
from bot.platforms.terminal.pictures import locale_of_environment
from bot.platforms.web.export import Transcript, name_in_folder
from bot.settings import Settings
from bot.store import Store
from bot.values.messages import ThreadKey


async def export_thread(settings: Settings, place: str, output: Path) -> list[str]:
    """Write the thread that a link or an id means. Returns: sentences. Raises: CommandFailed."""
    async with opened_store(settings) as store:
        thread = await _the_one(store, place)
        folder = await asyncio.to_thread(new_folder, output)
        turns = await store.turns(thread)
        transcript = Transcript(
            title=await store.title(thread) or "",
            turns=turns,
            locale=locale_of_environment(),
            place_of=name_in_folder,
        )
        num_pictures = 0
        await asyncio.to_thread((folder / "pictures").mkdir)
        for turn in turns:
            for picture in turn.pictures:
                found = await store.picture_file(thread, picture.number)
                if found is not None:
                    path = folder / name_in_folder(picture)
                    await asyncio.to_thread(write_new, path, found.data)
                    num_pictures += 1
        for name, text in (
            ("thread.md", transcript.markdown()),
            ("thread.json", transcript.json()),
        ):
            await asyncio.to_thread(write_new, folder / name, text.encode("utf-8", "replace"))
    return [f"Written: {len(turns)} questions and {num_pictures} pictures to {folder}."]


async def _the_one(store: Store, place: str) -> ThreadKey:
    found = await store.exporting.threads_at(place)
    if not found:
        raise CommandFailed(
            "No thread of the bot's is known by this link or id. A link to one of its messages, "
            "or the id in it, names a thread."
        )
    if len(found) > 1:
        places = ", ".join(f"{key.platform} {key.channel}/{key.thread}" for key in found)
        raise CommandFailed(f"This may be several threads ({places}): give the link to one.")
    return found[0]
