"""The address that invites the bot, with the least permissions; what `manifest discord` prints."""

from __future__ import annotations

import base64
import binascii

import discord

from bot.platforms.discord.permissions import NEEDED, permission_name, permissions

INTENTS = {"Message Content Intent": "so that follow-ups in its threads need no mention"}
"""Privileged intent → what it is for."""
NOT_KNOWN = "APPLICATION_ID"


def application_of(token: str) -> str | None:
    """The application's id: a token begins with it. `None`: this is no token of Discord's."""
    head = token.partition(".")[0]
    try:
        found = base64.b64decode(head + "=" * (-len(head) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return found if found.isdigit() else None


def invitation(application: str) -> str:
    """The address that a server's owner opens."""
    if application == NOT_KNOWN:
        return invitation("0").replace("client_id=0", f"client_id={NOT_KNOWN}")
    return discord.utils.oauth_url(
        int(application), permissions=permissions(), scopes=("bot", "applications.commands")
    )


def manifest(application: str | None, *, has_token: bool = False) -> str:
    """What to switch on, what to allow, and the address that allows it.

    `has_token`: there is one, which names no application where `application` is `None`.
    """
    lines = [
        "Developer Portal, your application, Bot, Privileged Gateway Intents, switch on:",
        *(f"  {intent}: {why}" for intent, why in INTENTS.items()),
        "",
        "Permissions that the address below asks for:",
        *(f"  {permission_name('en', name)}: {why}" for name, why in NEEDED.items()),
        "",
        "Invite the bot into a server:",
        f"  {invitation(application or NOT_KNOWN)}",
    ]
    if application is None and has_token:
        lines += [
            "",
            (
                "DISCORD_BOT_TOKEN is no token of Discord's (three parts with dots between them): "
                "copy it anew, the whole of it, and the address is complete."
            ),
        ]
    elif application is None:
        lines += [
            "",
            (
                f"{NOT_KNOWN} is on the portal's General Information page; with "
                "DISCORD_BOT_TOKEN set, or --application ID, the address is complete."
            ),
        ]
    return "\n".join(lines)
