"""The parts of Slack messages that the rows of `slack_places.py` are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.scenario.chat.places import BYTES, Json
from tests.servers.slack.server import LocalSlack

PAGE = b"<!DOCTYPE html><html><body><h1>Notes</h1></body></html>"


@dataclass(frozen=True)
class SlackWorld:
    """What the rows are made with."""

    slack: LocalSlack
    web: str

    def file(self, name: str = "red.png", data: bytes = BYTES["red"], **described: Any) -> Json:
        """A file as an event shows it."""
        return self.slack.in_event(self.slack.upload(name, data, described=described))

    def image(self, address: str = "red", **more: Any) -> Json:
        """An image block or element."""
        return {
            "type": "image", "image_url": f"{self.web}/{address}", "alt_text": "A graph", **more,
        }  # fmt: skip

    def slack_file(self, name: str = "id") -> Json:
        """An image that names a file of Slack's."""
        file = self.file()
        given = {
            "id": {"id": file["id"]},
            "url": {"url": file["url_private"]},
            "permalink": {"url": f"https://local.slack.com/files/U1/{file['id']}/red.png"},
        }
        return {"type": "image", "alt_text": "v1.2", "slack_file": given[name]}


Make = Callable[[SlackWorld], Json]


def words(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(**more: Any) -> Json:
    return {"type": "section", "text": words("a section"), **more}


def blocks(make: Make) -> Make:
    """Of the message itself."""
    return lambda w: {"blocks": [section(), make(w)]}


def attached(make: Make) -> Make:
    """In an app's attachment."""
    return lambda w: {"attachments": [{"id": 1, "color": "d00000", **make(w)}]}


def file(name: str, data: bytes = PAGE, **described: Any) -> Make:
    return lambda w: {"files": [w.file(name, data, **described)]}


def said(text: str) -> Make:
    """In the words of the message; WEB stands for the host."""
    return lambda w: {"text": text.replace("WEB", w.web)}


def rich(*elements: Json) -> Json:
    inner = {"type": "rich_text_section", "elements": list(elements)}
    return {"type": "rich_text", "elements": [inner]}
