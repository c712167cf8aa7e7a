"""The pictures in a Discord message, and files by their kinds. Pure: no calls to Discord."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import discord
from yarl import URL

from bot.images.links import file_name, links_in, names_a_picture
from bot.images.media_types import kind_of
from bot.texts import say
from bot.values.messages import Attachment

DISCORD_DOMAINS = (".discordapp.com", ".discordapp.net", ".discord.com")
STICKER_PICTURES = {
    discord.StickerFormatType.png,
    discord.StickerFormatType.apng,
    discord.StickerFormatType.gif,
}

EmbedPart = Literal["image", "thumbnail"]
SHOWN_IN_EMBEDS: dict[str, tuple[EmbedPart, ...]] = {
    "gifv": ("thumbnail",),
    "image": ("thumbnail", "image"),
    "rich": ("image", "thumbnail"),
}
"""Kind of embed → its pictures. The preview of a page is none that was shown, and the icons of
authors and footers are ornaments."""

ONLY_EMOJI = re.compile(r"\s*(?:<a?:\w+:\d+>\s*)+")
EMOJI = re.compile(r"<(a?):(\w+):(\d+)>")
FILE_IN_ADDRESS = re.compile(r"/attachments/\d+/(\d+)/")

Part = discord.Message | discord.MessageSnapshot


@dataclass(frozen=True, slots=True)
class _Found:
    attachment: Attachment
    key: str = field(repr=False)
    """The same picture in two places has the same key."""
    small: bool = False
    """It is shown beside something else."""
    originals: tuple[str, ...] = field(default=(), repr=False)
    """The addresses that Discord's copy stands for."""


def attachments_of(message: discord.Message, *, links: bool) -> tuple[Attachment, ...]:
    """Everything of a message that may be a picture, each once; large ones first.

    Its files and stickers, the files that its components and embeds show, those of messages it
    forwards; with `links`, also what comes from elsewhere: pictures in components and embeds, and
    pictures it links to. What is known to be no picture has its kind.
    """
    once: dict[str, Attachment] = {}
    for found in sorted(_in_message(message, links=links), key=lambda found: found.small):
        once.setdefault(found.key, found.attachment)
    return tuple(once.values())


def is_shown(attachment: Attachment) -> bool:
    """Whether it was shown as a picture, not sent as a file: its name then means nothing."""
    return not attachment.kind and "file" not in json.loads(attachment.ref)


def is_link(attachment: Attachment) -> bool:
    """Whether it is on another host, not Discord's."""
    return "link" in json.loads(attachment.ref)


def emoji_of(text: str) -> tuple[Attachment, ...]:
    """The server's own emoji, where a message is nothing else: Discord shows them large."""
    if not ONLY_EMOJI.fullmatch(text):
        return ()
    found = {}
    for animated, name, id_ in EMOJI.findall(text):
        address = f"{discord.Asset.BASE}/emojis/{id_}.{'gif' if animated else 'png'}"
        found[id_] = Attachment(name=f":{name}:", ref=json.dumps({"cdn": address}))
    return tuple(found.values())


def poll_of(message: discord.Message, locale: str) -> str:
    """A poll in words, or nothing: its question and its choices are all there is to it."""
    poll = message.poll
    if poll is None:
        return ""
    choices = ", ".join(answer.text or str(answer.emoji or "") for answer in poll.answers)
    return say(locale, "discord_poll", question=poll.question, choices=choices)


def linked_in(text: str) -> tuple[Attachment, ...]:
    """The pictures that a text links to, which Discord has made no preview of."""
    return tuple({found.key: found.attachment for found in _in_text(text, set())}.values())


def _in_message(message: discord.Message, *, links: bool) -> Iterator[_Found]:
    source = {"channel": str(message.channel.id), "message": str(message.id)}
    parts: list[Part] = [message, *message.message_snapshots]
    for part in parts:
        for file in part.attachments:
            attachment = file_attachment(message.channel.id, message.id, file)
            yield _Found(attachment, key=str(file.id))
        for sticker in part.stickers:
            yield _sticker(sticker)
        shown = [*_in_components(part.components, source), *_in_embeds(part.embeds, source)]
        yield from (
            picture for picture in shown if links or "file" in json.loads(picture.attachment.ref)
        )
        if links:
            copies = {address for picture in shown for address in picture.originals}
            texts = [part.content, *_texts_of(part.components)]
            yield from (picture for text in texts for picture in _in_text(text, copies))


def _sticker(sticker: discord.StickerItem) -> _Found:
    kind = "" if sticker.format in STICKER_PICTURES else "what_sticker"
    ref = json.dumps({"cdn": sticker.url})
    return _Found(Attachment(name=sticker.name, ref=ref, kind=kind), key=sticker.url)


# -- components, embeds -------------------------------------------------------------------------


def _within(components: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """All components, those within others, too, and whether they stand beside something."""
    for component in components:
        yield component, False
        match component:
            case discord.Container() | discord.SectionComponent():
                yield from _within(component.children)
        if isinstance(component, discord.SectionComponent):
            yield component.accessory, True


def _in_components(components: Iterable[Any], source: dict[str, str]) -> Iterator[_Found]:
    for component, small in _within(components):
        match component:
            case discord.MediaGalleryComponent():
                for item in component.items:
                    yield _media(item.media, source, small=small)
            case discord.ThumbnailComponent():
                yield _media(component.media, source, small=small)
            case discord.FileComponent():
                yield _media(component.media, source, small=small, name=component.name or "")


def _texts_of(components: Iterable[Any]) -> Iterator[str]:
    for component, _ in _within(components):
        if isinstance(component, discord.TextDisplay):
            yield component.content


def _media(
    media: discord.UnfurledMediaItem, source: dict[str, str], *, small: bool, name: str = ""
) -> _Found:
    name = name or file_name(media.url)
    kind = kind_of(name, media.content_type)
    file = None if media.attachment_id is None else str(media.attachment_id)
    return _copy(media.url, media.proxy_url, source, name=name, kind=kind, file=file, small=small)


def _in_embeds(embeds: Iterable[discord.Embed], source: dict[str, str]) -> Iterator[_Found]:
    for embed in embeds:
        if embed.type in {"video", "gifv"} and names_a_picture(embed.video.url or ""):
            yield _film(embed, source)
            continue
        if embed.type == "video":
            yield _video(embed)
        for part in SHOWN_IN_EMBEDS.get(embed.type, ()):
            picture = getattr(embed, part)
            if picture.url:
                is_all = embed.type != "rich"
                name = file_name(embed.url or "") if is_all and embed.url else ""
                yield _copy(
                    picture.url,
                    picture.proxy_url,
                    source,
                    name=name or file_name(picture.url),
                    small=part == "thumbnail" and not is_all,
                    stands_for=(embed.url or "") if is_all else "",
                )
                if is_all:
                    break


def _film(embed: discord.Embed, source: dict[str, str]) -> _Found:
    """A video that can be fetched: one that was linked to, or what stands for an animation."""
    address = embed.video.url or ""
    return _copy(
        address,
        embed.video.proxy_url,
        source,
        name=file_name(address),
        stands_for=embed.url or "",
    )


def _video(embed: discord.Embed) -> _Found:
    address = embed.url or embed.video.url or ""
    name = embed.title or file_name(address) or "video"
    attachment = Attachment(
        name=name, ref=json.dumps({"link": address}), kind="what_video", aside=True
    )
    return _Found(attachment, key=address)


def _copy(
    address: str,
    proxied: str | None,
    source: dict[str, str],
    *,
    name: str,
    kind: str = "",
    file: str | None = None,
    small: bool = False,
    stands_for: str = "",
) -> _Found:
    """Discord has fetched what it shows: its copy is asked for, not the page it came from."""
    in_address = FILE_IN_ADDRESS.search(address)
    if file is None and in_address is not None and is_discords(address):
        file = in_address[1]
    copy = proxied or address
    if file is not None:
        ref = source | {"file": file, "url": address if is_discords(address) else copy}
    else:
        ref = {"cdn" if is_discords(copy) else "link": copy}
    attachment = Attachment(name=name, ref=json.dumps(ref, sort_keys=True), kind=kind)
    return _Found(
        attachment, key=file or _same(address), small=small,
        originals=(_same(address), _same(stands_for)),
    )  # fmt: skip


# -- links, files -------------------------------------------------------------------------------


def _in_text(text: str, copies: set[str]) -> Iterator[_Found]:
    for address in filter(names_a_picture, links_in(text)):
        if _same(address) not in copies:
            attachment = Attachment(name=file_name(address), ref=json.dumps({"link": address}))
            in_address = FILE_IN_ADDRESS.search(address) if is_discords(address) else None
            yield _Found(attachment, key=in_address[1] if in_address else _same(address))


def _same(address: str) -> str:
    """One form of an address, however it is written."""
    try:
        return str(URL(address))
    except ValueError:
        return address


def is_discords(address: str) -> bool:
    """Whether an address leads to a host of Discord's."""
    try:
        url = URL(address)
    except ValueError:
        return False
    return url.scheme == "https" and f".{url.host}".endswith(DISCORD_DOMAINS)


def file_attachment(channel: int | str, message: int | str, file: discord.Attachment) -> Attachment:
    """A file of a message. Its address expires: the message has a fresh one."""
    ref = {"channel": str(channel), "message": str(message), "file": str(file.id), "url": file.url}
    return Attachment(
        name=file.filename,
        ref=json.dumps(ref, sort_keys=True),
        size_bytes=file.size or None,
        kind=_kind(file),
    )


def passing_attachment(file: discord.Attachment) -> Attachment:
    """A file given to a command: no message holds it."""
    return Attachment(
        name=file.filename,
        ref=json.dumps({"cdn": file.url}),
        size_bytes=file.size or None,
        kind=_kind(file),
    )


def _kind(file: discord.Attachment) -> str:
    if file.is_voice_message():
        return "what_voice"
    return kind_of(file.filename, file.content_type)


def attachment_of(channel: str, message: str) -> Attachment:
    """The pictures of another message, to be looked up: the one that is replied to."""
    return Attachment(
        name="", ref=json.dumps({"channel": channel, "message": message}), earlier=True
    )
