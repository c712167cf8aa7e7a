"""The people of the local Slack: what a test, or a person at the page, does there."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import aiohttp

from tests.servers.slack.sockets import SocketRules, Sockets
from tests.servers.slack.state import File, Message, Workspace


class People:
    """Write, edit, delete, press, choose; the bot gets the events that Slack sends of it."""

    def __init__(self) -> None:
        self.workspace = Workspace()
        self.socket_rules = SocketRules()
        self.sockets = Sockets(self.socket_rules)
        self.base = ""
        self.event_url = ""
        """For HTTP mode: where events are posted."""
        self.signing_secret = "signing-secret"
        self.copies: tuple[str, ...] = ("app_mention", "message")
        """The copies of a mention that Slack sends, in their order."""
        self.mention_without_files = False
        self.outer_team = ""
        """The workspace that a shared channel belongs to, where it is another."""
        self.http_answers: list[int] = []
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- people -------------------------------------------------------------------------------

    def upload(self, name: str, data: bytes, **facts: Any) -> File:
        """Upload a file, to be shared with a message."""
        file = File(self.workspace.next_id("F"), name, data, **facts)
        self.workspace.files[file.id] = file
        return file

    def describe(self, file_id: str) -> dict[str, Any]:
        """A file as events and files.info show it."""
        file = self.workspace.files[file_id]
        address = f"{self.base}/files-pri/{self.workspace.team}-{file.id}/{file.name}"
        return {
            "id": file.id,
            "name": file.name,
            "mimetype": "image/jpeg",  # it lies: the bytes decide
            "size": len(file.data),
            "mode": "hosted",
            "url_private": address,
            "url_private_download": address,
            **file.described,
        }

    def in_event(self, file: File) -> dict[str, Any]:
        if file.stub:
            return {"id": file.id, "file_access": "check_file_info"}
        if file.arrives_after:
            return {"id": file.id, "name": file.name}
        return self.describe(file.id)

    def say(
        self,
        text: str,
        *files: File,
        user: str = "U1ANN",
        channel: str = "C1",
        thread: str | None = None,
        told: bool = True,
        **more: Any,
    ) -> str:
        """A user writes; the bot gets the event. Returns: the message's ts."""
        w = self.workspace
        message: Message = {
            "type": "message", "user": user, "text": text, "ts": w.next_ts(), **more,
        }  # fmt: skip
        if files:
            message |= {"subtype": "file_share", "files": [self.in_event(file) for file in files]}
        if thread:
            message["thread_ts"] = thread
        w.add(channel, message)
        if told:
            self.tell_of(channel, message)
        return str(message["ts"])

    def tell_of(self, channel: str, message: Message) -> None:
        """Send the bot the event of a message, in all copies that Slack sends."""
        event = dict(message) | {
            "channel": channel,
            "channel_type": "im" if channel.startswith("D") else "channel",
            "event_ts": message["ts"],
        }
        mentioned = f"<@{self.workspace.bot_user}>" in message["text"]
        for copy in self.copies if mentioned and not channel.startswith("D") else ("message",):
            told = dict(event)
            if copy == "app_mention":
                told |= {"type": "app_mention"}
                told.pop("subtype", None)
                if self.mention_without_files:
                    told.pop("files", None)
            self.tell_event(told)

    def tell_event(self, event: dict[str, Any]) -> asyncio.Future[Any]:
        """Send the bot an event."""
        w = self.workspace
        payload = {
            "token": "t",
            "team_id": self.outer_team or w.team,
            "api_app_id": "A1",
            "type": "event_callback",
            "event_id": w.next_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [{"team_id": w.team, "user_id": w.bot_user, "is_bot": True}],
            "event": event,
        }
        return self._tell("events_api", payload)

    def edit(self, ts: str, text: str, *, channel: str = "C1", told: bool = True) -> None:
        """The author changes a message."""
        message = self.workspace.message(channel, ts)
        assert message is not None
        previous = dict(message)
        message["text"] = text
        message["edited"] = {"user": message["user"], "ts": self.workspace.next_ts()}
        if told:
            self.tell_event(
                {
                    "type": "message",
                    "subtype": "message_changed",
                    "hidden": True,
                    "channel": channel,
                    "channel_type": "im" if channel.startswith("D") else "channel",
                    "ts": self.workspace.next_ts(),
                    "message": dict(message),
                    "previous_message": previous,
                }
            )

    def delete(self, ts: str, *, channel: str = "C1") -> None:
        """The author deletes a message."""
        message = self.workspace.message(channel, ts)
        assert message is not None
        has_replies = len(self.workspace.thread(channel, ts)) > 1
        previous = dict(message)
        place = {"channel": channel, "ts": self.workspace.next_ts(), "hidden": True}
        if has_replies:
            # Slack leaves a tombstone for a message that has replies.
            thread = {"thread_ts": ts, "reply_count": message.get("reply_count", 1)}
            message.clear()
            message.update(
                {
                    "type": "message",
                    "subtype": "tombstone",
                    "user": "USLACKBOT",
                    "text": "This message was deleted.",
                    "ts": ts,
                    "hidden": True,
                    **thread,
                }
            )
            changed = {"subtype": "message_changed", "message": dict(message)}
        else:
            self.workspace.messages[channel].remove(message)
            changed = {"subtype": "message_deleted", "deleted_ts": ts}
        self.tell_event({"type": "message", "previous_message": previous, **place, **changed})

    def press(
        self, ts: str, action_id: str, *, user: str = "U1ANN", channel: str = "C1", side: str = ""
    ) -> asyncio.Future[Any]:
        """A user presses a button of the bot's message; `side` for feedback."""
        message = self.workspace.message(channel, ts)
        assert message is not None
        element = next(
            element
            for block in message["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") == action_id
        )
        value = element[side]["value"] if side else element["value"]
        return self._tell(
            "interactive",
            self._who(user)
            | {
                "type": "block_actions",
                "channel": {"id": channel},
                "message": message,
                "container": {"type": "message", "message_ts": ts, "channel_id": channel},
                "actions": [{"type": element["type"], "action_id": action_id, "value": value}],
            },
        )

    def choose(
        self, ts: str, action_id: str, option: str, *, user: str = "U1ANN", channel: str = "C1"
    ) -> asyncio.Future[Any]:
        """A user chooses from a menu of the bot's message."""
        message = self.workspace.message(channel, ts)
        assert message is not None
        block, element = next(
            (block, element)
            for block in message["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") == action_id
        )
        selected = next(it for it in element["options"] if it["text"]["text"] == option)
        return self._tell(
            "interactive",
            self._who(user)
            | {
                "type": "block_actions",
                "channel": {"id": channel},
                "message": message,
                "container": {"type": "message", "message_ts": ts, "channel_id": channel},
                "actions": [
                    {
                        "type": element["type"],
                        "action_id": action_id,
                        "block_id": block["block_id"],
                        "selected_option": selected,
                        "action_ts": self.workspace.next_ts(),
                    }
                ],
            },
        )

    def use_shortcut(
        self, ts: str, *, user: str = "U1ANN", channel: str = "C1", trigger_id: str = ""
    ) -> asyncio.Future[Any]:
        """A user chooses “Ask about this picture” on a message."""
        return self._tell(
            "interactive",
            self._who(user, trigger_id)
            | {
                "type": "message_action",
                "callback_id": "llava_ask_about",
                "channel": {"id": channel},
                "message": self.workspace.message(channel, ts),
                "message_ts": ts,
            },
        )

    def submit(
        self, view: dict[str, Any], values: dict[str, Any], *, user: str = "U1ANN"
    ) -> asyncio.Future[Any]:
        """A user submits a modal. `values`: block → text, people, or the value of an option.

        Fields without a value stay as they are shown.
        """
        filled = {}
        for block in view["blocks"]:
            if block["type"] != "input":
                continue
            filled[block["block_id"]] = {
                "value": filled_in(block["element"], values.get(block["block_id"]))
            }
        return self._tell(
            "interactive",
            self._who(user)
            | {"type": "view_submission", "view": view | {"state": {"values": filled}}},
        )

    def command(
        self, text: str, *, user: str = "U1ANN", channel: str = "C1", trigger_id: str = ""
    ) -> asyncio.Future[Any]:
        """A user runs /llava."""
        return self._tell(
            "slash_commands",
            {
                "command": "/llava",
                "text": text,
                "team_id": self.workspace.team,
                "channel_id": channel,
                "user_id": user,
                "user_name": user,
                "trigger_id": trigger_id or self.workspace.next_id("tr"),
                "response_url": f"{self.base}/response/{user}?channel={channel}",
                "api_app_id": "A1",
            },
        )

    def stop_in_slack(self, thread: str, *, user: str = "U1ANN", channel: str = "C1") -> None:
        """A user presses Slack's own stop button."""
        streaming = [
            it["ts"]
            for it in self.workspace.thread(channel, thread)
            if it["ts"] in self.workspace.streams
        ]
        for ts in streaming:
            del self.workspace.streams[ts]
            self.workspace.streams_stopped_by_user.add(ts)
        self.tell_event(
            {
                "type": "agent_session_stopped",
                "channel": channel,
                "user": user,
                "thread_ts": thread,
                "streaming_message_ts": streaming,
            }
        )

    def _who(self, user: str, trigger_id: str = "") -> dict[str, Any]:
        w = self.workspace
        return {
            "team": {"id": w.team, "domain": "local"},
            "user": {"id": user, "team_id": w.team},
            "api_app_id": "A1",
            "token": "t",
            "trigger_id": trigger_id or w.next_id("tr"),
        }

    # -- delivery -----------------------------------------------------------------------------

    def _tell(self, kind: str, payload: dict[str, Any]) -> asyncio.Future[Any]:
        if not self.event_url:
            return self.sockets.tell(kind, payload)
        task = asyncio.ensure_future(self._post(kind, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _post(self, kind: str, payload: dict[str, Any], retry: int = 0) -> str:
        assert self._http is not None
        if kind == "events_api":
            body, content = json.dumps(payload), "application/json"
        else:
            fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            form = aiohttp.FormData(fields)()
            assert isinstance(form, aiohttp.BytesPayload)
            body, content = form._value.decode(), "application/x-www-form-urlencoded"
        return await self.post_signed(body, content, retry=retry)

    async def post_signed(
        self, body: str, content: str, *, retry: int = 0, secret: str | None = None, age_s: int = 0
    ) -> str:
        """Post to the bot as Slack does, signed."""
        assert self._http is not None
        stamp = str(int(time.time()) - age_s)
        key = (secret or self.signing_secret).encode()
        signature = hmac.new(key, f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        async with self._http.post(self.event_url, data=body, headers=headers) as response:
            self.http_answers.append(response.status)
            return await response.text()


def filled_in(element: dict[str, Any], value: Any) -> dict[str, Any]:
    """What Slack tells of a field of a modal; `None`: it stays as it is shown."""
    match element["type"]:
        case "static_select":
            option = element.get("initial_option") if value is None else {"value": value}
            return {"selected_option": option}
        case "multi_users_select":
            return {"selected_users": element.get("initial_users", []) if value is None else value}
        case _:
            return {"value": element.get("initial_value") if value is None else value}
