"""Payloads that discord.py cannot parse: the odd part is left out, everything else goes on.

discord.py (2.7) drops the connection when one event lacks the shape it expects, and gives up a
whole channel's history for one message. Both happen: a poll that never ends has no ``expiry``, and
Discord adds new kinds of things at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import discord
from discord.state import AutoShardedConnectionState

from inference.errors import safe_traceback

log = logging.getLogger(__name__)

NEEDED_BY_THE_SESSION = {"READY", "RESUMED"}
"""Without these there is no session: it is begun anew."""
MESSAGES = {"MESSAGE_CREATE", "MESSAGE_UPDATE"}
THREADS = {"THREAD_CREATE", "THREAD_UPDATE"}

REQUIRED = ("id", "channel_id", "guild_id", "type", "content", "author", "webhook_id", "flags")
"""Who says what and where: a message without these says nothing."""
ALWAYS: dict[str, Any] = {"mentions": [], "mention_roles": [], "components": []}
"""discord.py's message lacks an attribute where its payload lacks one of these."""
FIRST = "message_reference"
"""discord.py reads the message that is replied to by it."""
NOBODY = {"id": "0", "username": "", "discriminator": "0", "avatar": None}
NO_TYPE = -1
"""Of a message of which nothing can be parsed: it is no question."""


class State(AutoShardedConnectionState[Any]):
    """discord.py's memory and parsers. Made by the client, once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for event, parse in list(self.parsers.items()):
            if event not in NEEDED_BY_THE_SESSION:
                self.parsers[event] = self._guarded(event, parse)

    def create_message(self, *, channel: Any, data: Any) -> discord.Message:
        """A message of REST's, without the parts that cannot be parsed; it never raises."""
        return self._message(channel, self._parsable(channel, data))

    def _guarded(self, event: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
        def parse_what_can_be(data: Any) -> None:
            try:
                if event == "INTERACTION_CREATE":
                    self._mend_messages_of(data)
                elif event in MESSAGES:
                    data = self._parsable(self._channel_of(data), data)
                    if data["type"] == NO_TYPE:
                        self.dispatch("unparsed", event, _where(event, data))
                        return
                parse(data)
            except Exception as exc:  # noqa: BLE001 - whatever discord.py's parsers raise
                log.warning("%s cannot be parsed: %s", event, safe_traceback(exc))
                self.dispatch("unparsed", event, _where(event, data))

        return parse_what_can_be

    def _mend_messages_of(self, data: Any) -> None:
        """The messages that an interaction brings: the one whose menu or button was used."""
        about = (data.get("data") or {}).get("resolved") or {}
        messages = about.get("messages") or {}
        for id_, message in messages.items():
            messages[id_] = self._parsable(self._channel_of(message), message)
        if "message" in data:
            data["message"] = self._parsable(self._channel_of(data["message"]), data["message"])

    def _parsable(self, channel: Any, data: Any) -> Any:
        try:
            data = ALWAYS | data
            self._message(channel, deepcopy(data))  # a parser takes out of it what it has read
        except Exception as exc:  # noqa: BLE001 - as above
            log.warning("a message is parsed in part: %s", safe_traceback(exc))
            return self._mended(channel, data)
        return data

    def _mended(self, channel: Any, data: Any) -> dict[str, Any]:
        """A message's payload without what cannot be parsed: fields, and single items of lists.

        Returns: a message of type `NO_TYPE`, where too little is left.
        """
        data = data if isinstance(data, dict) else {}
        kept = ALWAYS | {name: data[name] for name in REQUIRED if name in data}
        if not self._parses(channel, kept):
            ids = {name: data[name] for name in ("channel_id", "guild_id") if name in data}
            id_ = data.get("id") if str(data.get("id")).isdecimal() else "0"
            blank = {"id": id_, "type": NO_TYPE, "content": "", "author": NOBODY}
            return ids | ALWAYS | blank
        for name in sorted(data.keys() - set(REQUIRED), key=lambda name: name != FIRST):
            part = data[name]
            if isinstance(part, list):
                part = [item for item in part if self._parses(channel, kept | {name: [item]})]
            if self._parses(channel, kept | {name: part}):
                kept[name] = part
        return kept

    def _parses(self, channel: Any, data: Any) -> bool:
        try:
            self._message(channel, deepcopy(data))
        except Exception:  # noqa: BLE001 - as above
            return False
        return True

    def _message(self, channel: Any, data: Any) -> discord.Message:
        message = super().create_message(channel=channel, data=data)
        # discord.py passes over these two in silence.
        if not hasattr(message, "author"):
            raise KeyError("author")
        if len(message.mentions) < len(data.get("mentions") or ()):
            raise KeyError("mentions")
        return message

    def _channel_of(self, data: Any) -> discord.PartialMessageable:
        channel, guild = str(data.get("channel_id") or 0), data.get("guild_id")
        return discord.PartialMessageable(
            state=self, id=int(channel), guild_id=None if guild is None else int(guild)
        )


def _where(event: str, data: Any) -> int:
    """The channel or thread that an event is about; 0 where it does not say."""
    if not isinstance(data, dict):
        return 0
    channel = str(data.get("id" if event in THREADS else "channel_id"))
    return int(channel) if channel.isdecimal() else 0
