"""Where pictures stand on the chat platforms: what the table in `test_places.py` is made of."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from PIL import Image

from tests.engines import ScriptedModel
from tests.hostile_pictures.documents import pdf_with
from tests.pictures import encode
from tests.unit.images.moving.drawn_films import film

Json = dict[str, Any]
COLOURS = ("red", "blue", "lime", "yellow")
BYTES = {colour: encode(Image.new("RGB", (60, 40), colour)) for colour in COLOURS}
FILM = film([Image.new("RGB", (64, 48), "red")] * 3)
"""A video in which nothing changes: one picture of it is used."""
RGB = {(255, 0, 0): "red", (0, 0, 255): "blue", (0, 255, 0): "lime", (255, 255, 0): "yellow"}


def pdf_in(colour: str) -> bytes:
    """A PDF of one page in a colour."""
    red, green, blue = Image.new("RGB", (1, 1), colour).tobytes()
    paint = b"%g %g %g rg 0 0 600 900 re f" % (red / 255, green / 255, blue / 255)
    return pdf_with([paint])


def tiff_in(*colours: str) -> bytes:
    """A TIFF of a page in each colour."""
    file = io.BytesIO()
    first, *others = (Image.new("RGB", (60, 40), colour) for colour in colours)
    first.save(file, "TIFF", save_all=True, append_images=others)
    return file.getvalue()


@dataclass(frozen=True)
class Used:
    """These pictures reach the model, in this order, with these words."""

    colours: tuple[str, ...] = ("red",)
    words: str = ""


@dataclass(frozen=True)
class Named:
    """Nothing reaches the model, and the user reads this about it."""

    sentence: str


@dataclass(frozen=True)
class Ornament:
    """Decoration that nobody has shown: neither used nor named (docs/slack.md, docs/discord.md)."""


Outcome = Used | Named | Ornament
Rows = Mapping[str, tuple[Callable[[Any], Json], Outcome]]
"""A place → (makes the fields of a message from its world, what becomes of it)."""


def seen_by(backend: ScriptedModel) -> tuple[str, ...]:
    """The colours of the pictures in the last request."""
    found = []
    for message in backend.requests[-1].messages:
        for picture in message.pictures:
            with Image.open(io.BytesIO(picture.data)) as image:
                pixel = image.convert("RGB").getpixel((5, 5))
            found.append(RGB[tuple(255 * round(value / 255) for value in pixel)])  # type: ignore[union-attr,index]
    return tuple(found)


def words_to(backend: ScriptedModel) -> str:
    """What the last request says."""
    return "\n".join(message.text for message in backend.requests[-1].messages)


@asynccontextmanager
async def web_of_pictures() -> AsyncIterator[str]:
    """A web host that has a picture of each colour under any path: ``/red…``. Yields: its base."""

    async def picture(request: web.Request) -> web.Response:
        colour = next(it for it in COLOURS if it in request.path)
        return web.Response(body=BYTES[colour], content_type="image/png")

    app = web.Application()
    app.router.add_get("/{path:.*}", picture)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
