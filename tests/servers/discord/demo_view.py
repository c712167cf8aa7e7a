"""The local Discord's messages, commands and modals as the page shows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests.servers.demo.markup.discord import markdown
from tests.servers.demo.view import (
    Control,
    Field,
    Message,
    Modal,
    Option,
    Part,
    Picture,
    SlashCommand,
)
from tests.servers.discord.interactions import Asked
from tests.servers.discord.state import EPOCH_MS, LOADING, Json

REPLY = 19
SUBCOMMAND, FILE = 1, 11
EMOJI = {"good": "👍", "bad": "👎"}
LONGEST_QUOTE = 80


def made_at(snowflake: str) -> float:
    """When an id was made, in seconds."""
    return ((int(snowflake) >> 22) + EPOCH_MS) / 1000


def seen(message: Json, place: str, thread: str) -> Message:
    """A message of a channel, or of a thread in it."""
    pictures = [Picture(id=it["id"], name=it["filename"]) for it in message["attachments"]]
    controls = [
        Control(
            label=item.get("label") or EMOJI.get(item["custom_id"].split(":")[1], "…"),
            value=item["custom_id"],
        )
        for row in message["components"]
        for item in row["components"]
    ]
    return Message(
        id=message["id"],
        place=place,
        thread=thread,
        author=message["author"]["id"],
        time=made_at(message["id"]),
        parts=[
            *(
                [Part(kind="text", nodes=markdown(message["content"]))]
                if message["content"]
                else []
            ),
            *([Part(kind="pictures", pictures=pictures)] if pictures else []),
            *([Part(kind="controls", controls=controls)] if controls else []),
        ],
        raw=message["content"],
        edited=message["edited_timestamp"] is not None and not message["author"]["bot"],
        pending=bool(message["flags"] & LOADING) and not message["content"],
        used=_replying(message),
    )


def _replying(message: Json) -> str:
    referenced = message.get("referenced_message") if message["type"] == REPLY else None
    if not referenced:
        return ""
    text = re.sub(r"<@\d+>", "", referenced["content"]).strip()[:LONGEST_QUOTE]
    return f"↪ {referenced['author']['global_name']} {text}"


def seen_by_one(asked: Asked, place: str, thread: str) -> Iterator[Message]:
    """The ephemeral messages of an interaction."""
    own = [asked.response] if asked.response is not None and asked.is_ephemeral else []
    for message in (*own, *asked.followups):
        yield replace(seen(message, place, thread), only_you=True)


def commands_of(published: list[Json], locale: str) -> Iterator[SlashCommand]:
    """The slash commands that a bot has published, each subcommand on its own."""
    for command in published:
        if command.get("type", 1) != 1:
            continue
        options = command.get("options") or []
        for sub in [it for it in options if it["type"] == SUBCOMMAND] or [None]:
            shown = sub or command
            yield SlashCommand(
                name=f"/{command['name']} {sub['name']}" if sub else f"/{command['name']}",
                description=_in(locale, shown, "description"),
                options=[
                    Option(
                        name=it["name"],
                        description=_in(locale, it, "description"),
                        is_file=it["type"] == FILE,
                        required=bool(it.get("required")),
                    )
                    for it in shown.get("options") or ()
                ],
            )


def menu_of(published: list[Json], locale: str) -> list[str]:
    """The entries that a bot has in the menu of a message."""
    return [_in(locale, it, "name") for it in published if it.get("type") == 3]


def _in(locale: str, described: Json, name: str) -> str:
    localised = described.get(f"{name}_localizations") or {}
    return str(localised.get(locale) or described.get(name) or "")


def modal(opened_by: str, shown: Json) -> Modal:
    """A modal; `opened_by`: the interaction that opened it."""
    fields = []
    for label in shown["components"]:
        inner = label["component"]
        options = [(it["label"], it["value"]) for it in inner.get("options", ())]
        chosen = next((it["value"] for it in inner.get("options", ()) if it.get("default")), "")
        fields.append(
            Field(
                id=inner["custom_id"],
                label=label["label"],
                value=inner.get("value") or chosen,
                placeholder=inner.get("placeholder") or "",
                options=options,
            )
        )
    return Modal(id=opened_by, title=shown["title"], submit="Submit", close="Cancel", fields=fields)


# -- what people type -----------------------------------------------------------------------------


def sent(typed: str, names: Mapping[str, str]) -> str:
    """What is typed as Discord sends it, with mentions by id."""
    text = typed
    for user, name in sorted(names.items(), key=lambda it: -len(it[1])):
        text = re.sub(rf"(?<![\w@])@{re.escape(name)}(?!\w)", f"<@{user}>", text)
    return text


def typed(text: str, names: Mapping[str, str]) -> str:
    """The reverse: a message as its author edits it."""
    return re.sub(r"<@(\d+)>", lambda it: f"@{names.get(it[1], it[1])}", text)
