"""The words of `chat.py`, in Discord."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.core.access import AllowList
from bot.platforms.discord.replies import layout
from bot.values.messages import ThreadKey
from tests.engines import ScriptedModel
from tests.scenario.chat.chat import BEN, BOT, Answer, PictureGiven
from tests.scenario.discord.stage import MENTION, Stage, running_bot, small_of, text_of
from tests.servers.discord import state
from tests.servers.discord.people import button_ids, menu_of
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import ANN, KEI, OTHER_BOT, PICTURES
from tests.waiting import until

PEOPLE = {"ann": ANN, "ben": state.BEN, "kei": KEI}
SUBCOMMANDS = {"forget me": "forget-me", "forget this thread": "forget-thread"}


class DiscordChat:
    """Implements `tests.scenario.chat.chat.Chat`."""

    message_limit = 2000

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._discord = stage.discord
        self.answers, self.store, self.backend = stage.answers, stage.store, stage.backend

    def _written(self, text: str) -> str:
        return text.replace(BOT, MENTION).replace(BEN, f"<@{state.BEN}>")

    def say(
        self,
        text: str,
        *pictures: PictureGiven,
        who: str = "ann",
        thread: str | None = None,
        told: bool = True,
        minutes_ago: float = 0,
    ) -> str:
        return self._discord.say(
            self._written(text),
            *(self._discord.upload(*it) for it in pictures),
            user=PEOPLE[who],
            channel=thread or PICTURES,
            told=told,
            at=time.time() - minutes_ago * 60 if minutes_ago else None,
        )

    def direct(self, text: str, *pictures: PictureGiven, told: bool = True) -> str:
        channel = self._discord.world.direct(ANN)
        files = [self._discord.upload(*it) for it in pictures]
        self._discord.say(self._written(text), *files, channel=channel, told=told)
        return channel

    def open_thread(self, text: str, *pictures: PictureGiven, told: bool = True) -> str:
        thread = self._discord.open_thread("a thread")
        self.say(text, *pictures, thread=thread, told=told)
        return thread

    def edit(self, message: str, text: str, *, thread: str | None = None) -> None:
        self._discord.edit(message, self._written(text), channel=thread or PICTURES)

    def delete(self, message: str, *, thread: str | None = None) -> None:
        self._discord.delete(message, channel=thread or PICTURES)

    def press(self, answer: Answer, button: str, *, who: str = "ann") -> None:
        self._discord.press(self._message(answer), button, user=PEOPLE[who])

    def _message(self, answer: Answer) -> Any:
        messages = [it for place in self._discord.world.messages.values() for it in place]
        return next(it for it in messages if it["id"] == answer.id)

    def presets(self, answer: Answer) -> list[str]:
        menu = menu_of(self._message(answer))
        return [] if menu is None else [option["label"] for option in menu["options"]]

    def choose_preset(self, answer: Answer, preset: str, *, who: str = "ann") -> None:
        self._discord.choose(self._message(answer), preset, user=PEOPLE[who])

    async def ask_about(self, message: str, question: str) -> None:
        self.choose_ask(message)
        await until(lambda: self.open_modals() > 0)
        self.fill_in(question)

    def choose_ask(self, message: str) -> None:
        self._discord.use_menu(message)

    def open_modals(self) -> int:
        return len(self._discord.interactions.modals)

    def fill_in(self, question: str) -> None:
        self._discord.submit({"question": question})

    def downloads(self) -> int:
        return len(self._discord.downloads)

    def command(self, words: str, *, who: str = "ann", thread: str | None = None) -> None:
        name = SUBCOMMANDS.get(words, words)
        self._discord.slash(f"llava {name}", user=PEOPLE[who], channel=thread or PICTURES)

    def change_setting(self, name: str, value: str, *, who: str = "ann") -> None:
        given = {"change": name} | ({"value": value} if value else {})
        self._discord.slash("llava settings", user=PEOPLE[who], file=None, **given)

    def mention(self, who: str) -> str:
        return f"<@{PEOPLE[who]}>"

    async def choose_settings(self, *, who: str = "ann", **values: str) -> None:
        await self.open_settings(who=who)
        asked = self._discord.submit(values)
        await until(lambda: asked.answered)

    async def open_settings(self, *, who: str = "ann") -> Callable[..., object]:
        opened = self._discord.slash("llava settings", user=PEOPLE[who])
        await until(lambda: opened.id in [it.id for it, _ in self._discord.interactions.modals])
        return lambda **values: self._discord.submit(values, opened.id)

    def another_bot_says(self, text: str) -> None:
        self._discord.say(self._written(text), user=OTHER_BOT)

    def seen(self, place: str) -> list[Answer]:
        return [
            Answer(
                id=it["id"],
                text=text_of(it),
                small=small_of(it),
                buttons=frozenset(custom_id.split(":")[1] for custom_id in button_ids(it)),
            )
            for it in self._discord.world.by_bot(place)
        ]

    def files(self, place: str) -> list[tuple[str, bytes]]:
        world = self._discord.world
        held = [file["id"] for it in world.by_bot(place) for file in it["attachments"]]
        return [(world.files[id_].name, world.files[id_].data) for id_ in held]

    def may_not_post_files(self) -> None:
        self._discord.deny("attach_files")

    def told(self) -> list[str]:
        """To one alone; and what is said under a message, without buttons."""
        alone = [it for asked in self._discord.interactions.by_token.values() for it in asked.said]
        said = [it for place in self._discord.world.messages for it in self.seen(place)]
        is_notice = " asks: "
        return alone + [it.text for it in said if not it.buttons and is_notice not in it.text]

    def longest_message(self) -> int:
        world = self._discord.world
        return max(layout.length(it["content"]) for c in world.messages for it in world.by_bot(c))

    def thread_key(self, thread: str) -> ThreadKey:
        return self._stage.thread(thread)

    async def quiet(self) -> None:
        await self._stage.quiet()

    def everything_is_told_twice(self) -> None:
        self._discord.gateway.rules.duplicates = 1.0

    async def reconnect_and_tell_again(self, message: str) -> None:
        gateway = self._discord.gateway
        gateway.rules.replays = 1000
        await gateway.close_lines(4000)
        await until(lambda: gateway.resumed >= 1)
        await gateway.delivered()

    async def looked_for_missed(self) -> None:
        await until(lambda: self._stage.bot._backfill.rounds > 0)


@asynccontextmanager
async def running_on_discord(
    discord: LocalDiscord,
    folder: Path,
    backend: ScriptedModel,
    *,
    allow_people: tuple[str, ...] = (),
    admins: tuple[str, ...] = (),
    **options: Any,
) -> AsyncIterator[DiscordChat]:
    """A bot in a local Discord."""
    if allow_people or admins:
        users, chosen = ({PEOPLE[it] for it in them} for them in (allow_people, admins))
        options["allow"] = AllowList(users=frozenset(users), admins=frozenset(chosen))
    async with running_bot(folder, discord, backend, **options) as stage:
        yield DiscordChat(stage)
