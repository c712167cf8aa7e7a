"""Responses to interactions, and the messages they become."""

from __future__ import annotations

import time

from tests.servers.discord.rest import Call, DiscordError, Rest, route
from tests.servers.discord.routes.edits import change
from tests.servers.discord.state import BOT, EPHEMERAL, Json

OLDEST_INTERACTION_S = 3


@route("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
async def create_interaction_response(rest: Rest, call: Call) -> Json | None:
    asked = rest.interactions.by_token.get(call.parameters["interaction_token"])
    if asked is None or time.time() - asked.made_at > OLDEST_INTERACTION_S:
        raise DiscordError(404, 10062, "Unknown interaction")
    if asked.answered:
        raise DiscordError(400, 40060, "Interaction has already been acknowledged.")
    kind, data = call.body["type"], call.body.get("data") or {}
    rest.check_content(data)
    asked.answered = True
    asked.response_type = kind
    if kind == 9:
        rest.interactions.modals.append((asked, data))
    elif kind == 8:
        asked.choices = [it["name"] for it in data["choices"]]
    elif kind in {4, 5}:
        asked.respond(rest.world, data, deferred=kind == 5)
        if not asked.is_ephemeral and asked.response is not None:
            rest.tell("MESSAGE_CREATE", asked.response, asked.channel)
    if call.query.get("with_response") not in {"1", "true", "True"}:
        return None
    answer: Json = {"interaction": {"id": asked.id, "type": asked.kind}}
    if asked.response is not None:
        answer["interaction"] |= {
            "response_message_id": asked.response["id"],
            "response_message_ephemeral": asked.is_ephemeral,
            "response_message_loading": kind == 5,
        }
    if asked.response is not None and kind == 4:
        answer["resource"] = {"type": kind, "message": asked.response}
    return answer


@route("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
async def update_original_webhook_message(rest: Rest, call: Call) -> Json:
    asked = rest.interactions.alive(call.parameters["webhook_token"])
    if asked is None:
        raise DiscordError(401, 50027, "Invalid Webhook Token")
    if asked.response is None:
        raise DiscordError(404, 10008, "Unknown Message")
    rest.check_content(call.body)
    message = asked.response
    change(message, call.body)
    message["flags"] &= EPHEMERAL
    message["mentions"] = rest.mentions(asked.channel, message["content"])
    if "attachments" in call.body:
        message["attachments"] = rest.uploaded(call, asked.channel, message["id"])
    if not asked.is_ephemeral:
        rest.tell("MESSAGE_UPDATE", message, asked.channel)
    return message


@route("GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
async def get_original_webhook_message(rest: Rest, call: Call) -> Json:
    asked = rest.interactions.alive(call.parameters["webhook_token"])
    if asked is None or asked.response is None:
        raise DiscordError(404, 10008, "Unknown Message")
    return asked.response


@route("POST", "/webhooks/{webhook_id}/{webhook_token}")
async def execute_webhook(rest: Rest, call: Call) -> Json:
    """A follow-up to an interaction; the first one replaces a deferred response."""
    asked = rest.interactions.alive(call.parameters["webhook_token"])
    if asked is None:
        raise DiscordError(401, 50027, "Invalid Webhook Token")
    rest.check_content(call.body)
    if asked.response is not None and asked.response["flags"] & 128:
        change(asked.response, call.body)
        asked.response["flags"] &= EPHEMERAL
        return asked.response
    message = {
        **rest.world.new_message(asked.channel, BOT, call.body.get("content") or ""),
        "webhook_id": BOT,
        "flags": call.body.get("flags", 0),
    }
    rest.world.messages[asked.channel].pop()
    asked.followups.append(message)
    return message
