"""`make demo-slack`: the local Slack, the real bot with its model, and a page to talk to it.

python -m tests.servers.slack.demo [--port 8788] [--open]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.demo import Demo, Field, Modal, Seen, View, main, with_bot
from tests.servers.slack.server import LocalSlack, running_slack
from tests.servers.slack.state import Message

CHANNEL = "C1"


class SlackDemo(Demo):
    """See `Demo`."""

    def __init__(self, slack: LocalSlack) -> None:
        self.slack = slack

    def view(self, user: str) -> View:
        w = self.slack.workspace
        statuses = {it["thread_ts"]: it["status"] for it in w.statuses}
        told = [*w.ephemerals, *self.slack.responses]
        return View(
            title="# pictures – local Slack",
            people={key: it["profile"]["display_name"] for key, it in w.users.items()},
            connected=bool(self.slack.sockets.open),
            messages=[self._seen(it) for it in w.messages[CHANNEL]],
            working=[
                (thread, statuses.get(thread, "…"), True)
                for (channel, thread), state in w.sessions.items()
                if channel == CHANNEL and state == "processing"
            ],
            private=[it["text"] for it in told if it["user"] == user],
            modals=[_modal(it) for it in w.views.values()],
        )

    def _seen(self, message: Message) -> Seen:
        w = self.slack.workspace
        ts, is_bot = message["ts"], message["user"] == w.bot_user
        blocks = message.get("blocks") or []
        markdown = [it["text"] for it in blocks if it["type"] == "markdown"]
        text = "\n".join(markdown) if markdown else str(message["text"])
        names = {key: it["profile"]["display_name"] for key, it in w.users.items()}
        name = "llava-bot" if is_bot else str(names.get(message["user"], message["user"]))
        thread = str(message.get("thread_ts", ts))
        return Seen(
            id=ts,
            thread="" if thread == ts else thread,
            author=name,
            is_bot=is_bot,
            time=float(ts),
            text=_named(text, names | {w.bot_user: "llava-bot"}),
            raw=text.replace(f"<@{w.bot_user}>", "@llava-bot"),
            small=" ".join(
                element["text"]
                for block in blocks
                if block["type"] == "context"
                for element in block["elements"]
            ),
            pictures=[it["id"] for it in message.get("files") or ()],
            buttons=list(_buttons(blocks)),
        )

    def file(self, file: str) -> bytes:
        return self.slack.workspace.files[file].data

    def say(self, user: str, text: str, files: list[tuple[str, bytes]], thread: str) -> None:
        if text.startswith("/llava"):
            self.slack.command(text.removeprefix("/llava").strip(), user=user)
            return
        uploads = [self.slack.upload(*it) for it in files]
        self.slack.say(self._written(text), *uploads, user=user, thread=thread or None)

    def do(self, user: str, asked: Mapping[str, Any]) -> None:
        w = self.slack.workspace
        match asked["what"]:
            case "press":
                action, _, side = asked["button"].partition("/")
                self.slack.press(asked["id"], action, user=user, side=side)
            case "edit":
                self.slack.edit(asked["id"], self._written(asked["text"]))
            case "delete":
                self.slack.delete(asked["id"])
            case "menu":
                self.slack.use_shortcut(asked["id"], user=user)
            case "stop":
                self.slack.stop_in_slack(asked["id"])
            case "submit":
                self.slack.submit(w.views.pop(asked["modal"]), asked["values"], user=user)
            case "close":
                w.views.pop(asked["modal"], None)

    def _written(self, text: str) -> str:
        return text.replace("@llava-bot", f"<@{self.slack.workspace.bot_user}>")


def _named(text: str, names: Mapping[str, str]) -> str:
    for user, name in names.items():
        text = text.replace(f"<@{user}>", f"@{name}")
    return text


def _buttons(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for block in blocks:
        if block["type"] not in {"actions", "context_actions"}:
            continue
        for element in block["elements"]:
            if element["type"] == "feedback_buttons":
                for side in ("positive_button", "negative_button"):
                    yield element[side]["text"]["text"], f"{element['action_id']}/{side}"
            else:
                yield element["text"]["text"], element["action_id"]


def _modal(view: dict[str, Any]) -> Modal:
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


async def demo(port: int, *, open_page: bool) -> int:
    """Run both until a signal comes. Returns: the bot's exit code."""
    slack = LocalSlack()
    async with running_slack(*SlackDemo(slack).routes(), port=port, slack=slack) as slack:
        settings = {
            "SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "SLACK_APP_TOKEN": slack.workspace.app_token,
            "SLACK_API_URL": slack.api_url,
        }
        connected = slack.sockets.was_connected.wait()
        return await with_bot(slack.base, settings, connected, open_page=open_page)


if __name__ == "__main__":
    sys.exit(main(__doc__, 8788, demo))
