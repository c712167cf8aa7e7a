"""The Web API: arguments, scopes, rates and errors of the methods that the adapter uses."""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.slack.block_rules import MARKDOWN, ApiError, check_blocks
from tests.servers.slack.state import Message, Workspace
from tests.servers.slack.uploads import Uploads

Arguments = dict[str, Any]

UPDATE_TEXT, POST_TEXT = 4000, 40_000


@dataclass(frozen=True)
class Method:
    """The arguments and scopes of one method."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    """One of these."""
    per_minute: int = 1000


def method(
    required: str = "", optional: str = "", scopes: str = "", per_minute: int = 1000
) -> Method:
    return Method(
        frozenset(required.split()),
        frozenset(optional.split()),
        frozenset(scopes.split()),
        per_minute,
    )


# Slack's tiers, in calls per minute; tests check them against `tiers.py` and Slack's reference.
T2, T3, T4 = 20, 50, 100
HISTORY = "channels:history groups:history im:history mpim:history"
METHODS = {
    "auth.test": method(),
    "apps.connections.open": method(per_minute=T3),
    "users.info": method("user", "include_locale", "users:read", T4),
    "users.conversations": method(
        "",
        "types exclude_archived limit cursor",
        "channels:read groups:read im:read mpim:read",
        T2,
    ),
    "conversations.info": method(
        "channel",
        "include_locale include_num_members",
        "channels:read groups:read im:read",
        T3,
    ),
    "conversations.history": method(
        "channel", "cursor include_all_metadata inclusive latest limit oldest", HISTORY, T3
    ),
    "conversations.replies": method(
        "channel ts", "cursor include_all_metadata inclusive latest limit oldest", HISTORY, T3
    ),
    "conversations.open": method("", "users channel return_im", "im:write", T3),
    "files.info": method("file", "count cursor limit page", "files:read", T4),
    "files.getUploadURLExternal": method(
        "filename length", "alt_txt snippet_type", "files:write", T4
    ),
    "files.completeUploadExternal": method(
        "files", "blocks channel_id channels initial_comment thread_ts", "files:write", T4
    ),
    "files.delete": method("file", "", "files:write", T3),
    "chat.postMessage": method(
        "channel",
        "blocks text thread_ts unfurl_links unfurl_media mrkdwn metadata markdown_text",
        "chat:write",
    ),
    "chat.postEphemeral": method("channel user", "blocks text thread_ts", "chat:write", T4),
    "chat.update": method("channel ts", "blocks text metadata markdown_text", "chat:write", T3),
    "chat.delete": method("channel ts", "as_user", "chat:write", T3),
    "chat.startStream": method(
        "channel",
        "thread_ts markdown_text chunks recipient_user_id recipient_team_id task_display_mode",
        "chat:write",
        T2,
    ),
    "chat.appendStream": method("channel ts", "markdown_text chunks", "chat:write", T4),
    "chat.stopStream": method(
        "channel ts", "markdown_text chunks blocks metadata", "chat:write", T2
    ),
    "agents.sessions.setStatus": method(
        "channel_id status", "thread_ts title initiator_user_id", "chat:write", T3
    ),
    "assistant.threads.setStatus": method(
        "channel_id thread_ts status", "loading_messages", "assistant:write chat:write"
    ),
    "views.open": method("view", "trigger_id interactivity_pointer", "", T4),
}


@dataclass
class Rules:
    """How the Web API behaves."""

    rates: bool = True
    agent_sessions: bool = True
    streaming: bool = True
    stream_life_s: float = 300
    clock_ahead_s: float = 0
    refuses: dict[str, str] = field(default_factory=dict)
    """Method → the error it always answers."""


class WebApi(Uploads):
    """Answers calls. `calls` records each accepted one: (method, arguments)."""

    def __init__(self, workspace: Workspace, rules: Rules, open_socket: Callable[[], str]) -> None:
        self.workspace = workspace
        self.rules = rules
        self.calls: list[tuple[str, Arguments]] = []
        self.refused: list[tuple[str, str]] = []
        self.limited: list[str] = []
        self._open_socket = open_socket
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._changed: Callable[[str, str], None] = lambda _kind, _channel: None

    def over_rate(self, name: str) -> int | None:
        """Seconds to wait if a method is over its rate; otherwise the call is counted."""
        recent = self._recent[name]
        now = time.monotonic()
        while recent and recent[0] <= now - 60:
            recent.popleft()
        if self.rules.rates and len(recent) >= METHODS[name].per_minute:
            self.limited.append(name)
            return max(1, int(recent[0] + 61 - now))
        recent.append(now)
        return None

    def call(self, name: str, token: str, arguments: Arguments) -> dict[str, Any]:
        """Answer one call. Raises: ApiError."""
        rules = METHODS[name]
        self._check(name, rules, token, arguments)
        self.calls.append((name, arguments))
        handler = getattr(self, "_" + name.replace(".", "_"))
        answer: dict[str, Any] = handler(arguments)
        return {"ok": True, **answer}

    def _check(self, name: str, rules: Method, token: str, arguments: Arguments) -> None:
        expected = (
            self.workspace.app_token
            if name == "apps.connections.open"
            else self.workspace.bot_token
        )
        if token != expected:
            raise ApiError("invalid_auth" if token else "not_authed")
        if name in self.rules.refuses:
            raise ApiError(self.rules.refuses[name])
        if rules.scopes and not rules.scopes & self.workspace.scopes:
            raise ApiError(
                "missing_scope",
                needed=min(rules.scopes),
                provided=",".join(sorted(self.workspace.scopes)),
            )
        missing = rules.required - set(arguments)
        if missing:
            raise ApiError(f"invalid_arguments: missing {sorted(missing)}")
        unknown = set(arguments) - rules.required - rules.optional
        if unknown:
            raise ApiError(f"invalid_arguments: unknown {sorted(unknown)}")
        channel = arguments.get("channel") or arguments.get("channel_id")
        if channel and channel not in self.workspace.channels:
            raise ApiError("channel_not_found")
        if (
            name.startswith("chat.")
            and channel
            and not self.workspace.channels[channel]["is_member"]
        ):
            raise ApiError("not_in_channel")

    # -- who, where ---------------------------------------------------------------------------

    def _auth_test(self, _arguments: Arguments) -> dict[str, Any]:
        w = self.workspace
        return {
            "url": "https://local.slack.com/", "team": "Local", "user": "llava-bot",
            "team_id": w.team, "user_id": w.bot_user, "bot_id": w.bot,
        }  # fmt: skip

    def _apps_connections_open(self, _arguments: Arguments) -> dict[str, Any]:
        return {"url": self._open_socket()}

    def _users_info(self, arguments: Arguments) -> dict[str, Any]:
        user = self.workspace.users.get(arguments["user"])
        if user is None:
            raise ApiError("user_not_found")
        shown = dict(user)
        if arguments.get("include_locale") not in {"true", True}:
            del shown["locale"]
        return {"user": shown}

    def _users_conversations(self, _arguments: Arguments) -> dict[str, Any]:
        return {"channels": [c for c in self.workspace.channels.values() if c["is_member"]]}

    def _conversations_info(self, arguments: Arguments) -> dict[str, Any]:
        return {"channel": self.workspace.channels[arguments["channel"]]}

    def _conversations_open(self, arguments: Arguments) -> dict[str, Any]:
        channel = f"D{arguments['users'][1:]}"
        if channel not in self.workspace.channels:
            self.workspace.add_channel(channel, "", is_im=True)
        return {"channel": {"id": channel}}

    def _conversations_history(self, arguments: Arguments) -> dict[str, Any]:
        top = [
            it
            for it in self.workspace.messages[arguments["channel"]]
            if it.get("thread_ts") in {None, it["ts"]}
        ]
        found = [it for it in reversed(top) if _within(it["ts"], arguments)]
        return _page(found, arguments, default=100)

    def _conversations_replies(self, arguments: Arguments) -> dict[str, Any]:
        thread = self.workspace.thread(arguments["channel"], arguments["ts"])
        if not thread:
            raise ApiError("thread_not_found")
        found = [it for it in thread if _within(it["ts"], arguments)]
        return _page(found, arguments, default=1000)

    def _files_info(self, arguments: Arguments) -> dict[str, Any]:
        file = self.workspace.files.get(arguments["file"])
        if file is None:
            raise ApiError("file_not_found")
        if file.arrives_after > 0:
            file.arrives_after -= 1
            return {"file": {"id": file.id, "name": file.name}}
        return {"file": self.describe(file.id)}

    # -- writing ------------------------------------------------------------------------------

    def _chat_postMessage(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        _check_text(arguments, POST_TEXT)
        return self._made(arguments, streaming=False)

    def _made(self, arguments: Arguments, *, streaming: bool) -> dict[str, Any]:
        w = self.workspace
        message: Message = {
            "type": "message", "user": w.bot_user, "bot_id": w.bot, "ts": w.next_ts(),
            "text": arguments.get("text") or arguments.get("markdown_text") or "",
            "blocks": arguments.get("blocks") or [],
        }  # fmt: skip
        if arguments.get("metadata"):
            message["metadata"] = arguments["metadata"]
        if arguments.get("thread_ts"):
            message["thread_ts"] = arguments["thread_ts"]
        w.add(arguments["channel"], message)
        if streaming:
            w.streams[message["ts"]] = time.monotonic()
            w.streamed.add(message["ts"])
        return {"channel": arguments["channel"], "ts": message["ts"], "message": message}

    def _chat_postEphemeral(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        _check_text(arguments, UPDATE_TEXT)
        ts = self.workspace.next_ts()
        self.workspace.ephemerals.append({**arguments, "ts": ts})
        return {"message_ts": ts}

    def _own(self, arguments: Arguments, error: str = "message_not_found") -> Message:
        message = self.workspace.message(arguments["channel"], arguments["ts"])
        if message is None:
            raise ApiError(error)
        if message.get("user") != self.workspace.bot_user:
            raise ApiError("cant_update_message")
        return message

    def _chat_update(self, arguments: Arguments) -> dict[str, Any]:
        message = self._own(arguments)
        if self._streams(message["ts"]):
            raise ApiError("streaming_state_conflict")
        _check_text(arguments, UPDATE_TEXT)
        message["text"] = arguments.get("text") or ""
        message["blocks"] = arguments.get("blocks") or []
        return {"channel": arguments["channel"], "ts": message["ts"], "text": message["text"]}

    def _chat_delete(self, arguments: Arguments) -> dict[str, Any]:
        message = self._own(arguments)
        self.workspace.messages[arguments["channel"]].remove(message)
        self.workspace.deleted.append(message)
        return {"channel": arguments["channel"], "ts": arguments["ts"]}

    # -- streams ------------------------------------------------------------------------------

    def _streams(self, ts: str) -> bool:
        begun = self.workspace.streams.get(ts)
        if begun is not None and time.monotonic() - begun > self.rules.stream_life_s:
            del self.workspace.streams[ts]
            return False
        return begun is not None

    def _chat_startStream(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        if not self.rules.streaming:
            raise ApiError("channel_type_not_supported")
        if not arguments["channel"].startswith("D"):
            for name in ("recipient_user_id", "recipient_team_id"):
                if not arguments.get(name):
                    raise ApiError(f"missing_{name.removesuffix('_id')}_id")
        if not arguments.get("thread_ts"):
            raise ApiError("invalid_arguments")
        _check_markdown(arguments)
        return self._made(arguments, streaming=True)

    def _stream_of(self, arguments: Arguments) -> Message:
        message = self._own(arguments)
        if message["ts"] in self.workspace.streams_stopped_by_user:
            raise ApiError("stopped_by_user")
        if not self._streams(message["ts"]):
            raise ApiError("message_not_in_streaming_state")
        return message

    def _chat_appendStream(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        message = self._stream_of(arguments)
        if not arguments.get("markdown_text"):
            raise ApiError("no_text")
        _check_markdown(arguments)
        message["text"] += arguments["markdown_text"]
        return {"channel": arguments["channel"], "ts": message["ts"]}

    def _chat_stopStream(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        message = self._stream_of(arguments)
        _check_markdown(arguments)
        check_blocks(arguments.get("blocks") or [])
        message["text"] += arguments.get("markdown_text") or ""
        message["blocks"] = arguments.get("blocks") or []
        del self.workspace.streams[message["ts"]]
        return {"channel": arguments["channel"], "ts": message["ts"], "message": message}

    # -- agents, views ------------------------------------------------------------------------

    def _agents_sessions_setStatus(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        if not self.rules.agent_sessions:
            raise ApiError("feature_disabled")
        if arguments["status"] not in {"active", "processing", "suspended", "closed"}:
            raise ApiError("invalid_status")
        if not arguments.get("thread_ts"):
            raise ApiError("thread_ts_required")
        key = (arguments["channel_id"], arguments["thread_ts"])
        self.workspace.sessions[key] = arguments["status"]
        return {"status": arguments["status"]}

    def _assistant_threads_setStatus(self, arguments: Arguments) -> dict[str, Any]:  # noqa: N802
        self.workspace.statuses.append(dict(arguments))
        return {}

    def _views_open(self, arguments: Arguments) -> dict[str, Any]:
        if not arguments.get("trigger_id"):
            raise ApiError("invalid_trigger_id")
        view = arguments["view"]
        _check_view(view)
        view_id = self.workspace.next_id("V")
        self.workspace.views[view_id] = {"id": view_id, **view}
        self.workspace.opened_by[view_id] = arguments["trigger_id"]
        return {"view": self.workspace.views[view_id]}


def _page(found: list[Message], arguments: Arguments, *, default: int) -> dict[str, Any]:
    start = int(arguments.get("cursor") or 0)
    end = start + int(arguments.get("limit") or default)
    more = end < len(found)
    return {
        "messages": found[start:end],
        "has_more": more,
        "response_metadata": {"next_cursor": str(end) if more else ""},
    }


def _within(ts: str, arguments: Arguments) -> bool:
    oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
    if arguments.get("inclusive") in {"true", True}:
        return oldest <= float(ts) <= latest
    return oldest < float(ts) < latest


def _check_text(arguments: Arguments, limit: int) -> None:
    text = arguments.get("text") or ""
    blocks = arguments.get("blocks") or []
    if not text and not blocks and not arguments.get("markdown_text"):
        raise ApiError("no_text")
    if len(text.encode("utf-16-le")) // 2 > limit:
        raise ApiError("msg_too_long")
    check_blocks(blocks)


def _check_markdown(arguments: Arguments) -> None:
    if len(arguments.get("markdown_text") or "") > MARKDOWN:
        raise ApiError("msg_too_long")


def _check_view(view: dict[str, Any]) -> None:
    if view.get("type") != "modal" or len(view["title"]["text"]) > 24:
        raise ApiError("invalid_arguments", detail="title")
    for name in ("submit", "close"):
        if name in view and len(view[name]["text"]) > 24:
            raise ApiError("invalid_arguments", detail=name)
    if len(view.get("private_metadata", "")) > 3000 or len(json.dumps(view)) > 250_000:
        raise ApiError("view_too_large")
    if any(block["type"] == "input" for block in view["blocks"]) and "submit" not in view:
        raise ApiError("invalid_arguments", detail="submit")
    check_blocks(view["blocks"])
