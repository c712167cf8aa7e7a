"""Slack's rate tiers of the methods that the bot calls, as their pages said in August 2026.

Numbers alone: they guard the local Slack's rates where Slack's whole reference is not at hand, and
the reference, where it is, guards them.
"""

from __future__ import annotations

CALLS_PER_MINUTE = {2: 20, 3: 50, 4: 100}
"""Tier → calls per minute. Tier 5 is "special": posting, for example, is limited per channel."""

TIERS = {
    "agents.sessions.setStatus": 3,
    "apps.connections.open": 3,
    "assistant.threads.setStatus": 5,
    "auth.test": 5,
    "chat.appendStream": 4,
    "chat.delete": 3,
    "chat.postEphemeral": 4,
    "chat.postMessage": 5,
    "chat.startStream": 2,
    "chat.stopStream": 2,
    "chat.update": 3,
    "conversations.history": 3,
    "conversations.info": 3,
    "conversations.open": 3,
    "conversations.replies": 3,
    "files.completeUploadExternal": 4,
    "files.getUploadURLExternal": 4,
    "files.info": 4,
    "users.info": 4,
    "views.open": 4,
}
"""The reference does not describe `files.delete` and `users.conversations`."""
