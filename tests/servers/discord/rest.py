"""Discord's REST interface: routes, permissions and errors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.discord.gateway import Gateway
from tests.servers.discord.interactions import Interactions
from tests.servers.discord.state import (
    BITS,
    DM,
    FORUM,
    THREAD,
    File,
    Json,
    World,
)

MAX_CONTENT = 2000


class DiscordError(Exception):
    """An error with Discord's own code."""

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
    """A call as it was received."""

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
    """Register a function as the handler of a path; its name is the route's."""

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
    """Users accept direct messages from the bot."""
    refuses: dict[int, str] = field(default_factory=dict)
    """Code → words that AutoMod refuses."""
    garbles: set[str] = field(default_factory=set)
    """Channels whose history is not a list of messages."""


class Rest:
    """What the handlers share."""

    def __init__(self, world: World, gateway: Gateway, interactions: Interactions) -> None:
        self.world = world
        self.gateway = gateway
        self.interactions = interactions
        self.rules = Rules()
        self.typing: list[tuple[float, str]] = []
        self.sign: Callable[[str, str, File], Json] = lambda *_: {}
        self.fresh: Callable[[Json], Json] = lambda message: message
        self._old_edits: dict[str, int] = {}

    # -- permissions --------------------------------------------------------------------------

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

    # -- events -------------------------------------------------------------------------------

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
