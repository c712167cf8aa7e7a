"""The people of the local Discord: what a test, or a person at the page, does there."""

from __future__ import annotations

import re
import time
from typing import Any

from tests.servers.discord.gateway import Gateway, without_content
from tests.servers.discord.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL,
    Asked,
    Interactions,
)
from tests.servers.discord.rest import Rest
from tests.servers.discord.state import (
    ANN,
    BITS,
    BOT_ROLE,
    GALLERY,
    GUILD,
    PICTURES,
    THREAD,
    File,
    Json,
    World,
    iso,
)

PROXY = "images-ext-1.discordapp.net"
ADDRESS_LIFE_S = 24 * 3600


class People:
    """Write, edit, delete, press, choose; the bot gets the events that Discord sends of it."""

    def __init__(self) -> None:
        self.world = World()
        self.gateway = Gateway(self.world)
        self.interactions = Interactions(self.world)
        self.rest = Rest(self.world, self.gateway, self.interactions)
        self.rest.sign = self.attachment
        self.rest.fresh = self.fresh

    # -- files --------------------------------------------------------------------------------

    def upload(self, name: str, data: bytes, **facts: Any) -> File:
        """Upload a file, to be sent with a message."""
        file = File(self.world.snowflake(), name, data, **facts)
        self.world.files[file.id] = file
        return file

    def attachment(self, channel: str, message: str, file: File) -> Json:
        """A file as a message shows it; its address is valid for a day."""
        expires = time.time() + (-60 if file.expired else ADDRESS_LIFE_S)
        signature = f"ex={int(expires):x}&is={int(time.time()):x}&hm={file.id}-{file.generation}"
        path = f"attachments/{channel}/{file.id}/{file.name}?{signature}"
        return {
            "id": file.id,
            "filename": file.name,
            "size": len(file.data) if file.size is None else file.size,
            "url": f"https://cdn.discordapp.com/{path}",
            "proxy_url": f"https://media.discordapp.net/{path}",
            "content_type": "image/webp",  # it lies: the bytes decide
            "flags": 0,
            **file.described,
        }

    def proxied(self, file: File) -> str:
        """The address of Discord's copy of a picture from the web."""
        return f"https://{PROXY}/external/{file.id}/https/pictures.example/{file.name}"

    def fresh(self, message: Json) -> Json:
        """A message as REST shows it: with valid addresses."""
        for part in (message, *(it["message"] for it in message.get("message_snapshots", ()))):
            for attachment in part["attachments"]:
                file = self.world.files[attachment["id"]]
                file.expired = False
                attachment.update(self.attachment(message["channel_id"], message["id"], file))
        may_read = self.gateway.rules.content_intent or not self.world.guild_of(
            message["channel_id"]
        )
        return message if may_read else without_content(message)

    # -- people write -------------------------------------------------------------------------

    def say(
        self,
        text: str,
        *files: File,
        user: str = ANN,
        channel: str = PICTURES,
        reply_to: str | None = None,
        pings: bool = True,
        forwards: str | None = None,
        told: bool = True,
        at: float | None = None,
        **more: Any,
    ) -> str:
        """A user writes; the bot gets the event. Returns: the message's id."""
        w = self.world
        message = w.new_message(channel, user, text, at=at, **more)
        message["mentions"] = self.rest.mentions(channel, text)
        message["mention_roles"] = re.findall(r"<@&(\d+)>", text)
        if reply_to is not None:
            referenced = w.message(channel, reply_to)
            assert referenced is not None
            message |= {"type": 19, "referenced_message": referenced}
            message["message_reference"] = self._reference(channel, reply_to)
            if pings and referenced["author"]["id"] not in {it["id"] for it in message["mentions"]}:
                message["mentions"].append(referenced["author"])
        if forwards is not None:
            forwarded = w.message(channel, forwards)
            assert forwarded is not None
            message["message_reference"] = self._reference(channel, forwards) | {"type": 1}
            message["message_snapshots"] = [{"message": forwarded}]
        message["attachments"] = [self.attachment(channel, message["id"], it) for it in files]
        place = w.channels[channel]
        if place["type"] == THREAD and place["thread_metadata"]["archived"]:
            self.rest.unarchive(channel)
        if told:
            self.tell_of(message)
        return str(message["id"])

    def _reference(self, channel: str, message: str) -> Json:
        guild = self.world.guild_of(channel)
        reference = {"type": 0, "channel_id": channel, "message_id": message}
        return reference | ({"guild_id": guild} if guild else {})

    def tell_of(self, message: Json) -> None:
        """Send the bot the event of a message."""
        self.rest.tell("MESSAGE_CREATE", message, message["channel_id"])

    def post(self, title: str, text: str, *files: File, user: str = ANN) -> str:
        """A user makes a forum post. Returns: the id of its thread and of its first message."""
        thread = self.world.snowflake()
        made = self.world.add_thread(thread, GALLERY, title, user)
        self.rest.tell("THREAD_CREATE", made | {"newly_created": True}, GALLERY)
        return self.say(text, *files, user=user, channel=thread, id=thread)

    def open_thread(self, name: str, *, user: str = ANN, channel: str = PICTURES) -> str:
        """A user opens a thread."""
        made = self.world.add_thread(self.world.snowflake(), channel, name, user)
        self.rest.tell("THREAD_CREATE", made | {"newly_created": True}, channel)
        return str(made["id"])

    def archive(self, thread: str, *, locked: bool = False, told: bool = True) -> None:
        """A thread is archived."""
        place = self.world.channels[thread]
        place["thread_metadata"] |= {"archived": True, "locked": locked}
        if told:
            self.rest.tell("THREAD_UPDATE", place, thread)

    def edit(self, message_id: str, text: str, *, channel: str = PICTURES) -> None:
        """The author changes a message."""
        message = self.world.message(channel, message_id)
        assert message is not None
        message["content"] = text
        message["mentions"] = self.rest.mentions(channel, text)
        message["edited_timestamp"] = iso(time.time())
        self.rest.tell("MESSAGE_UPDATE", message, channel)

    def delete(self, *messages: str, channel: str = PICTURES) -> None:
        """Messages are deleted: by their author, or several by a moderator."""
        for message_id in messages:
            message = self.world.message(channel, message_id)
            assert message is not None
            self.world.messages[channel].remove(message)
        if len(messages) == 1:
            self.rest.tell("MESSAGE_DELETE", {"id": messages[0], "channel_id": channel}, channel)
        else:
            bulk = {"ids": list(messages), "channel_id": channel}
            self.rest.tell("MESSAGE_DELETE_BULK", bulk, channel)

    def delete_thread(self, thread: str) -> None:
        """A thread is deleted with all its messages."""
        gone = self.world.channels.pop(thread)
        del self.world.messages[thread]
        told = {name: gone[name] for name in ("id", "guild_id", "parent_id", "type")}
        self.gateway.tell("THREAD_DELETE", told, guild=gone["guild_id"])

    # -- what the bot may do ------------------------------------------------------------------

    def deny(self, *permissions: str, channel: str = PICTURES, told: bool = True) -> None:
        """Take permissions from the bot in a channel."""
        place = self.world.channels[channel]
        deny = sum(BITS[name] for name in permissions)
        place["permission_overwrites"] = [
            {"id": BOT_ROLE, "type": 0, "allow": "0", "deny": str(deny)}
        ]
        if told:
            self.rest.tell("CHANNEL_UPDATE", place, channel)

    def take_from_role(self, *permissions: str) -> None:
        """Take permissions from the bot's role and from everybody, in the whole server."""
        for role in self.world.guilds[GUILD]["roles"]:
            if role["id"] in {GUILD, BOT_ROLE}:
                granted = int(role["permissions"])
                for name in permissions:
                    granted &= ~BITS[name]
                role["permissions"] = str(granted)

    # -- people press and choose --------------------------------------------------------------

    def interact(
        self, kind: int, user: str, channel: str, data: Json, message: Json | None = None
    ) -> Asked:
        """Trigger an interaction."""
        asked, told = self.interactions.payload(kind, user, channel, data, message)
        self.gateway.tell("INTERACTION_CREATE", told, guild=self.world.guild_of(channel))
        return asked

    def slash(
        self,
        name: str,
        /,
        *,
        user: str = ANN,
        channel: str = PICTURES,
        file: File | None = None,
        **values: str,
    ) -> Asked:
        """A user runs a slash command; ``llava help`` names a subcommand."""
        command, _, sub = name.partition(" ")
        published = next(it for it in self.world.commands if it["name"] == command)
        options: list[Json] = [
            {"name": key, "type": 3, "value": value} for key, value in values.items()
        ]
        data: Json = {"id": published["id"], "name": command, "type": 1, "options": options}
        if file is not None:
            options.append({"name": "picture", "type": 11, "value": file.id})
            attachment = self.attachment("ephemeral", "0", file)
            data["resolved"] = {"attachments": {file.id: attachment | {"ephemeral": True}}}
        if sub:
            data["options"] = [{"name": sub, "type": 1, "options": options}]
        return self.interact(COMMAND, user, channel, data)

    def type_option(
        self, command: str, option: str, typed: str, *, user: str = ANN, channel: str = PICTURES
    ) -> Asked:
        """A user types into an option of a command, and is offered choices."""
        published = next(it for it in self.world.commands if it["name"] == command)
        options = [{"name": option, "type": 3, "value": typed, "focused": True}]
        data = {"id": published["id"], "name": command, "type": 1, "options": options}
        return self.interact(AUTOCOMPLETE, user, channel, data)

    def use_menu(self, message_id: str, *, user: str = ANN, channel: str = PICTURES) -> Asked:
        """A user chooses “Ask about this picture” in a message's menu."""
        published = next(it for it in self.world.commands if it.get("type") == 3)
        message = self.world.message(channel, message_id)
        data = {
            "id": published["id"],
            "name": published["name"],
            "type": 3,
            "target_id": message_id,
            "resolved": {"messages": {message_id: message}},
        }
        return self.interact(COMMAND, user, channel, data)

    def submit(self, values: dict[str, str], opened_by: str = "") -> Asked:
        """The user who opened a modal submits it: that of an interaction, or the last one.

        Fields without a value stay as they are shown.
        """
        modals = self.interactions.modals
        ids = [asked.id for asked, _ in modals]
        asked, modal = modals.pop(ids.index(opened_by) if opened_by else -1)
        filled = []
        for number, label in enumerate(modal["components"]):
            inner = label.get("component") or label["components"][0]
            value = values.get(inner["custom_id"], shown_in(inner))
            given = {"values": [value]} if inner["type"] == 3 else {"value": value}
            inner = {"type": inner["type"], "id": number, "custom_id": inner["custom_id"], **given}
            filled.append({"type": 18, "id": 100 + number, "component": inner})
        data = {"custom_id": modal["custom_id"], "components": filled}
        return self.interact(MODAL, asked.user, asked.channel, data)

    def press(self, message: Json, action: str, *, user: str = ANN) -> Asked:
        """A user presses a button under a message of the bot."""
        custom_id = next(it for it in button_ids(message) if it.split(":")[1] == action)
        data = {"custom_id": custom_id, "component_type": 2}
        return self.interact(COMPONENT, user, message["channel_id"], data, message)

    def choose(self, message: Json, option: str, *, user: str = ANN) -> Asked:
        """A user chooses from the menu under a message of the bot."""
        menu = menu_of(message)
        assert menu is not None
        assert option in [it["label"] for it in menu["options"]]
        data = {"custom_id": menu["custom_id"], "component_type": 3, "values": [option]}
        return self.interact(COMPONENT, user, message["channel_id"], data, message)


def menu_of(message: Json) -> Json | None:
    """The menu of a message, if there is one."""
    items = (item for row in message.get("components") or () for item in row["components"])
    return next((item for item in items if item["type"] == 3), None)


def shown_in(component: Json) -> str:
    """What a field of a modal holds before anybody changes it."""
    chosen = [it["value"] for it in component.get("options") or () if it.get("default")]
    return chosen[0] if chosen else str(component.get("value") or "")


def button_ids(message: Json) -> list[str]:
    """The ids of a message's buttons."""
    return [
        item["custom_id"]
        for row in message.get("components") or ()
        for item in row.get("components", ())
        if item.get("type") == 2 and "custom_id" in item
    ]
