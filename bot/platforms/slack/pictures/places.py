"""Where pictures can be in a Slack message, and files by their kinds.

Pure: nothing here calls Slack.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.images.links import file_name, links_in, names_a_picture
from bot.images.media_types import kind_of
from bot.platforms.slack.events import LINK, Event
from bot.values.messages import Attachment

Found = tuple[bool, Attachment]
"""(whether it is shown small, beside something else; what it is)."""

HOLDS: Mapping[str, tuple[str, ...]] = {
    "actions": (),
    "alert": ("text",),
    "auth_provider": (),
    "button": (),
    "call": (),
    "card": ("hero_image", "title", "subtitle", "body"),
    "carousel": ("elements",),
    "container": ("title", "rich_text_title", "subtitle", "child_blocks"),
    "context": ("elements",),
    "context_actions": (),
    "data_table": ("rows",),
    "data_visualization": (),
    "divider": (),
    "header": (),
    "input": (),
    "plain_text": (),
    "plan": ("tasks",),
    "raw_text": (),
    "rich_text": ("elements",),
    "section": ("text", "fields", "accessory"),
    "table": ("rows",),
    "task_card": ("details", "output", "sources"),
    "text": (),
}
"""Block or element → its fields that may hold pictures, or links to pictures.

The icons of cards and containers are ornaments. Of a block that is not listed, every field counts:
Slack adds blocks every few months.
"""
SMALL_IN = {"context", "section"}

MODES = {
    "canvas": "what_canvas",
    "docs": "what_canvas",
    "email": "what_email",
    "list": "what_list",
    "post": "what_post",
    "quip": "what_canvas",
    "space": "what_post",
}
"""Files that Slack makes itself, by their mode or filetype; their names may be anything."""
MEDIA_TYPES = {
    "application/vnd.slack-docs": "what_canvas",
    "application/vnd.slack-huddle-transcript": "what_text",
    "application/vnd.slack-list": "what_list",
}
CLIPS = {"slack_audio": "what_voice"}
GONE = frozenset({"tombstone", "hidden_by_limit"})

FILE_IN_ADDRESS = re.compile(r"/files(?:-pri/T[A-Z0-9]+-|/[A-Z0-9]+/)(F[A-Z0-9]+)\b")
"""Of a file's private address, and of its permalink."""
PERMALINK = re.compile(r"https://[a-z0-9.-]+\.slack(?:-gov)?\.com/files/", re.IGNORECASE)
QUOTES = ("is_share", "is_msg_unfurl", "is_reply_unfurl", "is_app_unfurl")
"""Attachments to a link that are more than a page's preview."""


def attachments_of(event: Event, *, links: bool) -> tuple[Attachment, ...]:
    """Everything of a message that may be a picture, each once.

    That is: its files, pictures in its blocks and attachments, those of messages that it shares
    and, with `links`, pictures on the web that blocks show or texts link to. Large ones come first.
    What is known to be no picture has its kind.
    """
    once: dict[str, Attachment] = {}
    for _, attachment in sorted(_in_message(event), key=lambda found: found[0]):
        once.setdefault(_key(attachment), attachment)
    found = once.values()
    return tuple(found if links else filter(None, map(_without_the_web, found)))


def is_shown(attachment: Attachment) -> bool:
    """Whether it was shown as a picture, not sent as a file: then its name means nothing."""
    ref = json.loads(attachment.ref)
    return not attachment.kind and ("link" in ref or "shown" in ref)


def _key(attachment: Attachment) -> str:
    ref = json.loads(attachment.ref)
    return str(ref.get("file") or ref.get("url") or ref.get("link") or attachment.name)


def _without_the_web(attachment: Attachment) -> Attachment | None:
    """What is left of it where nothing is fetched from the web."""
    ref = json.loads(attachment.ref)
    if "external" in ref:
        return replace(attachment, kind=attachment.kind or "what_elsewhere")
    return None if "link" in ref and not attachment.kind else attachment


def _in_message(message: Event) -> Iterator[Found]:
    for file in (*(message.get("files") or ()), message.get("file")):
        if file:
            yield False, file_attachment(file)
            for enclosed in file.get("attachments") or ():  # of an email
                yield False, _enclosed(enclosed)
    for attachment in message.get("attachments") or ():
        yield from _in_attachment(attachment)
    yield from _in_blocks(message.get("blocks") or ())
    yield from _in_text(message.get("text"))


# -- attachments --------------------------------------------------------------------------------


def _in_attachment(attachment: Event) -> Iterator[Found]:
    """Of a shared message, an app, or a link that Slack unfurled."""
    for inner in attachment.get("message_blocks") or ():
        yield from _in_message(inner.get("message") or {})
    yield from _in_message({name: attachment.get(name) for name in ("files", "attachments")})
    yield from _in_blocks(attachment.get("blocks") or ())
    if attachment.get("file_id"):
        file = {"id": attachment["file_id"], "url_private": attachment.get("url")}
        names = {"name": attachment.get("filename"), "mimetype": attachment.get("mimetype")}
        yield False, file_attachment(file | names)
    if attachment.get("list"):
        yield False, file_attachment(attachment["list"] | {"mode": "list"})
    address = str(attachment.get("from_url") or "")
    image = attachment.get("image_url")
    if address and not any(attachment.get(name) for name in QUOTES):
        # A page's preview is no picture that was shown; a picture's own address is.
        if names_a_picture(address) or address == image:
            yield False, _linked(address)
        elif attachment.get("video_html") or attachment.get("video_url"):
            yield False, _video(attachment.get("title"), address, aside=True)
        return
    if image or attachment.get("thumb_url"):
        shown = str(image or attachment["thumb_url"])
        yield not image, _linked(shown, title=attachment.get("title"))
    texts = [attachment.get(name) for name in ("pretext", "text")]
    texts += [field.get("value") for field in attachment.get("fields") or ()]
    for text in texts:
        yield from _in_text(text)


# -- blocks -------------------------------------------------------------------------------------


def _in_blocks(value: Any, *, small: bool = False) -> Iterator[Found]:
    """Of blocks, of an element, of anything within them."""
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _in_blocks(inner, small=small)
    elif isinstance(value, Mapping):
        yield from _in_block(value, str(value.get("type")), small=small)


def _in_block(block: Event, kind: str, *, small: bool) -> Iterator[Found]:
    match kind:
        case "image":
            yield from ((small, attachment) for attachment in _image(block))
        case "video":
            yield small, _video(block.get("title"), block.get("video_url"))
        case "file":
            yield small, _file_in_block(block)
        case "link" | "url":
            yield from _in_text(block.get("url"))
        case "mrkdwn" | "markdown":
            yield from _in_text(block.get("text"))
        case _:
            for name in HOLDS.get(kind, tuple(block)):
                yield from _in_blocks(block.get(name), small=small or kind in SMALL_IN)


def _image(image: Event) -> Iterator[Attachment]:
    title = _words(image.get("title")) or _words(image.get("alt_text"))
    if image.get("slack_file"):
        file = dict(image["slack_file"])
        file["name"] = file.get("name") or file_name(str(file.get("url") or "")) or title
        yield _shown(file_attachment(file))
    elif image.get("image_url"):
        yield _linked(str(image["image_url"]), title=title)


def _shown(attachment: Attachment) -> Attachment:
    return replace(attachment, ref=json.dumps(json.loads(attachment.ref) | {"shown": "1"}))


def _file_in_block(block: Event) -> Attachment:
    """Of a remote file the block may hold no more than the id that its app has given it."""
    if block.get("file") or block.get("file_id"):
        return file_attachment(block.get("file") or {"id": block["file_id"]})
    name = _words(block.get("title")) or str(block.get("external_id") or "file")
    return Attachment(name=name, ref="{}", kind="what_elsewhere")


def _words(text: Any) -> str:
    """A text object's, or plain."""
    return str((text.get("text") if isinstance(text, Mapping) else text) or "")


def _video(title: Any, address: Any, *, aside: bool = False) -> Attachment:
    name = _words(title) or file_name(str(address or "")) or "video"
    return Attachment(
        name=name, ref=json.dumps({"link": str(address or "")}), kind="what_video", aside=aside
    )


# -- links --------------------------------------------------------------------------------------


def _in_text(text: Any) -> Iterator[Found]:
    """Of a text in Slack's markup: pictures that it links to, and Slack's files."""
    targets = LINK.sub(lambda found: f"<{found[1]}>", str(text or ""))
    for address in links_in(html.unescape(targets)):
        if names_a_picture(address) or PERMALINK.match(address):
            yield False, _linked(address)


def _linked(address: str, *, title: Any = None) -> Attachment:
    if PERMALINK.match(address):
        return file_attachment({"url": address, "name": file_name(address)})
    name = file_name(address)
    if not names_a_picture(address):
        name = _words(title) or name
    return Attachment(name=name, ref=json.dumps({"link": address}))


# -- files --------------------------------------------------------------------------------------


def file_attachment(file: Event) -> Attachment:
    """A file of Slack's. A stub (Slack Connect, an unfinished upload) has no address yet.

    ``url`` is how blocks name a file: by its private address or its permalink.
    """
    address = str(file.get("url_private_download") or file.get("url_private") or "")
    named_by = str(file.get("url") or "")
    in_address = FILE_IN_ADDRESS.search(named_by)
    if not address and "/files-pri/" in named_by:
        address = named_by
    ref = {"file": str(file.get("id") or (in_address[1] if in_address else "")), "url": address}
    if file.get("mode") in GONE:
        ref["gone"] = "1"
    kind = _kind(file)
    if file.get("is_external") or file.get("mode") == "external":
        # It is kept elsewhere, mostly behind a login; a link to a picture may be public.
        if kind or not str(file.get("mimetype") or "").startswith("image/"):
            kind = "what_elsewhere"
        ref = {"external": "1", "link": address}
    name = file.get("name") or file.get("title")
    if kind:
        name = file.get("title") or name
    return Attachment(
        name=str(name or file.get("id") or "file"),
        ref=json.dumps(ref, sort_keys=True),
        size_bytes=file.get("size") or None,
        kind=kind,
    )


def _enclosed(file: Event) -> Attachment:
    """A file that came with an email which was sent to a channel."""
    names = {"name": file.get("filename"), "mimetype": file.get("mimetype")}
    return file_attachment({"url_private": file.get("url"), "size": file.get("size"), **names})


def _kind(file: Event) -> str:
    """The key of the words for what it is; empty when it may be a picture."""
    mode, filetype = str(file.get("mode") or ""), str(file.get("filetype") or "")
    media_type = str(file.get("mimetype") or "")
    by_slack = CLIPS.get(str(file.get("subtype"))) or MEDIA_TYPES.get(media_type)
    by_slack = by_slack or MODES.get(mode) or MODES.get(filetype)
    return by_slack or kind_of(str(file.get("name") or ""), media_type)
