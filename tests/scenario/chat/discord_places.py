"""Every place of a Discord message that a picture can stand in.

From Discord's reference of messages, embeds, components and stickers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.scenario.chat.places import (
    BYTES,
    FILM,
    Json,
    Named,
    Ornament,
    Rows,
    Used,
    pdf_in,
    tiff_in,
)
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import File

COMPONENTS_V2 = 1 << 15


@dataclass(frozen=True)
class DiscordWorld:
    """What the rows are made with."""

    discord: LocalDiscord
    web: str

    def file(self, name: str = "red.png", data: bytes = BYTES["red"], **described: Any) -> File:
        return self.discord.upload(name, data, described=described)

    def uploaded(self, colour: str = "red") -> Json:
        """A picture that was uploaded with the message, as embeds and components show it."""
        file = self.file(f"{colour}.png", BYTES[colour])
        return self.discord.attachment("1", "2", file)

    def embed(self, colour: str = "red") -> Json:
        """A picture of an embed: from elsewhere, with Discord's copy of it."""
        file = self.file(f"{colour}.png", BYTES[colour])
        address = f"https://pictures.example/{file.id}/{colour}.png"
        return {"url": address, "proxy_url": self.discord.proxied(file), "width": 60, "height": 40}

    def embedded_film(self) -> Json:
        """A video of an embed, with Discord's copy of it."""
        file = self.file("a.mp4", FILM, content_type="video/mp4")
        address = f"https://pictures.example/{file.id}/a.mp4"
        return {"url": address, "proxy_url": self.discord.proxied(file), "width": 64, "height": 48}

    def media(self, colour: str = "red", **more: Any) -> Json:
        """A media item of a component."""
        return {"id": "1", **self.embed(colour), "content_type": "image/png", **more}

    def own_media(self) -> Json:
        """A media item that was uploaded with the message."""
        file = self.uploaded()
        return {"id": "1", "attachment_id": file["id"], "url": file["url"],
                "proxy_url": file["proxy_url"], "content_type": "image/png"}  # fmt: skip


Make = Callable[[DiscordWorld], Json]


def files(*made: Callable[[DiscordWorld], File]) -> Make:
    return lambda w: {"files": [make(w) for make in made]}


def embeds(*made: Make, kind: str = "rich", **more: Any) -> Make:
    return lambda w: {"embeds": [{"type": kind, **more, **make(w)} for make in made]}


def components(*made: Make) -> Make:
    return lambda w: {"components": [make(w) for make in made], "flags": COMPONENTS_V2}


def sticker(format_type: int, name: str = "Wave") -> Make:
    return lambda w: {
        "sticker_items": [{"id": w.file().id, "name": name, "format_type": format_type}]
    }


def said(text: str) -> Make:
    """In the words of the message; WEB stands for the host."""
    return lambda w: {"text": text.replace("WEB", w.web)}


def gallery(*colours: str) -> Make:
    return lambda w: {"type": 12, "id": 1, "items": [{"media": w.media(it)} for it in colours]}


def text_display(text: str) -> Json:
    return {"type": 10, "id": 1, "content": text}


def section(accessory: Json) -> Json:
    return {"type": 9, "id": 1, "components": [text_display("words")], "accessory": accessory}


def thumbnail(media: Json) -> Json:
    return {"type": 11, "id": 1, "media": media}


VOICE = {
    "content_type": "audio/ogg", "duration_secs": 2.5,
    "waveform": base64.b64encode(bytes(16)).decode(), "flags": 0,
}  # fmt: skip

FILES: Rows = {
    "a file": (files(lambda w: w.file(content_type="image/png")), Used()),
    "a file without a suffix": (files(lambda w: w.file("IMG_1")), Used()),
    "a file with a wrong type": (files(lambda w: w.file(content_type="video/mp4")), Used()),
    "a file of no known type": (files(lambda w: w.file(content_type=None)), Used()),
    "a spoiler": (files(lambda w: w.file("SPOILER_red.png", flags=8)), Used()),
    "a voice message": (
        files(lambda w: w.file("voice-message.ogg", b"OggS", **VOICE)),
        Named("“voice-message.ogg” was left out: it is a voice message"),
    ),
    "a text": (
        files(lambda w: w.file("message.txt", b"hello", content_type="text/plain; charset=utf-8")),
        Used((), "> hello"),
    ),
    "a PDF": (
        files(lambda w: w.file("a.pdf", pdf_in("red"), content_type="application/pdf")),
        Used(("red",), 'Picture 1 is page 1 of 1 of the document "a.pdf".'),
    ),
    "a TIFF of two pages": (
        files(lambda w: w.file("fax.tif", tiff_in("red", "blue"), content_type="image/tiff")),
        Used(("red", "blue"), 'Picture 2 is page 2 of 2 of the document "fax.tif".'),
    ),
    "a PDF with a wrong type": (
        files(lambda w: w.file("a.png", pdf_in("red"), content_type="image/png")),
        Used(("red",), "is page 1 of 1"),
    ),
    "a PDF that is damaged": (
        files(lambda w: w.file("a.pdf", b"%PDF-1.7", content_type="application/pdf")),
        Named("“a.pdf” was left out: the file is damaged"),
    ),
    "code": (
        files(lambda w: w.file("a.ts", b"let x = 1;", content_type="video/mp2t")),
        Used((), "> let x = 1;"),
    ),
    "slides": (
        files(lambda w: w.file("a.pptx", b"PK", content_type=None)),
        Named("“a.pptx” was left out: it is an Office file, which I can't open."),
    ),
    "a video": (
        files(lambda w: w.file("a.avi", b"..", content_type="video/x-msvideo")),
        Named("“a.avi” was left out: it is a video, and"),
    ),
    "a video whose frames can be seen": (
        files(lambda w: w.file("a.mp4", FILM, content_type="video/mp4")),
        Used(),
    ),
    "a broken video": (
        files(lambda w: w.file("a.mp4", FILM[:99], content_type="video/mp4")),
        Named("“a.mp4” was left out: the video is damaged"),
    ),
    "a sound": (
        files(lambda w: w.file("a.mp3", b"..", content_type="audio/mpeg")),
        Named("it is an audio file"),
    ),
    "something unknown": (
        files(lambda w: w.file("a.bin", b"\0\1\2", content_type=None)),
        Named("“a.bin” was left out: I can't read this kind of file"),
    ),
    "a PNG sticker": (sticker(1), Used()),
    "an APNG sticker": (sticker(2), Used()),
    "a GIF sticker": (sticker(4), Used()),
    "a sticker of Discord's own": (
        sticker(3),
        Named("“Wave” was left out: I can't look at this kind of sticker."),
    ),
    "a sticker of a kind to come": (sticker(9), Named("this kind of sticker")),
}

EMBEDS: Rows = {
    "a picture that is linked to": (
        embeds(lambda w: {"thumbnail": (it := w.embed()), "url": it["url"]}, kind="image"),
        Used(),
    ),
    "an animation": (embeds(lambda w: {"thumbnail": w.embed()}, kind="gifv"), Used()),
    "an animation's video": (
        embeds(lambda w: {"thumbnail": w.embed("blue"), "video": w.embedded_film()}, kind="gifv"),
        Used(),
    ),
    "a video that is linked to": (
        embeds(lambda w: {"video": (it := w.embedded_film()), "url": it["url"]}, kind="video"),
        Used(),
    ),
    "an embed's image": (embeds(lambda w: {"image": w.embed()}), Used()),
    "an embed's thumbnail": (embeds(lambda w: {"thumbnail": w.embed()}), Used()),
    "an embed's image and thumbnail": (
        embeds(lambda w: {"thumbnail": w.embed("blue"), "image": w.embed()}),
        Used(("red", "blue")),
    ),
    "a gallery: several embeds with one address": (
        embeds(
            lambda w: {"image": w.embed("red")}, lambda w: {"image": w.embed("blue")},
            url="https://posts.example/1",
        ),
        Used(("red", "blue")),
    ),
    "an embed's image that was uploaded": (embeds(lambda w: {"image": w.uploaded()}), Used()),
    "an embed's image without a copy": (
        embeds(lambda w: {"image": {"url": f"{w.web}/render/red?panel=2"}}),
        Used(),
    ),
    "a picture and its link": (
        lambda w: {
            "text": (it := w.embed())["url"],
            "embeds": [{"type": "image", "url": it["url"], "thumbnail": it}],
        },
        Used(),
    ),
    "the same file twice": (
        lambda w: {
            "files": [file := w.file()],
            "embeds": [{"type": "rich", "image": w.discord.attachment("1", "2", file)}],
        },
        Used(),
    ),
    "a video behind a link": (
        embeds(
            lambda w: {"thumbnail": w.embed(), "url": "https://videos.example/1"},
            kind="video", title="The launch",
        ),
        Named("“The launch” was left out: it is a video"),
    ),
    "a page's preview": (
        embeds(lambda w: {"thumbnail": w.embed(), "url": "https://news.example"}, kind="article"),
        Ornament(),
    ),
    "a site's preview": (embeds(lambda w: {"thumbnail": w.embed()}, kind="link"), Ornament()),
    "an author's and a footer's icon": (
        embeds(
            lambda w: {
                "author": {"name": "Ann", "icon_url": w.embed()["url"]},
                "footer": {"text": "app", "icon_url": w.embed()["url"]},
                "description": "hello",
            }
        ),
        Ornament(),
    ),
}  # fmt: skip

COMPONENTS: Rows = {
    "a media gallery": (components(gallery("red", "blue")), Used(("red", "blue"))),
    "a media gallery of uploads": (
        components(lambda w: {"type": 12, "id": 1, "items": [{"media": w.own_media()}]}),
        Used(),
    ),
    "a section's thumbnail": (components(lambda w: section(thumbnail(w.media()))), Used()),
    "a file component": (
        components(lambda w: {"type": 13, "id": 1, "file": w.own_media(), "name": "red.png"}),
        Used(),
    ),
    "a file component whose name and type are wrong": (
        components(
            lambda w: {
                "type": 13, "id": 1, "name": "a.pdf", "size": 9,
                "file": w.own_media() | {"content_type": "application/pdf"},
            }
        ),
        Used(),
    ),
    "a container's gallery": (
        components(lambda w: {"type": 17, "id": 1, "components": [gallery("red")(w)]}),
        Used(),
    ),
    "a container's section": (
        components(
            lambda w: {"type": 17, "id": 1, "components": [section(thumbnail(w.media()))]}
        ),
        Used(),
    ),
    "large ones go before small ones": (
        components(lambda w: section(thumbnail(w.media("blue"))), gallery("red")),
        Used(("red", "blue")),
    ),
    "a gallery's video": (
        components(
            lambda w: {
                "type": 12, "id": 1,
                "items": [{"media": {"id": "1", **w.embedded_film(), "content_type": "video/mp4"}}],
            }
        ),
        Used(),
    ),
    "a link in a text display": (
        components(lambda w: text_display(f"see {w.web}/red.png")),
        Used(),
    ),
    "an upload that a component shows": (
        lambda w: {
            "files": [file := w.file()], "flags": COMPONENTS_V2,
            "components": [
                {
                    "type": 12, "id": 1,
                    "items": [
                        {"media": w.media(attachment_id=file.id,
                                          url=w.discord.attachment("1", "2", file)["url"])}
                    ],
                }
            ],
        },
        Used(),
    ),
    "a button's emoji": (
        components(
            lambda w: {
                "type": 1, "id": 1,
                "components": [
                    {
                        "type": 2, "id": 2, "style": 5, "url": "https://news.example/red.png",
                        "label": "x", "emoji": {"id": w.file().id, "name": "cat"},
                    }
                ],
            }
        ),
        Ornament(),
    ),
}  # fmt: skip

WORDS: Rows = {
    "a link": (said("WEB/red.png"), Used()),
    "a link in Japanese": (said("「WEB/red.png」を見て。"), Used()),
    "a link before a full stop": (said("これ：WEB/red.png。"), Used()),
    "a link in a spoiler": (said("||WEB/red.png||"), Used()),
    "a link in bold": (said("**WEB/red.png**"), Used()),
    "a link in code": (said("`WEB/red.png`"), Used()),
    "a link without its preview": (said("<WEB/red.png>"), Used()),
    "a link with a label": (said("[this](WEB/red.png)"), Used()),
    "a link to a page": (said("https://news.example/"), Ornament()),
    "an emoji in words": (said("nice <:cat:1234>"), Ornament()),
}

TYPED: Rows = {place: row for place, row in WORDS.items() if place.startswith("a link")}
"""Typed into the modal or into `/ask`, where Discord makes no preview of a link."""

DISCORD: Rows = {**FILES, **EMBEDS, **COMPONENTS, **WORDS}
