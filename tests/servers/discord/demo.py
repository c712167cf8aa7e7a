"""`make demo-discord`: the local Discord, the real bot with its model, and a page to talk to it.

    python -m tests.servers.discord.demo [--port 8789] [--open]

`/ask QUESTION` with a picture, and `/llava help`, are commands as in Discord.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.servers.demo import Demo, Field, Modal, Seen, View, main, with_bot
from tests.servers.discord.server import LocalDiscord, running_discord
from tests.servers.discord.state import ANN, BEN, BOT, EPOCH_MS, KEI, PICTURES, Json

TYPING_S = 10
EMOJI = {"good": "👍", "bad": "👎"}


class DiscordDemo(Demo):
    """See `Demo`."""

    def __init__(self, discord: LocalDiscord) -> None:
        self.discord = discord

    def view(self, user: str) -> View:
        w = self.discord.world
        messages = [self._seen(it, "") for it in w.messages[PICTURES]]
        for message in list(messages):
            messages += [self._seen(it, message.id) for it in w.messages.get(message.id, ())]
        awaited = {it.thread for it in messages if it.is_bot and not it.buttons}
        done = {it.thread for it in messages if it.is_bot and ("Stop" not in str(it.buttons))}
        typing = {place for at, place in self.discord.rest.typing if at > time.time() - TYPING_S}
        asked = self.discord.interactions.by_token.values()
        return View(
            title="# pictures – local Discord",
            people={it: w.users[it]["global_name"] for it in (ANN, BEN, KEI)},
            connected=bool(self.discord.gateway.connected),
            messages=messages,
            working=[(it, "typing…", False) for it in sorted(typing - done - awaited - {PICTURES})],
            private=[text for it in asked if it.user == user for text in it.said],
            modals=[_modal(it) for _, it in self.discord.interactions.modals],
        )

    def _seen(self, message: Json, thread: str) -> Seen:
        w = self.discord.world
        lines = message["content"].split("\n")
        is_bot = message["author"]["id"] == BOT
        text = "\n".join(it for it in lines if not it.startswith("-# "))
        return Seen(
            id=message["id"],
            thread=thread,
            author=message["author"]["global_name"],
            is_bot=is_bot,
            time=((int(message["id"]) >> 22) + EPOCH_MS) / 1000,
            text=re.sub(r"<@(\d+)>", lambda it: f"@{w.users[it[1]]['global_name']}", text),
            raw=message["content"].replace(f"<@{BOT}>", "@llava-bot"),
            small=" ".join(
                it.removeprefix("-# ").replace("\\", "") for it in lines if it.startswith("-# ")
            ),
            pictures=[it["id"] for it in message["attachments"]],
            buttons=[
                (item.get("label") or EMOJI[item["custom_id"].split(":")[1]], item["custom_id"])
                for row in message["components"]
                for item in row["components"]
            ],
        )

    def file(self, file: str) -> bytes:
        return self.discord.world.files[file].data

    def say(self, user: str, text: str, files: list[tuple[str, bytes]], thread: str) -> None:
        channel = thread or PICTURES
        uploads = [self.discord.upload(*it) for it in files]
        if text.startswith("/llava "):
            self.discord.slash(text.removeprefix("/"), user=user, channel=channel)
        elif text.startswith("/ask") and uploads:
            question = text.removeprefix("/ask").strip()
            self.discord.slash(
                "ask", question=question, file=uploads[0], user=user, channel=channel
            )
        else:
            self.discord.say(_written(text), *uploads, user=user, channel=channel)

    def do(self, user: str, asked: Mapping[str, Any]) -> None:
        channel = asked.get("thread") or PICTURES
        modals = self.discord.interactions.modals
        match asked["what"]:
            case "press":
                message = self.discord.world.message(channel, asked["id"])
                if message is not None:
                    action = asked["button"].split(":")[1]
                    self.discord.press(message, action, user=user)
            case "edit":
                self.discord.edit(asked["id"], _written(asked["text"]), channel=channel)
            case "delete":
                self.discord.delete(asked["id"], channel=channel)
            case "menu":
                self.discord.use_menu(asked["id"], user=user, channel=channel)
            case "submit" if modals:
                self.discord.submit({key: it or "" for key, it in asked["values"].items()})
            case "close" if modals:
                modals.pop()


def _written(text: str) -> str:
    return text.replace("@llava-bot", f"<@{BOT}>")


def _modal(modal: Json) -> Modal:
    fields = []
    for label in modal["components"]:
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
    return Modal(
        id=modal["custom_id"], title=modal["title"], submit="Submit", close="Cancel", fields=fields
    )


@asynccontextmanager
async def running_page(discord: LocalDiscord, port: int) -> AsyncIterator[str]:
    """The page, without TLS, beside the local Discord. Yields: its address."""
    app = web.Application(client_max_size=60_000_000)
    app.add_routes(DiscordDemo(discord).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def demo(port: int, *, open_page: bool) -> int:
    """Run both until a signal comes. Returns: the bot's exit code."""
    async with running_discord() as discord, running_page(discord, port) as address:

        async def connected() -> None:
            while not discord.gateway.connected:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.1)

        settings = {
            "DISCORD_BOT_TOKEN": discord.world.token,
            "DISCORD_RESOLVE_TO": discord.address,
            "DISCORD_CA_FILE": str(discord.ca_file),
        }
        return await with_bot(address, settings, connected(), open_page=open_page)


if __name__ == "__main__":
    sys.exit(main(__doc__, 8789, demo))
