"""The app manifest: creates the Slack app without clicking through its settings."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from bot.platforms.slack.http import EVENTS, REDIRECT
from bot.platforms.slack.replies import blocks

BOT_SCOPES = {
    "app_mentions:read": "to receive its mentions",
    "assistant:write": "to show Slack's own status and stop button",
    "channels:history": "to receive follow-ups and find pictures in public channels",
    "channels:read": "to know which public channels it is in",
    "chat:write": "to answer",
    "commands": "for /llava and “Ask about this picture”",
    "files:read": "to look at pictures",
    "files:write": "to post a long text that it read as a file",
    "groups:history": "to receive follow-ups and find pictures in private channels",
    "groups:read": "to know which private channels it is in",
    "im:history": "to receive direct messages",
    "im:read": "to find direct messages that it missed",
    "im:write": "to tell a user what it is not allowed to post in a channel",
    "mpim:history": "to receive follow-ups in group messages",
    "mpim:read": "to know which group messages it is in",
    "users:read": "to answer in the user's language, with people's names",
}
"""Scope → what it is for."""

BOT_EVENTS = (
    "agent_session_stopped",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
)


def manifest(*, address: str | None = None, name: str = "llava-bot") -> dict[str, Any]:
    """The manifest for Socket Mode, or for HTTP mode at a public `https://` address."""
    request_url = None if address is None else f"{address.rstrip('/')}{EVENTS}"

    def at_url(key: str = "request_url") -> dict[str, str]:
        return {} if request_url is None else {key: request_url}

    made: dict[str, Any] = {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": name,
            "description": "Ask about a picture; the model runs on your own machine",
            "background_color": "#1f3a5f",
        },
        "features": {
            "agent_view": {"agent_description": "Answers questions about pictures"},
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name, "always_online": True},
            "shortcuts": [
                {
                    "name": "Ask about this picture",
                    "type": "message",
                    "callback_id": blocks.SHORTCUT,
                    "description": "Ask a question about the pictures of a message",
                }
            ],
            "slash_commands": [
                {
                    "command": blocks.COMMAND,
                    "description": "Help, status, usage, settings, forget, mute",
                    "usage_hint": "help | status | usage | settings | forget me | mute LINK",
                    "should_escape": False,
                    **at_url("url"),
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": list(BOT_SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(BOT_EVENTS), **at_url()},
            "interactivity": {"is_enabled": True, **at_url()},
            "org_deploy_enabled": False,
            "socket_mode_enabled": address is None,
            "token_rotation_enabled": False,
        },
    }
    if address is not None:
        made["oauth_config"]["redirect_urls"] = [f"{address.rstrip('/')}{REDIRECT}"]
    return made


def creation_link() -> str:
    """The address at which Slack makes the app from the manifest for Socket Mode."""
    filled_in = json.dumps(manifest(), separators=(",", ":"))
    return f"https://api.slack.com/apps?{urlencode({'new_app': 1, 'manifest_json': filled_in})}"
