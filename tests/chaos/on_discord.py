"""People in the local Discord."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from bot.texts import say
from tests.chaos.people import People, Question, Seen
from tests.servers.discord.gateway import Gateway
from tests.servers.discord.interactions import Asked
from tests.servers.discord.people import button_ids
from tests.servers.discord.server import LocalDiscord
from tests.servers.discord.state import ANN, BEN, BOT, KEI, LOADING, PICTURES, TEXT, Json, World

REFUSED = {
    say(locale, key) for locale in ("en", "ja") for key in ("discord_command_lost", "shutting_down")
}
"""A command that thinks, and ends in one of these, has its end: its person is to ask again."""
MENTION = f"<@{BOT}>"
CHANNELS = (PICTURES, "100000004194305011", "100000004194305012")


class LateGateway(Gateway):
    """A gateway whose events may be late, and so change places."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.late_s: Callable[[], float] = lambda: 0

    def tell(self, event: str, data: Json, *, guild: str | None = None) -> None:
        """See `Gateway.tell`."""
        late_s = self.late_s()
        if not late_s:
            super().tell(event, data, guild=guild)
            return
        asyncio.get_running_loop().call_later(
            late_s, lambda: super(LateGateway, self).tell(event, data, guild=guild)
        )


class ChaosDiscord(LocalDiscord):
    """A Discord with several channels, without rates."""

    def __init__(self) -> None:
        super().__init__()
        self.late = LateGateway(self.world)
        self.gateway = self.rest.gateway = self.late
        self.buckets.on = False
        for channel in CHANNELS[1:]:
            self.world.add_channel(channel, channel, TEXT)


class DiscordPeople(People):
    """They mention the bot, go on in threads, use its command, edit, stop and delete."""

    name = "Discord"

    def __init__(self, discord: ChaosDiscord, seed: random.Random) -> None:
        super().__init__(seed)
        self.discord = discord
        self._commands: list[Asked] = []

    def doings(self) -> dict[str, tuple[int, Callable[[], Any]]]:
        """See `People`."""
        return {
            "question": (35, self._question),
            "question with a picture": (20, lambda: self._question(with_picture=True)),
            "command": (10, self._command),
            "follow-up": (20, self._follow_up),
            "edit": (5, self._edit),
            "stop": (5, lambda: self._press("stop")),
            "ask again": (3, lambda: self._press("again")),
            "deletion": (3, self._delete),
        }

    def _question(self, *, with_picture: bool = False) -> None:
        files = [self.discord.upload("a.png", self.picture())] if with_picture else []
        self._say(self.random.choice(CHANNELS), *files)

    def _say(self, channel: str, *files: Any) -> None:
        user = self.random.choice((ANN, BEN, KEI))
        text = f"{MENTION} {len(self.questions)}?"
        asked = self.discord.say(text, *files, user=user, channel=channel)
        # Discord's history has it: an event that is lost is found there.
        self.ask(asked, channel, lambda: True)

    def _command(self) -> bool:
        if not self.discord.gateway.connected or not self.discord.world.commands:
            return False
        file = self.discord.upload("a.png", self.picture())
        channel = self.random.choice(CHANNELS)
        asked = self.discord.slash("ask", channel=channel, file=file, question="what?")
        self._commands.append(asked)
        return True

    def _some_ended(self) -> Any:
        ended = [it for it in self.ended_questions() if it.id.isdecimal()]
        return self.random.choice(ended[-20:]) if ended else None

    def _follow_up(self) -> bool:
        question = self._some_ended()
        thread = question and (
            question.id if question.id in self.discord.world.channels else question.place
        )
        if thread in {None, *CHANNELS}:
            return False
        self._say(thread)
        return True

    def _edit(self) -> bool:
        question = self._some_ended()
        if question is None or self.discord.world.message(question.place, question.id) is None:
            return False
        text = f"{MENTION} edited {self.random.random()}?"
        self.discord.edit(question.id, text, channel=question.place)
        return True

    def _press(self, action: str) -> bool:
        found = [
            it for it in self._messages() if any(b.split(":")[1] == action for b in buttons(it))
        ]
        if not found:
            return False
        self.discord.press(self.random.choice(found[-20:]), action)
        return True

    def _delete(self) -> bool:
        question = self._some_ended()
        if question is None or self.discord.world.message(question.place, question.id) is None:
            return False
        question.is_deleted = True
        self.discord.delete(question.id, channel=question.place)
        return True

    # -- what there is to see -------------------------------------------------------------------

    def _messages(self) -> list[Json]:
        world = self.discord.world
        return [message for channel in world.messages for message in world.by_bot(channel)]

    def _note_commands(self) -> None:
        """A command counts once Discord has shown its person that the bot thinks."""
        for asked in self._commands:
            if asked.response is not None and not asked.is_ephemeral:
                self.questions.setdefault(asked.response["id"], self._of_command(asked))

    def _of_command(self, asked: Asked) -> Question:
        assert asked.response is not None
        return Question(asked.response["id"], asked.channel, lambda: True)

    def seen(self) -> Seen:
        """See `People`."""
        self._note_commands()
        seen = Seen()
        for message in self._messages():
            for button in buttons(message):
                _, action, _, question = button.split(":", 3)
                if action == "again":
                    seen.ended[question] += 1
                elif action == "stop":
                    seen.unended.add(question)
            if message["content"] in REFUSED:
                seen.ended[message["id"]] += 1
            if message["flags"] & LOADING:
                seen.unended.add(f"the response {message['id']}")
        return seen


def buttons(message: Json) -> list[str]:
    """The ids of the bot's buttons under a message."""
    return [it for it in button_ids(message) if it.startswith("llava:")]
