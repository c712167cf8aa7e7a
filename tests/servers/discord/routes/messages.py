"""Messages: reading, sending, editing, deleting."""

from __future__ import annotations

import time

from tests.servers.discord.limits import OLD_EDITS, OLD_S
from tests.servers.discord.rest import Call, DiscordError, Rest, invalid_form, route
from tests.servers.discord.routes.edits import change, numbered
from tests.servers.discord.state import BITS, BOT, THREAD, Json


@route("GET", "/channels/{channel_id}/messages")
async def list_messages(rest: Rest, call: Call) -> list[Json]:
    channel, query = call.parameters["channel_id"], call.query
    rest.channel(channel)
    if not rest.world.permissions(channel) & BITS["read_message_history"]:
        return []
    if channel in rest.rules.garbles:
        return [{"id": None}]
    found = rest.world.messages[channel]
    limit = int(query.get("limit", 50))
    if "after" in query:
        found = [it for it in found if int(it["id"]) > int(query["after"])][:limit]
    elif "before" in query:
        found = [it for it in found if int(it["id"]) < int(query["before"])][-limit:]
    else:
        found = found[-limit:]
    return [rest.fresh(it) for it in reversed(found)]


@route("GET", "/channels/{channel_id}/messages/{message_id}")
async def get_message(rest: Rest, call: Call) -> Json:
    return rest.fresh(rest.message(call.parameters["channel_id"], call.parameters["message_id"]))


def replied(rest: Rest, channel: str, body: Json) -> Json:
    """The fields that make a message a reply."""
    reference = body.get("message_reference")
    if reference is None:
        return {}
    if not rest.world.permissions(channel) & BITS["read_message_history"]:
        text = "You cannot reply without permission to read message history"
        raise DiscordError(403, 160002, text)
    referenced = rest.world.message(channel, str(reference["message_id"]))
    if referenced is None:
        if reference.get("fail_if_not_exists", True):
            raise invalid_form("message_reference", "Unknown message")
        return {}
    ids = {name: str(it) for name, it in reference.items() if name.endswith("_id")}
    return {
        "type": 19,
        "message_reference": {"type": 0, "channel_id": channel, **ids},
        "referenced_message": {
            name: value for name, value in referenced.items() if name != "referenced_message"
        },
    }


@route("POST", "/channels/{channel_id}/messages", bucket="messages")
async def create_message(rest: Rest, call: Call) -> Json:
    channel, body = call.parameters["channel_id"], call.body
    rest.need_to_write(channel)
    if call.uploads:
        rest.need(channel, "attach_files")
    rest.check_content(body)
    if not body.get("content") and not body.get("embeds") and not call.uploads:
        raise DiscordError(400, 50006, "Cannot send an empty message")
    if body.get("enforce_nonce"):
        for message in rest.world.messages[channel]:
            if message.get("nonce") == body["nonce"]:
                return message
    rest.check_words(body)
    more = replied(rest, channel, body)
    rest.unarchive(channel)
    message = rest.world.new_message(
        channel,
        BOT,
        body.get("content") or "",
        components=body.get("components") or [],
        flags=body.get("flags", 0),
        mentions=rest.mentions(channel, body.get("content") or ""),
        **({"nonce": body["nonce"]} if "nonce" in body else {}),
        **more,
    )
    message["components"] = numbered(message["components"])
    message["attachments"] = rest.uploaded(call, channel, message["id"])
    message["allowed_mentions"] = body.get("allowed_mentions")  # for the tests
    rest.tell("MESSAGE_CREATE", message, channel)
    return message


@route("PATCH", "/channels/{channel_id}/messages/{message_id}", bucket="messages")
async def update_message(rest: Rest, call: Call) -> Json:
    channel, message_id = call.parameters["channel_id"], call.parameters["message_id"]
    message = rest.message(channel, message_id)
    if message["author"]["id"] != BOT:
        raise DiscordError(403, 50005, "Cannot edit a message authored by another user")
    place = rest.world.channels[channel]
    if place["type"] == THREAD and place["thread_metadata"]["archived"]:
        raise DiscordError(400, 50083, "Thread is archived")
    rest.check_content(call.body)
    rest.check_words(call.body)
    sent_at = int(message_id) // (1 << 22) / 1000 + 1420070400
    if time.time() - sent_at > OLD_S:
        rest._old_edits[message_id] = rest._old_edits.get(message_id, 0) + 1
        if rest._old_edits[message_id] > OLD_EDITS:
            text = "Maximum number of edits to messages older than 1 hour reached"
            raise DiscordError(429, 30046, text, retry_after=0.3, **{"global": False})
    change(message, call.body)
    rest.tell("MESSAGE_UPDATE", message, channel)
    return message


@route("DELETE", "/channels/{channel_id}/messages/{message_id}")
async def delete_message(rest: Rest, call: Call) -> None:
    channel, message_id = call.parameters["channel_id"], call.parameters["message_id"]
    message = rest.message(channel, message_id)
    if message["author"]["id"] != BOT:
        rest.need(channel, "manage_messages")
    rest.world.messages[channel].remove(message)
    rest.tell("MESSAGE_DELETE", {"id": message_id, "channel_id": channel}, channel)
