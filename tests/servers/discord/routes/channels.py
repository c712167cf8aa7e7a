"""Channels and threads."""

from __future__ import annotations

import time

from tests.servers.discord.rest import (
    Call,
    DiscordError,
    Rest,
    invalid_form,
    missing_permissions,
    route,
)
from tests.servers.discord.state import BOT, HAS_THREAD, TEXT, THREAD, Json

MAX_THREAD_NAME = 100


@route("GET", "/channels/{channel_id}")
async def get_channel(rest: Rest, call: Call) -> Json:
    return rest.channel(call.parameters["channel_id"])


@route("PATCH", "/channels/{channel_id}")
async def update_channel(rest: Rest, call: Call) -> Json:
    channel = call.parameters["channel_id"]
    place = rest.channel(channel)
    if place["type"] != THREAD:
        raise missing_permissions()
    rest.need(channel, "send_messages_in_threads")
    if place["thread_metadata"]["locked"]:
        rest.need(channel, "manage_threads")
    if "archived" in call.body:
        place["thread_metadata"]["archived"] = call.body["archived"]
    rest.tell("THREAD_UPDATE", place, channel)
    return place


@route("POST", "/channels/{channel_id}/typing")
async def trigger_typing_indicator(rest: Rest, call: Call) -> None:
    channel = call.parameters["channel_id"]
    rest.channel(channel)
    rest.typing.append((time.time(), channel))


@route("POST", "/channels/{channel_id}/messages/{message_id}/threads")
async def create_thread_from_message(rest: Rest, call: Call) -> Json:
    channel, message_id = call.parameters["channel_id"], call.parameters["message_id"]
    message = rest.message(channel, message_id)
    if rest.world.channels[channel]["type"] != TEXT:
        raise DiscordError(400, 50024, "Cannot execute action on this channel type")
    rest.need(channel, "create_public_threads")
    if message_id in rest.world.channels:
        raise DiscordError(400, 160004, "A thread has already been created for this message")
    name = call.body["name"]
    if not 1 <= len(name) <= MAX_THREAD_NAME:
        raise invalid_form("name", "Must be between 1 and 100 in length.")
    thread = rest.world.add_thread(message_id, channel, name, BOT)
    message["flags"] |= HAS_THREAD
    message["thread"] = thread
    rest.tell("THREAD_CREATE", thread | {"newly_created": True}, channel)
    rest.tell("MESSAGE_UPDATE", {k: v for k, v in message.items() if k != "thread"}, channel)
    return thread
