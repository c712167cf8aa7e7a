"""The local Slack's messages and modals as the page shows them. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.demo.markup.commonmark import commonmark
from tests.servers.demo.markup.mrkdwn import mrkdwn
from tests.servers.demo.markup.nodes import ADDRESS, node
from tests.servers.demo.view import Control, Field, Message, Modal, Part, Picture
from tests.servers.slack import state

TEXT_BLOCKS = {"header", "markdown", "section"}


def seen(message: state.Message, place: str, *, streamed: bool) -> Message:
    """A message of a channel."""
    ts = str(message["ts"])
    thread = str(message.get("thread_ts", ts))
    files = message.get("files") or ()
    pictures = [Picture(id=it["id"], name=it.get("name", "")) for it in files]
    return Message(
        id=ts,
        place=place,
        thread="" if thread == ts else thread,
        author=str(message["user"]),
        time=float(ts),
        parts=[
            *parts_of(message, streamed=streamed),
            *([Part(kind="pictures", pictures=pictures)] if pictures else []),
        ],
        raw=str(message["text"]),
        edited="edited" in message,
        is_note=message.get("subtype") == "tombstone",
    )


def seen_by_one(told: Mapping[str, Any], author: str) -> Message:
    """An ephemeral message."""
    return Message(
        id=f"only-{told['ts']}",
        place=str(told["channel"]),
        thread=str(told.get("thread_ts") or ""),
        author=author,
        time=float(told["ts"]),
        parts=list(parts_of(told, streamed=False)),
        only_you=True,
    )


def parts_of(message: Mapping[str, Any], *, streamed: bool) -> Iterator[Part]:
    """Text and blocks. With blocks the text is for notifications alone, but for a stream's."""
    blocks, text = message.get("blocks") or [], str(message.get("text") or "")
    if text and streamed and not any(it["type"] == "markdown" for it in blocks):
        yield Part(kind="text", nodes=commonmark(text))
    elif text and not blocks:
        yield Part(kind="text", nodes=mrkdwn(text))
    for block in blocks:
        match block["type"]:
            case "markdown":
                yield Part(kind="text", nodes=commonmark(block["text"]))
            case "section":
                yield Part(kind="text", nodes=_text_object(block["text"]))
            case "header":
                yield Part(kind="text", nodes=[node("h2", _text_object(block["text"]))])
            case "context":
                texts = [it for it in block["elements"] if "text" in it]
                yield Part(kind="small", nodes=[it for text in texts for it in _text_object(text)])
            case "divider":
                yield Part(kind="rule")
            case "actions" | "context_actions":
                yield Part(kind="controls", controls=list(_controls(block)))


def _text_object(text: Mapping[str, Any]) -> list[Any]:
    return mrkdwn(text["text"]) if text["type"] == "mrkdwn" else [text["text"]]


def _controls(block: Mapping[str, Any]) -> Iterator[Control]:
    for element in block["elements"]:
        if element["type"] != "feedback_buttons":
            yield Control(label=element["text"]["text"], value=element["action_id"])
            continue
        for side in ("positive_button", "negative_button"):
            yield Control(
                label=element[side]["text"]["text"],
                title=element[side].get("accessibility_label", ""),
                value=f"{element['action_id']}/{side}",
            )


def modal(view: Mapping[str, Any]) -> Modal:
    """A modal."""
    fields, text = [], ""
    for block in view["blocks"]:
        if block["type"] != "input":
            text = block["text"]["text"]
            continue
        element = block["element"]
        chosen = element.get("initial_option", {}).get("value", "")
        fields.append(
            Field(
                id=block["block_id"],
                label=block["label"]["text"],
                value=element.get("initial_value") or chosen,
                placeholder=element.get("placeholder", {}).get("text", ""),
                options=[(it["text"]["text"], it["value"]) for it in element.get("options", ())],
            )
        )
    return Modal(
        id=view["id"],
        title=view["title"]["text"],
        submit=view.get("submit", {}).get("text", ""),
        close=view["close"]["text"],
        text=text,
        fields=fields,
    )


# -- what people type -----------------------------------------------------------------------------


def sent(typed: str, names: Mapping[str, str]) -> str:
    """What is typed as Slack sends it: escaped, with mentions and links in brackets."""
    text = html.escape(typed, quote=False)
    text = re.sub(ADDRESS, lambda it: f"<{it[0]}>", text)
    for user, name in sorted(names.items(), key=lambda it: -len(it[1])):
        mention = rf"(?<![\w@])@{re.escape(html.escape(name, quote=False))}(?!\w)"
        text = re.sub(mention, f"<@{user}>", text)
    return text


def typed(text: str, names: Mapping[str, str]) -> str:
    """The reverse: a message as its author edits it."""
    text = re.sub(r"<@(\w+)>", lambda it: f"@{names.get(it[1], it[1])}", text)
    text = re.sub(r"<(https?://[^<>|]+)(?:\|[^<>]*)?>", r"\1", text)
    return html.unescape(text)
