"""A thread as a file: Markdown, JSON, or both with the pictures in a ZIP."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, Final
from urllib.parse import quote

from aiohttp import web

from bot.platforms.web.access import ThreadAccess
from bot.platforms.web.guard import HEADERS, HttpRefusal, locale_of
from bot.store import Store, StoredPicture, Turn
from bot.texts import say
from bot.values.messages import Outcome, ThreadKey

SPOOLED_BYTES: Final = 8_000_000
CHUNK_BYTES: Final = 256 * 1024
MAX_NAME: Final = 60

_NO_FILE_NAME: Final = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')
_MARKS: Final = re.compile(r"([\\`*_\[\]<>#])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is written of a thread; `place_of` says where a picture of it is found."""

    title: str = field(repr=False)
    turns: tuple[Turn, ...] = field(repr=False)
    locale: str
    place_of: Callable[[StoredPicture], str]

    def markdown(self) -> str:
        """As a reader wants it."""
        heading = _escaped(self.title or say(self.locale, "page_untitled"))
        parts = [f"# {heading}", *(part for turn in self.turns for part in self._paragraphs(turn))]
        return "\n\n".join(parts) + "\n"

    def json(self) -> str:
        """As a program wants it."""
        data = {
            "title": self.title,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "turns": [self._turn_json(turn) for turn in self.turns],
        }
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"

    def _paragraphs(self, turn: Turn) -> list[str]:
        asker = _escaped(turn.author_name) or say(self.locale, "page_you")
        quoted = "\n".join(f"> {_escaped(line)}".rstrip() for line in turn.question.splitlines())
        parts = [f"**{asker}**", quoted]
        for picture in turn.pictures:
            label = say(self.locale, "page_picture", number=picture.number)
            parts.append(f"![{label} · {_escaped(picture.name)}](<{self.place_of(picture)}>)")
        parts.append(f"**{say(self.locale, 'page_model')}**")
        if turn.answer:
            parts.append(_escaped(turn.answer) if turn.outcome is Outcome.REFUSED else turn.answer)
        parts += [f"*{_escaped(note)}*" for note in turn.receipt.notes]
        return [part for part in parts if part]

    def _turn_json(self, turn: Turn) -> dict[str, Any]:
        return {
            "author": turn.author_name,
            "question": turn.question,
            "pictures": [
                {
                    "number": picture.number,
                    "name": picture.name,
                    "width": picture.width_px,
                    "height": picture.height_px,
                    "place": self.place_of(picture),
                }
                for picture in turn.pictures
            ],
            "state": turn.outcome or "pending",
            "answer": turn.answer,
            "receipt": turn.receipt.to_json(),
        }


class ExportHandlers:
    """Handlers over the store."""

    def __init__(self, *, store: Store, access: ThreadAccess) -> None:
        self._store = store
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [web.get("/api/threads/{thread}/export", self._export)]

    async def _export(self, request: web.Request) -> web.StreamResponse:
        thread = (await self._access.of(request)).thread
        title = await self._store.title(thread)
        turns = await self._store.turns(thread)
        if title is None:  # deleted meanwhile
            raise HttpRefusal(404, "http_no_thread")
        kind = request.query.get("format", "md")
        address = f"{request.url.origin()}/api/threads/{quote(thread.thread, safe='')}/pictures/"

        def transcript(place_of: Callable[[StoredPicture], str]) -> Transcript:
            return Transcript(
                title=title, turns=turns, locale=locale_of(request), place_of=place_of
            )

        linked = transcript(lambda picture: f"{address}{picture.number}")
        match kind:
            case "md":
                return _file(title, "md", "text/markdown", linked.markdown())
            case "json":
                return _file(title, "json", "application/json", linked.json())
            case "zip":
                return await self._zip(request, thread, transcript(name_in_folder))
            case _:
                raise HttpRefusal(400, "http_export_format")

    async def _zip(
        self, request: web.Request, thread: ThreadKey, transcript: Transcript
    ) -> web.StreamResponse:
        with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as file:
            with zipfile.ZipFile(file, "w") as archive:

                def add(name: str, data: str | bytes) -> None:
                    is_text = isinstance(data, str)  # pictures are compressed already
                    method = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
                    archive.writestr(name, data, compress_type=method)

                await asyncio.to_thread(add, "thread.md", transcript.markdown())
                await asyncio.to_thread(add, "thread.json", transcript.json())
                for turn in transcript.turns:
                    for picture in turn.pictures:
                        found = await self._store.picture_file(thread, picture.number)
                        if found is not None:
                            await asyncio.to_thread(add, name_in_folder(picture), found.data)
            response = web.StreamResponse(
                headers=HEADERS
                | _disposition(transcript.title, "zip")
                | {"Content-Type": "application/zip"}
            )
            response.content_length = await asyncio.to_thread(_rewound, file)
            await response.prepare(request)
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                await response.write(chunk)
            return response


def _file(title: str, suffix: str, kind: str, text: str) -> web.Response:
    return web.Response(
        body=text.encode("utf-8", "replace"),
        content_type=kind,
        charset="utf-8",
        headers=_disposition(title, suffix),
    )


def _disposition(title: str, suffix: str) -> dict[str, str]:
    """The header that names the downloaded file by the thread's title."""
    name = " ".join(_NO_FILE_NAME.sub(" ", title).split())[:MAX_NAME].strip(". ") or "thread"
    encoded = quote(f"{name}.{suffix}", safe="", errors="replace")
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{encoded}"}


def name_in_folder(picture: StoredPicture) -> str:
    """Where a picture lies beside the Markdown."""
    return f"pictures/{picture.number}.{picture.suffix}"


def _rewound(file: IO[bytes]) -> int:
    """Go to the beginning of a file. Returns: its size in bytes."""
    size = file.seek(0, 2)
    file.seek(0)
    return size


def _escaped(text: str) -> str:
    """Text in which Markdown has no marks."""
    return _MARKS.sub(r"\\\1", text)
