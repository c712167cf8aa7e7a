"""What Discord changes in a message that is sent or edited."""

from __future__ import annotations

import time

from tests.servers.discord.state import Json, iso


def numbered(rows: list[Json]) -> list[Json]:
    """Number the components, as Discord does."""
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
    """A standard emoji has no id."""
    emoji = {name: value for name, value in item.get("emoji", {}).items() if value is not None}
    return item | ({"emoji": emoji} if emoji else {})


def change(message: Json, body: Json) -> None:
    """Apply an edit."""
    for name in ("content", "components"):
        if name in body:
            message[name] = body[name] or ([] if name == "components" else "")
    message["components"] = numbered(message["components"])
    message["edited_timestamp"] = iso(time.time())
    message["edits"] = message.get("edits", 0) + 1  # for the tests
