"""People in the local Slack."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bot.platforms.slack.replies import blocks
from tests.chaos.people import People, Seen
from tests.servers.slack.server import LocalSlack
from tests.servers.slack.state import Message

CHANNELS = ("C1", "C2", "C3")
USERS = ("U1ANN", "U2BEN", "U3KEI")


class ChaosSlack(LocalSlack):
    """A Slack that knows which messages' events were acknowledged, and may be late."""

    def __init__(self) -> None:
        super().__init__()
        self.rules.rates = False
        self.late_s: Callable[[], float] = lambda: 0
        """How late the next event comes."""
        self.acks: dict[str, list[asyncio.Future[Any]]] = defaultdict(list)
        for channel in CHANNELS[1:]:
            self.workspace.add_channel(channel, channel)

    def tell_event(self, event: dict[str, Any]) -> asyncio.Future[Any]:
        """See `People.tell_event`."""
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if event.get("user") != self.workspace.bot_user:
            self.acks[str(event["ts"])].append(told)

        def acknowledged(_ack: object) -> None:
            if not told.done():
                told.set_result(None)

        def tell() -> None:
            super(ChaosSlack, self).tell_event(event).add_done_callback(acknowledged)

        asyncio.get_running_loop().call_later(self.late_s(), tell)
        return told


class SlackPeople(People):
    """They mention the bot, go on in threads, edit, stop, ask again and delete."""

    name = "Slack"

    def __init__(self, slack: ChaosSlack, seed: random.Random) -> None:
        super().__init__(seed)
        self.slack = slack

    def doings(self) -> dict[str, tuple[int, Callable[[], Any]]]:
        """See `People`."""
        return {
            "question": (40, self._question),
            "question with a picture": (20, lambda: self._question(with_picture=True)),
            "direct message": (5, lambda: self._question(channel="D1")),
            "follow-up": (20, self._follow_up),
            "edit": (5, self._edit),
            "stop": (5, lambda: self._press(blocks.STOP)),
            "ask again": (3, lambda: self._press(blocks.AGAIN)),
            "deletion": (3, self._delete),
        }

    def _question(self, *, with_picture: bool = False, channel: str = "") -> None:
        files = [self.slack.upload("a.png", self.picture())] if with_picture else []
        channel = channel or self.random.choice(CHANNELS)
        self._say(channel, None, *files)

    def _say(self, channel: str, thread: str | None, *files: Any) -> None:
        user = "U1ANN" if channel.startswith("D") else self.random.choice(USERS)
        number = len(self.questions)
        ts = self.slack.say(
            f"<@U0BOT> {number}?", *files, user=user, channel=channel, thread=thread
        )
        acks = self.slack.acks[ts]
        self.ask(ts, f"{channel}/{thread or ts}", lambda: any(it.done() for it in acks))

    def _some_ended(self) -> tuple[str, str, str] | None:
        """(channel, thread, ts) of a question that has its end."""
        if not (ended := self.ended_questions()):
            return None
        question = self.random.choice(ended[-20:])
        channel, _, thread = question.place.partition("/")
        return channel, thread, question.id

    def _follow_up(self) -> bool:
        if (some := self._some_ended()) is None:
            return False
        self._say(some[0], some[1])
        return True

    def _edit(self) -> bool:
        if (some := self._some_ended()) is None:
            return False
        channel, _, ts = some
        self.slack.edit(ts, f"<@U0BOT> edited {self.random.random()}?", channel=channel)
        return True

    def _press(self, action: str) -> bool:
        buttons = [it for it in self._buttons() if it[0] == action]
        if not buttons:
            return False
        _, _, channel, message = self.random.choice(buttons[-20:])
        self.slack.press(message["ts"], action, channel=channel)
        return True

    def _delete(self) -> bool:
        if (some := self._some_ended()) is None:
            return False
        channel, _, ts = some
        self.questions[ts].is_deleted = True
        self.slack.delete(ts, channel=channel)
        return True

    # -- what there is to see -------------------------------------------------------------------

    def _buttons(self) -> list[tuple[str, str, str, Message]]:
        """(action, question, channel, message) of every button that is shown."""
        return [
            (element["action_id"], json.loads(element["value"])[-1], channel, message)
            for channel in self.slack.workspace.messages
            for message in self.slack.workspace.by_bot(channel)
            for block in message["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") in {blocks.STOP, blocks.AGAIN}
        ]

    def seen(self) -> Seen:
        """See `People`."""
        seen = Seen()
        for action, question, _, _ in self._buttons():
            if action == blocks.AGAIN:
                seen.ended[question] += 1
            else:
                seen.unended.add(question)
        workspace = self.slack.workspace
        gone = {message["ts"] for message in workspace.deleted}
        seen.unended |= {f"the stream {ts}" for ts in workspace.streams if ts not in gone}
        seen.unended |= {
            f"the status of {thread}"
            for (_, thread), status in workspace.sessions.items()
            if status == "processing"
        }
        return seen
