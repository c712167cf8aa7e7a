"""The words of `chat.py`, in Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.core.access import AllowList
from bot.platforms.slack.replies import blocks
from bot.values.messages import ThreadKey
from tests.engines import ScriptedModel
from tests.scenario.chat.chat import BEN, BOT, Answer, PictureGiven
from tests.scenario.slack.stage import Stage, context_of, has_button, running_bot, text_of
from tests.servers.slack.server import LocalSlack
from tests.waiting import until

PEOPLE = {"ann": "U1ANN", "ben": "U2BEN", "kei": "U3KEI"}
BUTTONS = {"stop": blocks.STOP, "again": blocks.AGAIN, "good": blocks.FEEDBACK}


class SlackChat:
    """Implements `tests.scenario.chat.chat.Chat`."""

    message_limit = 4000

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._slack = stage.slack
        self.answers, self.store, self.backend = stage.answers, stage.store, stage.backend

    def _written(self, text: str) -> str:
        return text.replace(BOT, "<@U0BOT>").replace(BEN, "<@U2BEN>")

    def say(
        self,
        text: str,
        *pictures: PictureGiven,
        who: str = "ann",
        thread: str | None = None,
        told: bool = True,
        minutes_ago: float = 0,
    ) -> str:
        files = [self._slack.upload(*it) for it in pictures]
        user = PEOPLE[who]
        ts = self._slack.say(self._written(text), *files, user=user, thread=thread, told=told)
        if minutes_ago:
            message = self._slack.workspace.message("C1", ts)
            assert message is not None
            message["ts"] = ts = f"{float(ts) - minutes_ago * 60:.6f}"
        return ts

    def direct(self, text: str, *pictures: PictureGiven, told: bool = True) -> str:
        files = [self._slack.upload(*it) for it in pictures]
        return "D1/" + self._slack.say(self._written(text), *files, channel="D1", told=told)

    def open_thread(self, text: str, *pictures: PictureGiven, told: bool = True) -> str:
        return self.say(text, *pictures, told=told)

    def edit(self, message: str, text: str, *, thread: str | None = None) -> None:
        self._slack.edit(message, self._written(text))

    def delete(self, message: str, *, thread: str | None = None) -> None:
        self._slack.delete(message)

    def press(self, answer: Answer, button: str, *, who: str = "ann") -> None:
        if button == "stop" and "stop" not in answer.buttons:
            message = self._slack.workspace.message("C1", answer.id)
            assert message is not None
            self._slack.stop_in_slack(message["thread_ts"])  # a stream has Slack's own button
            return
        action, side = BUTTONS.get(button, blocks.FEEDBACK), ""
        if button in {"good", "bad"}:
            side = "positive_button" if button == "good" else "negative_button"
        self._slack.press(answer.id, action, user=PEOPLE[who], side=side)

    def presets(self, answer: Answer) -> list[str]:
        message = self._slack.workspace.message("C1", answer.id)
        assert message is not None
        return [
            option["text"]["text"]
            for block in message["blocks"]
            for element in block.get("elements", ())
            for option in element.get("options", ())
        ]

    def choose_preset(self, answer: Answer, preset: str, *, who: str = "ann") -> None:
        self._slack.choose(answer.id, blocks.PRESET, preset, user=PEOPLE[who])

    async def ask_about(self, message: str, question: str) -> None:
        self.choose_ask(message)
        await until(lambda: self.open_modals() > 0)
        self.fill_in(question)

    def choose_ask(self, message: str) -> None:
        self._slack.use_shortcut(message)

    def open_modals(self) -> int:
        return len(self._slack.workspace.views)

    def fill_in(self, question: str) -> None:
        view = self._slack.workspace.views.popitem()[1]
        self._slack.submit(view, {"question": question})

    def downloads(self) -> int:
        return len(self._slack.downloads)

    def command(self, words: str, *, who: str = "ann", thread: str | None = None) -> None:
        link = ""
        if thread is not None:
            link = f" https://local.slack.com/archives/C1/p{thread.replace('.', '')}"
        self._slack.command(f"{words}{link}", user=PEOPLE[who])

    def change_setting(self, name: str, value: str, *, who: str = "ann") -> None:
        self._slack.command(f"settings {name} {value}", user=PEOPLE[who])

    def mention(self, who: str) -> str:
        return f"<@{PEOPLE[who]}|{who}>"

    async def choose_settings(self, *, who: str = "ann", **values: str) -> None:
        (await self.open_settings(who=who))(**values)
        await until(lambda: not self._slack.sockets._acks)  # acknowledged once they are stored

    async def open_settings(self, *, who: str = "ann") -> Callable[..., object]:
        self._slack.command("settings", user=PEOPLE[who])
        await until(lambda: bool(self._slack.workspace.views))
        view = self._slack.workspace.views.popitem()[1]
        return lambda **values: self._slack.submit(view, values, user=PEOPLE[who])

    def another_bot_says(self, text: str) -> None:
        self._slack.say(self._written(text), user="U9BOT", bot_id="B9")

    def seen(self, place: str) -> list[Answer]:
        channel, _, thread = place.rpartition("/")
        return [
            Answer(
                id=it["ts"],
                text=text_of(it),
                small=context_of(it),
                buttons=frozenset(name for name, id_ in BUTTONS.items() if has_button(it, id_)),
            )
            for it in self._slack.workspace.by_bot(channel or "C1", thread)
        ]

    def files(self, place: str) -> list[tuple[str, bytes]]:
        held = self._slack.workspace.files
        messages = self._slack.workspace.by_bot("C1", place)
        shown = [held[file["id"]] for it in messages for file in it.get("files", ())]
        return [(file.name, file.data) for file in shown]

    def may_not_post_files(self) -> None:
        self._slack.workspace.scopes.discard("files:write")

    def told(self) -> list[str]:
        w = self._slack.workspace
        return [it["text"] for it in [*w.ephemerals, *self._slack.responses]]

    def longest_message(self) -> int:
        return max(blocks.length(text_of(it)) for it in self._slack.workspace.by_bot("C1"))

    def thread_key(self, thread: str) -> ThreadKey:
        return self._stage.thread(thread)

    async def quiet(self) -> None:
        await self._stage.quiet()

    def everything_is_told_twice(self) -> None:
        self._slack.socket_rules.duplicates = 1.0

    async def reconnect_and_tell_again(self, message: str) -> None:
        await self._slack.sockets.cut()
        told = self._slack.workspace.message("C1", message)
        assert told is not None
        self._slack.tell_of("C1", told)
        await until(lambda: len(self._slack.sockets.open) == 1)
        await until(lambda: not self._slack.sockets._acks)

    async def looked_for_missed(self) -> None:
        assert self._stage.bot._catching_up is not None
        await self._stage.bot._catching_up


@asynccontextmanager
async def running_on_slack(
    slack: LocalSlack,
    folder: Path,
    backend: ScriptedModel,
    *,
    allow_people: tuple[str, ...] = (),
    admins: tuple[str, ...] = (),
    **options: Any,
) -> AsyncIterator[SlackChat]:
    """A bot in a local Slack."""
    if allow_people or admins:
        users, chosen = ({PEOPLE[it] for it in them} for them in (allow_people, admins))
        options["allow"] = AllowList(users=frozenset(users), admins=frozenset(chosen))
    async with running_bot(folder, slack, backend, **options) as stage:
        yield SlackChat(stage)
