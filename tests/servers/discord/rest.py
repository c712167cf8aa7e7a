"""Discord's REST interface: what its paths do, and how they refuse."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.discord.gateway import Gateway
from tests.servers.discord.interactions import Interactions
from tests.servers.discord.limits import OLD_EDITS, OLD_S
from tests.servers.discord.state import (
    ANN,
    BITS,
    BOT,
    DM,
    EPHEMERAL,
    FORUM,
    HAS_THREAD,
    TEXT,
    THREAD,
    File,
    Json,
    World,
    iso,
)

MAX_CONTENT = 2000
MAX_THREAD_NAME = 100
DAY_S = 24 * 3600
OLDEST_INTERACTION_S = 3


class DiscordError(Exception):
    """A refusal, with Discord's own code."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "code": code, **more}


def missing_permissions() -> DiscordError:
    return DiscordError(403, 50013, "Missing Permissions")


def invalid_form(field: str, problem: str) -> DiscordError:
    return DiscordError(
        400,
        50035,
        "Invalid Form Body",
        errors={field: {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": problem}]}},
    )


@dataclass(frozen=True)
class Call:
    """A call as it came in."""

    parameters: dict[str, str]
    query: dict[str, str]
    body: Json
    uploads: dict[str, tuple[str, bytes]] = field(default_factory=dict)


Work = Callable[["Rest", Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """A method and a path of Discord's reference."""

    name: str
    method: str
    path: str
    bucket: str
    work: Work
    pattern: re.Pattern[str]


ROUTES: list[Route] = []


def route(method: str, path: str, *, bucket: str = "") -> Callable[[Work], Work]:
    """Have a function do the work of a path; its name is the route's."""

    def register(work: Work) -> Work:
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")
        name = work.__name__
        ROUTES.append(Route(name, method, path, bucket or name, work, pattern))
        return work

    return register


@dataclass
class Rules:
    """How the REST interface behaves."""

    takes_direct: bool = True
    """People take direct messages of the bot's."""
    refuses: dict[int, str] = field(default_factory=dict)
    """Code → words that a message is refused for: AutoMod."""
    garbles: set[str] = field(default_factory=set)
    """Channels whose history is no list of messages."""


class Rest:
    """The work behind the paths."""

    def __init__(self, world: World, gateway: Gateway, interactions: Interactions) -> None:
        self.world = world
        self.gateway = gateway
        self.interactions = interactions
        self.rules = Rules()
        self.typing: list[tuple[float, str]] = []
        self.sign: Callable[[str, str, File], Json] = lambda *_: {}
        self.fresh: Callable[[Json], Json] = lambda message: message
        self._old_edits: dict[str, int] = {}

    # -- what may be done ---------------------------------------------------------------------

    def channel(self, channel: str) -> Json:
        found = self.world.channels.get(channel)
        if found is None:
            raise DiscordError(404, 10003, "Unknown Channel")
        self.need(channel, "view_channel", DiscordError(403, 50001, "Missing Access"))
        return found

    def message(self, channel: str, message: str) -> Json:
        self.channel(channel)
        found = self.world.message(channel, message)
        if found is None:
            raise DiscordError(404, 10008, "Unknown Message")
        return found

    def need(self, channel: str, permission: str, error: DiscordError | None = None) -> None:
        if not self.world.permissions(channel) & BITS[permission]:
            raise error or missing_permissions()

    def need_to_write(self, channel: str) -> None:
        place = self.channel(channel)
        if place["type"] == THREAD:
            self.need(channel, "send_messages_in_threads")
            if place["thread_metadata"]["locked"]:
                raise DiscordError(400, 160005, "This thread is locked")
        elif place["type"] == FORUM:
            raise DiscordError(400, 50008, "Cannot send messages in a non-text channel")
        else:
            self.need(channel, "send_messages")
        if place["type"] == DM and not self.rules.takes_direct:
            raise DiscordError(403, 50007, "Cannot send messages to this user")

    # -- what is told -------------------------------------------------------------------------

    def tell(self, event: str, data: Json, channel: str) -> None:
        guild = self.world.guild_of(channel)
        told = data if guild is None else data | {"guild_id": guild}
        if guild is not None and event.startswith("MESSAGE_") and "author" in data:
            member = self.world.members[guild].get(data["author"]["id"])
            told |= {} if member is None else {"member": member}
        self.gateway.tell(event, told, guild=guild)

    def mentions(self, channel: str, content: str) -> list[Json]:
        guild = self.world.guild_of(channel)
        found = []
        for user in dict.fromkeys(re.findall(r"<@!?(\d+)>", content)):
            if user in self.world.users:
                member = self.world.members[guild].get(user) if guild else None
                found.append(self.world.users[user] | ({"member": member} if member else {}))
        return found

    def unarchive(self, channel: str) -> None:
        place = self.world.channels[channel]
        if place["type"] == THREAD and place["thread_metadata"]["archived"]:
            place["thread_metadata"]["archived"] = False
            self.tell("THREAD_UPDATE", place, channel)

    # -- content ------------------------------------------------------------------------------

    def check_content(self, body: Json) -> None:
        content = body.get("content")
        if content is not None and len(content.encode("utf-16-le")) // 2 > MAX_CONTENT:
            raise invalid_form("content", f"Must be {MAX_CONTENT} or fewer in length.")
        for row in body.get("components") or ():
            for item in row.get("components", ()):
                if len(item.get("custom_id", "")) > 100:
                    raise invalid_form("components", "Must be 100 or fewer in length.")

    def check_words(self, body: Json) -> None:
        for code, refused in self.rules.refuses.items():
            if refused in (body.get("content") or ""):
                raise DiscordError(400, code, "refused")

    def uploaded(self, call: Call, channel: str, message: str) -> list[Json]:
        """The attachments of a multipart body."""
        made = []
        for name, data in call.uploads.values():
            file = File(self.world.snowflake(), name, data)
            self.world.files[file.id] = file
            made.append(self.sign(channel, message, file))
        return made


# -- the application ------------------------------------------------------------------------------


@route("GET", "/users/@me")
async def get_my_user(rest: Rest, call: Call) -> Json:
    return rest.world.users[BOT] | {"locale": "en-US", "mfa_enabled": False}


@route("GET", "/oauth2/applications/@me")
async def get_my_oauth2_application(rest: Rest, call: Call) -> Json:
    flags = 1 << 19 if rest.gateway.rules.content_intent else 0
    return {
        "id": BOT,
        "name": "llava-bot",
        "description": "",
        "icon": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": rest.world.users[ANN],
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "type": None,
        "team": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "eligible_oauth2_scopes": [],
        "explicit_content_filter": 0,
        "approximate_guild_count": len(rest.world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
    }


@route("GET", "/gateway/bot")
async def get_bot_gateway(rest: Rest, call: Call) -> Json:
    rules = rest.gateway.rules
    return {
        "url": "wss://gateway.discord.gg",
        "shards": rules.shards,
        "session_start_limit": {
            "total": 1000,
            "remaining": 1000 - rest.gateway.identified,
            "reset_after": 14400000,
            "max_concurrency": rules.max_concurrency,
        },
    }


@route("PUT", "/applications/{application_id}/commands")
async def bulk_set_application_commands(rest: Rest, call: Call) -> list[Json]:
    rest.world.commands = [
        {
            "id": rest.world.snowflake(),
            "application_id": BOT,
            "version": "1",
            "default_member_permissions": None,
            "description": "",
            "type": 1,
            **{name: value for name, value in command.items() if value is not None},
        }
        for command in call.body["list"]
    ]
    return rest.world.commands


@route("GET", "/users/@me/guilds")
async def list_my_guilds(rest: Rest, call: Call) -> list[Json]:
    found = []
    for guild in rest.world.guilds.values():
        held = {guild["id"], *rest.world.members[guild["id"]][BOT]["roles"]}
        granted = 0
        for role in guild["roles"]:
            if role["id"] in held:
                granted |= int(role["permissions"])
        found.append(
            {
                "id": guild["id"],
                "name": guild["name"],
                "icon": None,
                "banner": None,
                "owner": False,
                "permissions": str(granted),
                "features": [],
            }
        )
    after = int(call.query.get("after", 0))
    return [it for it in found if int(it["id"]) > after]


@route("GET", "/guilds/{guild_id}")
async def get_guild(rest: Rest, call: Call) -> Json:
    return rest.world.guilds[call.parameters["guild_id"]]


@route("GET", "/guilds/{guild_id}/channels")
async def list_guild_channels(rest: Rest, call: Call) -> list[Json]:
    guild = call.parameters["guild_id"]
    created = rest.world.guild_create(guild)["channels"]
    return [it for it in created if rest.world.permissions(it["id"]) & BITS["view_channel"]]


@route("GET", "/guilds/{guild_id}/members/{user_id}")
async def get_guild_member(rest: Rest, call: Call) -> Json:
    user = call.parameters["user_id"]
    return rest.world.members[call.parameters["guild_id"]][user] | {"user": rest.world.users[user]}


@route("POST", "/users/@me/channels")
async def create_dm(rest: Rest, call: Call) -> Json:
    return rest.world.channels[rest.world.direct(str(call.body["recipient_id"]))]


# -- channels and threads -------------------------------------------------------------------------


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


# -- messages -------------------------------------------------------------------------------------


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
    """What makes a message a reply."""
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


def numbered(rows: list[Json]) -> list[Json]:
    """Discord gives each component a number."""
    return [
        row
        | {"id": 10 * number + 1}
        | {
            "components": [
                without_no_id(item) | {"id": 10 * number + 2 + inner}
                for inner, item in enumerate(row.get("components", ()))
            ]
        }
        for number, row in enumerate(rows)
    ]


def without_no_id(item: Json) -> Json:
    """An emoji that everybody has needs no id."""
    emoji = {name: value for name, value in item.get("emoji", {}).items() if value is not None}
    return item | ({"emoji": emoji} if emoji else {})


def change(message: Json, body: Json) -> None:
    """What an edit may change."""
    for name in ("content", "components"):
        if name in body:
            message[name] = body[name] or ([] if name == "components" else "")
    message["components"] = numbered(message["components"])
    message["edited_timestamp"] = iso(time.time())
    message["edits"] = message.get("edits", 0) + 1  # for the tests


@route("DELETE", "/channels/{channel_id}/messages/{message_id}")
async def delete_message(rest: Rest, call: Call) -> None:
    channel, message_id = call.parameters["channel_id"], call.parameters["message_id"]
    message = rest.message(channel, message_id)
    if message["author"]["id"] != BOT:
        rest.need(channel, "manage_messages")
    rest.world.messages[channel].remove(message)
    rest.tell("MESSAGE_DELETE", {"id": message_id, "channel_id": channel}, channel)


# -- interactions ---------------------------------------------------------------------------------


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
    """A follow-up to an interaction; the first one takes the place of what was deferred."""
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
