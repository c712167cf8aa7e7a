"""`make demo-discord`: the local Discord, the real bot with its model, and a page to talk to it.

python -m tests.servers.discord.demo [--port 8789] [--open]
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.photos import SAMPLES
from tests.servers.demo.page import Demo
from tests.servers.demo.run import main, with_bot
from tests.servers.demo.view import (
    Message,
    Modal,
    Part,
    Person,
    Place,
    Thread,
    View,
    Visitor,
    Working,
    Written,
)
from tests.servers.discord.demo_view import (
    commands_of,
    made_at,
    menu_of,
    modal,
    seen,
    seen_by_one,
    sent,
    typed,
)
from tests.servers.discord.interactions import Asked
from tests.servers.discord.server import LocalDiscord, running_discord
from tests.servers.discord.state import (
    ADMIN_ROLE,
    ARTISTS,
    BEN,
    BOT,
    BOT_ROLE,
    GALLERY,
    GUILD,
    LOUNGE,
    PICTURES,
    TEXT,
    THREAD,
    Json,
)

GENERAL = "100000004194305000"
TOPICS = {
    GENERAL: "Ask llava-bot about pictures",
    PICTURES: "Pictures that people found",
    GALLERY: "A forum: each post is a thread of its own",
    LOUNGE: "A voice channel; its text chat",
}
KINDS: Any = {GENERAL: "channel", PICTURES: "channel", GALLERY: "forum", LOUNGE: "voice"}
COLOURS = {BOT_ROLE: "bot", ADMIN_ROLE: "admin", ARTISTS: "artist"}
GREETING = (
    "I took this one yesterday. **Ask about this picture** in this message's menu (⋯) "
    "asks llava-bot about it."
)
TYPING_S = 10
RESPOND_WITHIN_S = 3


class DiscordDemo(Demo):
    """See `Demo`."""

    def __init__(self, discord: LocalDiscord) -> None:
        super().__init__()
        self.discord = discord
        self._tabs: dict[str, str] = {}
        """Interaction → the tab that it came from."""
        self._used: dict[str, str] = {}
        """Interaction → the slash command."""
        self._was_connected = False
        w = discord.world
        w.add_channel(GENERAL, "general", TEXT)

    # -- what is seen -------------------------------------------------------------------------

    def view(self, visitor: Visitor) -> View:
        w, locale = self.discord.world, self.discord.world.locales.get(visitor.user, "en-US")
        places = [
            Place(id=it, kind=kind, name=w.channels[it]["name"], topic=TOPICS[it])
            for it, kind in KINDS.items()
        ]
        if visitor.user:
            places.append(Place(id=w.direct(visitor.user), kind="direct", name="llava-bot"))
        threads = [
            Thread(id=it["id"], place=it["parent_id"], name=it["name"])
            for it in w.channels.values()
            if it["type"] == THREAD and it["parent_id"] in KINDS
        ]
        return View(
            app="discord",
            workspace=w.guilds[GUILD]["name"],
            me=visitor.user,
            bot=BOT,
            presence=self._presence(),
            people=list(self._people()),
            places=places,
            threads=threads,
            messages=list(self._messages(visitor.user, places, threads)) if visitor.user else [],
            working=list(self._working()),
            commands=list(commands_of(w.commands, locale)),
            menu=menu_of(w.commands, locale),
            modal=self._modal(visitor),
        )

    def _presence(self) -> Any:
        if self.discord.gateway.connected:
            self._was_connected = True
            return "active"
        return "away" if self._was_connected else "starting"

    def _people(self) -> Iterator[Person]:
        w = self.discord.world
        for user, member in w.members[GUILD].items():
            colour = next((COLOURS[it] for it in member["roles"] if it in COLOURS), "")
            name = w.users[user]["global_name"]
            yield Person(id=user, name=name, is_bot=w.users[user]["bot"], colour=colour)

    def _messages(self, user: str, places: list[Place], threads: list[Thread]) -> Iterator[Message]:
        names, w = self.names(), self.discord.world
        channels = [(it.id, it.id, "") for it in places] + [
            (it.id, it.place, it.id) for it in threads
        ]
        for channel, place, thread in channels:
            for message in w.messages.get(channel, ()):
                made = seen(message, place, thread)
                yield replace(
                    made,
                    reactions=self.reactions.get(made.id, {}),
                    raw=typed(made.raw, names),
                    used=made.used or self._command_of(message),
                )
        for asked in self.discord.interactions.by_token.values():
            if asked.user == user and asked.channel in w.channels:
                place, thread = self._place(asked.channel)
                yield from seen_by_one(asked, place, thread)
                if not asked.answered and time.time() > asked.made_at + RESPOND_WITHIN_S:
                    yield _no_answer(asked, place, thread)

    def _command_of(self, message: Json) -> str:
        asked = message.get("interaction_metadata") or {}
        name = self._used.get(asked.get("id", ""))
        return f"{asked['user']['global_name']} used {name}" if name else ""

    def _place(self, channel: str) -> tuple[str, str]:
        """(place, thread) of a channel."""
        found = self.discord.world.channels[channel]
        return (found["parent_id"], channel) if found["type"] == THREAD else (channel, "")

    def _working(self) -> Iterator[Working]:
        w, now = self.discord.world, time.time()
        typing = {channel: at for at, channel in self.discord.rest.typing if at > now - TYPING_S}
        for channel, at in typing.items():
            if channel in w.channels and self._last_written(channel) < at:
                place, thread = self._place(channel)
                yield Working(place=place, thread=thread, status="is typing…")

    def _last_written(self, channel: str) -> float:
        """When the bot last began a message in a channel or one of its threads."""
        w = self.discord.world
        within = [
            it["id"] for it in w.channels.values() if channel in {it["id"], it.get("parent_id")}
        ]
        return max((made_at(it["id"]) for place in within for it in w.by_bot(place)), default=0)

    def _modal(self, visitor: Visitor) -> Modal | None:
        own = [
            modal(asked.id, shown)
            for asked, shown in self.discord.interactions.modals
            if asked.user == visitor.user and self._tabs.get(asked.id) == visitor.tab
        ]
        return own[-1] if own else None

    def names(self) -> dict[str, str]:
        w = self.discord.world
        return {user: w.users[user]["global_name"] for user in w.members[GUILD]}

    def file(self, file: str) -> bytes:
        return self.discord.world.files[file].data

    # -- what visitors do ---------------------------------------------------------------------

    def join(self, name: str, locale: str) -> str:
        w = self.discord.world
        user = w.snowflake()
        w.add_user(user, name, locale="ja" if locale.startswith("ja") else locale or "en-US")
        is_first = not len(self.visitors)
        w.join(GUILD, user, [ADMIN_ROLE] if is_first else [])  # who comes first may try everything
        if is_first:
            picture = self.discord.upload("coffee.jpg", (SAMPLES / "coffee.jpg").read_bytes())
            self.discord.say(GREETING, picture, user=BEN, channel=PICTURES, told=False)
        return user

    def say(self, visitor: Visitor, written: Written) -> None:
        if written.command:
            self._command(visitor, written)
            return
        text = sent(written.text, self.names())
        uploads = [self.discord.upload(it.name, it.data) for it in written.uploads]
        if written.title and not written.thread:
            self.discord.post(written.title, text, *uploads, user=visitor.user)
            return
        channel = written.thread or written.place
        self.discord.say(text, *uploads, user=visitor.user, channel=channel)

    def _command(self, visitor: Visitor, written: Written) -> None:
        name = written.command.removeprefix("/")
        values = {"question": written.text} if written.text else {}
        file = next((self.discord.upload(it.name, it.data) for it in written.uploads), None)
        channel = written.thread or written.place
        asked = self.discord.slash(name, user=visitor.user, channel=channel, file=file, **values)
        self._remember(asked, visitor)
        self._used[asked.id] = written.command

    def _remember(self, asked: Asked, visitor: Visitor) -> None:
        self._tabs[asked.id] = visitor.tab

    def do(self, visitor: Visitor, asked: Mapping[str, Any]) -> None:
        discord, user = self.discord, visitor.user
        channel = str(asked.get("thread") or asked.get("place") or "")
        message = discord.world.message(channel, str(asked.get("id", "")))
        is_own = message is not None and message["author"]["id"] == user
        modals = discord.interactions.modals
        match asked["what"]:
            case "press" if message is not None:
                action = asked["button"].split(":")[1]
                self._remember(discord.press(message, action, user=user), visitor)
            case "edit" if is_own:
                discord.edit(asked["id"], sent(asked["text"], self.names()), channel=channel)
            case "delete" if is_own:
                discord.delete(asked["id"], channel=channel)
            case "menu" if message is not None:
                self._remember(discord.use_menu(asked["id"], user=user, channel=channel), visitor)
            case "submit":
                values = {key: it or "" for key, it in asked["values"].items()}
                self._remember(discord.submit(values, opened_by=asked["modal"]), visitor)
            case "close":
                modals[:] = [it for it in modals if it[0].id != asked["modal"]]


def _no_answer(asked: Asked, place: str, thread: str) -> Message:
    return Message(
        id=f"no-answer-{asked.id}",
        place=place,
        thread=thread,
        author=BOT,
        time=asked.made_at,
        parts=[Part(kind="text", nodes=["The application did not respond"])],
        only_you=True,
        is_note=True,
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
        settings = {
            "DISCORD_BOT_TOKEN": discord.world.token,
            "DISCORD_RESOLVE_TO": discord.address,
            "DISCORD_CA_FILE": str(discord.ca_file),
        }
        return await with_bot(address, settings, open_page=open_page)


if __name__ == "__main__":
    sys.exit(main(__doc__, 8789, demo))
