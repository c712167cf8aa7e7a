"""Rated answers as JSON lines, to evaluate models with."""

from __future__ import annotations

import asyncio
import hmac
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.exporting.opened import new_folder, opened_store, write_new
from bot.private_files import session_key
from bot.settings import Settings
from bot.store import PictureFile, Store
from bot.values.turns import RatedTurn, StoredPicture, Turn

ROWS_AT_ONCE = 100


async def export_feedback(settings: Settings, output: Path, pictures: Path | None) -> list[str]:
    """Write every rated answer. Returns: what was written, as sentences. Raises: CommandFailed."""
    folder = None if pictures is None else await asyncio.to_thread(new_folder, pictures)
    lines: list[str] = []
    written: set[str] = set()
    async with opened_store(settings) as store:
        key, after = await asyncio.to_thread(session_key, settings.data_dir), 0
        while rated := await store.exporting.rated(after=after, limit=ROWS_AT_ONCE):
            for one in rated:
                lines.append(json.dumps(await _record(store, one, key), ensure_ascii=False))
                if folder is not None:
                    await _write_pictures(store, one, folder, written)
            after = rated[-1].row
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    await asyncio.to_thread(write_new, output, data)
    what = (
        f"Written: {len(lines)} rated answers to {output}, with the words of their questions and "
        "of what was said before; no names of people or files. People may have named somebody in "
        "what they wrote."
    )
    summary = [what]
    if folder is not None:
        summary.append(f"Written: {len(written)} pictures to {folder}.")
    return summary


async def _record(store: Store, rated: RatedTurn, key: bytes) -> dict[str, Any]:
    thread = rated.thread
    chosen = await store.channels.settings(thread.platform, thread.team, thread.channel)
    settings = {name: value for name, value in asdict(chosen).items() if name != "people"}
    return {
        "id": _pseudonym(key, thread.id_everywhere, rated.turn.message),
        "thread": _pseudonym(key, thread.id_everywhere),
        "platform": thread.platform,
        "rating": "good"
        if rated.good > rated.bad
        else "bad"
        if rated.bad > rated.good
        else "mixed",
        "good": rated.good,
        "bad": rated.bad,
        "model": rated.turn.model,
        "settings": {
            name: value for name, value in settings.items() if value not in {"", None, ()}
        },
        "before": [_said(turn) for turn in rated.before],
        **_said(rated.turn),
    }


def _said(turn: Turn) -> dict[str, Any]:
    return {
        "question": turn.question,
        "answer": turn.answer,
        "outcome": turn.outcome,
        "pictures": [
            {
                "digest": picture.digest,
                "file": _name(picture),
                "width": picture.width_px,
                "height": picture.height_px,
            }
            for picture in turn.pictures
        ],
    }


async def _write_pictures(store: Store, rated: RatedTurn, folder: Path, written: set[str]) -> None:
    for turn in (*rated.before, rated.turn):
        for picture in turn.pictures:
            if picture.digest in written:
                continue
            found: PictureFile | None = await store.picture_file(rated.thread, picture.number)
            if found is not None:
                await asyncio.to_thread(write_new, folder / _name(picture), found.data)
                written.add(picture.digest)


def _name(picture: StoredPicture) -> str:
    return f"{picture.digest}.{picture.suffix}"


def _pseudonym(key: bytes, *parts: str) -> str:
    """The same for the same question, in every export from one `DATA_DIR`, which holds the key.

    Nobody without the key can guess whose it is.
    """
    words = "\0".join(("feedback", *parts)).encode("utf-8", "replace")
    return hmac.digest(key, words, "sha256").hex()[:16]
