"""`make demo-slack`: the local Slack, the real bot with its model, and a page to talk to it.

python -m tests.servers.slack.demo [--port 8788] [--open]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.platforms.slack.manifest import manifest
from tests.photos import SAMPLES
from tests.servers.demo.page import Demo
from tests.servers.demo.run import main, with_bot
from tests.servers.demo.view import (
    Message,
    Modal,
    Person,
    Place,
    SlashCommand,
    Thread,
    View,
    Visitor,
    Working,
    Written,
)
from tests.servers.slack.demo_view import modal, seen, seen_by_one, sent, typed
from tests.servers.slack.server import LocalSlack, running_slack

GENERAL, PICTURES = "C0GENERAL", "C1"
TOPICS = {GENERAL: "Ask llava-bot about pictures", PICTURES: "Pictures that people found"}
SLACKBOT = "USLACKBOT"
GREETING = (
    "I took this one yesterday. *Ask about this picture* in this message's menu (⋯) "
    "asks llava-bot about it."
)


class SlackDemo(Demo):
    """See `Demo`."""

    def __init__(self, slack: LocalSlack) -> None:
        super().__init__()
        self.slack = slack
        self._notes: list[tuple[str, Message]] = []
        """(who sees it, what Slack itself says)."""
        w = slack.workspace
        pictures = w.channels.pop(PICTURES)
        w.add_channel(GENERAL, "general")
        w.channels[PICTURES] = pictures
        features = manifest()["features"]
        self._commands = [
            SlashCommand(name=it["command"], description=it["description"], usage=it["usage_hint"])
            for it in features["slash_commands"]
        ]
        self._menu = [it["name"] for it in features["shortcuts"]]

    # -- what is seen -------------------------------------------------------------------------

    def view(self, visitor: Visitor) -> View:
        w = self.slack.workspace
        places = [
            Place(id=it, kind="channel", name=w.channels[it]["name"], topic=TOPICS[it])
            for it in (GENERAL, PICTURES)
        ]
        if visitor.user:
            places.append(Place(id=_direct(visitor.user), kind="direct", name="llava-bot"))
        messages = list(self._messages(visitor.user, places)) if visitor.user else []
        roots = dict.fromkeys((it.place, it.thread) for it in messages if it.thread)
        return View(
            app="slack",
            workspace="The Studio",
            me=visitor.user,
            bot=w.bot_user,
            presence=self._presence(),
            people=[
                *(Person(id=it, name=name, is_bot=it == w.bot_user) for it, name in self._all()),
                Person(id=SLACKBOT, name="Slackbot", is_bot=True),
            ],
            places=places,
            threads=[Thread(id=thread, place=place, name="Thread") for place, thread in roots],
            messages=messages,
            working=list(self._working({it.id for it in places})),
            commands=self._commands,
            menu=self._menu,
            modal=self._modal(visitor),
        )

    def _presence(self) -> Any:
        sockets = self.slack.sockets
        if sockets.open:
            return "active"
        return "away" if sockets.was_connected.is_set() else "starting"

    def _all(self) -> list[tuple[str, str]]:
        return [*self.names().items(), (self.slack.workspace.bot_user, "llava-bot")]

    def _messages(self, user: str, places: list[Place]) -> Iterator[Message]:
        w = self.slack.workspace
        names = dict(self._all())
        for place in places:
            for message in w.messages[place.id]:
                made = seen(message, place.id, streamed=message["ts"] in w.streamed)
                reactions = self.reactions.get(made.id, {})
                yield replace(made, reactions=reactions, raw=typed(made.raw, names))
        for told in (*w.ephemerals, *self.slack.responses):
            if told["user"] == user:
                yield seen_by_one(told, w.bot_user)
        yield from (note for seen_by, note in self._notes if seen_by == user)

    def _working(self, places: set[str]) -> Iterator[Working]:
        w = self.slack.workspace
        statuses = {it["thread_ts"]: it["status"] for it in w.statuses}
        for (channel, thread), state in w.sessions.items():
            if state == "processing" and channel in places:
                status = statuses.get(thread) or "…"
                yield Working(place=channel, thread=thread, status=status, can_stop=True)

    def _modal(self, visitor: Visitor) -> Modal | None:
        w = self.slack.workspace
        own = [
            view
            for name, view in w.views.items()
            if w.opened_by[name].startswith(f"{visitor.user}/{visitor.tab}/")
        ]
        return modal(own[-1]) if own else None

    def names(self) -> dict[str, str]:
        return {
            key: it["profile"]["display_name"] for key, it in self.slack.workspace.users.items()
        }

    def file(self, file: str) -> bytes:
        return self.slack.workspace.files[file].data

    # -- what visitors do ---------------------------------------------------------------------

    def join(self, name: str, locale: str) -> str:
        w = self.slack.workspace
        user = w.next_id("U")
        w.add_user(user, name, locale or "en-US")
        w.add_channel(_direct(user), "", is_im=True)
        if not len(self.visitors):
            w.users[user]["is_admin"] = True  # who comes first may try everything
            picture = self.slack.upload("coffee.jpg", (SAMPLES / "coffee.jpg").read_bytes())
            self.slack.say(GREETING, picture, user="U2BEN", channel=PICTURES, told=False)
        return user

    def say(self, visitor: Visitor, written: Written) -> None:
        if written.command or re.match(r"/\w", written.text):
            self._command(visitor, written)
            return
        uploads = [self.slack.upload(it.name, it.data) for it in written.uploads]
        text = sent(written.text, dict(self._all()))
        thread = written.thread or None
        self.slack.say(text, *uploads, user=visitor.user, channel=written.place, thread=thread)

    def _command(self, visitor: Visitor, written: Written) -> None:
        name, _, words = f"{written.command} {written.text}".strip().partition(" ")
        if not any(it.name == name for it in self._commands):
            self._note(visitor, written, f"`{name}` is not a valid command.")
        elif written.thread:
            self._note(visitor, written, f"`{name}` is not supported in threads. Sorry!")
        else:
            trigger = self._trigger(visitor)
            channel = written.place
            self.slack.command(words, user=visitor.user, channel=channel, trigger_id=trigger)

    def _note(self, visitor: Visitor, written: Written, text: str) -> None:
        told = {"channel": written.place, "thread_ts": written.thread, "text": text}
        told["ts"] = self.slack.workspace.next_ts()
        self._notes.append((visitor.user, seen_by_one(told, SLACKBOT)))

    def _trigger(self, visitor: Visitor) -> str:
        """What a modal is opened with: it belongs to this tab alone."""
        return f"{visitor.user}/{visitor.tab}/{self.slack.workspace.next_id('tr')}"

    def do(self, visitor: Visitor, asked: Mapping[str, Any]) -> None:
        w, user = self.slack.workspace, visitor.user
        place, message = str(asked.get("place", "")), str(asked.get("id", ""))
        is_own = (it := w.message(place, message)) is not None and it["user"] == user
        match asked["what"]:
            case "press":
                action, _, side = asked["button"].partition("/")
                self.slack.press(message, action, user=user, channel=place, side=side)
            case "edit" if is_own:
                text = sent(asked["text"], dict(self._all()))
                self.slack.edit(message, text, channel=place)
            case "delete" if is_own:
                self.slack.delete(message, channel=place)
            case "menu":
                trigger = self._trigger(visitor)
                self.slack.use_shortcut(message, user=user, channel=place, trigger_id=trigger)
            case "stop":
                self.slack.stop_in_slack(asked["thread"], user=user, channel=place)
            case "submit":
                self.slack.submit(w.views.pop(asked["modal"]), asked["values"], user=user)
            case "close":
                w.views.pop(asked["modal"], None)


def _direct(user: str) -> str:
    """A person's direct messages with the bot, as `conversations.open` names them."""
    return f"D{user[1:]}"


async def demo(port: int, *, open_page: bool) -> int:
    """Run both until a signal comes. Returns: the bot's exit code."""
    slack = LocalSlack()
    async with running_slack(*SlackDemo(slack).routes(), port=port, slack=slack) as slack:
        settings = {
            "SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "SLACK_APP_TOKEN": slack.workspace.app_token,
            "SLACK_API_URL": slack.api_url,
        }
        return await with_bot(slack.base, settings, open_page=open_page)


if __name__ == "__main__":
    sys.exit(main(__doc__, 8788, demo))
